"""Weight-spike dual regulation: weights and spikes that carry as much information as their bits can.

A 1-bit weight, or a spike, carries at most one bit, and that only if both of its values are equally frequent. *Weight
regulation* (`weight_regulation=True` of a synapse) standardizes the real weights of each output channel before they are
quantized, so that about as many are positive as negative. *Spike regulation* is a term of the loss that draws each
hidden layer's firing rate to one half. In a training loop:

    for step, (x, y) in enumerate(batches):
        regulation.anneal(net, step / steps)  # the gradient of regulated 1-bit weights
        with regulation.firing_rates(net) as rates:
            loss = F.cross_entropy(net(x).sum(-1), y)
        loss = loss + regulation.spike_regulation(rates, 5e-3)
        loss.backward()
        ...

(This project's reconstruction of the WS-DR of Q-SNN, arXiv 2406.13672, from its abstract and a description of its
public code. The annealed gradient and its schedule are IR-Net's, Qin et al., 2020; see lava_qsnn.quantize.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from lava_qsnn.errors import ConfigurationError, InputError
from lava_qsnn.extras import extra
from lava_qsnn.synapse import Quantized

with extra("train"):
    import torch
    from torch import Tensor, nn

    from lava_qsnn import _slayer

#: The gradient of the entropy is taken at least this far from the rates 0 and 1.
ENTROPY_MARGIN = 2.0**-20

#: What each kind of spike regulation charges for a layer's firing rate.
PENALTIES: dict[str, Callable[[Tensor], Tensor]] = {
    "entropy": lambda rate: 1 - entropy(rate),
    "squared": lambda rate: (rate - 0.5).square(),  # as in Q-SNN's public code
}


def anneal(net: nn.Module, progress: float) -> None:
    """Tell the regulated synapses of a network how far the training is; evaluation and deployment do not depend on it.

    Args:
        net: a network, a block or a synapse.
        progress: 0 at the first step to 1 at the last.

    Raises:
        ConfigurationError: `progress` is not within 0 to 1.
    """
    if not 0 <= progress <= 1:
        raise ConfigurationError(f"progress must lie from 0 to 1, not be {progress!r}", remedy="divide by all steps")
    for module in net.modules():
        if isinstance(module, Quantized) and module.weight_regulation:
            module.progress = float(progress)


def entropy(rate: Tensor) -> Tensor:
    """Information of a spike in bits: H(p) = -p log2 p - (1 - p) log2 (1 - p), exactly 0 at p = 0 and p = 1.

    Its gradient log2((1 - p) / p) is infinite there; it is taken at p clamped to 2^-20 .. 1 - 2^-20, hence finite: at
    most 20 bits per unit of rate.

    Args:
        rate: p, within 0 to 1, float of any shape.
    """
    result: Tensor = _Entropy.apply(rate)
    return result


def spike_regulation(rates: Mapping[str, Tensor], strength: float, kind: str = "entropy") -> Tensor:
    """The term of the loss: strength times the mean over layers of 1 - H(p) ("entropy") or (p - 1/2)^2 ("squared").

    Args:
        rates: mean firing rate p of each hidden layer, as `firing_rates` collects them.
        strength: lambda, 0 or more; 5e-3 in Q-SNN's public code, for the squared kind.
        kind: a key of PENALTIES.

    Raises:
        ConfigurationError: there is no such kind.
        InputError: there are no rates.
    """
    if kind not in PENALTIES:
        raise ConfigurationError(
            f"there is no spike regulation '{kind}'", remedy=f"choose one of {', '.join(PENALTIES)}"
        )
    if not rates:
        raise InputError(
            "there are no firing rates to regulate",
            remedy="run a network with hidden spiking layers within `with firing_rates(net) as rates:`",
        )
    return strength * torch.stack([PENALTIES[kind](rate) for rate in rates.values()]).mean()


def hidden_layers(net: nn.Module) -> dict[str, nn.Module]:
    """The blocks of a network whose output are spikes, by their names in it: slayer's neurons of any family.

    A readout is none of them: neither an Output nor any other of slayer's Affine blocks.
    """
    found: dict[str, nn.Module] = {}
    for name, module in net.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        fires = isinstance(getattr(module, "neuron", None), _slayer.Neuron)
        if fires and not inside and not isinstance(module, _slayer.AbstractAffine):
            found[name] = module
    return found


@contextmanager
def firing_rates(layers: nn.Module | Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Collects each layer's mean firing rate over samples, neurons and time steps while a network runs, with gradient.

    Args:
        layers: a network, for its hidden_layers; or the layers by name, of any kind whose output are spikes (0 and 1),
            for example to leave out a last one that spikes, too.

    Yields:
        The rates by the layers' names, float scalars, spikes per neuron and step: those of each layer's last run.
    """
    rates: dict[str, Tensor] = {}

    def note(name: str, _: nn.Module, __: Any, output: Any) -> None:
        spikes = output[0] if isinstance(output, tuple) else output  # with slayer's count_log
        rates[name] = spikes.mean(dtype=torch.promote_types(spikes.dtype, torch.float32))

    chosen = hidden_layers(layers) if isinstance(layers, nn.Module) else layers
    hooks = [layer.register_forward_hook(partial(note, name)) for name, layer in chosen.items()]
    try:
        yield rates
    finally:
        for hook in hooks:
            hook.remove()


class _Entropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rate: Tensor) -> Tensor:
        ctx.save_for_backward(rate)
        return (torch.special.entr(rate) + torch.special.entr(1 - rate)) / math.log(2)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (rate,) = ctx.saved_tensors
        return -gradients[0] * torch.logit(rate, ENTROPY_MARGIN) / math.log(2)
