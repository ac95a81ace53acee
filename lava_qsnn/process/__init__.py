"""Lava processes: the only package that imports Lava's core, and the only one that needs Python 3.10.

At compile time Lava executes every file of this folder once more for each process class defined in it. So it holds
processes, models and the guarded run, with absolute imports, and nothing that acts when imported.
"""

import multiprocessing
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from lava_qsnn.errors import ConfigurationError

#: The guarded run overrides private parts of exactly this release; Lava is archived, so there will be no other.
LAVA_VERSION = "0.10.0"


def _require_lava() -> None:
    if sys.version_info[:2] != (3, 10):
        raise ConfigurationError(
            f"Lava runs on Python 3.10 only, and this is {sys.version_info[0]}.{sys.version_info[1]}",
            remedy="use the backend 'reference' here, or an environment with Python 3.10 (`make setup`)",
        )
    try:
        found = version("lava-nc")
    except PackageNotFoundError:
        found = "not installed"
    if found != LAVA_VERSION:
        raise ConfigurationError(
            f"this project is made for lava-nc {LAVA_VERSION}, which is {found} here",
            remedy=f"install lava-nc=={LAVA_VERSION}",
        )


def _import_lava() -> None:
    """Import Lava where Python's start method was chosen already, by Lightning for example; Lava insists on `fork`."""
    module = "lava.magma.runtime.message_infrastructure.multiprocessing"
    if module not in sys.modules:
        multiprocessing.set_start_method(None, force=True)
        import_module(module)


_require_lava()
_import_lava()
