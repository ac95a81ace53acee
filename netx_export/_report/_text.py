"""Numbers as a reader likes them."""

from __future__ import annotations

from collections.abc import Iterable

TIMES = "\N{MULTIPLICATION SIGN}"


def count(many: int, word: str) -> str:
    """So many of something, in the singular or plural."""
    return f"{many:,} {word}" if many == 1 else f"{many:,} {word}s"


def extents(shape: Iterable[int]) -> str:
    """A shape with multiplication signs."""
    return TIMES.join(map(str, shape))


def file_size(size: float) -> str:
    """Bytes, in a unit that keeps the number short."""
    if size < 1000:
        return f"{size:,} bytes"
    return f"{size / 1e3:,.1f} kB" if size < 1e6 else f"{size / 1e6:,.1f} MB"
