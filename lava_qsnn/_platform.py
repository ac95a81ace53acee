"""A check of whether Lava can run here, without importing it."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.extras import extra

#: The guarded run overrides private parts of exactly this release; Lava is archived, so there will be no other.
LAVA_VERSION = "0.10.0"


def require_lava() -> None:
    """Say why Lava cannot run here, if it cannot.

    Raises:
        ConfigurationError: Python or Lava is of another version.
        MissingPackageError: Lava is not installed.
    """
    if sys.version_info[:2] != (3, 10):
        raise ConfigurationError(
            f"Lava runs on Python 3.10 only, and this is {sys.version_info[0]}.{sys.version_info[1]}",
            remedy="use the backend 'fast' or 'reference' here, or an environment of Python 3.10 with the extra "
            "lava-qsnn[lava]",
        )
    if (found := _installed("lava-nc")) != LAVA_VERSION:
        raise ConfigurationError(
            f"this project is made for lava-nc {LAVA_VERSION}, which is {found} here",
            remedy=f"install lava-nc=={LAVA_VERSION}",
        )


def require_netx() -> None:
    """The same for unmodified NetX, which is a part of lava-dl."""
    require_lava()
    _installed("lava-dl")


def _installed(package: str) -> str:
    """The version of a package; MissingPackageError if it is not installed."""
    with extra("lava"):
        if find_spec("lava") is None:
            raise ModuleNotFoundError(name=package)
        from importlib.metadata import PackageNotFoundError, version  # takes as long to import as all of this

        try:
            return version(package)
        except PackageNotFoundError:
            raise ModuleNotFoundError(name=package) from None
