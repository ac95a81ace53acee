"""Telling how far some work is, in parts that have names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

#: Called now and then with what is being done, such as a backend's name, and the fraction of it that is done, 0 to 1.
Telling = Callable[[str, float], None]


def about(tell: Telling | None, name: str) -> Callable[[float], None] | None:
    """The function that tells the fraction alone, of one part; None if nobody listens."""
    return None if tell is None else partial(tell, name)
