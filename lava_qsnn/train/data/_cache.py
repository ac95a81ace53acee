"""Converted samples on disk: what took minutes to convert is mapped into memory the next time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.train.data._base import Arrays

#: Part of every digest: raise it when a conversion changes, and old files are not used any more.
VERSION = 1


def cache_folder(chosen: str | None) -> Path:
    """`chosen`, or else lava-qsnn in $XDG_CACHE_HOME or ~/.cache."""
    if chosen is not None:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lava-qsnn"


def digest(files: Sequence[Path], *parameters: Any) -> str:
    """20 hexadecimal digits that change with any file's name, folder, size or time of change, and with any parameter.

    Args:
        files: what the samples are converted from, in their order; what is above their folders does not matter.
        parameters: what else the samples depend on, as JSON knows it.
    """
    stats = [(*path.parts[-2:], path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([VERSION, stats, parameters]).encode()).hexdigest()[:20]


def cached(
    path: Path, samples: Iterable[NDArray[np.uint8]], labels: Sequence[int], shape: tuple[int, ...], title: str
) -> Arrays:
    """The samples of a cache's folder, converted first if there is none.

    Args:
        path: the folder, named by a digest of everything the samples depend on.
        samples: one uint8 array of `shape` each; asked for only if they are not in the cache.
        labels: as many.
        shape: (*shape, T) of a sample.
        title: of the progress bar, which is on stderr if that is a terminal.

    Raises:
        ConfigurationError: the cache cannot be written.
        FileFormatError: it holds something else.
    """
    if not path.is_dir():
        with _beside(path) as folder:
            _write(folder, samples, labels, shape, title)
    try:
        values = np.load(path / "samples.npy", mmap_mode="c")  # no change reaches the file
        known = np.array(np.load(path / "labels.npy", mmap_mode="r"))  # no larger than its file
    except Exception as error:  # numpy reads headers as Python, and raises whatever that does
        raise FileFormatError(f"the cache '{path}' is damaged ({error})", remedy="delete it") from None
    if values.shape != (len(labels), *shape) or values.dtype != np.uint8 or not np.array_equal(known, labels):
        raise FileFormatError(f"the cache '{path}' is not of these samples", remedy="delete it")
    return Arrays(torch.from_numpy(values), torch.from_numpy(known))


def _write(
    folder: Path, samples: Iterable[NDArray[np.uint8]], labels: Sequence[int], shape: tuple[int, ...], title: str
) -> None:
    console = Console(stderr=True)
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(labels), *shape)}
    # Written, not mapped: a full disk is then an error and not the process's end.
    with open(folder / "samples.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for sample in track(
            samples, title, len(labels), console=console, transient=True, disable=not console.is_terminal
        ):
            file.write(sample.tobytes())
    np.save(folder / "labels.npy", np.asarray(labels, np.int64))


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A folder to write in, which becomes `path` in one step, unless another process was faster."""
    folder = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{path.name}.", dir=path.parent))
        yield folder
        folder.rename(path)
    except OSError as error:
        if not path.is_dir():
            raise ConfigurationError(
                f"cannot write the cache '{path.parent}': {error.strerror}",
                remedy="set data.cache to a folder of yours with enough room",
            ) from None
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
