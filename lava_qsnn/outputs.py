"""Files that are about to be written: what would not work is refused before the work, not after."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lava_qsnn.errors import ConfigurationError

#: Suffixes of pictures, which decide about their format.
PICTURES = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".eps", ".ps")


def writable(path: str | os.PathLike[str], suffixes: Sequence[str] = ()) -> Path:
    """The path of a file, if it can be written there.

    Args:
        path: of the file, which is replaced if it exists.
        suffixes: of which it must have one, in small letters or large ones; any by default.

    Raises:
        ConfigurationError: its folder does not exist or may not be written to, or it is a folder itself, or its suffix
            is another.
    """
    target = Path(path)
    if suffixes and target.suffix.lower() not in suffixes:
        raise ConfigurationError(
            f"'{target}' has {_named(target.suffix)}", remedy=f"end its name in one of {', '.join(suffixes)}"
        )
    if target.is_dir():
        raise ConfigurationError(f"'{target}' is a folder", remedy="name a file in it")
    if not target.parent.is_dir():
        raise ConfigurationError(f"there is no folder '{target.parent}'", remedy="make it first, or name another")
    if not os.access(target.parent, os.W_OK):
        raise ConfigurationError(f"nothing may be written to the folder '{target.parent}'", remedy="name another")
    return target


def _named(suffix: str) -> str:
    return f"the suffix {suffix}, which cannot be written" if suffix else "no suffix"
