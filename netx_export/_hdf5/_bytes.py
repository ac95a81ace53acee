"""A file's bytes, taken piece by piece and never beyond their end."""

from __future__ import annotations

from lava_qsnn.errors import FileFormatError
from netx_export._hdf5._contents import AGAIN
from netx_export._hdf5._lookup3 import lookup3

#: The undefined address.
NOWHERE = 2**64 - 1

#: Bytes of all metadata of a file; ours have some 200 for each array.
MOST_METADATA = 2**25


def damage(what: str) -> FileFormatError:
    """The error of what no HDF5 file holds."""
    return FileFormatError(f"it is damaged: {what}", remedy=AGAIN)


def foreign(what: str) -> FileFormatError:
    """The error of what other HDF5 files may hold."""
    problem = f"it is damaged, or stored in a way this project never writes: {what}"
    return FileFormatError(problem, remedy="export it again, and leave the file as it is")


class Cursor:
    """A stretch of bytes that is taken from its start."""

    def __init__(self, data: memoryview) -> None:
        self.data = data

    def bytes(self, count: int) -> memoryview:
        """The next `count` bytes."""
        if count > len(self.data):
            raise damage("a part of it ends early")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def integer(self, count: int = 1) -> int:
        """An unsigned integer of `count` bytes."""
        return int.from_bytes(self.bytes(count), "little")

    def text(self, count: int) -> str:
        """A name of `count` bytes."""
        try:
            return str(self.bytes(count), "utf-8")
        except UnicodeDecodeError:
            raise damage("a name in it is no text") from None

    def expect(self, what: str, *values: int, size: int = 1) -> int:
        """An unsigned integer that must be one of `values`; `what` names it."""
        value = self.integer(size)
        if value not in values:
            raise foreign(f"the {what} is {value}, not {' or '.join(map(str, values))}")
        return value

    def end(self) -> None:
        """There must be nothing left."""
        if len(self.data):
            raise damage("a part of it is longer than it says")


class Blocks:
    """The blocks of a file's metadata, each with its signature and its checksum; together no larger than the file."""

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.left = min(len(view), MOST_METADATA)
        self.heaps: dict[int, dict[int, memoryview]] = {}  # texts of any length, by address and number

    def read(self, address: int, size: int, signature: bytes) -> Cursor:
        """Read what is between the signature of a block and its checksum, its last four bytes."""
        block = self._block(address, size, signature)
        if lookup3(block[:-4]) != int.from_bytes(block[-4:], "little"):
            raise damage(f"the checksum at {address} is wrong")
        return Cursor(block[len(signature) : -4])

    def heap(self, address: int, size: int, place: int) -> memoryview:
        """A whole direct block of a fractal heap, whose checksum lies at `place` in it, and counts as 0 itself."""
        block = self._block(address, size, b"FHDB")
        blank = bytes(block[:place]) + bytes(4) + bytes(block[place + 4 :])
        if lookup3(blank) != int.from_bytes(block[place : place + 4], "little"):
            raise damage(f"the checksum at {address} is wrong")
        return block

    def unchecked(self, address: int, size: int, signature: bytes = b"") -> Cursor:
        """A stretch that has no checksum, as objects have that are too large for their heap; after its signature."""
        return Cursor(self._block(address, size, signature)[len(signature) :])

    def peek(self, address: int, size: int) -> Cursor:
        """The start of a block whose size is yet to be known."""
        return Cursor(self.view[address : address + size])

    def _block(self, address: int, size: int, signature: bytes) -> memoryview:
        self.left -= size
        if self.left < 0 or address + size > len(self.view) or size < 8:
            raise damage("its metadata refer to what is beyond its end, or are too long")
        block = self.view[address : address + size]
        if block[: len(signature)] != signature:
            raise damage(f"there is no {signature[:4].decode('latin-1')!r} at {address}")
        return block
