"""File to IntegerNetwork. A file is input from strangers: everything is checked before it is used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import FileFormatError, QsnnError
from lava_qsnn.integer import (
    LARGEST_COUNT,
    LONGEST_NAME,
    MAXIMUM_HISTORY,
    MOST_LAYERS,
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
from lava_qsnn.stock_hdf5 import network_arrays
from netx_export._schema import (
    GROUP,
    LARGEST_EXPANSION,
    NEURON_ARRAYS,
    NEURON_NAMES,
    SYNAPSE_NAMES,
    VERSION,
    digest,
)


def load(path: str | os.PathLike[str]) -> IntegerNetwork:
    """Read a network from a file that `export` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        FileFormatError: the file is no HDF5, is damaged or truncated, is a NetX file of another origin, or of another
            version. Nothing in a file is executed, and no memory is taken on its word alone.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file '{path}'")
    try:
        with h5py.File(path, "r") as file:
            return _network(file)
    except FileFormatError as error:
        raise FileFormatError(f"'{path}': {error.problem}", layer=error.layer, remedy=error.remedy) from None
    except QsnnError as error:
        raise FileFormatError(f"'{path}' holds no valid network: {error}") from error
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        raise FileFormatError(f"'{path}' is damaged or no HDF5 file ({error})", remedy="export it again") from error


def _network(file: h5py.File) -> IntegerNetwork:
    group = _group(file, GROUP, "export it with netx_export.export; other NetX files hold no memory-free network")
    attributes = group.attrs
    version = _integer(attributes, "version", 0, 2**31)
    if version != VERSION:
        raise FileFormatError(
            f"its format is version {version}, this release reads version {VERSION}",
            remedy="read it with the release that wrote it, or export it again",
        )
    network = IntegerNetwork(
        Input(
            _integers(attributes, "input_shape", 1, LARGEST_COUNT),
            _integer(attributes, "input_maximum", 1, LARGEST_COUNT),
        ),
        _integer(attributes, "timesteps", 1, LARGEST_COUNT),
        tuple(_layer(part) for part in _numbered(_group(group, "layer"))),
    )
    if _text(attributes, "digest") != digest(network):
        raise FileFormatError("its numbers do not match its digest: it is damaged", remedy="export it again")
    if bool(_integer(attributes, "stock_exact", 0, 1)) != network.stock_exact:
        raise FileFormatError("what it says about stock NetX is not true", remedy="export it again")
    _check_stock(_group(file, "layer"), network)
    return network


def _check_stock(group: h5py.Group, network: IntegerNetwork) -> None:
    """The stock part says the same network, so that both readers of one file see one truth."""
    for path, expected in network_arrays(network).items():
        stored = _array(group, path, "iubS")
        if not np.array_equal(stored, expected):
            raise FileFormatError(f"its stock part differs from its network at layer/{path}", remedy="export it again")


def _layer(group: h5py.Group) -> Layer:
    attributes = group.attrs
    neuron: Neuron
    taps = _integers(attributes, "taps", 1, 2**63)
    kind = _text(attributes, "neuron")
    if kind == NEURON_NAMES[MemoryFree]:
        neuron = MemoryFree(taps, _array(group, "threshold").astype(np.int64))
    elif kind == NEURON_NAMES[QuantizedLIF]:
        neuron = QuantizedLIF(
            bits=_integer(attributes, "bits", 0, 64),
            leak=_integer(attributes, "leak", 0, 64),
            reset=_text(attributes, "reset"),
            **{name: _array(group, name).astype(np.int64) for name in NEURON_ARRAYS[QuantizedLIF]},
        )
    elif kind == NEURON_NAMES[Readout]:
        neuron = Readout(taps)
    else:
        raise FileFormatError(f"there is no neuron '{kind}'")
    connections = tuple(_connection(part) for part in _numbered(_group(group, "connection")))
    return Layer(_text(attributes, "name"), connections, neuron)


