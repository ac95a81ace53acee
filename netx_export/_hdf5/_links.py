"""The members of a group."""

from __future__ import annotations

from netx_export._hdf5._bytes import Cursor, foreign

#: Bytes of the longest name.
LONGEST_NAME = 64


def link(message: Cursor) -> tuple[str, int]:
    """A link, version 1 (IV.A.2.g), which must be a hard one: no path leads to another file, or to another path."""
    message.expect("version of a link", 1)
    flags = message.integer()
    if flags & ~0x1B:
        raise foreign("a link with the order of its creation")
    kind = message.integer() if flags & 8 else 0
    message.bytes(1 if flags & 16 else 0)  # ASCII or UTF-8
    name = message.text(message.integer(1 << (flags & 3)))
    if kind or not 0 < len(name) <= LONGEST_NAME or "/" in name:
        raise foreign(f"'{name}' is a link to elsewhere")
    address = message.integer(8)
    message.end()
    return name, address
