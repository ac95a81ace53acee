"""Arrays as other writers store them: numbers of any kind, texts of any length, in one piece, in chunks, or not at all.

The sections of the specification are IV.A.2.b, d, f, i and l, and III.E, the heap of texts of any length.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from math import ceil, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netx_export._hdf5._bytes import NOWHERE, Blocks, Cursor, damage, foreign
from netx_export._hdf5._tables import nodes
from netx_export._hdf5._values import DEFLATE, LARGEST_EXPANSION, SHUFFLE, Shape

FILL_OLD, FILL = 0x04, 0x05
FLETCHER32 = 3

#: Filters that are not read, by their numbers.
UNREAD = {4: "szip", 5: "n-bit", 6: "scale-offset", 32000: "lzf", 32001: "blosc", 32004: "lz4", 32015: "zstandard"}

#: Bytes of a reference to a text of any length; such texts in an array, and letters, as all take the longest's room.
REFERENCE, MOST_TEXTS, MOST_LETTERS = 16, 2**17, 2**24

#: Axes of an array.
MOST_AXES = 8


def other_array(messages: dict[int, Cursor], blocks: Blocks, most: int) -> tuple[NDArray[Any], int]:
    """An array of at most `most` bytes, and how many it takes in the file; an empty one has the shape (0,).

    Args:
        messages: of its header: its dataspace, datatype, layout, and its filters and fill value if there are any.
        blocks: of the file.
        most: more is refused before it is read.
    """
    dtype, is_reference = other_datatype(messages[0x03])
    shape = other_dataspace(messages[0x01])
    size = prod(shape) * dtype.itemsize
    if size > most or len(shape) > MOST_AXES:
        raise foreign(f"an array that claims {size:,} bytes")
    fill = _fill(messages, dtype)
    filters = _filters(messages[0x0B]) if 0x0B in messages else []
    stored, values = _stored(messages[0x08], blocks, dtype, shape, fill, filters, most)
    if is_reference:
        values = _texts(values, blocks)
    return values, stored


def other_datatype(message: Cursor) -> tuple[np.dtype[Any], bool]:
    """A datatype: an integer, a float, h5py's bool, a text of fixed length, or of any, which a reference stands for."""
    head = message.integer()
    flags, size = message.integer(3), message.integer(4)
    kind, order = head & 15, ">" if flags & 1 else "<"
    if kind == 3 and 0 < size < 2**16:
        return np.dtype(f"S{size}"), False
    if kind == 0 and size in (1, 2, 4, 8) and message.integer(4) == size << 19:
        return np.dtype(f"{order}{'i' if flags & 8 else 'u'}{size}"), False
    if kind == 1 and bytes(message.data[:12]) in FLOATS.get(size, ()) and not flags & 0x40:
        return np.dtype(f"{order}f{size}"), False
    if kind == 8 and size == 1 and flags == 2 and bytes(message.data[12:]).split(b"\0\1")[0] in BOOLEAN:
        return np.dtype(np.bool_), False
    if kind == 9 and flags & 15 == 1 and size == REFERENCE:
        return np.dtype(f"V{REFERENCE}"), True
    raise foreign(f"numbers of the kind {kind} of {size} bytes")


def _float(size: int, exponent: int, bias: int) -> bytes:
    """The properties of IEEE's floats: offset and precision, places and sizes of exponent and mantissa, bias."""
    mantissa = 8 * size - 1 - exponent
    return bytes([0, 0, 8 * size, 0, mantissa, exponent, 0, mantissa]) + bias.to_bytes(4, "little")


#: Names of h5py's bool, an enumeration, padded by older versions.
BOOLEAN = (b"FALSE\0\0\0TRUE\0\0\0\0", b"FALSE\0TRUE\0")

FLOATS = {2: (_float(2, 5, 15),), 4: (_float(4, 8, 127),), 8: (_float(8, 11, 1023),)}


def other_dataspace(message: Cursor) -> Shape:
    """A dataspace of version 1 or 2: the shape of an array, () of a scalar, (0,) of nothing."""
    version, rank, flags = message.expect("version of a shape", 1, 2), message.integer(), message.integer()
    kind = message.integer() if version == 2 else 1
    message.bytes(5 if version == 1 else 0)
    if version == 1 and flags & 2:
        raise foreign("an array of permuted axes")
    return (0,) if kind == 2 else tuple(message.integer(8) for _ in range(rank))


