"""IntegerNetwork to file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import h5py
import numpy as np

from lava_qsnn.integer import Conv, IntegerNetwork, Layer, QuantizedLIF, input_message_bits, stock_layer
from lava_qsnn.stock_hdf5 import network_arrays, smallest, write_arrays
from netx_export._schema import GROUP, NEURON_NAMES, SYNAPSE_NAMES, VERSION, digest, neuron_arrays


def write(network: IntegerNetwork, path: str | os.PathLike[str]) -> None:
    """Write a network to a NetX HDF5 file, all or nothing: to the side first, then renamed.

    Args:
        network: any deployed network; equal networks give equal bytes.
        path: the file, replaced if it exists.

    Raises:
        OSError: the folder does not exist or cannot be written.
    """
    path = Path(path)
    handle, side = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    try:
        with h5py.File(side, "w", libver="v110") as file:
            _write_network(file, network)
        os.chmod(side, 0o666 & ~_umask())
        os.replace(side, path)
    except BaseException:
        os.unlink(side)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_network(file: h5py.File, network: IntegerNetwork) -> None:
    stock = file.create_group("layer")
    write_arrays(stock, network_arrays(network))
    group = file.create_group(GROUP)
    group.attrs.update(
        {
            "version": VERSION,
            "timesteps": network.timesteps,
            "input_shape": network.input.shape,
            "input_maximum": network.input.maximum,
            "stock_exact": network.stock_exact,
            "stock_obstacles": _text("\n".join(network.stock_obstacles)),
            "input_message_bits": input_message_bits(network),
            "reset_interval": network.timesteps,
            "reset_offset": 1,
            "digest": _text(digest(network)),
        }
    )
    weights = iter([dataset["weight"] for dataset in _in_order(stock) if "weight" in dataset])
    for index, layer in enumerate(network.layers):
        _write_layer(group.create_group(f"layer/{index}"), network, layer)
        if network.is_chain:
            group[f"layer/{index}/connection/0/weight"] = next(weights)


def _in_order(group: h5py.Group) -> list[h5py.Group]:
    return [group[str(index)] for index in range(len(group))]


def _write_layer(group: h5py.Group, network: IntegerNetwork, layer: Layer) -> None:
    group.attrs.update({"name": _text(layer.name), "neuron": _text(NEURON_NAMES[type(layer.neuron)])})
    group.attrs["taps"] = np.array(layer.neuron.taps, np.uint64)
    if isinstance(layer.neuron, QuantizedLIF):
        group.attrs.update({"bits": layer.neuron.bits, "leak": layer.neuron.leak, "reset": _text(layer.neuron.reset)})
    write_arrays(group, {name: smallest(array) for name, array in neuron_arrays(layer.neuron).items()})
    for index, connection in enumerate(layer.connections):
        synapse = connection.synapse
        part = group.create_group(f"connection/{index}")
        part.attrs.update({"source": _text(connection.source), "synapse": _text(SYNAPSE_NAMES[type(synapse)])})
        part.attrs["weight_shift"] = stock_layer(network, layer).weight_shift if network.is_chain else 0
        if isinstance(synapse, Conv):
            part.attrs.update({name: getattr(synapse, name) for name in ("stride", "padding", "dilation", "groups")})
        if not network.is_chain:
            write_arrays(part, {"weight": smallest(synapse.weight)})


def _text(value: str) -> np.bytes_:
    """Text of fixed length: HDF5 spends 4 KiB on the first of variable length."""
    return np.bytes_(value.encode())
