"""Checkpoints are read as numbers: a file from a stranger executes nothing, here and on resuming.

torch.load(weights_only=True) is the second line of defence, because in torch 2.3 it is not enough: it hands TorchScript
archives to torch.jit.load (CVE-2025-32434), falls back to formats older than the zip archive, and trusts the length
that a file gives for a tensor, so that memory beyond the file's own is read. The first line is `_checked_copy`: it
takes torch's current zip format only, compares every length and name, and passes on a fresh archive of what it saw.
"""

from __future__ import annotations

import io
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from lava_qsnn._tree import check_tree
from lava_qsnn.checked import read
from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.extras import extra
from lava_qsnn.train._folder import replaced
from lava_qsnn.train.config import Config, from_dict, own_code_apart
from lava_qsnn.train.data import make
from lava_qsnn.train.description import Description

with extra("train"):
    import torch
    from lightning.pytorch.plugins.io import TorchCheckpointIO
    from torch import Tensor, nn

Contents = dict[str, Any]
Module = TypeVar("Module", bound=nn.Module)

#: Bytes of the largest checkpoint, and of the largest pickle in one, that are read.
LARGEST_FILE, LARGEST_PICKLE = 2**32, 2**20

#: Dictionaries, lists, numbers and texts in a pickle, each counted wherever it is used, and how deep they are nested.
MOST_ENTRIES, DEEPEST = 10**5, 32

#: What pickles of such things are made of; torch.save writes no other opcodes.
OPCODES = (
    pickle.PROTO + pickle.STOP + pickle.MARK + pickle.GLOBAL + pickle.REDUCE + pickle.BUILD + pickle.BINPERSID,
    pickle.BINPUT + pickle.LONG_BINPUT + pickle.BINGET + pickle.LONG_BINGET,
    pickle.EMPTY_DICT + pickle.SETITEM + pickle.SETITEMS + pickle.EMPTY_LIST + pickle.APPEND + pickle.APPENDS,
    pickle.EMPTY_TUPLE + pickle.TUPLE + pickle.TUPLE1 + pickle.TUPLE2 + pickle.TUPLE3,
    pickle.NONE + pickle.NEWTRUE + pickle.NEWFALSE + pickle.BINUNICODE,
    pickle.BININT + pickle.BININT1 + pickle.BININT2 + pickle.LONG1 + pickle.BINFLOAT,
)

#: Entries that versions of torch add to an archive, and no reader needs.
NOTES = (".data/serialization_id", ".format_version", ".storage_alignment")

#: Bytes per element of the storages a checkpoint may hold.
STORAGES = {
    "BoolStorage": 1,
    "ByteStorage": 1,
    "CharStorage": 1,
    "ShortStorage": 2,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "IntStorage": 4,
    "FloatStorage": 4,
    "LongStorage": 8,
    "DoubleStorage": 8,
}

#: What else a checkpoint of this project names.
HARMLESS = (("collections", "OrderedDict"), ("torch._utils", "_rebuild_tensor_v2"))

#: The description of the data, among the contents of a checkpoint.
DESCRIPTION = "data"

#: The remedy for a file that is something else.
GIVE_ONE = "give what `lava-qsnn train` wrote, such as runs/digits/best.ckpt"

#: What an archive is that holds something else.
FOREIGN = "its entries are not those of one torch file"

#: What training goes on from, besides the weights.
TRAINING_STATE = ("epoch", "global_step", "loops", "callbacks", "optimizer_states", "lr_schedulers")


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[Config, dict[str, Tensor]]:
    """Read the configuration and the weights of a checkpoint.

    Raises:
        FileNotFoundError: there is no such file.
        FileFormatError: it is damaged, not a checkpoint of this project, or holds anything but numbers and names.
    """
    contents = load(path)
    weights = contents.get("state_dict")
    if not isinstance(weights, Mapping) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise FileFormatError(f"'{path}' holds no weights")
    # A tensor may repeat a few numbers along huge axes; building the network would then need real memory for them.
    if sum(value.numel() * value.element_size() for value in weights.values()) > os.path.getsize(path):
        raise FileFormatError(f"'{path}' holds weights that are larger than itself")
    try:
        return from_dict(contents["hyper_parameters"]), dict(weights)
    except (KeyError, ConfigurationError) as error:
        raise FileFormatError(f"'{path}' holds no valid configuration: {error}") from None


