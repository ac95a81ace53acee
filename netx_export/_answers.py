"""Answers that are written as they come: to an .npy file that can be read at any time, or into any kind of array."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, OutputError, RangeError
from lava_qsnn.integer import Shape

Integers = NDArray[np.int64]

#: Bytes before the numbers of an .npy file: its header, with room for any count of samples.
HEADER = 256


class AnswerFile:
    """An .npy file of int64 (N, *shape) that grows. Its header counts what is in it, after each `write`.

    Args:
        path: of the file, which ends in .npy; what it held is lost.
        shape: of a sample's answer.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], shape: Shape) -> None:
        self.path, self.shape, self.samples = Path(path), shape, 0
        if self.path.suffix != ".npy":
            raise ConfigurationError(f"'{self.path}' is no name of an .npy file", remedy="let the name end in .npy")
        with self._writing():
            self._file: FileIO = self.path.open("wb", buffering=0)
            try:
                self._write_header()
            except OSError:
                self._file.close()
                raise

    def write(self, answers: Integers) -> None:
        """Append the answers (n, *shape) of the next samples."""
        with self._writing():
            self._put(HEADER + self.samples * answers[0].nbytes, np.ascontiguousarray(answers, "<i8").tobytes())
            self.samples += len(answers)
            self._write_header()

    def result(self) -> NDArray[Any]:
        """Give what was written, as a memory map that cannot be written to."""
        return np.load(self.path, mmap_mode="r")

    def __enter__(self) -> AnswerFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with self._writing(), self._file as file:
            file.truncate(HEADER + self.samples * 8 * int(np.prod(self.shape)))  # without half of a chunk

    def _write_header(self) -> None:
        # Numbers first, header after: whoever reads in between finds fewer samples, never half of one.
        about = {"descr": "<i8", "fortran_order": False, "shape": (self.samples, *self.shape)}
        text = repr(about).ljust(HEADER - 11) + "\n"
        self._put(0, b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little") + text.encode("ascii"))

    def _put(self, position: int, content: bytes) -> None:
        self._file.seek(position)
        while content:  # a write may be short, and the next one then says why
            content = content[self._file.write(content) :]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _unwritten(f"'{self.path}'", error, self.samples) from error


class AnswerArray:
    """An array that answers are put into from its beginning: of numpy, h5py, zarr, or any with `shape` and `dtype`.

    Args:
        array: integers (N, *shape), at least as many samples as there will be.
        shape: of a sample's answer.
        samples: how many there will be; None if nobody knows.

    Raises:
        ConfigurationError: it has another shape, or holds no integers.
    """

    def __init__(self, array: Any, shape: Shape, samples: int | None) -> None:
        self.array, self.samples = array, 0
        if tuple(array.shape[1:]) != shape or np.dtype(array.dtype).kind not in "iu":
            raise ConfigurationError(
                f"`out` is {array.dtype} {tuple(array.shape)}, and answers are integers (N, {str(shape)[1:]}"
            )
        if samples is not None and samples > array.shape[0]:
            raise ConfigurationError(f"`out` has room for {array.shape[0]:,} samples, and there are {samples:,}")

    def write(self, answers: Integers) -> None:
        """Put the answers (n, *shape) of the next samples behind those before."""
        stop = self.samples + len(answers)
        if stop > self.array.shape[0]:
            raise OutputError(
                f"`out` has room for {self.array.shape[0]:,} samples, and there are more" + _told(self.samples)
            )
        limits = np.iinfo(self.array.dtype)
        if int(answers.min()) < limits.min or int(answers.max()) > limits.max:
            raise RangeError(f"answers do not fit `out`, which is {self.array.dtype}" + _told(self.samples))
        with self._writing():
            self.array[self.samples : stop] = answers
        self.samples = stop

    def result(self) -> Any:
        """Give the array."""
        return self.array

    def __enter__(self) -> AnswerArray:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with self._writing():
            getattr(self.array, "flush", lambda: None)()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            raise _unwritten("`out`", error, self.samples) from error


def answers_to(out: Any, shape: Shape, samples: int | None) -> AnswerFile | AnswerArray:
    """Open what `simulate` was given as `out`: the path of an .npy file, or an array; see there."""
    if isinstance(out, (str, os.PathLike)):
        return AnswerFile(out, shape)
    if not all(hasattr(out, name) for name in ("shape", "dtype", "__setitem__")):
        raise ConfigurationError(
            f"`out` is a {type(out).__name__}", remedy="give the name of an .npy file, or an array"
        )
    return AnswerArray(out, shape, samples)


def _told(samples: int) -> str:
    return f" (samples answered before: {samples:,})"


def _unwritten(what: str, error: Exception, samples: int) -> OutputError:
    reason = getattr(error, "strerror", None) or str(error)
    text = f"{what} cannot be written: {reason}" + _told(samples)
    return OutputError(text, remedy="what was written before it can be read")
