"""The size and depth of nested dictionaries and lists when every reference in them is followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lava_qsnn.errors import ConfigurationError


def check_tree(what: str, root: Any, children: Callable[[Any], Iterable[Any]], most: int, deepest: int) -> None:
    """Refuse a tree whose parts lie in themselves, too deep, or in so many places that it becomes too large.

    What is in several places counts at each of them, and is looked at once: a few lines in which each list holds the
    one before ten times are a tree of millions.

    Args:
        what: its name, for the error.
        root: what it begins with.
        children: of a part, none of a number or a text.
        most: parts that are allowed, `root` included.
        deepest: parts on the way from the root to the last one that are allowed.

    Raises:
        ConfigurationError: it is one of these.
    """
    sizes: dict[int, int] = {}  # of the finished parts
    open_: set[int] = set()  # those on the way from the root to the present one
    stack = [(root, False)]
    while stack:
        part, entered = stack.pop()
        if entered:
            open_.discard(id(part))
            sizes[id(part)] = 1 + sum(sizes[id(child)] for child in children(part))
            if sizes[id(part)] > most:
                raise ConfigurationError(f"{what} has more than {most:,} entries, counted wherever they are used")
        elif id(part) in open_:
            raise ConfigurationError(f"a part of {what} lies in itself")
        elif id(part) not in sizes:
            open_.add(id(part))
            if len(open_) > deepest:
                raise ConfigurationError(f"the parts of {what} are nested more than {deepest} deep")
            stack.append((part, True))
            stack.extend((child, False) for child in children(part))
