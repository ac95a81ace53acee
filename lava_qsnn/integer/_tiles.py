"""The loops of tiled layers, compiled by numba for processors with a matrix unit for bytes (Intel AMX).

Importing it raises ImportError where there is no numba, no such unit, or no leave from the kernel to use it. A tile is
16 rows of 64 bytes; one instruction adds the product of two tiles, 16 x 64 words by 64 x 16 weights, to a third.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

#: System call arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA) of Linux on x86-64: tiles are big, so a process asks first.
_PERMISSION = (158, 0x1023, 18)


def _permitted() -> bool:
    if sys.platform != "linux" or not binding.get_host_cpu_features().get("amx-int8", False):
        return False
    return ctypes.CDLL(None).syscall(*_PERMISSION) == 0


if not _permitted():
    raise ImportError("there is no matrix unit for bytes, or no permission to use it")


def _emit(name: str, tiles: int) -> Callable[..., Any]:
    """Code of an instruction whose first arguments are constant numbers of tiles; then an address and a stride."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arguments = [ir.IntType(8)(kind.literal_value) for kind in signature.args[:tiles]]
        address, stride = values[tiles : tiles + 1], values[tiles + 1 :]
        arguments += [builder.inttoptr(value, ir.IntType(8).as_pointer()) for value in address] + list(stride)
        kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}"), arguments)
        return context.get_dummy_value()

    return generate


@intrinsic
def _configure(_: Any, address: Any) -> Any:
    return types.void(types.intp), _emit("ldtilecfg", 0)


@intrinsic
def _release(_: Any) -> Any:
    return types.void(), _emit("tilerelease", 0)


@intrinsic(prefer_literal=True)
def _clear(_: Any, tile: Any) -> Any:
    return types.void(tile), _emit("tilezero", 1)


@intrinsic(prefer_literal=True)
def _load(_: Any, tile: Any, address: Any, stride: Any) -> Any:
    return types.void(tile, types.intp, types.intp), _emit("tileloadd64", 1)


@intrinsic(prefer_literal=True)
def _store(_: Any, tile: Any, address: Any, stride: Any) -> Any:
    return types.void(tile, types.intp, types.intp), _emit("tilestored64", 1)


@intrinsic(prefer_literal=True)
def _add_product(_: Any, total: Any, words: Any, weight: Any) -> Any:
    """Unsigned bytes times signed bytes."""
    return types.void(total, words, weight), _emit("tdpbusd", 3)


@numba.njit
def _multiply(one: int, two: int, step: int, offsets: Any, weight: Any, currents: Any) -> None:
    """Two rows of windows, which begin at two addresses, times 32 columns of weights: currents (2, 16, 32)."""
    _clear(0)
    _clear(1)
    _clear(2)
    _clear(3)
    for k in range(len(offsets)):
        _load(4, one + offsets[k], step)
        _load(5, two + offsets[k], step)
        _load(6, weight.ctypes.data + 2048 * k, 64)
        _load(7, weight.ctypes.data + 2048 * k + 1024, 64)
        _add_product(0, 4, 6)
        _add_product(1, 4, 7)
        _add_product(2, 5, 6)
        _add_product(3, 5, 7)
    _store(0, currents.ctypes.data, 128)
    _store(1, currents.ctypes.data + 64, 128)
    _store(2, currents.ctypes.data + 2048, 128)
    _store(3, currents.ctypes.data + 2048 + 64, 128)


@numba.njit
def _compare(currents: Any, thresholds: Any, spikes: Any) -> None:
    """Spikes (rows, out) from currents (16, 32) and thresholds (32,)."""
    for row in range(len(spikes)):
        for o in range(spikes.shape[1]):
            spikes[row, o] = currents[row, o] >= thresholds[o]


@numba.njit
def _configuration(rows: int) -> Any:
    """Tiles 0 to 5 of so many rows, for currents and words; 6 and 7 of 16, for weights; 64 bytes in each row."""
    configuration = np.zeros(64, np.uint8)
    configuration[0] = 1
    configuration[16:32:2] = 64
    configuration[48:54] = rows
    configuration[54:56] = 16
    return configuration


@numba.njit(cache=True)
def fire(words: Any, strides: Any, offsets: Any, weight: Any, thresholds: Any, spikes: Any) -> None:
    """Fill `spikes` with  sum W h >= Theta  over windows of words.

    Args:
        words: uint8 (bytes,), frames (B, rows, columns, channels) and, beyond what windows need, some bytes more.
        strides: bytes from a window to those in the next frame, below it, and beside it.
        offsets: int64 (chunks,), where in a window each chunk of 64 bytes begins.
        weight: int8 (out / 32, chunks, 2, 16, 64); 0 for what is in a chunk but not in the window.
        thresholds: int32 (F, out), out rounded up to a multiple of 32.
        spikes: uint8 (F, B, height, width, out), written.
    """
    many, height, width, _ = spikes.shape[1:]
    across = -(-width // 16)
    rows = -(-width // across)
    configuration = _configuration(rows)
    _configure(configuration.ctypes.data)
    currents = np.empty((2, 16, 32), np.int32)
    address = np.empty(2, np.int64)
    for first in range(0, many * height * across, 2):
        pair = range(first, min(first + 2, many * height * across))
        address[:] = words.ctypes.data
        for i in pair:
            line, column = i // across, i % across * rows
            address[i - first] += line // height * strides[0] + line % height * strides[1] + column * strides[2]
        for j in range(len(weight)):
            _multiply(address[0], address[1], strides[2], offsets, weight[j], currents)
            out = slice(32 * j, 32 * j + 32)
            for i in pair:
                line, column = i // across, i % across * rows
                for f in range(len(thresholds)):
                    part = spikes[f, line // height, line % height, column : column + rows, out]
                    _compare(currents[i - first], thresholds[f, out], part)
    _release()


@numba.njit(cache=True)
def fill(words: Any, padding: Any, source: Any, taps: Any, size: int) -> None:
    """Fill `words` with history words of a source, summed over windows of size x size.

    Args:
        words: uint8 (T, n, rows, columns, C), written but for its padding.
        padding: rows above and below, columns left and right.
        source: uint8 (T, n, H, W, C), at least size times as many rows and columns, without padding.
        taps: uint8 (K,).
        size: 1 for single pixels.
    """
    (steps, many, rows, columns, channels), (top, left) = words.shape, padding
    rows, columns = rows - 2 * top, columns - 2 * left
    line = np.empty(columns * size * channels, np.uint8)
    for t, n, row in np.ndindex((steps, many, rows)):
        line[:] = 0
        for k in range(min(len(taps), t + 1)):
            for y in range(row * size, row * size + size):
                pixels = source[t - k, n, y].reshape(-1)
                for i in range(len(line)):
                    line[i] += taps[k] * pixels[i]
        _add_beside(words[t, n, top + row, left : left + columns], line, size)


@numba.njit
def _add_beside(words: Any, line: Any, size: int) -> None:
    """Words (columns, C) from as many times `size` pixels (columns * size * C,)."""
    columns, channels = words.shape
    for column in range(columns):
        begin = column * size * channels
        for c in range(channels):
            total = np.uint8(0)
            for x in range(size):
                total += line[begin + x * channels + c]
            words[column, c] = total
