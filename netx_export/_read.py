"""File to IntegerNetwork. A file is input from strangers: everything is checked before it is used."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, FileFormatError, QsnnError
from lava_qsnn.integer import (
    NEURONS,
    SYNAPSES,
    Array,
    Choice,
    Connection,
    Input,
    IntegerNetwork,
    Layer,
    Number,
    Role,
    Shape,
    SumPool,
    Value,
    roles,
)
from lava_qsnn.integer.stock import StockAnswer, check_answer
from netx_export._encode import encode
from netx_export._hdf5 import AGAIN, Contents, differences, read_contents, read_others
from netx_export._netx._reading import Reading
from netx_export._schema import GROUP, LATER_PARAMETERS, READABLE, STOCK
from netx_export._zoo import located

Some = TypeVar("Some", bound=Value)

REMEDY = "import the package that registers it; for a command that does, see docs/how-to/add-a-neuron.md"


def load(
    path: str | os.PathLike[str],
    input_shape: Shape | None = None,
    timesteps: int | None = None,
    *,
    input_message_bits: int | None = None,
    timing: str = "aligned",
    num_layers: int | None = None,
    skip_layers: int = 0,
    spike_exp: int = 6,
    rule: str = "stock",
    output: str = "auto",
) -> IntegerNetwork:
    """Read a network from a file that `export` wrote, or from any NetX file, as unmodified NetX computes it.

    A file of this project says all by itself. What else NetX must be told about a stock file, the options say; what
    NetX does silently to such a file stands in the network's metadata, `network.metadata["netx"]["notes"]`, and is told
    by `check`.
    The HDF5 library, which some files can end or stall, never sees either; see `netx_export._hdf5`.

    Args:
        path: of the file, or `zoo:NAME` for a network that comes with the package.
        input_shape: of stock files, (C,) or (C, H, W); the file's own where it says one.
        timesteps: the largest T; by default there is no limit.
        input_message_bits: bits of the numbers that come in, signed or not, 0 for spikes, which is the default, as in
            NetX. An input block takes numbers of 16 bits by default.
        timing: "aligned", so that step t of an answer is that of the data's step t, and every sample starts from rest;
            or "lava", as NetX without reset runs: each layer is a step late, its biases integrate meanwhile.
        num_layers, skip_layers: as in NetX, only the first so many of a file's groups are read, and the first so many
            of these are left out.
        spike_exp: the fraction bits of sigma-delta messages, as in NetX.
        rule: "stock", or "corrected": sigma-delta neurons keep what rounding their messages leaves, and do not drift.
        output: what CUBA neurons of the last layer put out: "spikes", or "voltage", v in units of 2^-6 of a threshold's
            unit; "auto": the voltage where no threshold is below 65,536 or the layer has no neurons, else spikes.

    Raises:
        FileNotFoundError: there is no such file.
        FileFormatError: the file is no HDF5, is damaged or truncated, is of another version of this project's format,
            or holds anything but what `export` writes for its network; or NetX cannot read it, or computes with it what
            is not computed here: the text has the layer, the limit and the remedy. Nothing in a file is executed, no
            memory is taken on its word alone, and no file ends this process or keeps it waiting.
        ConfigurationError: an option is out of range, or is given for a file of this project.
    """
    reading = Reading(
        input_shape, timesteps, input_message_bits, timing, num_layers, skip_layers, spike_exp, rule, output
    )
    path = located(path)
    if path.is_dir():
        raise FileFormatError(f"'{path}' is a folder", remedy="give a NetX file in it")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file '{path}'")
    try:
        return _network(path, reading)
    except OSError as error:
        raise FileFormatError(f"'{path}' cannot be read: {error.strerror}") from None
    except FileFormatError as error:
        raise FileFormatError(f"'{path}': {error.problem}", layer=error.layer, remedy=error.remedy) from None
    except ConfigurationError:
        raise
    except QsnnError as error:
        raise FileFormatError(f"'{path}' holds no valid network: {error}") from None


def _network(path: Path, reading: Reading) -> IntegerNetwork:
    """The network of a file of ours, read strictly, or of a stock file."""
    try:
        contents = read_contents(path)
    except FileFormatError:
        others = read_others(path)
        if _is_stock(others) and GROUP not in others.attributes and GROUP not in others.refused:
            return _stock_network(others, reading)
        if GROUP in others.attributes or GROUP in others.refused or not _is_of_others(path):
            raise
        raise _no_network() from None
    if GROUP not in contents.attributes and _is_stock(contents):
        return _stock_network(contents, reading)
    if reading.told:
        raise ConfigurationError(
            f"{', '.join(reading.told)} were given for a file of this project, which says all by itself",
            remedy="leave them out",
        )
    return _decode(contents)


def _stock_network(contents: Contents, reading: Reading) -> IntegerNetwork:
    from netx_export._netx._load import stock_network  # not needed, nor imported, for this project's own files

    return stock_network(contents, reading)


def _is_stock(contents: Contents) -> bool:
    return STOCK in contents.attributes


def _is_of_others(path: Path) -> bool:
    """True for HDF5 files as most programs write them, of an older version than those of this project."""
    with path.open("rb") as file:
        return file.read(9)[8:] < b"\2"


def _no_network() -> FileFormatError:
    remedy = "give a NetX file, or export the network with netx_export.export"
    return FileFormatError(f"it has neither a group '{GROUP}' nor '{STOCK}'", remedy=remedy)


def _decode(contents: Contents) -> IntegerNetwork:
    """The network of this project's group; everything else in the file must say the same, word for word."""
    if GROUP not in contents.attributes:
        raise _no_network()
    group = _Group(contents, GROUP, Counter(path.rpartition("/")[0] for path in contents.attributes))
    version = group.integer("version")
    if version not in READABLE:
        raise FileFormatError(
            f"its format is version {version}, this release reads versions {' and '.join(map(str, READABLE))}",
            remedy="read it with the release that wrote it, or export it again",
        )
    minimum = group.integer("input_minimum") if version > 1 else 0
    network = IntegerNetwork(
        Input(group.integers("input_shape"), group.integer("input_maximum"), minimum),
        group.integer("timesteps"),
        tuple(_layer(part, version) for part in group.members("layer")),
        _metadata(group),
    )
    expected = encode(network, version, stored_answer(contents, network))
    about = expected.attributes[GROUP]
    if bool(group.text("stock_obstacles")) == bool(about["stock_obstacles"].item()):
        about["stock_obstacles"] = contents.attributes[GROUP][
            "stock_obstacles"
        ]  # other releases have other words for it
    _refuse_difference(contents, expected)
    return network