def _connection(group: h5py.Group) -> Connection:
    attributes = group.attrs
    shift = _integer(attributes, "weight_shift", 0, 31)
    weight = _array(group, "weight").astype(np.int64)
    if ((weight >> shift) << shift != weight).any():
        raise FileFormatError(f"its weights are no multiples of 2^{shift}")
    weight >>= shift
    synapse: Synapse
    kind = _text(attributes, "synapse")
    if kind == SYNAPSE_NAMES[Dense]:
        synapse = Dense(weight)
    elif kind == SYNAPSE_NAMES[OneToOne]:
        synapse = OneToOne(weight)
    elif kind == SYNAPSE_NAMES[Conv]:
        weight = weight.reshape(weight.shape[:4])
        stride, padding, dilation = (_integers(attributes, key, 0, 2**31) for key in ("stride", "padding", "dilation"))
        synapse = Conv(weight, stride, padding, dilation, _integer(attributes, "groups", 1, 2**31))  # type: ignore[arg-type]
    else:
        raise FileFormatError(f"there is no synapse '{kind}'")
    return Connection(_text(attributes, "source"), synapse)


def _group(parent: h5py.Group, name: str, remedy: str = "export it again") -> h5py.Group:
    child = _child(parent, name)
    if not isinstance(child, h5py.Group):
        raise FileFormatError(f"it has no group '{name}' in '{parent.name}'", remedy=remedy)
    return child


def _child(parent: h5py.Group, name: str) -> Any:
    """What lies under a name, reached by hard links only: a file never makes us read other files."""
    for part in name.split("/"):
        if not isinstance(parent, h5py.Group) or not isinstance(parent.get(part, getlink=True), h5py.HardLink):
            return None
        parent = parent[part]
    return parent


def _numbered(parent: h5py.Group) -> list[h5py.Group]:
    if not 1 <= len(parent) <= MOST_LAYERS:
        raise FileFormatError(f"'{parent.name}' has {len(parent)} members; 1 to {MOST_LAYERS} make sense")
    return [_group(parent, str(index)) for index in range(len(parent))]


def _array(parent: h5py.Group, name: str, kinds: str = "iu") -> NDArray[Any]:
    """A dataset's array, after its dtype, its links and its size were checked."""
    dataset = _child(parent, name)
    where = f"{parent.name}/{name}"
    if not isinstance(dataset, h5py.Dataset):
        raise FileFormatError(f"it has no array '{where}'", remedy="export it again")
    if dataset.dtype.kind not in kinds:
        raise FileFormatError(f"'{where}' holds {dataset.dtype}, not integers")
    if dataset.is_virtual or dataset.external or dataset.compression not in (None, "gzip"):
        raise FileFormatError(f"'{where}' is stored in a way this project never writes")
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > LARGEST_EXPANSION * max(stored, 1):
        raise FileFormatError(f"'{where}' claims {dataset.nbytes:,} bytes out of {stored:,} stored")
    return np.asarray(dataset[()])


def _attribute(attributes: Mapping[str, Any], name: str) -> Any:
    if name not in attributes:
        raise FileFormatError(f"it lacks the attribute '{name}'", remedy="export it again")
    return attributes[name]


def _integer(attributes: Mapping[str, Any], name: str, low: int, high: int) -> int:
    value = _attribute(attributes, name)
    if np.ndim(value) or np.asarray(value).dtype.kind not in "iub" or not low <= int(value) <= high:
        raise FileFormatError(f"its attribute '{name}' is {value!r}, not an integer from {low} to {high}")
    return int(value)


def _integers(attributes: Mapping[str, Any], name: str, low: int, high: int) -> tuple[int, ...]:
    value = np.asarray(_attribute(attributes, name))
    if value.ndim != 1 or value.dtype.kind not in "iu" or not 1 <= value.size <= MAXIMUM_HISTORY:
        raise FileFormatError(f"its attribute '{name}' is no short list of integers")
    numbers = tuple(int(number) for number in value)
    if min(numbers) < low or max(numbers) > high:
        raise FileFormatError(f"its attribute '{name}' has numbers outside {low} to {high}")
    return numbers


def _text(attributes: Mapping[str, Any], name: str) -> str:
    value = _attribute(attributes, name)
    if not isinstance(value, bytes) or not 0 < len(value) <= LONGEST_NAME:
        raise FileFormatError(f"its attribute '{name}' is no text")
    return value.decode()
