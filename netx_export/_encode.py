"""IntegerNetwork to the contents of its file: the one account of what a file of this version holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lava_qsnn.integer import Connection, Conv, IntegerNetwork, Layer, QuantizedLIF, input_message_bits, stock_layer
from lava_qsnn.stock_hdf5 import network_arrays, smallest
from netx_export._hdf5 import Arrays, Contents
from netx_export._schema import GROUP, NEURON_NAMES, STOCK, SYNAPSE_NAMES, VERSION, digest, neuron_arrays

#: Bytes of the longest text about a network as a whole; HDF5 stores longer ones in other ways.
LONGEST_TEXT = 4000


def encode(network: IntegerNetwork) -> Contents:
    """Everything in the file of a network, in the order in which it is written.

    In a chain, a connection's weights are the very array of the stock layer, which the file holds once.
    """
    contents = Contents()
    stock = network_arrays(network)
    _add(contents, STOCK, stock)
    _add(contents, GROUP, {}, _network_attributes(network))
    weights = iter([array for path, array in stock.items() if path.endswith("/weight")])
    for index, layer in enumerate(network.layers):
        place = f"{GROUP}/layer/{index}"
        arrays = {name: smallest(array) for name, array in neuron_arrays(layer.neuron).items()}
        _add(contents, place, arrays, _layer_attributes(layer))
        for number, connection in enumerate(layer.connections):
            weight = next(weights) if network.is_chain else smallest(connection.synapse.weight)
            shift = stock_layer(network, layer).weight_shift if network.is_chain else 0
            attributes = _connection_attributes(connection, shift)
            _add(contents, f"{place}/connection/{number}", {"weight": weight}, attributes)
    return contents


def _add(contents: Contents, group: str, arrays: Arrays, attributes: Mapping[str, Any] | None = None) -> None:
    """A group with its attributes and arrays, and all groups on the way to them."""
    for path in (f"{group}/", *(f"{group}/{name}" for name in arrays)):
        for end in (0, *(place for place, letter in enumerate(path) if letter == "/")):
            contents.attributes.setdefault(path[:end], {})
    contents.attributes[group] = {name: np.asarray(value) for name, value in (attributes or {}).items()}
    contents.arrays.update({f"{group}/{name}": array for name, array in arrays.items()})


def _network_attributes(network: IntegerNetwork) -> dict[str, Any]:
    return {
        "version": VERSION,
        "timesteps": network.timesteps,
        "input_shape": network.input.shape,
        "input_maximum": network.input.maximum,
        "stock_exact": network.stock_exact,
        "stock_obstacles": _text("\n".join(network.stock_obstacles).encode()[:LONGEST_TEXT].decode(errors="ignore")),
        "input_message_bits": input_message_bits(network),
        "reset_interval": network.timesteps,
        "reset_offset": 1,
        "digest": _text(digest(network)),
    }


def _layer_attributes(layer: Layer) -> dict[str, Any]:
    neuron = layer.neuron
    attributes: dict[str, Any] = {
        "name": _text(layer.name),
        "neuron": _text(NEURON_NAMES[type(neuron)]),
        "taps": np.array(neuron.taps, np.uint64),
    }
    if isinstance(neuron, QuantizedLIF):
        attributes.update({"bits": neuron.bits, "leak": neuron.leak, "reset": _text(neuron.reset)})
    return attributes


def _connection_attributes(connection: Connection, shift: int) -> dict[str, Any]:
    synapse = connection.synapse
    attributes = {
        "source": _text(connection.source),
        "synapse": _text(SYNAPSE_NAMES[type(synapse)]),
        "weight_shift": shift,
    }
    if isinstance(synapse, Conv):
        attributes.update({name: getattr(synapse, name) for name in ("stride", "padding", "dilation", "groups")})
    return attributes


def _text(value: str) -> np.bytes_:
    """Text of fixed length: HDF5 spends 4 KiB on the first of variable length."""
    return np.bytes_(value.encode())
