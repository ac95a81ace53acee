"""The file format: names, version and limits of what this project adds to a NetX HDF5 file.

/layer/<i>/...                      stock NetX: the chain of layers, in the words of lava-dl's netx
/lava_qsnn                          this project's group, which stock NetX ignores
    @version                        format version, an integer
    @timesteps, @input_shape, @input_maximum
    @stock_exact, @stock_obstacles  whether unmodified NetX computes the same, and why not
    @input_message_bits, @reset_interval, @reset_offset     what stock NetX must be told besides
    @digest                         SHA-256 of the network's numbers, see `digest`
    layer/<i>/                      one group per layer, in topological order
        @name, @neuron, @taps; of quantized_lif @bits, @leak, @reset
        threshold                   integers (channels,), of spiking neurons
        bias, potential_shift, current_shift        integers (channels,), of quantized_lif
        connection/<j>/             one group per connection
            @source, @synapse, @weight_shift, and of convolutions @stride, @padding, @dilation, @groups
            weight                  W 2^weight_shift; in a chain the very dataset of the stock layer (a hard link)

A file holds this and nothing else. Its reader takes the network from this project's group, and refuses the file unless
everything in it, the stock part included, is what that network's file holds (`netx_export._encode`).

The digest finds damage; it is no signature. Whoever changes a file can compute it anew, so a file that loads is a
network, and whole, but not by that one that you trust. Sign files, or their checksums, where that matters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import Conv, Dense, IntegerNetwork, MemoryFree, Neuron, OneToOne, QuantizedLIF, Readout

GROUP, STOCK = "lava_qsnn", "layer"
VERSION = 1

NEURON_NAMES: dict[type, str] = {MemoryFree: "memory_free", QuantizedLIF: "quantized_lif", Readout: "readout"}
SYNAPSE_NAMES: dict[type, str] = {Dense: "dense", Conv: "conv", OneToOne: "one_to_one"}

#: Arrays with one number per channel, by neuron.
NEURON_ARRAYS: dict[type, tuple[str, ...]] = {
    MemoryFree: ("threshold",),
    QuantizedLIF: ("threshold", "bias", "potential_shift", "current_shift"),
    Readout: (),
}


def neuron_arrays(neuron: Neuron) -> dict[str, NDArray[np.int64]]:
    """The arrays of a neuron, by name, in a fixed order."""
    return {name: getattr(neuron, name) for name in NEURON_ARRAYS[type(neuron)]}


def digest(network: IntegerNetwork) -> str:
    """SHA-256, as hexadecimal text, over all numbers and names of a network in a fixed order."""
    state = hashlib.sha256()
    for part in _parts(network):
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()


def _parts(network: IntegerNetwork) -> Iterator[bytes]:
    yield repr((VERSION, network.timesteps, network.input.shape, network.input.maximum)).encode()
    for layer in network.layers:
        neuron = layer.neuron
        stored = (neuron.bits, neuron.leak, neuron.reset) if isinstance(neuron, QuantizedLIF) else ()
        yield repr((layer.name, type(neuron).__name__, neuron.taps, *stored)).encode()
        for array in neuron_arrays(neuron).values():
            yield np.ascontiguousarray(array, "<i8").tobytes()
        for connection in layer.connections:
            synapse = connection.synapse
            geometry: tuple[object, ...] = ()
            if isinstance(synapse, Conv):
                geometry = (synapse.stride, synapse.padding, synapse.dilation, synapse.groups)
            yield repr((connection.source, type(synapse).__name__, synapse.weight.shape, geometry)).encode()
            yield np.ascontiguousarray(synapse.weight, "<i4").tobytes()