def _refuse_difference(stored: Contents, expected: Contents) -> None:
    """Both readers of a file see one truth: the stock part, and what stock NetX is told besides, are the network's."""
    different = list(differences(stored, expected))
    if not different:
        return
    if f"{GROUP}/@digest" in different:
        raise FileFormatError("its numbers do not match its digest: it is damaged", remedy=AGAIN)
    path = different[0]
    if f"{path}/".startswith(f"{STOCK}/"):
        raise FileFormatError(f"its stock part differs from its network at {path}", remedy=AGAIN)
    raise FileFormatError(f"what it says at {path} is not what the file of its network says", remedy=AGAIN)


class _Group:
    """One group of a file's contents, whose parts are asked for by name and type."""

    def __init__(self, contents: Contents, path: str, sizes: Counter[str]) -> None:
        self.contents, self.path, self.sizes = contents, path, sizes
        if path not in contents.attributes:
            raise FileFormatError(f"it has no group '{path}'", remedy=AGAIN)

    def members(self, name: str) -> list[_Group]:
        """The groups 0, 1, .. in a group of this one."""
        members = f"{self.path}/{name}"
        return [_Group(self.contents, f"{members}/{index}", self.sizes) for index in range(self.sizes[members])]

    def array(self, name: str) -> NDArray[Any]:
        """Signed integers."""
        path = f"{self.path}/{name}"
        if path not in self.contents.arrays:
            raise FileFormatError(f"it has no array '{path}'", remedy=AGAIN)
        array = self.contents.arrays[path]
        if array.dtype.kind != "i":
            raise FileFormatError(f"'{path}' holds {array.dtype}, not signed integers")
        return array

    def integer(self, name: str) -> int:
        value = self._attribute(name)
        if value.shape or value.dtype.kind not in "iu":
            raise self._refusal(name, value, "an integer")
        return int(value)

    def integers(self, name: str) -> tuple[int, ...]:
        value = self._attribute(name)
        if value.ndim != 1 or value.dtype.kind not in "iu":
            raise self._refusal(name, value, "a list of integers")
        return tuple(int(number) for number in value)

    def text(self, name: str) -> str:
        value = self._attribute(name)
        if value.shape or value.dtype.kind != "S":
            raise self._refusal(name, value, "a text")
        try:
            return bytes(value[()]).decode()
        except UnicodeDecodeError:
            raise self._refusal(name, value, "a text") from None

    def has(self, name: str) -> bool:
        """True if there is an attribute of that name."""
        return name in self.contents.attributes[self.path]

    def _attribute(self, name: str) -> NDArray[Any]:
        attributes = self.contents.attributes[self.path]
        if name not in attributes:
            raise FileFormatError(f"it lacks the attribute '{name}' of '{self.path}'", remedy=AGAIN)
        return attributes[name]

    def _refusal(self, name: str, value: NDArray[Any], wanted: str) -> FileFormatError:
        shown = f"{value.dtype} of shape {value.shape}" if value.size > 1 else repr(value.tolist())[:64]
        return FileFormatError(f"its attribute '{name}' of '{self.path}' is {shown}, not {wanted}")


