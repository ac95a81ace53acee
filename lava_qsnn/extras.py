"""Imports of optional packages: one that is not installed is an error that names the extra which brings it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from lava_qsnn.errors import MissingPackageError

#: This project's own packages: a module that they lack is a mistake in them, and no installation would mend it.
OWN = ("lava_qsnn", "netx_export")


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Import what an extra of this project brings.

        with extra("train"):
            import torch

    Args:
        name: of the extra, as pyproject.toml has it.

    Raises:
        MissingPackageError: a module that is imported inside is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in OWN:
            raise
        raise MissingPackageError(
            f"the Python package '{error.name}' is not installed", remedy=f"pip install 'lava-qsnn[{name}]'"
        ) from error


def require(name: str, *packages: str) -> None:
    """Refuse long work at its beginning, if packages that only its end imports are not installed.

    Args:
        name: of the extra that brings them.
        packages: as they are imported.

    Raises:
        MissingPackageError: one of them is not installed.
    """
    with extra(name):
        for package in packages:
            if find_spec(package) is None:
                raise ModuleNotFoundError(name=package)
