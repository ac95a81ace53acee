"""Bob Jenkins' lookup3 (hashlittle, 2006, public domain), the checksum of HDF5's metadata."""

from __future__ import annotations

import struct

MASK = 0xFFFFFFFF


def lookup3(data: bytes | memoryview) -> int:
    """The 32-bit hash of some bytes with the initial value 0."""
    a = b = c = (0xDEADBEEF + len(data)) & MASK
    if not len(data):
        return c
    whole = (len(data) - 1) // 12
    padded = bytes(data) + bytes(12 * (whole + 1) - len(data))
    words = struct.unpack(f"<{3 * (whole + 1)}I", padded)
    for index in range(0, 3 * whole, 3):
        a, b, c = (a + words[index]) & MASK, (b + words[index + 1]) & MASK, (c + words[index + 2]) & MASK
        a, b, c = _mix(a, b, c)
    return _final((a + words[-3]) & MASK, (b + words[-2]) & MASK, (c + words[-1]) & MASK)


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    a = (a - c & MASK) ^ (c << 4 & MASK | c >> 28)
    c = c + b & MASK
    b = (b - a & MASK) ^ (a << 6 & MASK | a >> 26)
    a = a + c & MASK
    c = (c - b & MASK) ^ (b << 8 & MASK | b >> 24)
    b = b + a & MASK
    a = (a - c & MASK) ^ (c << 16 & MASK | c >> 16)
    c = c + b & MASK
    b = (b - a & MASK) ^ (a << 19 & MASK | a >> 13)
    a = a + c & MASK
    c = (c - b & MASK) ^ (b << 4 & MASK | b >> 28)
    b = b + a & MASK
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    c = ((c ^ b) - (b << 14 & MASK | b >> 18)) & MASK
    a = ((a ^ c) - (c << 11 & MASK | c >> 21)) & MASK
    b = ((b ^ a) - (a << 25 & MASK | a >> 7)) & MASK
    c = ((c ^ b) - (b << 16 & MASK | b >> 16)) & MASK
    a = ((a ^ c) - (c << 4 & MASK | c >> 28)) & MASK
    b = ((b ^ a) - (a << 14 & MASK | a >> 18)) & MASK
    return ((c ^ b) - (b << 24 & MASK | b >> 8)) & MASK
