"""A file's objects, from the root on: each is read once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from lava_qsnn.errors import FileFormatError
from netx_export._hdf5._bytes import NOWHERE, Blocks, Cursor, damage, foreign
from netx_export._hdf5._contents import Contents
from netx_export._hdf5._heap import ATTRIBUTES, LINKS, listed
from netx_export._hdf5._links import link
from netx_export._hdf5._values import LARGEST_EXPANSION, array, attribute

SIGNATURE = b"\x89HDF\r\n\x1a\n"

#: Bytes of the largest file, and names in the longest path.
LARGEST_FILE, DEEPEST = 2**31, 8

#: Beyond so many bytes of arrays, a file may hold so many times its size.
BELIEVED, BELIEVED_EXPANSION = 2**27, 64

#: Types of header messages; those of `SILENT` say nothing about contents: nil, fill value, group info, reference count.
LINK_INFO, LINK, ATTRIBUTE, ATTRIBUTE_INFO, CONTINUATION = 0x02, 0x06, 0x0C, 0x15, 0x10
OF_ARRAYS = {0x01, 0x03, 0x08, 0x0B}  # dataspace, datatype, layout, filters
OF_GROUPS = {LINK_INFO, LINK}
SILENT = {0x00, 0x05, 0x0A, 0x16}

Messages = dict[int, list[Cursor]]
Part = TypeVar("Part")


def read_contents(path: str | os.PathLike[str]) -> Contents:
    """Everything in a file.

    Raises:
        FileFormatError: it is damaged, no HDF5 file, or stored in a way in which `netx_export.write` writes none.
        OSError: it cannot be read.
    """
    if (size := os.path.getsize(path)) > LARGEST_FILE:
        raise FileFormatError(f"its {size:,} bytes exceed {LARGEST_FILE:,}")
    return _File(Path(path).read_bytes()).contents


class _File:
    """Collects the contents of a file's bytes."""

    def __init__(self, content: bytes) -> None:
        self.view, self.contents = memoryview(content), Contents()
        self.blocks = Blocks(self.view)
        self.left = min(LARGEST_EXPANSION * len(content), max(BELIEVED, BELIEVED_EXPANSION * len(content)))
        self.arrays: dict[int, tuple[NDArray[Any], int]] = {}  # by address, with the bytes stored
        self.groups: set[int] = set()
        self._visit(self._root(), "", 0)

    def _root(self) -> int:
        """The address of the root group, from the superblock (II.B)."""
        if self.view[:8] != SIGNATURE:
            raise FileFormatError("it is no HDF5 file", remedy=_meant(self.view))
        block = self.blocks.read(0, 48, SIGNATURE)
        block.expect("version of the file", 2, 3)
        block.expect("size of addresses", 8)
        block.expect("size of lengths", 8)
        block.expect("sign that it is being written", 0)
        block.expect("start of the file", 0, size=8)
        block.expect("extension of the file", NOWHERE, size=8)
        if block.integer(8) != len(self.view):
            raise damage("it is truncated, or followed by something else")
        return block.integer(8)

    def _visit(self, address: int, path: str, depth: int) -> None:
        if address in self.arrays:
            self._keep(address, path)
            return
        if address in self.groups or depth > DEEPEST:
            raise foreign(f"its group '{path}' lies in itself, or too deep")
        messages = self._messages(address)
        named = self._named(messages, ATTRIBUTE, ATTRIBUTE_INFO, ATTRIBUTES, attribute)
        if set(messages) <= OF_ARRAYS:
            self._array(messages, address, path)
            if named:
                self.contents.attributes[path] = named
        elif set(messages) <= OF_GROUPS:
            self.groups.add(address)
            self.contents.attributes[path] = named
            self._group(messages, path, depth)
        else:
            raise foreign(f"its '{path}' is neither a group nor an array")

    def _array(self, messages: Messages, address: int, path: str) -> None:
        if any(len(found) > 1 for found in messages.values()) or not OF_ARRAYS - {0x0B} <= set(messages):
            raise damage(f"its '{path}' has a type, shape or place too many, or none")
        self.arrays[address] = array({kind: found[0] for kind, found in messages.items()}, self.view, self.left)
        self.left -= self.arrays[address][0].nbytes
        self._keep(address, path)

    def _keep(self, address: int, path: str) -> None:
        self.contents.arrays[path], self.contents.stored[path] = self.arrays[address]

    def _group(self, messages: Messages, path: str, depth: int) -> None:
        for name, address in self._links(messages).items():
            self._visit(address, f"{path}/{name}" if path else name, depth + 1)

    def _links(self, messages: Messages) -> dict[str, int]:
        return self._named(messages, LINK, LINK_INFO, LINKS, link)

    def _named(
        self, messages: Messages, kind: int, about: int, tree: int, read: Callable[[Cursor], tuple[str, Part]]
    ) -> dict[str, Part]:
        """The links or the attributes of an object, few in its header, or many where a message about them says."""
        parts, info = [read(message) for message in messages.pop(kind, [])], messages.pop(about, [])
        for message in info:
            parts += listed(message, tree, read, self.blocks)
        if len(dict(parts)) != len(parts) or len(info) > 1 or (kind == LINK and not info):
            raise damage("an object has two parts of one name, or nothing that says where they are")
        return dict(parts)

    def _messages(self, address: int) -> Messages:
        """The messages of an object's header, version 2 (IV.A.1.b), by type."""
        messages: Messages = {}
        block, overhead = self._header(address)
        waiting = [block]
        while waiting:
            for kind, message in _split(waiting.pop(), overhead):
                if kind == CONTINUATION:
                    waiting.append(self.blocks.read(message.integer(8), message.integer(8), b"OCHK"))
                elif kind not in SILENT:
                    messages.setdefault(kind, []).append(message)
        return messages

    def _header(self, address: int) -> tuple[Cursor, int]:
        """The first block of a header, and the bytes before each of its messages."""
        start = self.blocks.peek(address, 34)
        start.bytes(4)
        start.expect("version of an object", 2)
        flags = start.integer()
        before = (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)  # times, and limits of attributes
        start.bytes(before)
        size = start.integer(1 << (flags & 3))
        before += 6 + (1 << (flags & 3))
        block = self.blocks.read(address, before + size + 4, b"OHDR")
        block.bytes(before - 4)
        return block, 6 if flags & 4 else 4


def _split(block: Cursor, overhead: int) -> Iterator[tuple[int, Cursor]]:
    """The messages of a block and their types. What is too short for a message at its end is none."""
    while len(block.data) >= overhead:
        kind, size, flags = block.integer(), block.integer(2), block.integer()
        if flags & 2:
            raise foreign("a message that lies elsewhere")
        block.bytes(overhead - 4)
        yield kind, Cursor(block.bytes(size))


def _meant(content: memoryview) -> str:
    """The remedy for a file that is something else: a checkpoint, an array, or what nobody can tell."""
    if bytes(content[:6]) == b"\x93NUMPY":
        return "it is an array, which --input takes; give a NetX file, such as netx_export.export writes"
    if bytes(content[:2]) == b"PK":
        return "it may be a checkpoint, of which `lava-qsnn export` makes a NetX file, or arrays, which --input takes"
    return "give a NetX file, such as netx_export.export writes; if this was one, export it again"
