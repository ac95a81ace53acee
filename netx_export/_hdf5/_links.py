"""The members of a group."""

from __future__ import annotations

from netx_export._hdf5._bytes import Cursor, damage, foreign


def members(links: list[Cursor]) -> dict[str, int]:
    """The names in a group, and the addresses of what they mean, from its messages."""
    named = [_link(message) for message in links]
    if len(dict(named)) != len(named):
        raise damage("a group has two members of one name")
    return dict(named)


def _link(message: Cursor) -> tuple[str, int]:
    """A link, version 1 (IV.A.2.g), which must be a hard one: no path leads to another file, or to another path."""
    message.expect("version of a link", 1)
    flags = message.integer()
    if flags & ~0x1B:
        raise foreign("a link with the order of its creation")
    kind = message.integer() if flags & 8 else 0
    message.bytes(1 if flags & 16 else 0)  # ASCII or UTF-8
    name = message.text(message.integer(1 << (flags & 3)))
    if kind or not name or "/" in name:
        raise foreign(f"'{name}' is a link to elsewhere")
    address = message.integer(8)
    message.end()
    return name, address
