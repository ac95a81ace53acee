"""Slayer, imported without the notes it prints about things this project does not use."""

from __future__ import annotations

import contextlib
import io
import sys
from types import ModuleType
from typing import Any

from lava_qsnn.extras import extra

#: Lines that slayer and torch's extension builder print on import; anything else they print is passed on.
_NOTES = ("Prophesee", "prophesee", "No CUDA runtime is found")

_DETECTION = "lava.lib.dl.slayer.object_detection"


def _import() -> Any:
    try:
        from lava.lib.dl import slayer
    except (ImportError, RuntimeError):
        # Object detection wants cv2 and a torchvision built for this very torch, on machines that have neither.
        sys.modules[_DETECTION] = ModuleType(_DETECTION, "Left out: cv2 or torchvision cannot be imported.")
        from lava.lib.dl import slayer
    return slayer


with extra("train"), contextlib.redirect_stdout(io.StringIO()) as _printed, contextlib.redirect_stderr(_printed):
    slayer = _import()

for _line in _printed.getvalue().splitlines(keepends=True):
    if not any(note in _line for note in _NOTES):
        sys.stderr.write(_line)

__all__ = ["slayer"]