def read_description(path: str | os.PathLike[str]) -> Description | None:
    """Read what a checkpoint tells of its data; None if it tells nothing, as those of data sets with a name need not.

    Raises:
        FileNotFoundError, FileFormatError: as read_checkpoint.
    """
    told = load(path).get(DESCRIPTION)
    try:
        return None if told is None else read(Description, told, Description.key)
    except ConfigurationError as error:
        raise FileFormatError(f"'{path}' tells nonsense of its data: {error}") from None


def rebuild(path: str | os.PathLike[str], build: Callable[[Config, Description], Module]) -> Module:
    """Build the module of a checkpoint's configuration, fill it with the checkpoint's weights: in evaluation mode.

    No data are read for it.

    Raises:
        FileNotFoundError, FileFormatError: as read_checkpoint.
    """
    config, weights = read_checkpoint(path)
    known = read_description(path)
    try:
        known = known or make(own_code_apart(config.data)).description
        with torch.device("meta"):  # the shapes without the memory
            expected = build(config, known).state_dict()
    except ConfigurationError as error:
        raise FileFormatError(f"'{path}' holds no valid configuration: {error}") from None
    if difference := misfit(weights, expected):
        raise FileFormatError(f"'{path}' {difference}, against its own configuration")
    module = build(config, known)
    module.load_state_dict(weights)
    return module.eval()


