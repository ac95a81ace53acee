"""Whether Lava can run here, told without importing it."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

from lava_qsnn.errors import ConfigurationError

#: The guarded run overrides private parts of exactly this release; Lava is archived, so there will be no other.
LAVA_VERSION = "0.10.0"


def require_lava() -> None:
    """Raise ConfigurationError where Lava is not installed, is another release, or does not run on this Python."""
    if sys.version_info[:2] != (3, 10):
        raise ConfigurationError(
            f"Lava runs on Python 3.10 only, and this is {sys.version_info[0]}.{sys.version_info[1]}",
            remedy="use the backend 'reference' here, or an environment with Python 3.10 (`make setup`)",
        )
    if (found := _installed("lava-nc")) != LAVA_VERSION:
        raise ConfigurationError(
            f"this project is made for lava-nc {LAVA_VERSION}, which is {found} here",
            remedy=f"install lava-nc=={LAVA_VERSION}",
        )


def require_netx() -> None:
    """Raise ConfigurationError where unmodified NetX, of lava-dl, cannot run."""
    require_lava()
    if (found := _installed("lava-dl")) == ABSENT:
        raise ConfigurationError(f"NetX is a part of lava-dl, which is {found} here", remedy="install lava-dl==0.6.0")


ABSENT = "not installed"


def _installed(package: str) -> str:
    """The version of a package, or that it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ABSENT
