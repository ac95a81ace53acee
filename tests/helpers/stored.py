"""Networks for files, and files with one thing changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import FileFormatError


def connection(source: str, synapse: integer.Synapse) -> integer.Connection:
    return integer.Connection(source, synapse)


def network(**more: Any) -> integer.IntegerNetwork:
    """Every kind of neuron and synapse, and a skip: all that version 1 of the format can say."""
    conv = integer.Conv(np.arange(-12, 12).reshape(4, 1, 2, 3), (1, 2), (2, 1), (2, 1), 2)
    lif = integer.QuantizedLIF(3, 2, "soft", [1, 0, 2, 3], [0, 1, 2, 3], [-3, 0, 5, 7], [4, 300, 9, -70000])
    layers = (
        integer.Layer("first", (connection("input", conv),), integer.MemoryFree((5, 2), [3, -1, 0, 9])),
        integer.Layer(
            "second", (connection("first", integer.OneToOne([1, -2, 3, 200])), connection("first", THROUGH)), lif
        ),
        integer.Layer("third", (connection("second", integer.Dense(np.arange(-42, 42).reshape(1, -1))),), READOUT),
    )
    values = {"input": integer.Input((2, 5, 6), 7), "timesteps": 6, "layers": layers, **more}
    return integer.IntegerNetwork(**values)


def newer() -> integer.IntegerNetwork:
    """A network that version 1 could not say: negative inputs, delays, poolings, metadata."""
    pools = integer.SumPool((2, 1), (1, 2), (1, 0), (1, 3)), integer.SumPool((1, 2), (2, 1))
    first = integer.Connection("input", integer.Conv(np.arange(1, 5).reshape(2, 2, 1, 1)), 3, 0, pools)
    size = int(np.prod(first.output_shape((2, 5, 7))))
    second = integer.Connection("first", integer.Dense([range(size)]), 4096)
    layers = integer.Layer("first", (first,), integer.MemoryFree((1,), [2, 3])), integer.Layer("b", (second,), READOUT)
    about = {"name": "d\u00e9j\u00e0 vu", "classes": ["a", "b"], "rate": 0.5}
    return integer.IntegerNetwork(integer.Input((2, 5, 7), 7, -5), 6, layers, about)


THROUGH = integer.Conv(np.eye(4, dtype=int)[:, :, None, None])


READOUT = integer.Readout((9, 4, 1))


def small(weight: Any = ((1, -1),), timesteps: int = 4, maximum: int = 3, **options: Any) -> integer.IntegerNetwork:
    weight = np.asarray(weight)
    neuron = integer.MemoryFree(**{"taps": integer.shift_taps(4), "threshold": [2] * len(weight), **options})
    layer = integer.Layer("only", (connection("input", integer.Dense(weight)),), neuron)
    return integer.IntegerNetwork(integer.Input(weight.shape[1:], maximum), timesteps, (layer,))


def loaded(tmp_path: Path, network: integer.IntegerNetwork, change: Callable[[h5py.File], None] | None = None) -> Any:
    """The network of a changed file, or the text with which it is refused."""
    path = tmp_path / "network.net"
    netx_export.write(network, path)
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        if change is not None:
            change(file)
    try:
        return netx_export.load(path)
    except FileFormatError as error:
        return str(error)


def attribute(name: str, value: Any, group: str = "lava_qsnn") -> Callable[[h5py.File], None]:
    return lambda file: file[group].attrs.__setitem__(name, value)


def array(path: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[path]
        file[path] = value

    return change


LAYER = "lava_qsnn/layer/0"


CONNECTION = f"{LAYER}/connection/0"
