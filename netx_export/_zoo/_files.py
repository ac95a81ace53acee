"""The files of the zoo, each refused if it is not the one that was measured."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, FileFormatError
from netx_export._zoo._records import FOLDER, record

#: What a path begins with that is the name of a network in the zoo.
PREFIX = "zoo:"

AGAIN = "install the package again"


def located(path: str | os.PathLike[str]) -> Path:
    """The path of a network's file: as it is given, or where `zoo:NAME` lies.

    Raises:
        ConfigurationError, FileFormatError: as `path`.
    """
    given = os.fspath(path)
    return _path(given.removeprefix(PREFIX), FOLDER) if given.startswith(PREFIX) else Path(path)


def path(name: str) -> Path:
    """The file of a network in the zoo.

    Raises:
        ConfigurationError: there is none of that name; the text lists those that there are.
        FileFormatError: the file is not the one that was measured, as its digest shows, or it is missing.
    """
    return _path(name, FOLDER)


def name_of(file: Path) -> str | None:
    """The name of the network in the zoo whose file this is; None for other files."""
    return file.stem if file.parent == FOLDER / "networks" else None


def samples(name: str) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Test samples that come with a network in the zoo: int64 (N, *input shape, T), and their labels (N,).

    Raises:
        ConfigurationError: there is no such network, or no samples come with it.
        FileFormatError: their file is not the one that was packed, or it is missing.
    """
    return enclosed(name, FOLDER)


def enclosed(name: str, folder: Path) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """As `samples`, of the zoo in a folder."""
    packed = record(name, folder).samples
    if packed is None:
        raise ConfigurationError(
            f"no samples come with 'zoo:{name}'", remedy="name the folder of its data set with --folder"
        )
    file = folder / "samples" / f"{name}.npz"
    with np.load(io.BytesIO(_checked(file, packed.digest)), allow_pickle=False) as arrays:
        return arrays["x"].astype(np.int64), arrays["y"]


def _path(name: str, folder: Path) -> Path:
    digest = record(name, folder).digest
    file = folder / "networks" / f"{name}.net"
    _checked(file, digest)
    return file


def _checked(file: Path, digest: str) -> bytes:
    """The content of a file that has a digest."""
    if not file.is_file():
        raise FileFormatError(f"the zoo lacks its file '{file}'", remedy=AGAIN)
    content = file.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise FileFormatError(
            f"'{file}' is damaged: its SHA-256 digest is {found[:16]}.., not {digest[:16]}.. as recorded", remedy=AGAIN
        )
    return content
