"""Lava processes: the only package that imports Lava's core, and the only one that needs Python 3.10.

At compile time Lava executes every file of this folder once more for each process class defined in it. So it holds
processes, models and the guarded run, with absolute imports, and nothing that acts when imported.
"""

import multiprocessing
import sys
from importlib import import_module

from lava_qsnn._platform import require_lava


def _import_lava() -> None:
    """Import Lava where Python's start method was chosen already, by Lightning for example; Lava insists on `fork`."""
    module = "lava.magma.runtime.message_infrastructure.multiprocessing"
    if module not in sys.modules:
        multiprocessing.set_start_method(None, force=True)
        import_module(module)


require_lava()
_import_lava()
