"""Layers as stock NetX HDF5 groups: which arrays, under which names, and how they are packed.

Needs numpy only; the groups it writes to are h5py's. Names and shapes are those that slayer's blocks export and
lava-dl's netx reads.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer._dtypes import SIGNED, integer_dtype
from lava_qsnn.integer._values import Shape
from lava_qsnn.integer.stock._form import has_stock_neurons, netx_form
from lava_qsnn.integer.stock._lowering import stock_layer, stock_network
from lava_qsnn.integer.synapses import Conv

if TYPE_CHECKING:
    import h5py

    from lava_qsnn.integer._layers import Layer
    from lava_qsnn.integer._network import IntegerNetwork

Arrays = dict[str, NDArray[Any]]

#: From this size on, an array is worth a compressed chunk of its own; smaller ones lie in the object's header.
COMPRESS_FROM_BYTES = 256

#: Arrays that NetX takes as integers of any type.
PACKED = ("weight", "weight_rec", "bias", "delay")


def layer_arrays(network: IntegerNetwork, layer: Layer) -> Arrays:
    """Write one layer as stock NetX reads it: array by path below the layer's group.

    Raises:
        DeploymentError: the layer adds several connections, or has neurons, which stock NetX has no words for.
    """
    if len(layer.connections) != 1:
        raise DeploymentError("stock NetX has no skip connections", layer=layer.name)
    stock, synapse = stock_layer(network, layer), layer.connections[0].synapse
    if stock is None:
        raise DeploymentError(f"no stock neuron computes {layer.neuron.described}", layer=layer.name)
    weight = smallest(synapse.weight, stock.weight_shift)
    if isinstance(synapse, Conv):
        kind: Arrays = {
            "type": _text("conv"),
            "inChannels": np.array(weight.shape[1] * synapse.groups),
            "outChannels": np.array(weight.shape[0]),
            "kernelSize": np.array(weight.shape[2:]),
            "stride": np.array(synapse.stride),
            "padding": np.array(synapse.padding),
            "dilation": np.array(synapse.dilation),
            "groups": np.array(synapse.groups),
            "weight": weight[..., None],
        }
    else:
        kind = {
            "type": _text("dense"),
            "inFeatures": np.array(weight.shape[1]),
            "outFeatures": np.array(weight.shape[0]),
            "weight": weight,
        }
    if stock.bias is not None:
        kind["bias"] = smallest(stock.bias)
    return {
        **kind,
        "shape": np.array(network.shapes[layer.name]),
        "neuron/type": _text("CUBA"),
        "neuron/iDecay": np.array(stock.current_decay),
        "neuron/vDecay": np.array(stock.voltage_decay),
        "neuron/vThMant": np.array(stock.threshold),
        "neuron/refDelay": np.array(1),
        "neuron/gradedSpike": np.array(False),
    }


def input_arrays(shape: Shape) -> Arrays:
    """The input layer: nothing but the shape stock NetX starts from."""
    return {"type": _text("input"), "shape": np.array(shape)}


def flatten_arrays(shape: Shape) -> Arrays:
    """A flatten layer with its output shape."""
    return {"type": _text("flatten"), "shape": np.array(shape)}


def network_arrays(network: IntegerNetwork) -> Arrays:
    """Everything below the stock group `layer` of a network's file; only the input if stock NetX cannot say more."""
    if (native := _native_arrays(network)) is not None:
        return native
    groups = [input_arrays(network.input.shape)]
    stock = stock_network(network)
    for layer in stock.layers if stock is not None else ():
        source = network.shapes[layer.connections[0].source]
        if len(source) == 3 and not isinstance(layer.connections[0].synapse, Conv):
            groups.append(flatten_arrays((int(np.prod(source)),)))
        groups.append(layer_arrays(network, layer))
    return _by_path(groups)


def _by_path(groups: Sequence[Mapping[str, NDArray[Any]]]) -> Arrays:
    return {f"{index}/{path}": array for index, arrays in enumerate(groups) for path, array in arrays.items()}


def _native_arrays(network: IntegerNetwork) -> Arrays | None:
    """A network of stock neurons as it is; None for others, and where NetX, or a file of integers, cannot hold it."""
    if not has_stock_neurons(network):
        return None
    try:
        arrays = _by_path(netx_form(network).groups)
    except DeploymentError:
        return None
    packed = {path: array.astype(np.int8) if array.dtype == bool else array for path, array in arrays.items()}
    packed |= {path: smallest(array) for path, array in packed.items() if path.split("/")[1] in PACKED}
    return packed if all(array.dtype.kind in "iuS" for array in packed.values()) else None


def smallest(values: NDArray[Any], shift: int = 0) -> NDArray[Any]:
    """The integers, times 2^shift, in the smallest signed integer type that holds them."""
    low, high = (int(values.min()) << shift, int(values.max()) << shift) if values.size else (0, 0)
    fitted: NDArray[Any] = values.astype(integer_dtype(low, high, SIGNED))
    return fitted << shift


def write_arrays(group: h5py.Group, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write each array below `group`, large ones compressed so that any HDF5 reader opens them."""
    for path, array in arrays.items():
        _write(group, path, np.ascontiguousarray(array) if array.ndim else array)


def _write(group: h5py.Group, path: str, array: NDArray[Any]) -> None:
    if array.nbytes < COMPRESS_FROM_BYTES:
        group.create_dataset(path, data=array)
        return
    options = {"chunks": array.shape, "compression": "gzip", "compression_opts": 9}
    if array.dtype.itemsize > 1:
        group.create_dataset(path, data=array, shuffle=True, **options)
        return
    dataset = group.create_dataset(path, array.shape, array.dtype, **options)
    dataset.id.write_direct_chunk((0,) * array.ndim, _deflate(array.tobytes()))


def _deflate(data: bytes) -> bytes:
    """The smallest zlib stream: 1-bit weights are noise, which pure Huffman coding packs best (one bit each)."""
    strategies = (zlib.Z_HUFFMAN_ONLY, zlib.Z_DEFAULT_STRATEGY)
    packers = (zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, strategy) for strategy in strategies)
    return min((packer.compress(data) + packer.flush() for packer in packers), key=len)


def _text(value: str) -> NDArray[np.bytes_]:
    return np.array([value.encode("ascii")])
