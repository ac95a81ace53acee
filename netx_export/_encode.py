"""IntegerNetwork to the contents of its file: the one account of what a file of a version holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import Array, Connection, IntegerNetwork, Layer, Value, roles
from lava_qsnn.integer.stock import (
    SPIKES,
    VOLTAGE,
    StockAnswer,
    check_answer,
    input_message_bits,
    network_arrays,
    smallest,
    stock_layer,
    stock_network,
    with_answer,
)
from netx_export._hdf5 import Arrays, Contents
from netx_export._schema import GROUP, STOCK, VERSION, digest, later_parameters

#: Bytes of the longest text about a network as a whole; HDF5 stores longer ones in other ways.
LONGEST_TEXT = 4000

#: The weights of a layer as the stock part has them, and by how many bits they are shifted.
_Shared = tuple[NDArray[Any], int]


def encode(network: IntegerNetwork, version: int = VERSION, answer: StockAnswer | None = None) -> Contents:
    """Everything in the file of a network, in the order in which it is written.

    Where the stock part has a connection's weights, they are its very array, which the file holds once.

    Args:
        network: any deployed network; for version 1 one without what came after it.
        version: of the format.
        answer: the form in which the stock part gives a readout's answer; its voltage by default.

    Raises:
        DeploymentError: the network has no such answer in stock NetX.
    """
    contents, answer = Contents(), answer or StockAnswer()
    check_answer(network, answer)
    stock = with_answer(network_arrays(network), answer)
    _add(contents, STOCK, stock)
    metadata = _metadata(network) if version > 1 else {}
    _add(contents, GROUP, metadata, _network_attributes(network, version) | _answer_attributes(answer))
    shared = _stock_weights(network, stock)
    if answer.form == SPIKES:  # it has the last layer's weights several times
        shared.pop(network.output.name, None)
    for index, layer in enumerate(network.layers):
        _add_layer(contents, f"{GROUP}/layer/{index}", layer, shared.get(layer.name), version)
    return contents


def _add_layer(contents: Contents, group: str, layer: Layer, shared: _Shared | None, version: int) -> None:
    attributes, arrays = _parameters(layer.neuron)
    if version == 1:
        attributes["taps"] = np.array(layer.neuron.taps, np.uint64)
    _add(contents, group, arrays, {"name": _text(layer.name), "neuron": _text(layer.neuron.kind), **attributes})
    for number, connection in enumerate(layer.connections):
        _add_connection(contents, f"{group}/connection/{number}", connection, shared, version)


def _add_connection(
    contents: Contents, group: str, connection: Connection, shared: _Shared | None, version: int
) -> None:
    attributes, arrays = _parameters(connection.synapse)
    arrays["weight"], shift = (arrays["weight"], 0) if shared is None else shared
    head = {"source": _text(connection.source), "synapse": _text(connection.synapse.kind), "weight_shift": shift}
    if version > 1:
        head.update({"delay": connection.delay, "port": connection.port, **later_parameters(connection)})
    _add(contents, group, arrays, head | attributes)
    for index, pooling in enumerate(connection.poolings):
        _add(contents, f"{group}/pooling/{index}", {}, _parameters(pooling)[0])


def _parameters(value: Value) -> tuple[dict[str, Any], Arrays]:
    """The parameters of a neuron, synapse or pooling by the roles of its fields: attributes, and arrays."""
    attributes: dict[str, Any] = {}
    arrays: Arrays = {}
    for name, role in roles(type(value)).items():
        parameter = getattr(value, name)
        if isinstance(role, Array):
            arrays[name] = smallest(parameter)
        else:
            attributes[name] = _text(parameter) if isinstance(parameter, str) else np.array(parameter, np.int64)
    return attributes, arrays


def _stock_weights(network: IntegerNetwork, stock: Arrays) -> dict[str, _Shared]:
    """By layer, the stock part's weights, where they are the layer's own and not merged with poolings."""
    if stock_network(network) is None:
        return {}
    weights = [array for path, array in stock.items() if path.endswith("/weight")]
    found = {}
    for layer, weight in zip(network.layers, weights):
        lowered = stock_layer(network, layer)
        if not layer.connections[0].poolings and lowered is not None:
            found[layer.name] = weight, lowered.weight_shift
    return found


def _add(contents: Contents, group: str, arrays: Arrays, attributes: Mapping[str, Any] | None = None) -> None:
    """A group with its attributes and arrays, and all groups on the way to them."""
    for path in (f"{group}/", *(f"{group}/{name}" for name in arrays)):
        for end in (0, *(index for index, letter in enumerate(path) if letter == "/")):
            contents.attributes.setdefault(path[:end], {})
    contents.attributes[group] = {name: np.asarray(value) for name, value in (attributes or {}).items()}
    contents.arrays.update({f"{group}/{name}": array for name, array in arrays.items()})


def _network_attributes(network: IntegerNetwork, version: int) -> dict[str, Any]:
    attributes = {
        "version": version,
        "timesteps": network.timesteps,
        "input_shape": network.input.shape,
        "input_maximum": network.input.maximum,
        "stock_exact": network.stock_exact,
        "stock_obstacles": _text("\n".join(network.stock_obstacles).encode()[:LONGEST_TEXT].decode(errors="ignore")),
        "input_message_bits": input_message_bits(network),
        "reset_interval": network.timesteps,
        "reset_offset": 1,
        "digest": _text(digest(network, version)),
    }
    return attributes if version == 1 else {**attributes, "input_minimum": network.input.minimum}


def _answer_attributes(answer: StockAnswer) -> dict[str, Any]:
    """Nothing for the usual form, so that files that do without another say what they always did."""
    if answer.form == VOLTAGE:
        return {}
    levels = {"stock_levels": np.array(answer.levels, np.int16)} if answer.levels else {}
    return {"stock_answer": _text(answer.form), **levels}


def _metadata(network: IntegerNetwork) -> Arrays:
    if not network.metadata:
        return {}
    text = json.dumps(dict(network.metadata), sort_keys=True).encode()
    return {"metadata": np.frombuffer(text, np.int8)}


def _text(value: str) -> np.bytes_:
    """Text of fixed length: HDF5 spends 4 KiB on the first of variable length."""
    return np.bytes_(value.encode())
