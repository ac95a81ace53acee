"""The torch network as one more engine: its blocks' outputs in evaluation mode, and its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lava_qsnn.block import Synaptic
from lava_qsnn.errors import DeploymentError
from netx_export._fold import blocks, spiking_blocks
from netx_export._fold_slayer import input_unit
from netx_export._run_slayer import from_rest, observed, steps_late
from netx_export._run_slayer import scale as slayer_scale


@dataclass(frozen=True)
class TorchRun:
    """The output of a network in torch.

    `layers` are the outputs of the blocks that become layers, in the order they ran and without the steps by which
    slayer delays them, (N, *shape, T) each; `scales` each block's real potential per integer unit (of channel 0;
    readouts have one for all); `last` is what the last of them put out, as it was; `answer` what the network itself
    returned, or the first thing of several.
    """

    layers: list[NDArray[Any]]
    scales: list[float]
    last: NDArray[Any]
    answer: Any


def run_torch(net: nn.Module, x: NDArray[np.integer[Any]], timesteps: int) -> TorchRun:
    """Run a network in evaluation mode and collect what each block that becomes a layer puts out.

    Args:
        net: the network, or a ModuleList of its blocks; its mode is restored.
        x: int (N, *input shape, T).
        timesteps: for which the network was folded, at least T.
    """
    layers: list[NDArray[Any]] = []
    scales: list[float] = []
    last = np.empty(0)
    every = list(blocks(net))
    late = steps_late(every)

    def keep(block: Any, _: Any, output: Any) -> None:
        nonlocal last
        last = _first(output).detach().cpu().numpy()
        begin = late.get(block, 0)
        layers.append(_numbers(block, _first(output))[..., begin : begin + x.shape[-1]])
        scales.append(_scale(block, timesteps))

    hooks = [block.register_forward_hook(keep) for block in spiking_blocks(net)]
    device = next((parameter.device for parameter in net.parameters()), torch.device("cpu"))
    called = nn.Sequential(*net) if isinstance(net, nn.ModuleList) else net
    pad = [(0, 0)] * (x.ndim - 1) + [(0, max(late.values(), default=0))]
    given = np.pad(x, pad).astype(np.float32) * np.float32(input_unit(every[0]) if every else 1)
    try:
        with evaluation(net), from_rest(net), torch.no_grad():
            answer = _first(called(torch.as_tensor(given, device=device)))
    finally:
        for hook in hooks:
            hook.remove()
    return TorchRun(layers, scales, last, answer)


def _numbers(block: Any, output: torch.Tensor) -> NDArray[Any]:
    found: NDArray[Any] = (output if isinstance(block, Synaptic) else observed(block, output)).detach().cpu().numpy()
    return found


def _scale(block: Any, timesteps: int) -> float:
    return float(block.integer_parameters(timesteps).scale[0]) if isinstance(block, Synaptic) else slayer_scale(block)


def refuse_more_than_blocks(net: nn.Module, run: TorchRun) -> None:
    """Raise DeploymentError unless the network returned what its last block did, or that summed over time.

    A positive constant may multiply it, as the mean over time has one: it keeps the order of classes.
    """
    if isinstance(run.answer, torch.Tensor) and _is_reading(run.answer.detach().cpu().numpy(), run.last):
        return
    raise DeploymentError(
        "the network does not return its last block's output, nor its sum or mean over time, and what its `forward` "
        f"does beyond its blocks would not be deployed{_outside(net)}",
        remedy="return the last block's output, or its sum or mean over time; what comes after belongs into the loss",
    )


def _is_reading(answer: NDArray[Any], last: NDArray[Any]) -> bool:
    """True if an answer is a positive constant times (N, *shape, T), or times its sum over time."""
    total, size = last.sum(-1, dtype=np.float64), np.abs(last).sum(-1).max(initial=0)
    expected = last.astype(np.float64) if answer.size == last.size else total
    if answer.size != expected.size or len(answer) != len(last):
        return False
    answer, expected = answer.astype(np.float64).reshape(-1), expected.reshape(-1)
    largest = int(np.abs(expected).argmax())
    if expected[largest] == 0:
        return not answer.any()
    factor = answer[largest] / expected[largest]
    return bool(factor > 0 and np.allclose(answer, factor * expected, rtol=1e-5, atol=1e-6 * factor * size))


def _outside(net: nn.Module) -> str:
    """The modules of a network that lie outside of its blocks, named, or nothing."""
    inside = {id(module) for block in blocks(net) for module in block.modules()}
    idle = (nn.Identity, nn.modules.dropout._DropoutNd)
    found = [
        f"'{name}', a {type(module).__name__}"
        for name, module in net.named_modules()
        if name and id(module) not in inside and not list(module.children()) and not isinstance(module, idle)
    ]
    return f" (outside of them: {'; '.join(found)})" if found else ""


def _first(output: Any) -> Any:
    """A module's output, or the first of several, as with slayer's count_log."""
    return output[0] if isinstance(output, (tuple, list)) and output else output


@contextmanager
def evaluation(net: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; every module gets its own mode back."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
