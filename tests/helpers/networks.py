"""Random networks and inputs for property tests."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from lava_qsnn import synapse
from lava_qsnn.block import memory_free as block
from lava_qsnn.block import quantized_lif

WEIGHT_BITS = st.sampled_from([1, 2, 4, 8])


@dataclass(frozen=True)
class Case:
    """A torch network and the arguments of its export."""

    net: nn.Sequential
    input_shape: tuple[int, ...]
    timesteps: int
    input_bits: int
    seed: int

    @property
    def export_arguments(self) -> dict[str, Any]:
        return {"input_shape": self.input_shape, "timesteps": self.timesteps, "input_bits": self.input_bits}

    def inputs(self, samples: int = 2) -> NDArray[np.int64]:
        """Samples (N, *input shape, T): one silent, one saturated, the others random, dense and sparse by turns."""
        random = np.random.default_rng(self.seed)
        largest = 2**self.input_bits - 1
        x = random.integers(0, largest + 1, (samples + 2, *self.input_shape, self.timesteps))
        x[3::2] *= random.random(x[3::2].shape) < 0.3
        x[0], x[1] = 0, largest
        return x


@st.composite
def neuron_parameters(draw: st.DrawFn, norm: bool = True, longest: int = 16) -> dict[str, Any]:
    taps = draw(st.sampled_from(["shift", "geometric", "learned"]))
    # Shift taps double with every step; with 8-bit weights, 9 of them stay within the exact range of float32.
    history = draw(st.integers(1, min(longest, 9) if taps == "shift" else longest))
    return {
        "threshold": draw(st.sampled_from([-0.5, 0.0, 0.25, 0.5, 1.0])),
        "history": history,
        "taps": taps,
        "decay": draw(st.sampled_from([0.5, 0.8, 0.9, 1.0])),
        "tap_bits": draw(st.integers(1, 5)),
        "norm": "batch" if norm and draw(st.booleans()) else None,
    }


@st.composite
def dense_cases(draw: st.DrawFn, longest: int = 16) -> Case:
    """Dense networks of one to three layers, with or without Input neurons and Output."""
    timesteps, seed = draw(st.integers(1, longest)), draw(st.integers(0, 2**32 - 1))
    sizes = draw(st.lists(st.integers(1, 12), min_size=2, max_size=4))
    torch.manual_seed(seed)
    blocks: list[nn.Module] = []
    if draw(st.booleans()):
        blocks.append(block.Input(draw(st.none() | neuron_parameters(norm=False))))
    for source, target in pairwise(sizes):
        blocks.append(block.Dense(draw(neuron_parameters()), source, target, weight_bits=draw(WEIGHT_BITS)))
    if draw(st.booleans()):
        blocks.append(block.Output(sizes[-1], 3, weight_bits=draw(WEIGHT_BITS), neuron_params=draw(readouts())))
    net = perturbed(nn.Sequential(*blocks), seed)
    return Case(net, (sizes[0],), timesteps, draw(st.integers(1, 4)), seed)


@st.composite
def conv_cases(draw: st.DrawFn, longest: int = 6) -> Case:
    """Convolutional networks: conv with every option, pooling of both kinds, flatten, dense, output."""
    timesteps, seed = draw(st.integers(1, longest)), draw(st.integers(0, 2**32 - 1))
    groups = draw(st.sampled_from([1, 2]))
    channels, maps = 2 * draw(st.integers(1, 2)), 2 * draw(st.integers(1, 2))
    height, width = draw(st.integers(9, 12)), draw(st.integers(9, 12))
    torch.manual_seed(seed)
    pooling: nn.Module = block.Pool(
        draw(st.none() | neuron_parameters(norm=False)), 2, stride=draw(st.sampled_from([None, 1]))
    )
    conv = block.Conv(
        draw(neuron_parameters()),
        channels,
        maps,
        draw(_sizes(1, 2, (3, 2))),
        stride=draw(_sizes(1, 2, (1, 2))),
        padding=draw(_sizes(0, 1, (1, 0))),
        dilation=draw(_sizes(1, (1, 2))),
        groups=groups,
        weight_bits=draw(WEIGHT_BITS),
    )
    blocks = [conv, pooling]
    if draw(st.booleans()):
        blocks.append(block.Conv(draw(neuron_parameters()), maps, maps, 2, weight_bits=draw(WEIGHT_BITS)))
    net = nn.Sequential(*blocks, block.Flatten()).eval()
    probe = net(torch.zeros(1, channels, height, width, 1))
    net.append(block.Dense(draw(neuron_parameters()), probe.shape[1], 5, weight_bits=draw(WEIGHT_BITS)))
    net.append(block.Output(5, 3))
    return Case(perturbed(net, seed), (channels, height, width), timesteps, draw(st.integers(1, 3)), seed)


def _sizes(*choices: int | tuple[int, int]) -> st.SearchStrategy[int | tuple[int, int]]:
    """Options of a convolution, alike or different along the two axes."""
    return st.sampled_from(choices)


@st.composite
def lif_parameters(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "threshold": draw(st.sampled_from([0.25, 0.5, 1.0, 3.0])),
        "potential_bits": draw(st.sampled_from([2, 3, 4, 8, 16])),
        "potential_range": draw(st.sampled_from([None, 1, 4])),
        "decay": 1 - 0.5 ** draw(st.integers(1, 8)),
        "reset": draw(st.sampled_from(["hard", "soft"])),
        "norm": "batch" if draw(st.booleans()) else None,
    }


@st.composite
def lif_cases(draw: st.DrawFn, longest: int = 20) -> Case:
    """Dense networks of neurons with a stored potential, some with a memory-free layer among them, and a skip."""
    timesteps, seed = draw(st.integers(1, longest)), draw(st.integers(0, 2**32 - 1))
    inputs, width = draw(st.integers(1, 10)), draw(st.integers(1, 8))
    torch.manual_seed(seed)
    blocks: list[nn.Module] = []
    if draw(st.booleans()):
        blocks.append(quantized_lif.Input({**draw(lif_parameters()), "norm": None}))
    blocks.append(quantized_lif.Dense(draw(lif_parameters()), inputs, width, weight_bits=draw(WEIGHT_BITS)))
    if draw(st.booleans()):
        blocks.append(block.Dense(draw(neuron_parameters(longest=6)), width, width, weight_bits=draw(WEIGHT_BITS)))
    inner = [quantized_lif.Dense(draw(lif_parameters()), width, width, weight_bits=draw(WEIGHT_BITS)) for _ in "ab"]
    shortcut = synapse.Dense(width, width, weight_bits=2) if draw(st.booleans()) else None
    blocks.append(quantized_lif.Residual(*inner, shortcut=shortcut))
    blocks.append(quantized_lif.Output(width, 3, weight_bits=draw(WEIGHT_BITS)))
    return Case(perturbed(nn.Sequential(*blocks), seed), (inputs,), timesteps, draw(st.integers(1, 4)), seed)


@st.composite
def residual_cases(draw: st.DrawFn, longest: int = 6) -> Case:
    """Convolutional networks with residual blocks of either family, pooling before, between and after them."""
    timesteps, seed = draw(st.integers(1, longest)), draw(st.integers(0, 2**32 - 1))
    family, parameters = draw(st.sampled_from([(block, neuron_parameters()), (quantized_lif, lif_parameters())]))
    maps, more = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    torch.manual_seed(seed)

    def conv(source: int, target: int, **options: Any) -> nn.Module:
        return family.Conv(draw(parameters), source, target, 3, padding=1, weight_bits=draw(WEIGHT_BITS), **options)

    blocks = [conv(2, maps)] if draw(st.booleans()) else []
    source = maps if blocks else 2
    if draw(st.booleans()):
        # Merged into padded convolutions, exactly: the kernel is the stride and divides the size.
        blocks.append(family.Pool(None, 2))
    blocks.append(family.Residual(conv(source, source), conv(source, source)))
    shortcut = synapse.Conv(source, more, 1, stride=2, weight_bits=draw(WEIGHT_BITS))
    strength = draw(st.none() | st.integers(1, 5))
    inner = conv(source, more, stride=2), conv(more, more)
    blocks += [family.Residual(*inner, shortcut=shortcut, strength=strength), family.Flatten()]
    net = nn.Sequential(*blocks).eval()
    probe = net(torch.zeros(1, 2, 8, 8, 1))
    net.append(family.Output(probe.shape[1], 3))
    return Case(perturbed(net, seed), (2, 8, 8), timesteps, draw(st.integers(1, 3)), seed)


def readouts() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"history": st.integers(1, 4), "taps": st.sampled_from(["shift", "geometric"]), "tap_bits": st.integers(1, 4)}
    )


def perturbed(net: nn.Sequential, seed: int) -> nn.Sequential:
    """The network with norms as training leaves them: gains of both signs, some 0, statistics anywhere.

    Means and biases are coarse fractions, so that potentials often meet their threshold exactly.
    """
    random = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            count = module.num_features
            with torch.no_grad():
                gain = torch.randn(count, generator=random)
                module.weight.copy_(torch.where(torch.rand(count, generator=random) < 0.1, 0.0, gain))
                module.bias.copy_((4 * torch.randn(count, generator=random)).round() / 8)
                module.running_mean.copy_((4 * torch.randn(count, generator=random)).round() / 16)
                module.running_var.copy_(torch.rand(count, generator=random) + 0.01)
                module.num_batches_tracked.zero_()
    return net.eval()