def _fill(messages: dict[int, Cursor], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The value of what was never written, 0 unless a message says another one."""
    value = b""
    if FILL in messages:
        message = messages[FILL]
        version = message.expect("version of a fill value", 1, 2, 3)
        message.bytes(2 if version < 3 else 0)  # when space is taken, and filled
        flags = message.integer()
        if flags & (0x20 if version == 3 else 1) and len(message.data):
            value = bytes(message.bytes(message.integer(4)))
    if len(value) != dtype.itemsize:
        value = bytes(dtype.itemsize)
    return np.frombuffer(value, dtype)[0]  # type: ignore[no-any-return]


def _filters(message: Cursor) -> list[tuple[int, list[int]]]:
    """The filters as they were applied, with the numbers they were given."""
    version, count = message.expect("version of filters", 1, 2), message.integer()
    message.bytes(6 if version == 1 else 0)
    found = []
    for _ in range(count):
        number = message.integer(2)
        name = message.integer(2) if version == 1 or number >= 256 else 0
        message.bytes(2)
        values = message.integer(2)
        message.bytes(name)
        found.append((number, [message.integer(4) for _ in range(values)]))
        message.bytes(4 if version == 1 and values % 2 else 0)
        if number not in (DEFLATE, SHUFFLE, FLETCHER32):
            raise foreign(f"the filter {UNREAD.get(number, number)}")
    return found


def _stored(
    message: Cursor,
    blocks: Blocks,
    dtype: np.dtype[Any],
    shape: Shape,
    fill: NDArray[Any],
    filters: Sequence[tuple[int, list[int]]],
    most: int,
) -> tuple[int, NDArray[Any]]:
    """The bytes that an array takes in the file, and the array (IV.A.2.i)."""
    version, kind = message.expect("version of a place", 3, 4), message.integer()
    if kind == 0:
        data = message.bytes(message.integer(2))
        return len(data), _numbers(data, dtype, shape)
    if kind == 1:
        address, stored = message.integer(8), message.integer(8)
        if address == NOWHERE:
            return 0, np.full(shape, fill, dtype)
        return stored, _numbers(_piece(blocks, address, stored), dtype, shape)
    if kind != 2:
        raise foreign("an array that lies in other files")
    shape_of_chunk, chunks = _chunks(message, version, blocks, len(shape), dtype)
    size, places = prod(shape_of_chunk) * dtype.itemsize, prod(map(ceil, np.divide(shape, shape_of_chunk)))
    taken = sum(len(data) for _, _, data in chunks)
    if len(chunks) > places or len(chunks) * size > min(4 * most, LARGEST_EXPANSION * taken):
        raise foreign(f"an array that claims {len(chunks) * size:,} bytes out of {taken:,} stored")
    values = np.full(shape, fill, dtype)
    for start, mask, data in chunks:
        if any(begin % step or begin >= extent for begin, step, extent in zip(start, shape_of_chunk, shape)):
            raise damage("a chunk lies beside its array")
        piece = _numbers(_unfiltered(data, filters, mask, size, dtype), dtype, shape_of_chunk)
        place = tuple(slice(begin, begin + step) for begin, step in zip(start, shape_of_chunk))
        target = values[place]
        target[...] = piece[tuple(slice(extent) for extent in target.shape)]
    return taken, values


#: A chunk: where it begins, which filters were left out, and its bytes as they are stored.
Chunk = tuple[Shape, int, memoryview]


def _chunks(
    message: Cursor, version: int, blocks: Blocks, rank: int, dtype: np.dtype[Any]
) -> tuple[Shape, list[Chunk]]:
    """The shape of chunks, and those that were written."""
    flags = message.integer() if version == 4 else 0
    message.expect("count of a chunk's axes", rank + 1)
    width = message.integer() if version == 4 else 4
    tree = message.integer(8) if version == 3 else NOWHERE
    shape = tuple(message.integer(width) for _ in range(rank))
    if 0 in shape or message.integer(width) != dtype.itemsize:
        raise damage("a chunk has another type than its array")
    if version == 4:
        if message.integer() != 1:
            raise foreign("chunks in an index of the newest kind")
        filtered = flags & 2
        size = message.integer(8) if filtered else prod(shape) * dtype.itemsize
        mask, address = message.integer(4) if filtered else 0, message.integer(8)
        return shape, [] if address == NOWHERE else [((0,) * rank, mask, _piece(blocks, address, size))]
    found: dict[Shape, Chunk] = {}
    for address, key in nodes(tree, 1, 8 + 8 * (rank + 1), blocks) if tree != NOWHERE else ():
        size, mask = key.integer(4), key.integer(4)
        start = tuple(key.integer(8) for _ in range(rank))
        if start in found:
            raise damage("two chunks lie in one place")
        found[start] = start, mask, _piece(blocks, address, size)
    return shape, list(found.values())


def _piece(blocks: Blocks, address: int, size: int) -> memoryview:
    if address + size > len(blocks.view):
        raise damage("an array lies beyond its end")
    return blocks.view[address : address + size]


def _unfiltered(
    data: memoryview, filters: Sequence[tuple[int, list[int]]], mask: int, size: int, dtype: np.dtype[Any]
) -> memoryview:
    """A chunk as it was before its filters, the last of which is taken off first."""
    for index, (number, _) in reversed(list(enumerate(filters))):
        if mask >> index & 1:
            continue
        if number == FLETCHER32:
            data = _checked(data)
        elif number == DEFLATE:
            data = _inflated(data, size + 4)  # a checksum may be inside
        elif len(data) % dtype.itemsize == 0:  # the first bytes of all numbers, then the second ones, ..
            data = memoryview(np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1).T.tobytes())
    return data


def _inflated(data: memoryview, most: int) -> memoryview:
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, most)
        more = stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise damage(f"an array is not compressed as it says ({error})") from None
    if more or not stream.eof:
        raise damage("an array is longer or shorter than it says")
    return memoryview(found)


def _checked(data: memoryview) -> memoryview:
    """Data without the checksum at their end, Fletcher's of 32 bits, which sums words of 16 bits, big-endian."""
    content, checksum = bytes(data[:-4]), int.from_bytes(data[-4:], "little")
    words = np.frombuffer(content + bytes(len(content) % 2), ">u2").astype(np.int64)
    low = high = 0
    for start in range(0, len(words), 360):  # sums of so many do not wrap
        sums = low + np.cumsum(words[start : start + 360])
        low, high = int(sums[-1]), high + int(sums.sum())
        low, high = (low & 0xFFFF) + (low >> 16), (high & 0xFFFF) + (high >> 16)
    low, high = (low & 0xFFFF) + (low >> 16), (high & 0xFFFF) + (high >> 16)
    if (high << 16 | low) != checksum:
        raise damage("the checksum of an array is wrong")
    return data[:-4]


def _numbers(data: memoryview, dtype: np.dtype[Any], shape: Shape) -> NDArray[Any]:
    if len(data) != prod(shape) * dtype.itemsize:
        raise damage("an array is longer or shorter than it says")
    if dtype.kind == "b" and not set(bytes(data)) <= {0, 1}:
        raise damage("a bool is neither true nor false")
    return np.frombuffer(data, dtype).reshape(shape)


def _texts(references: NDArray[Any], blocks: Blocks) -> NDArray[Any]:
    """The texts that references stand for, which lie in heaps."""
    if references.size > MOST_TEXTS:
        raise foreign(f"{references.size:,} texts")
    texts = [_text(Cursor(memoryview(each.tobytes())), blocks) for each in references.ravel()]
    if max(map(len, texts), default=0) * references.size > MOST_LETTERS:
        raise foreign(f"{references.size:,} texts with more than {MOST_LETTERS:,} letters")
    return np.array(texts or [b""], "S")[: references.size].reshape(references.shape)


def _text(reference: Cursor, blocks: Blocks) -> bytes:
    length, address, index = reference.integer(4), reference.integer(8), reference.integer(4)
    if not length:
        return b""
    if address not in blocks.heaps:
        blocks.heaps[address] = _heap(address, blocks)
    found = blocks.heaps[address].get(index)
    if found is None or length > len(found):
        raise damage("a text is not where it should be")
    return bytes(found[:length])


def _heap(address: int, blocks: Blocks) -> dict[int, memoryview]:
    """The objects of a global heap (III.E) by their numbers; the first where several have one."""
    head = blocks.unchecked(address, 16, b"GCOL")
    head.expect("version of a heap", 1)
    head.bytes(3)
    objects = Cursor(blocks.unchecked(address, head.integer(8)).data[16:])
    found: dict[int, memoryview] = {}
    while len(objects.data) >= 16:
        number, _, _, size = objects.integer(2), objects.integer(2), objects.integer(4), objects.integer(8)
        if not number:
            break
        found.setdefault(number, objects.bytes(-(-size // 8) * 8)[:size])
    return found
