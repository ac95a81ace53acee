"""The torch network as one more engine: its blocks' outputs in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from netx_export._fold import spiking_blocks


def run_torch(net: nn.Module, x: NDArray[np.integer[Any]], timesteps: int) -> tuple[list[NDArray[Any]], list[float]]:
    """Run a network in evaluation mode and collect what each block that becomes a layer puts out.

    Args:
        net: the network; its mode is restored.
        x: int (N, *input shape, T).
        timesteps: for which the network was folded, at least T.

    Returns:
        Outputs in the order the blocks ran, (N, *shape, T) each, and each block's real potential per integer unit
        (of channel 0; readouts have one for all).
    """
    outputs: list[NDArray[Any]] = []
    scales: list[float] = []

    def keep(block: Any, _: Any, output: Any) -> None:
        value = output[0] if isinstance(output, tuple) else output
        outputs.append(value.detach().cpu().numpy())
        scales.append(float(block.integer_parameters(timesteps).scale[0]))

    hooks = [block.register_forward_hook(keep) for block in spiking_blocks(net)]
    device = next((parameter.device for parameter in net.parameters()), torch.device("cpu"))
    try:
        with evaluation(net), torch.no_grad():
            net(torch.as_tensor(x.astype(np.float32), device=device))
    finally:
        for hook in hooks:
            hook.remove()
    return outputs, scales


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
