"""The folder of a training: one process at a time writes to it, and what is in it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lava_qsnn.errors import ConfigurationError

#: The file that is locked. The lock ends with its process, however that ends; the file stays, and means nothing.
LOCK = ".lock"


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """Make a folder if there is none, and keep it from other trainings until the block ends.

    Raises:
        ConfigurationError: another training writes to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ConfigurationError(
            f"another training writes to the folder '{folder}'", remedy="choose another one, or wait for its end"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A file to the side, which takes the place of `path` in one step when the block ends without an error.

    Whatever ends the process, `path` is the old file or the new one, and whole.
    """
    side = path.with_name(f".{path.name}.part")
    try:
        yield side
        os.replace(side, path)
    finally:
        side.unlink(missing_ok=True)
