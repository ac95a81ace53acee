"""Slayer, imported without the notes it prints about things this project does not use."""

from __future__ import annotations

import contextlib
import io
import sys

#: Lines that slayer and torch's extension builder print on import; anything else they print is passed on.
_NOTES = ("Prophesee", "prophesee", "No CUDA runtime is found")

with contextlib.redirect_stdout(io.StringIO()) as _printed, contextlib.redirect_stderr(_printed):
    from lava.lib.dl import slayer

for _line in _printed.getvalue().splitlines(keepends=True):
    if not any(note in _line for note in _NOTES):
        sys.stderr.write(_line)

__all__ = ["slayer"]
