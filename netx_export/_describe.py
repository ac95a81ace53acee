"""The costs of a deployed network, layer by layer, read from its IntegerNetwork alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from lava_qsnn.integer import (
    INPUT,
    Connection,
    IntegerNetwork,
    Layer,
    Shape,
    Synapse,
)
from netx_export._file_weights import file_weights
from netx_export._hdf5 import Contents, read_contents
from netx_export._open import NetworkOrPath, is_stock, opened
from netx_export._schema import GROUP
from netx_export._words import neuron_words
from netx_export._zoo import located

#: A neuron of Loihi's LIF keeps its current u and its voltage v, of 24 bits each.
LIF_STATE_BITS = 48


@dataclass(frozen=True)
class LayerSummary:
    """One layer of a deployed network.

    `weight_bits` are the fewest that hold the weights; `state_bits` what one neuron keeps from step to step: its stored
    potential, if it has one, and its last K spikes, one bit each, the present one included, K the longest history any
    of its targets asks for (of the input, K numbers of its width).
    """

    name: str
    kind: str
    shape: Shape
    weights: int
    weight_bits: int
    taps: tuple[int, ...]
    potential: str  # of a stored one, its bits, leak and reset; else empty
    thresholds: tuple[int, int] | None  # least and greatest
    potentials: tuple[int, int]  # least and greatest that can be reached
    state_bits: int
    silent_channels: int  # that no input can make fire
    constant_channels: int  # that fire at every step, whatever comes in
    neuron: str  # its kind
    words: tuple[str, ...]  # what its numbers mean, a clause each
    sources: tuple[str, ...]
    weight_range: tuple[int, int]
    zero_weights: int
    outputs: tuple[int, int]  # least and greatest that it can put out

    @property
    def neurons(self) -> int:
        return int(np.prod(self.shape))


def describe(network: NetworkOrPath, **options: Any) -> list[LayerSummary]:
    """One summary per layer, in the network's order.

    Args:
        network: a deployed network, or the path of its file.
        options: of `load`, for stock files.

    Raises:
        FileFormatError, FileNotFoundError, ConfigurationError: as `load`.
    """
    loaded = opened(network, **options)
    return [_summary(loaded, layer) for layer in loaded.layers]


def state_bits(network: NetworkOrPath, source: str) -> int:
    """Bits one neuron of a layer (or one input) keeps: K of its own outputs for all its targets, and its own state.

    `network` is a deployed network, or the path of its file.
    """
    network = opened(network)
    histories = [
        len(layer.taps(connection)) + connection.synapse.delay
        for layer in network.layers
        for connection in layer.connections
        if connection.source == source
    ]
    low, high = network.output_ranges[source]
    history = max(histories, default=0) * _width(low, high)
    return history + (0 if source == INPUT else network.layer(source).neuron.state_bits)


def _width(low: int, high: int) -> int:
    """The fewest bits that hold integers from `low` to `high`, in two's complement if some are negative."""
    return max((-low - 1).bit_length(), high.bit_length()) + 1 if low < 0 else high.bit_length()


def weight_bits(synapse: Synapse) -> int:
    """The fewest bits that hold a synapse's weights: 1 for -1 and +1 alone, else those of two's complement."""
    low, high = int(synapse.weight.min()), int(synapse.weight.max())
    if low >= -1 and high <= 1 and synapse.weight.all():
        return 1
    return _width(min(low, -1), high)


def weight_bytes(network: IntegerNetwork, path: str | os.PathLike[str]) -> dict[str, int]:
    """Bytes that the weights alone take in a network's file: by layer. Errors as `load`."""
    path = located(path)
    if is_stock(network):
        return {each.layer: each.stored for each in file_weights(network, path)}
    return stored_weights(network, read_contents(path))


def stored_weights(network: IntegerNetwork, contents: Contents) -> dict[str, int]:
    """The same of a network that was read from this project's file, and of that file's contents."""
    stored = contents.stored
    return {
        layer.name: sum(
            stored[f"{GROUP}/layer/{index}/connection/{number}/weight"] for number in range(len(layer.connections))
        )
        for index, layer in enumerate(network.layers)
    }


def _summary(network: IntegerNetwork, layer: Layer) -> LayerSummary:
    synapses = [connection.synapse for connection in layer.connections]
    low, high = network.potential_ranges[layer.name]
    threshold, currents = layer.neuron.levels, network.port_ranges[layer.name]
    return LayerSummary(
        name=layer.name,
        kind=" + ".join(_kind(connection) for connection in layer.connections),
        shape=network.shapes[layer.name],
        weights=sum(synapse.weight.size for synapse in synapses),
        weight_bits=max(weight_bits(synapse) for synapse in synapses),
        taps=layer.neuron.taps,
        potential=layer.neuron.summary(),
        thresholds=None if threshold is None else (int(threshold.min()), int(threshold.max())),
        potentials=(int(low.min()), int(high.max())),
        state_bits=state_bits(network, layer.name),
        silent_channels=int(layer.neuron.never_fires(currents).sum()) if layer.neuron.spikes else 0,
        constant_channels=int(layer.neuron.always_fires(currents).sum()) if layer.neuron.spikes else 0,
        neuron=layer.neuron.kind,
        words=neuron_words(layer.neuron),
        sources=network.sources(layer.name),
        weight_range=(
            min(int(each.weight.min()) for each in synapses),
            max(int(each.weight.max()) for each in synapses),
        ),
        zero_weights=sum(int((synapse.weight == 0).sum()) for synapse in synapses),
        outputs=network.output_ranges[layer.name],
    )


def _kind(connection: Connection) -> str:
    """A connection in a word or two."""
    kind = connection.synapse.kind.replace("_", " ")
    pooled = "".join(f"pool {pooling.kernel[0]}x{pooling.kernel[1]}, " for pooling in connection.poolings)
    return pooled + kind + (f", delay {connection.delay}" if connection.delay else "")
