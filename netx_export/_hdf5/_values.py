"""Numbers and texts: datatypes, dataspaces, attributes and arrays (IV.A.2 of the specification)."""

from __future__ import annotations

import zlib
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netx_export._hdf5._bytes import NOWHERE, Cursor, damage, foreign

#: Bytes that deflate can make of one.
LARGEST_EXPANSION = 1100

#: Filters by their numbers.
DEFLATE, SHUFFLE = 1, 2

Shape = tuple[int, ...]


def attribute(message: Cursor) -> tuple[str, NDArray[Any]]:
    """The name and the value of an attribute, version 3 (IV.A.2.m)."""
    message.expect("version of an attribute", 3)
    message.expect("sharing of an attribute", 0)
    sizes = [message.integer(2) for _ in range(3)]
    message.expect("encoding of a name", 0, 1)  # ASCII or UTF-8
    name, kind, space = (Cursor(message.bytes(size)) for size in sizes)
    text = name.text(len(name.data))
    dtype, shape = datatype(kind), dataspace(space)
    value = _numbers(message.bytes(prod(shape) * dtype.itemsize), dtype, shape)
    message.end()
    return text.removesuffix("\0"), value


def datatype(message: Cursor) -> np.dtype[Any]:
    """A datatype (IV.A.2.d): an integer, a text of fixed length, or h5py's bool, which is an enumeration."""
    kind = message.expect("type of some numbers", 0x10, 0x13, 0x18, 0x30, 0x33, 0x38)  # class, and version 1 or 3
    flags, size = message.integer(3), message.integer(4)
    if kind & 15 == 3:
        if flags & ~0x10 not in (0, 1) or not 0 < size < 2**16:  # ends with, or is filled up by, NUL
            raise foreign("a text that is no text of fixed length")
        dtype = np.dtype(f"S{size}")
    elif kind & 15 == 8:
        dtype = _boolean(message, flags, size)
    else:
        if size not in (1, 2, 4, 8) or flags & ~8 or message.integer(4) != size << 19:  # all bits, from bit 0 on
            raise foreign(f"an integer of {size} bytes that is none of a processor's")
        dtype = np.dtype(f"<{'i' if flags else 'u'}{size}")
    message.end()
    return dtype


def _boolean(message: Cursor, members: int, size: int) -> np.dtype[Any]:
    base = Cursor(message.bytes(12))
    names = message.bytes(len(message.data))
    if (members, size) != (2, 1) or datatype(base) != np.int8 or bytes(names) != b"FALSE\0TRUE\0\0\1":
        raise foreign("an enumeration that is no bool")
    return np.dtype(np.bool_)


def dataspace(message: Cursor) -> Shape:
    """A dataspace, version 2 (IV.A.2.b): the shape of an array, () of a scalar."""
    message.expect("version of a shape", 2)
    rank = message.integer()
    flags, kind = message.expect("kind of a shape", 0, 1), message.expect("kind of a shape", 0, 1)
    shape = tuple(message.integer(8) for _ in range(rank))
    greatest = tuple(message.integer(8) for _ in range(rank)) if flags else shape
    message.end()
    if greatest != shape or rank > 8 or bool(rank) != bool(kind) or 0 in shape:
        raise foreign("an array without numbers, or one that can grow")
    return shape


def array(messages: dict[int, Cursor], view: memoryview, most: int) -> tuple[NDArray[Any], int]:
    """An array of at most `most` bytes, and how many it takes in the file.

    Args:
        messages: of its header: its dataspace, datatype, layout, and its filters if there are any.
        view: the file.
        most: more is refused before it is read.
    """
    dtype, shape = datatype(messages[0x03]), dataspace(messages[0x01])
    size = prod(shape) * dtype.itemsize
    filters = _filters(messages[0x0B], dtype) if 0x0B in messages else []
    address, stored = _layout(messages[0x08], shape, dtype, bool(filters))
    if size > min(most, LARGEST_EXPANSION * stored) or (not filters and size != stored):
        raise foreign(f"an array that claims {size:,} bytes out of {stored:,} stored")
    if address == NOWHERE or address + stored > len(view):
        raise damage("an array lies beyond its end")
    return _numbers(_unfiltered(view[address : address + stored], filters, size, dtype), dtype, shape), stored


def _layout(message: Cursor, shape: Shape, dtype: np.dtype[Any], filtered: bool) -> tuple[int, int]:
    """Find an array, and its bytes in the file (IV.A.2.i): in one piece, or as a single chunk with filters."""
    version, kind = message.expect("version of a place", 3, 4), message.expect("kind of a place", 1, 2)
    if kind == 1:
        address, stored = message.integer(8), message.integer(8)
        if filtered:
            raise foreign("filters without a chunk")
    else:
        if version != 4 or message.integer() != 2 or not filtered:  # a single chunk, filtered
            raise foreign("an array of several chunks, or of one without filters")
        rank, width = message.integer(), message.integer()
        chunk = tuple(message.integer(width) for _ in range(rank))
        message.expect("index of chunks", 1)
        stored, mask, address = message.integer(8), message.integer(4), message.integer(8)
        if chunk != (*shape, dtype.itemsize) or mask:
            raise foreign("an array that is not one chunk, or without its filters")
    message.end()
    return address, stored


def _filters(message: Cursor, dtype: np.dtype[Any]) -> list[int]:
    """The numbers of the filters, as they were applied (IV.A.2.l, version 2)."""
    message.expect("version of filters", 2)
    numbers = []
    for _ in range(message.integer()):
        numbers.append(message.expect("filter", DEFLATE, SHUFFLE, size=2))
        message.expect("filter's need", 0, 1, size=2)  # whether it may be left out
        values = [message.integer(4) for _ in range(message.expect("count of a filter's numbers", 1, size=2))]
        if numbers[-1] == SHUFFLE and values != [dtype.itemsize]:
            raise foreign("a shuffle of other numbers")
    message.end()
    if numbers not in ([DEFLATE], [SHUFFLE, DEFLATE]):
        raise foreign(f"filters {numbers}")
    return numbers


def _unfiltered(stored: memoryview, filters: list[int], size: int, dtype: np.dtype[Any]) -> memoryview:
    if not filters:
        return stored
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(stored, size)
        more = stream.decompress(stream.unconsumed_tail, 1)  # its end may be still unread
    except zlib.error as error:
        raise damage(f"an array is not compressed as it says ({error})") from None
    if len(data) != size or more or not stream.eof or stream.unused_data:
        raise damage("an array is longer or shorter than it says")
    if SHUFFLE in filters:  # the first bytes of all numbers, then the second ones, ..
        data = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1).T.tobytes()
    return memoryview(data)


def _numbers(data: memoryview, dtype: np.dtype[Any], shape: Shape) -> NDArray[Any]:
    values = np.frombuffer(data, dtype).reshape(shape)
    if dtype.kind == "b" and not set(bytes(data)) <= {0, 1}:
        raise damage("a bool is neither true nor false")
    return values
