"""CIFAR-10 in few bytes, to travel: what a pixel's neighbours let expect is subtracted, the rest is compressed.

Numpy and Python's lzma alone read it, so that a machine without any other package can.
"""

from __future__ import annotations

import json
import lzma
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

#: Bytes of the largest set that is unpacked: CIFAR-10 has 184 MB.
LARGEST = 2**28


def pack(images: Bytes, labels: Bytes, bits: int) -> bytes:
    """Compress images and their labels.

    Args:
        images: (N, C, H, W), of 8 bits.
        labels: (N,).
        bits: highest ones of each pixel that are kept.
    """
    kept = images >> (8 - bits)
    rest = np.empty_like(kept)
    for channel in range(kept.shape[1]):
        expected = _expected_everywhere(kept[:, channel].astype(np.int16))
        if channel:  # channels resemble each other in what was not expected
            before = kept[:, channel - 1].astype(np.int16)
            expected += before - _expected_everywhere(before)
        rest[:, channel] = (kept[:, channel] - expected).astype(np.uint8)
    header = json.dumps({"shape": images.shape, "bits": bits}).encode() + b"\n"
    body = np.ascontiguousarray(rest.transpose(1, 2, 3, 0)).tobytes() + labels.astype(np.uint8).tobytes()
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}]
    return header + lzma.compress(body, lzma.FORMAT_XZ, filters=filters)


def unpack(content: bytes) -> tuple[Bytes, Bytes]:
    """Images (N, C, H, W), whose lowest bits are 0 where they were left out, and labels (N,).

    Raises:
        ValueError: it is not what `pack` gives.
    """
    head, _, body = content.partition(b"\n")
    told = json.loads(head)
    count, channels, height, width = (int(size) for size in told["shape"])
    size = math.prod((count, channels, height, width))
    if min(count, channels, height, width) < 1 or size > LARGEST:
        raise ValueError(f"it tells of {told['shape']} pixels")
    plain = lzma.LZMADecompressor().decompress(body, size + count + 1)
    if len(plain) != size + count:
        raise ValueError(f"it holds {len(plain)} bytes, not {size + count}")
    rest = np.frombuffer(plain, np.uint8, size).reshape(channels, height, width, count)
    kept = np.zeros((channels, height + 1, width + 1, count), np.int16)  # a row and a column of zeros before
    for channel in range(channels):
        for y, x in np.ndindex(height, width):
            expected = _expected(*_around(kept[channel], y, x))
            if channel:
                around = kept[channel - 1]
                expected = expected + around[y + 1, x + 1] - _expected(*_around(around, y, x))
            kept[channel, y + 1, x + 1] = (rest[channel, y, x] + expected).astype(np.uint8)
    images = np.ascontiguousarray(kept[:, 1:, 1:].transpose(3, 0, 1, 2) << (8 - int(told["bits"]))).astype(np.uint8)
    return images, np.frombuffer(plain, np.uint8, offset=size).copy()


def _around(padded: NDArray[np.int16], y: int, x: int) -> tuple[Any, Any, Any]:
    """The pixels to the left, above, and both, of all images: (H + 1, W + 1, N) to (N,) each."""
    return padded[y + 1, x], padded[y, x + 1], padded[y, x]


def _expected_everywhere(images: NDArray[np.int16]) -> NDArray[np.int16]:
    """Of all pixels of images (N, H, W)."""
    padded = np.pad(images, ((0, 0), (1, 0), (1, 0)))
    return _expected(padded[:, 1:, :-1], padded[:, :-1, 1:], padded[:, :-1, :-1])


def _expected(left: Any, above: Any, corner: Any) -> Any:
    """The median of left, above and left + above - corner: JPEG-LS's edge detector (Weinberger et al., 2000)."""
    low, high = np.minimum(left, above), np.maximum(left, above)
    return np.clip(left + above - corner, low, high)


def read_binary(paths: list[Path]) -> tuple[Bytes, Bytes]:
    """Images (N, 3, 32, 32) and labels (N,) of files of CIFAR-10's binary version."""
    rows = np.concatenate([np.fromfile(path, np.uint8).reshape(-1, 3073) for path in paths])
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]
