"""Lava itself: whether it can run here, and its first import."""

from __future__ import annotations

import multiprocessing
import sys
from importlib import import_module

from lava_qsnn import _platform
from lava_qsnn.extras import extra

LAVA_VERSION = _platform.LAVA_VERSION


def require_lava() -> None:
    """Import Lava, or say why it cannot be; harmless if done before.

    Raises:
        ConfigurationError: Python or Lava is of another version.
        MissingPackageError: Lava is not installed.
    """
    _platform.require_lava()
    with extra("lava"):
        _import_lava()


def _import_lava() -> None:
    """Import Lava where Python's start method was chosen already, by Lightning for example; Lava insists on `fork`."""
    module = "lava.magma.runtime.message_infrastructure.multiprocessing"
    if module not in sys.modules:
        multiprocessing.set_start_method(None, force=True)
        import_module(module)
