"""The file format: names, version and limits of what this project adds to a NetX HDF5 file.

/layer/<i>/...                      stock NetX: the chain of layers, in the words of lava-dl's netx
/lava_qsnn                          this project's group, which stock NetX ignores
    @version                        format version, an integer
    @timesteps, @input_shape, @input_maximum, @input_minimum
    @stock_exact, @stock_obstacles  whether unmodified NetX computes the same, and why not
    @input_message_bits, @reset_interval, @reset_offset     what stock NetX must be told besides
    @stock_answer, @stock_levels    the form of a readout's answer in the stock part, if it is not its voltage
    @digest                         SHA-256 of the network's contents, see `digest`
    metadata                        JSON, bytes: what is known about the data; nothing computes with it
    layer/<i>/                      one group per layer, in topological order
        @name, @neuron              the kind of neuron, by its name
        ...                         the neuron's parameters by their names: numbers, texts and lists of numbers as
                                    attributes, arrays as datasets
        connection/<j>/             one group per connection
            @source, @delay, @port
            @sum_bits, @sum_shift   to how many bits the sum wraps, and by how many it is shifted; absent where 0
            @synapse, ...           the kind of synapse, and its parameters likewise
            @weight_shift, weight   W 2^weight_shift; where the stock part holds it, its very dataset (a hard link)
            pooling/<k>/            the parameters of the sum poolings before the synapse, if there are any

Neurons and synapses are written and read by the roles of their dataclass fields, whatever their kind. Version 1 is the
same without @input_minimum, @delay, @port, pooling and metadata, and with another digest.

A file holds this and nothing else. Its reader takes the network from this project's group, and refuses the file unless
everything in it, the stock part included, is what that network's file holds (`netx_export._encode`).

The digest finds damage; it is no signature. Whoever changes a file can compute it anew, so a file that loads is a
network, and whole, but not by that one that you trust. Sign files, or their checksums, where that matters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from lava_qsnn.integer import Array, Connection, IntegerNetwork, Neuron, Value, roles

GROUP, STOCK = "lava_qsnn", "layer"
VERSION = 2

#: Versions that are read.
READABLE = (1, VERSION)

#: Parameters of a connection that came to version 2 after its first files; they are only told where they are not 0.
LATER_PARAMETERS = ("sum_bits", "sum_shift")

#: The order of a neuron's arrays in the digest of version 1.
ARRAYS_OF_VERSION_1 = ("threshold", "bias", "potential_shift", "current_shift")


def digest(network: IntegerNetwork, version: int = VERSION) -> str:
    """SHA-256, as hexadecimal text, over all numbers and names of a network in a fixed order; metadata apart."""
    state = hashlib.sha256()
    for part in _parts(network) if version > 1 else _parts_of_version_1(network):
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()


def plain_parameters(value: Value) -> dict[str, object]:
    """The parameters of a neuron, synapse or pooling that are no arrays, by name, in a fixed order."""
    return {name: getattr(value, name) for name, role in roles(type(value)).items() if not isinstance(role, Array)}


def array_parameters(value: Value) -> dict[str, np.ndarray]:
    """Those that are arrays."""
    return {name: getattr(value, name) for name, role in roles(type(value)).items() if isinstance(role, Array)}


def later_parameters(connection: Connection) -> dict[str, int]:
    """A connection's later parameters, by name, as far as they are not 0."""
    return {name: getattr(connection, name) for name in LATER_PARAMETERS if getattr(connection, name)}


def _parts(network: IntegerNetwork) -> Iterator[bytes]:
    yield repr((network.timesteps, *plain_parameters(network.input).values())).encode()
    for layer in network.layers:
        yield repr((layer.name, layer.neuron.kind)).encode()
        yield from _value_parts(layer.neuron)
        for connection in layer.connections:
            kinds = (connection.synapse.kind, *(pooling.kind for pooling in connection.poolings))
            yield repr((connection.source, connection.delay, connection.port, kinds)).encode()
            if later := later_parameters(connection):
                yield repr(later).encode()
            for value in (connection.synapse, *connection.poolings):
                yield from _value_parts(value)


def _value_parts(value: Value) -> Iterator[bytes]:
    yield repr(plain_parameters(value)).encode()
    for name, array in array_parameters(value).items():
        yield repr((name, array.shape)).encode()
        yield np.ascontiguousarray(array, "<i8").tobytes()


def _parts_of_version_1(network: IntegerNetwork) -> Iterator[bytes]:
    yield repr((1, network.timesteps, network.input.shape, network.input.maximum)).encode()
    for layer in network.layers:
        yield repr(_head_of_version_1(layer.name, layer.neuron)).encode()
        arrays = array_parameters(layer.neuron)
        for name in (name for name in ARRAYS_OF_VERSION_1 if name in arrays):
            yield np.ascontiguousarray(arrays[name], "<i8").tobytes()
        for connection in layer.connections:
            yield repr(_connection_of_version_1(connection)).encode()
            yield np.ascontiguousarray(connection.synapse.weight, "<i4").tobytes()


def _head_of_version_1(name: str, neuron: Neuron) -> tuple[object, ...]:
    stored = [value for key, value in plain_parameters(neuron).items() if key != "taps"]
    return (name, type(neuron).__name__, neuron.taps, *stored)


def _connection_of_version_1(connection: Connection) -> tuple[object, ...]:
    synapse = connection.synapse
    geometry = tuple(plain_parameters(synapse).values())
    return (connection.source, type(synapse).__name__, synapse.weight.shape, geometry)
