"""Answers by their place in the data set, as workers give them in any order: in memory, or in a file that goes on."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, RunError
from lava_qsnn.integer import Shape
from lava_qsnn.tasks import Journal, writing
from netx_export._chunks import Chunk
from netx_export._many import Done, refuse_lost

Lost = list[tuple[Chunk, RunError]]


class AnswersInMemory(Done):
    """Answers int64 (N, *shape) in memory."""

    def __init__(self, samples: int, shape: Shape) -> None:
        super().__init__(samples)
        self._array = np.zeros((samples, *shape), np.int64)

    def put(self, start: int, stop: int, value: NDArray[Any]) -> None:
        """Keep the answers of a range of samples."""
        self._array[start:stop] = value
        self.mark(start, stop)

    def result(self, lost: Lost) -> NDArray[np.int64]:
        """Give all answers; LostSamplesError, with those that there are, if some were lost."""
        if lost:
            missing = np.broadcast_to(~self.mask.reshape(-1, *(1,) * (self._array.ndim - 1)), self._array.shape)
            refuse_lost(lost, np.ma.masked_array(self._array, missing), "in the error's `found`")
        return self._array


class AnswersInFile(Done):
    """Answers int64 (N, *shape) in an .npy file, which has its name only when it is whole.

    Until then it is `PATH.part`, in full size, so that a disk that is too small is known at once, and `PATH.journal`
    says which samples are in it. Answers are on the disk before the journal says so.

    Args:
        path: of the file, which ends in .npy.
        samples: N.
        shape: of a sample's answer.
        about: plain data that tell this work from any other.
        resume: go on with the two files, if they are there.

    Raises:
        ConfigurationError: see `Journal`; or it is no name of an .npy file.
        OutputError: it cannot be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], samples: int, shape: Shape, about: dict[str, Any], resume: bool
    ) -> None:
        super().__init__(samples)
        self.path = Path(path)
        if self.path.suffix != ".npy":
            raise ConfigurationError(f"'{self.path}' is no name of an .npy file", remedy="let the name end in .npy")
        self._part = self.path.with_name(self.path.name + ".part")
        self._row, self._full = 8 * int(np.prod(shape)), (samples, *shape)
        self._file: FileIO | None = None
        self._journal = Journal(self.path.with_name(self.path.name + ".journal"), about, resume)
        try:
            self._open()
        except BaseException:
            self.__exit__()
            raise

    def put(self, start: int, stop: int, value: NDArray[Any]) -> None:
        """Write the answers of a range of samples."""
        content = memoryview(np.ascontiguousarray(value, "<i8").tobytes())
        place = self._begin + start * self._row
        assert self._file is not None
        with writing(self._part):
            while content:  # a write may be short, and the next one then says why
                written = os.pwrite(self._file.fileno(), content, place)
                content, place = content[written:], place + written
            os.fsync(self._file.fileno())
        self.mark(start, stop)
        self._journal.add({"start": start, "stop": stop})

    def result(self, lost: Lost) -> NDArray[Any]:
        """Give all answers as a memory map, under the file's own name; LostSamplesError if some were lost."""
        if lost:
            refuse_lost(lost, None, f"in '{self._part}'")
        with writing(self.path):
            self._part.rename(self.path)
            self._journal.remove()
        return np.load(self.path, mmap_mode="r")

    def __enter__(self) -> AnswersInFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        if not self.mask.any():  # nothing is lost
            self._part.unlink(missing_ok=True)
            self._journal.path.unlink(missing_ok=True)
        self._journal.__exit__(None, None, None)

    def _open(self) -> None:
        """Find what is done, or make a file of full size."""
        self.restore(self._journal)
        if self.mask.any() and not self._part.exists():
            raise ConfigurationError(f"'{self._part}' is gone", remedy=f"delete '{self._journal.path}', and begin anew")
        about = {"descr": "<i8", "fortran_order": False, "shape": self._full}
        with writing(self._part):
            self._file = self._part.open("r+b" if self.mask.any() else "w+b", buffering=0)
            npy.write_array_header_2_0(self._file, about)
            self._begin = self._file.tell()
            os.posix_fallocate(self._file.fileno(), 0, self._begin + self._full[0] * self._row)
