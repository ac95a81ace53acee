"""A journal: what is done of some work, line by line, so that work that was ended goes on where it was."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from lava_qsnn.errors import ConfigurationError, OutputError


class Journal:
    """A file of JSON lines for one `with` block: the first says what work it is about, the others what is done of it.

    A line is on the disk before `add` returns; half a line, of a program that was ended while it wrote, counts for
    nothing. One program writes it at a time.

    Args:
        path: of the file.
        about: plain data that tell this work from any other.
        resume: go on with the file if there is one; otherwise there must be none.

    Raises:
        ConfigurationError: there is a file and `resume` is False; it is about other work; or somebody else writes it.
        OutputError: it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], about: Mapping[str, Any], resume: bool = False) -> None:
        self.path, self.about, self.done = Path(path), json.loads(json.dumps(about)), list[dict[str, Any]]()
        with writing(self.path):
            self._file = self.path.open("a+b", buffering=0)
        try:
            self._lock()
            self._read(resume)
        except BaseException:
            self._file.close()
            raise

    def add(self, record: Mapping[str, Any]) -> None:
        """Note that something is done."""
        self._write(record)
        self.done.append(json.loads(json.dumps(record)))

    def remove(self) -> None:
        """Delete the file of work that is done."""
        self.path.unlink()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another program is writing '{self.path}'", remedy="wait for its end, or name another file"
            ) from None

    def _read(self, resume: bool) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if whole.count(b"\n") < 2 and not resume:
            whole = b""  # nothing is done
        if whole and not resume:
            raise ConfigurationError(
                f"'{self.path}' holds what is done of work that was ended",
                remedy="go on with it (`resume`), or delete it",
            )
        self._file.truncate(len(whole))
        lines = [self._parsed(line) for line in whole.splitlines()]
        if not lines:
            self._write(self.about)
            return
        self._refuse_other(lines[0])
        self.done = lines[1:]

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ConfigurationError(f"'{self.path}' is no journal of this project", remedy="name another file")
        return found

    def _refuse_other(self, about: dict[str, Any]) -> None:
        names = [name for name in {**self.about, **about} if self.about.get(name) != about.get(name)]
        if names:
            raise ConfigurationError(
                f"'{self.path}' is about other work: its {', '.join(names)} differs",
                remedy="give what it was begun with, or delete it",
            )

    def _write(self, record: Mapping[str, Any]) -> None:
        line = json.dumps(record).encode() + b"\n"
        with writing(self.path):
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make every failure to write an OutputError that names the file."""
    try:
        yield
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"'{path}' cannot be written: {error.strerror or error}",
            remedy="make room, and go on where it was (`resume`)",
        ) from error