def misfit(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str | None:
    """The first thing by which weights are not those of the module that has the expected ones; None if they are."""
    for name in sorted(expected.keys() ^ weights.keys()):
        return f"{'lacks' if name in expected else 'holds'} '{name}'"
    for name, value in expected.items():
        if weights[name].shape != value.shape or weights[name].dtype != value.dtype:
            shapes = " and ".join(f"{each.dtype} {tuple(each.shape)}" for each in (weights[name], value))
            return f"has '{name}' of another shape or type ({shapes})"
    return None


def trained_epochs(path: str | os.PathLike[str]) -> int:
    """Count the epochs that a checkpoint has trained; FileFormatError if it lacks what it takes to go on."""
    contents = load(path)
    for name in TRAINING_STATE:
        if name not in contents:
            raise FileFormatError(f"'{path}' has no '{name}' to go on from")
    if not isinstance(contents["epoch"], int):
        raise FileFormatError(f"'{path}': its epoch is no number")
    return contents["epoch"] + 1


def load(path: str | os.PathLike[str]) -> Contents:
    """All of a checkpoint: plain numbers, texts, dictionaries, tensors on the CPU. Errors as read_checkpoint."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file '{path}'")
    try:
        contents = torch.load(_checked_copy(Path(path)), map_location="cpu", weights_only=True)
    except FileFormatError as error:
        raise FileFormatError(f"'{path}' is no checkpoint of this project: {error.problem}", remedy=GIVE_ONE) from None
    except Exception as error:  # a damaged archive or pickle can raise anything
        raise FileFormatError(f"'{path}' is damaged or no checkpoint ({error})", remedy=GIVE_ONE) from None
    if not isinstance(contents, dict):
        raise FileFormatError(f"'{path}' is no checkpoint of this project: it holds no dictionary")
    return contents


class CheckedIO(TorchCheckpointIO):
    """Lightning's way to checkpoints: writes them in one step, reads them by `load`, removes them in one folder only.

    Args:
        folder: of the training.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder.resolve()

    def save_checkpoint(self, checkpoint: Contents, path: Any, storage_options: Any = None) -> None:
        # Lightning's own way writes to a temporary folder, and copies from there if that is another device.
        if storage_options is not None:
            raise TypeError("there are no storage_options for checkpoints that are files")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replaced(Path(path)) as side, side.open("wb") as file:
            torch.save(checkpoint, file)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> Contents:
        return load(path)

    def remove_checkpoint(self, path: Any) -> None:
        # A resumed checkpoint names files that Lightning believes to be its own old ones.
        resolved = Path(path).resolve()
        if resolved.parent == self.folder:
            super().remove_checkpoint(str(resolved))


def _checked_copy(path: Path) -> io.BytesIO:
    """The archive written anew from checked entries: what torch reads is what was checked, byte for byte."""
    entries = _entries(path)
    _check_pickle(entries)
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            archive.writestr(f"archive/{name}", content)
    copy.seek(0)
    return copy


def _entries(path: Path) -> dict[str, bytes]:
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise FileFormatError(f"its {size:,} bytes exceed {LARGEST_FILE:,}")
    content = path.read_bytes()
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise FileFormatError("it is not in torch's zip format")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = archive.infolist()
        if not infos or not all("/" in info.filename for info in infos):  # as in an archive of numpy arrays
            raise FileFormatError(FOREIGN)
        roots, names = zip(*(info.filename.split("/", 1) for info in infos))
        _check_names(roots, names)
        if sum(info.file_size for info in infos) > len(content) or any(info.compress_type for info in infos):
            raise FileFormatError("it is compressed, and torch's own files are not")
        return {name: archive.read(info) for name, info in zip(names, infos) if name not in NOTES}


def _check_names(roots: tuple[str, ...], names: tuple[str, ...]) -> None:
    for name in names:
        if re.fullmatch(r"data\.pkl|version|byteorder|data/[0-9]+", name) is None and name not in NOTES:
            raise FileFormatError(f"it has an entry '{name}', as executable TorchScript archives do")
    if len(set(roots)) != 1 or len(set(names)) != len(names) or "data.pkl" not in names:
        raise FileFormatError(FOREIGN)


def _check_pickle(entries: Mapping[str, bytes]) -> None:
    if len(entries["data.pkl"]) > LARGEST_PICKLE:
        raise FileFormatError(f"its pickle's {len(entries['data.pkl']):,} bytes exceed {LARGEST_PICKLE:,}")
    try:
        check_tree("it", _Inspector(entries).load(), _parts, MOST_ENTRIES, DEEPEST)
    except ConfigurationError as error:
        raise FileFormatError(error.problem) from None


class _Inert:
    """Stands for a dictionary, and for whatever a pickle names: it can be called and filled, and only remembers."""

    def __init__(self, *parts: Any) -> None:
        self.parts = list(parts)

    def __setitem__(self, key: Any, value: Any) -> None:
        # A dictionary would hash its keys: that of tuples in tuples goes as deep as they do, without any limit.
        if not isinstance(key, (str, int, float, type(None))):
            raise FileFormatError("a key in it is neither a text nor a number")
        self.parts += [key, value]

    def __setstate__(self, state: Any) -> None:
        self.parts.append(state)


def _parts(value: Any) -> Sequence[Any]:
    if isinstance(value, _Inert):
        return value.parts
    return value if isinstance(value, (list, tuple)) else ()


# The pure Python unpickler: the one in C fills memory up to the largest number that a pickle gives for a memo.
class _Inspector(pickle._Unpickler):
    """Goes through a pickle without executing it; refuses names and opcodes off the lists, and wrong lengths."""

    dispatch: ClassVar[dict[int, Any]] = {code: pickle._Unpickler.dispatch[code] for code in b"".join(OPCODES)}

    def __init__(self, entries: Mapping[str, bytes]) -> None:
        super().__init__(io.BytesIO(entries["data.pkl"]))
        self.entries = entries

    def load_empty_dictionary(self) -> None:
        self.stack.append(_Inert())  # type: ignore[attr-defined]

    dispatch[pickle.EMPTY_DICT[0]] = load_empty_dictionary

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in STORAGES:
            return name
        if (module, name) in HARMLESS:
            return _Inert
        raise FileFormatError(f"it asks for '{module}.{name}', and numbers do not need it")

    def persistent_load(self, pid: Any) -> _Inert:
        _, storage, key, _, length = pid
        if not (isinstance(storage, str) and isinstance(key, str) and isinstance(length, int)):
            raise FileFormatError("it has a storage without a type, a name or a length")
        if length * STORAGES[storage] != len(self.entries[f"data/{key}"]):
            raise FileFormatError(f"its storage '{key}' is not as long as it says")
        return _Inert()
