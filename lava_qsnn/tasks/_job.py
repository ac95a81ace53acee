"""A job: a function, and what all its tasks share, pickled once; and the answer to one of its tasks."""

from __future__ import annotations

import hashlib
import pickle
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from lava_qsnn.errors import ConfigurationError

#: What a task can end in: a value; an error that it would end in again; or an end from outside, which may be chance.
DONE, REFUSED, BROKEN = "done", "refused", "broken"

#: Packages on which answers, or what carries them, may depend.
COMPARED = ("numpy", "numba", "h5py", "torch", "lava-nc", "lava-dl")

#: The packages of the project, whose code is compared itself: two copies may differ and have one version.
OWN = ("lava_qsnn", "netx_export")


class Answer(NamedTuple):
    """One of DONE, REFUSED and BROKEN; the pickled value or error; the seconds that it took."""

    kind: str
    content: bytes
    seconds: float

    def value(self) -> Any:
        """The value of a task that is done; of another, its error is raised."""
        found = pickle.loads(self.content)
        if self.kind != DONE:
            raise found
        return found


@dataclass(frozen=True)
class Job:
    """A function of (shared, task), and what is shared, pickled; `digest` tells one job from another.

    `versions` are those of the process that made it, by name.
    """

    content: bytes = field(repr=False)
    digest: str
    versions: tuple[tuple[str, str], ...]

    @staticmethod
    def of(function: Callable[[Any, Any], Any], shared: Any) -> Job:
        """The job of a function of a module, and of what all its tasks share.

        Raises:
            ConfigurationError: workers cannot import the function, or what is shared cannot be pickled.
        """
        try:
            content = pickle.dumps((_importable(function), shared), 5)
        except (pickle.PicklingError, AttributeError, ImportError, TypeError) as error:
            raise ConfigurationError(
                f"a task cannot travel to a process of its own: {error}",
                remedy="write its function into a module, and share plain data",
            ) from error
        return Job(content, hashlib.sha256(content).hexdigest(), versions())

    def refuse_others(self) -> None:
        """Refuse to compute where anything is of another version than where the job was made.

        Raises:
            ConfigurationError: names what differs.
        """
        here = dict(versions())
        other = [
            f"{name} {told} here, {here[name]} on {platform.node()}"
            for name, told in self.versions
            if told != here[name]
        ]
        if other:
            raise ConfigurationError(
                f"client and worker differ: {'; '.join(other)}",
                remedy="install the same versions on both, from the same clone or wheel",
            )


def _importable(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A function of the program itself by the name that others import it by."""
    if function.__module__ != "__main__":
        return function
    program = sys.modules["__main__"]
    spec = getattr(program, "__spec__", None)
    name = spec.name if spec is not None else Path(getattr(program, "__file__", "")).stem
    return getattr(import_module(name or "__main__"), function.__qualname__)


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """The versions of Python, of what answers depend on, and a digest of the project's own code."""
    return (
        ("python", ".".join(platform.python_version_tuple()[:2])),
        *((name, _version(name)) for name in COMPARED),
        ("lava-qsnn", f"{_version('lava-qsnn')} ({_code()})"),
    )


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # takes as long to import as all of the room

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _code() -> str:
    """The first digits of a digest of every module of the project, by name and content."""
    found = hashlib.sha256()
    for package in OWN:
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent
        for path in sorted(folder.rglob("*.py")):
            found.update(f"{package}/{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return found.hexdigest()[:12]
