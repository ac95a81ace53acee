"""Data sets of any size, a chunk of samples at a time: arrays, what lies on a disk, batches as they come."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import InputError, QsnnError
from lava_qsnn.integer import IntegerNetwork, check_form

#: Numbers of a chunk's largest array, about: 32 MiB of int64.
NUMBERS = 2**22


@dataclass(frozen=True)
class Chunk:
    """Samples that are computed at a time.

    Args:
        start: the number of its first sample in the data set, from 0.
        x: (n, *input shape, T), n >= 1, of a form that fits the network; its values are not checked yet.
    """

    start: int
    x: NDArray[Any]

    @property
    def stop(self) -> int:
        """The number of the sample after its last one."""
        return self.start + len(self.x)


def is_stored(source: Any) -> bool:
    """True for an array that is read part by part: a memory map, an HDF5 data set, a zarr array, any like them."""
    in_memory = isinstance(source, np.ndarray) and not isinstance(source, np.memmap)
    has_form = hasattr(source, "shape") and isinstance(getattr(source, "dtype", None), np.dtype)
    return not in_memory and has_form and hasattr(source, "__getitem__")


def is_batches(source: Any) -> bool:
    """True for an iterator of batches, or what can be iterated over and is no array, such as a loader."""
    is_array = isinstance(source, (np.ndarray, list, tuple, str, bytes)) or hasattr(source, "shape")
    return not is_array and hasattr(source, "__iter__")


def chunks(network: IntegerNetwork, source: Any, size: int | None = None) -> Iterator[Chunk]:
    """Divide a data set into chunks, in order, each read when it is asked for. The one place where this is done.

    Args:
        network: the network that will compute them.
        source: an array (N, *input shape, T), in memory or stored (`is_stored`); or batches, an iterable of such
            arrays (`is_batches`), all of as many time steps. A batch is a chunk, as large as it is.
        size: samples in a chunk of an array; None for `chunk_size`.

    Raises:
        InputError: the wrong shape or dtype, of an array at once, of a batch when it comes; there is no batch; or
            reading the next one failed. The text says how many samples came before.
    """
    if is_batches(source):
        return _batches(network, source)
    array = source if is_stored(source) else np.asarray(source)
    check_form(network, tuple(array.shape), array.dtype)
    return _parts(array, size or chunk_size(network, array))


def known_length(source: Any) -> int | None:
    """The number of samples, if it is known before they have come: batches may tell it as `samples`."""
    if is_batches(source):
        return getattr(source, "samples", None)
    return int(source.shape[0]) if hasattr(source, "shape") else len(source)


def chunk_size(network: IntegerNetwork, array: Any, every_layer: bool = False) -> int:
    """Samples of a chunk: as many as keep its input and its answers small, and read whole chunks of the storage.

    Args:
        network: the network that will compute them.
        array: with `shape`, and `chunks` if it is stored in some.
        every_layer: count the outputs of all layers, not of the last one alone.
    """
    outputs = [math.prod(network.shapes[name]) for name in network]
    numbers = max(math.prod(array.shape[1:]), array.shape[-1] * (sum(outputs) if every_layer else outputs[-1]))
    size = max(1, NUMBERS // numbers)
    stored = (getattr(array, "chunks", None) or (1,))[0]
    return size - size % stored if isinstance(stored, int) and 0 < stored <= size else size


def after(error: QsnnError, answered: int) -> QsnnError:
    """The same error, which says how many samples were answered before it."""
    problem = f"{error.problem} (samples answered before: {answered:,})"
    return type(error)(problem, layer=error.layer, remedy=error.remedy)


def _parts(array: Any, size: int) -> Iterator[Chunk]:
    for start in range(0, array.shape[0], size):
        with _reading(start):
            part = np.array(array[start : start + size]) if is_stored(array) else array[start : start + size]
        yield Chunk(start, part)


def _batches(network: IntegerNetwork, source: Iterable[Any]) -> Iterator[Chunk]:
    start, steps = 0, None
    with _reading(0):
        batches = iter(source)
    while True:
        with _reading(start):
            batch = next(batches, _NONE)
            if batch is _NONE:
                break
            x = _checked(network, batch, steps)
        yield Chunk(start, x)
        start, steps = start + len(x), x.shape[-1]
    if not start:
        raise InputError("there is no batch", remedy="give a fresh iterator: one that was gone through stays empty")


#: In place of a batch, where there is no next one.
_NONE = object()


def _checked(network: IntegerNetwork, batch: Any, steps: int | None) -> NDArray[Any]:
    """A batch as an array, of so many time steps if it is not the first."""
    if isinstance(batch, (tuple, list, dict)):
        kind = type(batch).__name__
        raise InputError(f"a batch is a {kind}, not an array", remedy="write for example (x for x, labels in loader)")
    x = np.asarray(batch)
    check_form(network, x.shape, x.dtype)
    if steps not in (None, x.shape[-1]):
        raise InputError(f"a batch has {x.shape[-1]} time steps, and those before it had {steps}")
    return x


@contextmanager
def _reading(answered: int) -> Iterator[None]:
    """Make every failure to read the next samples an error that says how many were answered before it."""
    try:
        yield
    except QsnnError as error:
        raise after(error, answered) from error
    except Exception as error:
        found = InputError(f"reading the next samples failed with {type(error).__name__}: {error}")
        raise after(found, answered) from error
