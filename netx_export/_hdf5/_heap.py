"""Many messages of one object lie in a fractal heap (III.G of the specification), and a B-tree (III.A.2) lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import accumulate
from typing import TypeVar

from netx_export._hdf5._bytes import NOWHERE, Blocks, Cursor, damage, foreign
from netx_export._hdf5._lookup3 import lookup3

Part = TypeVar("Part")

#: Kinds of B-trees, by what they list: bytes of a record, its place in the heap, and the hash of its name.
LINKS, ATTRIBUTES = 5, 8
RECORDS = {LINKS: (11, slice(4, 11), slice(0, 4)), ATTRIBUTES: (17, slice(0, 8), slice(13, 17))}

#: Objects too large for a heap's blocks lie elsewhere; a B-tree of this kind has their address, length and number.
LARGE, LARGE_RECORD = 1, 24

#: Kinds of places in a heap.
IN_A_BLOCK, ELSEWHERE = 0, 1 << 4

#: Messages of one object, B-trees' depth, and rows of a heap.
MOST_MESSAGES, DEEPEST_TREE, MOST_ROWS = 2**13, 4, 64


def listed(
    info: Cursor, kind: int, read: Callable[[Cursor], tuple[str, Part]], blocks: Blocks
) -> Iterator[tuple[str, Part]]:
    """The links or the attributes of an object that are not in its header, each with its name.

    Args:
        info: where they are: version, flags, and the addresses of a heap and a B-tree (IV.A.2.c, IV.A.2.v).
        kind: LINKS or ATTRIBUTES.
        read: the name and the part from a message.
        blocks: of the file.
    """
    info.expect("version of a list", 0)
    info.expect("order of a list", 0)  # not that of creation
    heap, tree = info.integer(8), info.integer(8)
    info.end()
    if heap == NOWHERE and tree == NOWHERE:
        return
    _, place, hashed = RECORDS[kind]
    messages = _Heap(blocks, heap, place.stop - place.start)
    for record in _records(blocks, tree, kind, RECORDS[kind][0]):
        name, part = read(messages.taken(Cursor(record[place])))
        if lookup3(name.encode()) != int.from_bytes(record[hashed], "little"):
            raise damage(f"'{name}' is listed as something else")
        yield name, part


def _records(blocks: Blocks, address: int, kind: int, size: int) -> Iterator[memoryview]:
    """The records of `size` bytes of a B-tree, version 2."""
    head = blocks.read(address, 38, b"BTHD")
    head.expect("version of a B-tree", 0)
    head.expect("kind of a B-tree", kind)
    node, _, depth = head.integer(4), head.expect("size of a record", size, size=2), head.integer(2)
    head.bytes(2)  # when nodes are split and merged
    root, count, total = head.integer(8), head.integer(2), head.integer(8)
    if not 64 <= node <= 2**16 or depth > DEEPEST_TREE or total > MOST_MESSAGES:
        raise foreign(f"a B-tree of {total} records in nodes of {node} bytes")
    pointers = _pointers(node, size, depth)
    nodes = [(root, count, depth)]
    while nodes:
        place, count, depth = nodes.pop()
        used = 10 + size * count + ((count + 1) * sum(pointers[depth]) if depth else 0)
        block = blocks.read(place, used, b"BTIN" if depth else b"BTLF")
        block.expect("version of a node", 0)
        block.expect("kind of a node", kind)
        yield from [block.bytes(size) for _ in range(count)]
        for _ in range(count + 1 if depth else 0):
            child, inside, _ = (block.integer(width) for width in pointers[depth])
            nodes.append((child, inside, depth - 1))


def _pointers(node: int, record: int, depth: int) -> list[tuple[int, int, int]]:
    """Bytes of a pointer from a node at each depth: an address, the records in that node, and in all below it."""
    most = (node - 10) // record
    total, below, pointers = most, 0, [(0, 0, 0)]
    for _ in range(depth):
        pointers.append((8, _width(most), below))
        pointer = sum(pointers[-1])
        records = (node - 10 - pointer) // (record + pointer)
        total = (records + 1) * total + records
        below = _width(total)
    return pointers


def _width(number: int) -> int:
    return (number.bit_length() + 7) // 8


class _Heap:
    """A fractal heap without filters, of direct blocks below one indirect block at most."""

    def __init__(self, blocks: Blocks, address: int, place: int) -> None:
        head = blocks.read(address, 146, b"FRHP")
        head.expect("version of a heap", 0)
        head.expect("size of a place in a heap", place, size=2)
        head.expect("filters of a heap", 0, size=2)
        head.expect("kind of a heap", 2)  # its blocks have checksums
        head.bytes(4 + 8)  # sizes that are of use to who writes
        self.large_tree = head.integer(8)
        head.bytes(10 * 8)  # as above
        width, first, largest = head.integer(2), head.integer(8), head.integer(8)
        self.offset = place - 3  # bytes of an offset
        head.expect("size of a heap", 8 * self.offset, size=2)
        head.bytes(2)
        root, rows = head.integer(8), head.integer(2)
        if not (0 < width <= 64 and 64 <= first <= largest <= 2**20 and rows <= MOST_ROWS):
            raise foreign("a heap of another kind")
        self.blocks = blocks
        self.sizes, self.children = self._rows(root, rows, width, first) if rows else ([first], [root])
        if self.sizes[-1] > largest:
            raise foreign("a heap of more than one level")
        self.starts = [0, *accumulate(self.sizes)]
        self.direct: dict[int, memoryview] = {}

    def taken(self, place: Cursor) -> Cursor:
        """Read what lies at a place."""
        if place.expect("kind of a place in a heap", IN_A_BLOCK, ELSEWHERE) == ELSEWHERE:
            return self._large(place)
        offset, length = place.integer(self.offset), place.integer(2)
        index = next((number for number, end in enumerate(self.starts[1:]) if offset < end), None)
        if index is None:
            raise damage("a message lies outside of its heap")
        if index not in self.direct:
            self.direct[index] = self.blocks.heap(self.children[index], self.sizes[index], 13 + self.offset)
        return Cursor(Cursor(self.direct[index][offset - self.starts[index] :]).bytes(length))

    @cached_property
    def large(self) -> dict[int, tuple[int, int]]:
        """Address and length of what is too large for a block, by its number."""
        records = map(Cursor, _records(self.blocks, self.large_tree, LARGE, LARGE_RECORD))
        found = [(record.integer(8), record.integer(8), record.integer(8)) for record in records]
        return {number: (address, length) for address, length, number in found}

    def _large(self, place: Cursor) -> Cursor:
        """Read what is too large for a block."""
        number = int.from_bytes(place.data, "little")
        if number not in self.large:
            raise damage("a message is neither in its heap nor beside it")
        return self.blocks.unchecked(*self.large[number])

    def _rows(self, root: int, rows: int, width: int, first: int) -> tuple[list[int], list[int]]:
        """Sizes and addresses of the direct blocks: two rows of the first size, then each twice the last one's."""
        sizes = [first << max(0, row - 1) for row in range(rows) for _ in range(width)]
        block = self.blocks.read(root, 17 + self.offset + 8 * len(sizes), b"FHIB")
        block.expect("version of a heap's block", 0)
        block.bytes(8 + self.offset)  # where the heap is, and the offset of the block
        return sizes, [block.integer(8) for _ in sizes]
