"""Random small networks of every kind of synapse and neuron, and chips so small that layers are cut into many parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lava_qsnn.integer import (
    INPUT,
    Connection,
    Conv,
    Dense,
    Input,
    IntegerNetwork,
    Layer,
    MemoryFree,
    Neuron,
    OneToOne,
    QuantizedLIF,
    Readout,
    Synapse,
)
from netx_export import CHIPS, Chip

#: Cores for a handful of neurons.
TINY = replace(CHIPS["loihi2"], name="tiny", state_words=5, cores=4, synmem_words=400, boards={"one": 1, "two": 2})
TINY_1 = replace(CHIPS["loihi1"], name="tiny 1", state_words=5, cores=4, synmem_words=400)


def weights(random: np.random.Generator, *shape: int) -> np.ndarray[Any, Any]:
    """Weights of which some are 0."""
    found = random.integers(-3, 4, shape)
    found.flat[0] = 1
    return found


def memory_free(random: np.random.Generator, channels: int, taps: tuple[int, ...]) -> MemoryFree:
    return MemoryFree(taps, random.integers(-1, 5, channels))


def quantized_lif(random: np.random.Generator, channels: int) -> QuantizedLIF:
    zero = np.zeros(channels, np.int64)
    return QuantizedLIF(4, 1, "hard", zero, zero, zero, random.integers(1, 5, channels))


@st.composite
def networks(draw: st.DrawFn) -> IntegerNetwork:
    """A convolution or two with a skip over them, then dense layers, spiking or not, with delays and several taps."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups, channels = draw(st.sampled_from([1, 2])), 2 * draw(st.integers(1, 2))
    taps = draw(st.sampled_from([(1,), (2, 1), (3, 1, 1)]))
    pads = (draw(st.integers(0, 1)), draw(st.integers(0, 1)))
    strides, spread = (draw(st.integers(1, 2)), draw(st.integers(1, 2))), (draw(st.integers(1, 2)), 1)
    kernel = (draw(st.integers(1, 2)), draw(st.integers(1, 3)))
    first = Conv(weights(random, channels, 2 // groups, *kernel), strides, pads, spread, groups)
    layers = [Layer("conv", (Connection(INPUT, first),), memory_free(random, channels, taps))]
    neuron: Neuron = memory_free(random, channels, taps) if draw(st.booleans()) else quantized_lif(random, channels)
    again = Conv(weights(random, channels, channels, 3, 3), padding=(1, 1))
    connections = [Connection("conv", again)]
    if draw(st.booleans()):
        connections.append(Connection("conv", OneToOne(weights(random, channels)), draw(st.integers(0, 2))))
    layers.append(Layer("block", tuple(connections), neuron))
    draft = IntegerNetwork(Input((2, 5, 4), draw(st.sampled_from([1, 3]))), 4, tuple(layers))
    size = int(np.prod(draft.shapes["block"]))
    dense: Synapse = Dense(weights(random, 7, size))
    layers.append(Layer("dense", (Connection("block", dense, draw(st.integers(0, 1))),), memory_free(random, 7, taps)))
    answers = (Connection("dense", Dense(weights(random, 3, 7))), Connection("block", Dense(weights(random, 3, size))))
    layers.append(Layer("answer", answers[: draw(st.integers(1, 2))], Readout(draw(st.sampled_from([taps, (1,)])))))
    return replace(draft, layers=tuple(layers))


def samples(network: IntegerNetwork, seed: int, number: int = 2) -> np.ndarray[Any, Any]:
    """Sparse input, and one sample of nothing."""
    random = np.random.default_rng(seed)
    x = random.integers(0, network.input.maximum + 1, (number + 1, *network.input.shape, network.timesteps))
    x *= random.random(x.shape) < 0.4
    x[0] = 0
    return x


def chip(small: Chip, words: int) -> Chip:
    return replace(small, state_words=words)