def stored_answer(contents: Contents, network: IntegerNetwork) -> StockAnswer:
    """The form of the answer in the stock part of a network's file; most files do not name it."""
    group, attributes = _Group(contents, GROUP, Counter()), contents.attributes[GROUP]
    if "stock_answer" not in attributes:
        return StockAnswer()
    levels = group.integers("stock_levels") if "stock_levels" in attributes else ()
    answer = StockAnswer(group.text("stock_answer"), levels)
    check_answer(network, answer)
    # Weights are repeated for each level: only where the file has as many is that many times the memory taken.
    stored = [array.size for path, array in contents.arrays.items() if path.startswith(f"{STOCK}/")]
    if levels and len(levels) * network.merged.output.connections[0].synapse.weight.size not in stored:
        raise FileFormatError("its stock part has not as many weights as its levels ask for", remedy=AGAIN)
    return answer


def _layer(group: _Group, version: int) -> Layer:
    kind = group.text("neuron")
    if kind not in NEURONS:
        raise FileFormatError(f"there is no neuron '{kind}'", remedy=REMEDY)
    connections = tuple(_connection(part, version) for part in group.members("connection"))
    return Layer(group.text("name"), connections, _value(NEURONS[kind], group))


def _connection(group: _Group, version: int) -> Connection:
    kind = group.text("synapse")
    if kind not in SYNAPSES:
        raise FileFormatError(f"there is no synapse '{kind}'", remedy=REMEDY)
    source, synapse = group.text("source"), _value(SYNAPSES[kind], group)
    if version == 1:
        return Connection(source, synapse)
    poolings = tuple(_value(SumPool, part) for part in group.members("pooling"))
    delay, port = group.integer("delay"), group.integer("port")
    later = {name: group.integer(name) for name in LATER_PARAMETERS if group.has(name)}
    return Connection(source, synapse, delay, port, poolings, **later)


def _value(kind: type[Some], group: _Group) -> Some:
    """A neuron, synapse or pooling, from what the roles of its fields say must be there; its constructor checks."""
    return kind(**{name: _parameter(group, name, role) for name, role in roles(kind).items()})


def _parameter(group: _Group, name: str, role: Role) -> Any:
    if isinstance(role, Array):
        return _weight(group, len(role.axes)) if name == "weight" else group.array(name).astype(np.int64)
    if isinstance(role, Choice):
        return group.text(name)
    return group.integer(name) if isinstance(role, Number) else group.integers(name)


def _weight(group: _Group, axes: int) -> NDArray[Any]:
    """Weights, which the stock part may hold multiplied, and with one more axis, of one."""
    shift, stored = group.integer("weight_shift"), group.array("weight")
    if not 0 <= shift < 32:
        raise FileFormatError(f"its attribute 'weight_shift' of '{group.path}' is {shift}, not from 0 to 31")
    weight = stored >> shift
    if shift and (weight << shift != stored).any():
        raise FileFormatError(f"its weights in '{group.path}' are no multiples of 2^{shift}")
    return weight[..., 0] if weight.ndim == axes + 1 and weight.shape[-1] == 1 else weight


def _metadata(group: _Group) -> Mapping[str, Any]:
    if f"{group.path}/metadata" not in group.contents.arrays:
        return {}
    try:
        found = json.loads(group.array("metadata").astype(np.int8).tobytes())
    except (ValueError, RecursionError):
        raise FileFormatError("its metadata are no JSON", remedy=AGAIN) from None
    if not isinstance(found, dict):
        raise FileFormatError("its metadata are no mapping", remedy=AGAIN)
    return found
