"""The members of a group in a symbol table: a B-tree, its nodes, and a heap of names (III.A.1, B, C and D)."""

from __future__ import annotations

from collections.abc import Iterator

from lava_qsnn.errors import FileFormatError
from netx_export._hdf5._bytes import Blocks, Cursor, damage, foreign
from netx_export._hdf5._links import LONGEST_NAME

#: Levels of a B-tree.
DEEPEST_TREE = 8

#: What a symbol table's entry caches about a link that is none to an object of the file.
SOFT_LINK = 2

SYMBOLS = 0x11


def children(messages: dict[int, list[Cursor]], blocks: Blocks) -> dict[str, int | FileFormatError]:
    """The addresses of a group's members by name; of a link to elsewhere the error that following it gives."""
    table = messages[SYMBOLS][0]
    tree, heap = table.integer(8), table.integer(8)
    names = _heap(heap, blocks)
    found: dict[str, int | FileFormatError] = {}
    for leaf, _ in nodes(tree, 0, 8, blocks):
        for place, address, is_link in _symbols(leaf, blocks):
            name = _name(names, place)
            if name in found:
                raise damage("an object has two parts of one name")
            found[name] = foreign(f"'{name}' is a link to elsewhere") if is_link else address
    return found


def nodes(address: int, kind: int, key: int, blocks: Blocks) -> Iterator[tuple[int, Cursor]]:
    """The children of a B-tree's leaves: their addresses, each with the key before it.

    Args:
        address: of the root.
        kind: 0 of groups, 1 of chunks.
        key: bytes of a key.
    """
    waiting: list[tuple[int, int | None]] = [(address, None)]
    while waiting:
        place, expected = waiting.pop()
        head = blocks.unchecked(place, 24, b"TREE")
        head.expect("kind of a B-tree", kind)
        level, count = head.integer(), head.integer(2)
        if level > DEEPEST_TREE or (expected is not None and level != expected):
            raise damage("a B-tree does not get lower")
        if not count:
            continue
        entries = blocks.unchecked(place + 24, count * (key + 8) + key)
        for _ in range(count):
            before, child = Cursor(entries.bytes(key)), entries.integer(8)
            if level:
                waiting.append((child, level - 1))
            else:
                yield child, before


def _heap(address: int, blocks: Blocks) -> memoryview:
    head = blocks.unchecked(address, 32, b"HEAP")
    head.expect("version of a heap", 0)
    head.bytes(3)
    size, _, place = head.integer(8), head.integer(8), head.integer(8)
    return blocks.unchecked(place, size).data


def _name(names: memoryview, place: int) -> str:
    end = bytes(names[place : place + LONGEST_NAME + 1]).find(b"\0")
    if end < 1:
        raise damage("a name is empty, or too long")
    name = Cursor(names[place:]).text(end)
    if "/" in name:
        raise foreign(f"'{name}' is a link to elsewhere")
    return name


def _symbols(address: int, blocks: Blocks) -> Iterator[tuple[int, int, bool]]:
    """The entries of a node: where the name is, the address of the object, and whether it is a soft link."""
    head = blocks.unchecked(address, 8, b"SNOD")
    head.expect("version of a node", 1)
    head.bytes(1)
    count = head.integer(2)
    entries = blocks.unchecked(address + 8, 40 * count) if count else Cursor(memoryview(b""))
    for _ in range(count):
        place, child, cached = entries.integer(8), entries.integer(8), entries.integer(4)
        entries.bytes(20)
        yield place, child, cached == SOFT_LINK
