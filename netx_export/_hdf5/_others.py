"""HDF5 as other writers write it: what h5py makes by default, and what NetX reads of it.

Files of the first versions keep their groups in symbol tables (III.A.1, III.B to D of the specification) and their
objects in headers without checksums (IV.A.1.a). What NetX never asks for need not be readable: it is kept as the error
that asking for it gives, and attributes, which NetX has no use for, are passed over.
"""

from __future__ import annotations

import os
from pathlib import Path

from lava_qsnn.errors import FileFormatError
from netx_export._hdf5._bytes import Cursor, damage, foreign
from netx_export._hdf5._contents import Contents
from netx_export._hdf5._file import (
    CONTINUATION,
    DEEPEST,
    LARGEST_FILE,
    LINK,
    LINK_INFO,
    OF_ARRAYS,
    SIGNATURE,
    Messages,
    _File,
)
from netx_export._hdf5._other_values import FILL, FILL_OLD, other_array
from netx_export._hdf5._tables import children

#: Types of header messages beside those of files that this project writes.
SYMBOLS = 0x11

#: The types that say what is in a file; all others are passed over.
TOLD = {*OF_ARRAYS, FILL, FILL_OLD, LINK_INFO, LINK, SYMBOLS, CONTINUATION}

#: Bytes of the largest file.
MOST = LARGEST_FILE


def read_others(path: str | os.PathLike[str]) -> Contents:
    """The arrays of a file of any writer, texts of any kind as bytes, and no attributes.

    Raises:
        FileFormatError: it is damaged, or no HDF5 file. What is stored in a way that is not read here lies in
            `Contents.refused`.
        OSError: it cannot be read.
    """
    if (size := os.path.getsize(path)) > MOST:
        raise FileFormatError(f"its {size:,} bytes exceed {MOST:,}")
    return _OtherFile(Path(path).read_bytes()).contents


class _OtherFile(_File):
    """Collects the contents of a file's bytes, whoever wrote them."""

    def _root(self) -> int:
        """The address of the root group, from a superblock of version 0 or 1, or of a later one."""
        if self.view[:8] != SIGNATURE or self.view[8] > 1:
            return super()._root()
        version = self.view[8]
        block = self.blocks.unchecked(0, 96 + 4 * version, SIGNATURE)
        block.bytes(5)  # versions of the parts of it
        block.expect("size of addresses", 8)
        block.expect("size of lengths", 8)
        block.bytes(1 + 2 + 2 + 4 + 4 * version)  # sizes of nodes, which no reader needs, and flags
        block.expect("start of the file", 0, size=8)
        block.bytes(8)
        if block.integer(8) > len(self.view):
            raise damage("it is truncated")
        block.bytes(8 + 8)
        return block.integer(8)

    def _visit(self, address: int, path: str, depth: int) -> None:
        if address in self.arrays:
            self._keep(address, path)
            return
        if address in self.groups or depth > DEEPEST:
            raise foreign(f"its group '{path}' lies in itself, or too deep")
        messages = self._messages(address)
        if {SYMBOLS, LINK, LINK_INFO} & messages.keys():
            self.groups.add(address)
            self.contents.attributes[path] = {}
            self._group(messages, path, depth)
        elif messages.keys() >= OF_ARRAYS - {0x0B}:
            self._array(messages, address, path)
        else:
            raise foreign(f"its '{path}' is neither a group nor an array")

    def _array(self, messages: Messages, address: int, path: str) -> None:
        first = {kind: found[0] for kind, found in messages.items()}
        self.arrays[address] = other_array(first, self.blocks, self.left)
        self.left -= self.arrays[address][0].nbytes
        self._keep(address, path)

    def _group(self, messages: Messages, path: str, depth: int) -> None:
        members = children(messages, self.blocks) if SYMBOLS in messages else self._links(messages)
        for name, address in members.items():
            place = f"{path}/{name}" if path else name
            try:
                if isinstance(address, FileFormatError):
                    raise address
                self._visit(address, place, depth + 1)
            except FileFormatError as error:
                self.contents.refused[place] = error

    def _messages(self, address: int) -> Messages:
        """The messages of an object's header, of version 1 or 2, by type."""
        if bytes(self.view[address : address + 4]) == b"OHDR":
            return {kind: found for kind, found in super()._messages(address).items() if kind in TOLD}
        start = self.blocks.unchecked(address, 16)
        start.expect("version of an object", 1)
        start.bytes(1 + 2 + 4)
        messages: Messages = {}
        waiting = [(address + 16, start.integer(4))]
        while waiting:
            place, size = waiting.pop()
            for kind, message in _split_old(self.blocks.unchecked(place, size)):
                if kind == CONTINUATION:
                    waiting.append((message.integer(8), message.integer(8)))
                else:
                    messages.setdefault(kind, []).append(message)
        return messages


def _split_old(block: Cursor) -> list[tuple[int, Cursor]]:
    """The messages of a header of version 1 that say what is in the file, and their types."""
    found = []
    while len(block.data) >= 8:
        kind, size, flags = block.integer(2), block.integer(2), block.integer()
        block.bytes(3)
        message = Cursor(block.bytes(size))
        if kind in TOLD:
            if flags & 2:
                raise foreign("a message that lies elsewhere")
            found.append((kind, message))
    return found
