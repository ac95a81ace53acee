"""The loops of tiled layers, compiled by numba for processors with a matrix unit for bytes (Intel AMX).

Importing it raises ImportError where there is no numba, no such unit, or no leave from the kernel to use it. A tile is
16 rows of 64 bytes; one instruction adds the product of two tiles, 16 x 64 traces by 64 x 16 weights, to a third.
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
    """True if the unit is there, numba compiles for it, and the kernel lets this process use it."""
    portable = numba.config.CPU_NAME is not None or numba.config.CPU_FEATURES is not None
    if sys.platform != "linux" or portable or not binding.get_host_cpu_features().get("amx-int8", False):
        return False
    return int(ctypes.CDLL(None).syscall(*_PERMISSION)) == 0


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
def _configure(_: Any, configuration: Any) -> Any:
    """Takes the array, not its address, so that it is not freed before it is read."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return _emit("ldtilecfg", 0)(context, builder, signature, [builder.ptrtoint(data, ir.IntType(64))])

    return types.void(configuration), generate


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
def _add_product(_: Any, total: Any, traces: Any, weight: Any) -> Any:
    """Unsigned bytes times signed bytes."""
    return types.void(total, traces, weight), _emit("tdpbusd", 3)


@numba.njit(nogil=True)
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


@intrinsic
def _compare_32(_: Any, currents: Any, thresholds: Any, spikes: Any) -> Any:
    """32 bytes at an address, 1 where int32 currents at another reach int32 thresholds."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        numbers, bytes_ = ir.VectorType(ir.IntType(32), 32), ir.VectorType(ir.IntType(8), 32)
        pointers = [
            builder.inttoptr(value, kind.as_pointer()) for value, kind in zip(values, (numbers, numbers, bytes_))
        ]
        current, threshold = (builder.load(pointer, align=4) for pointer in pointers[:2])
        reached = builder.icmp_signed(">=", current, threshold)
        builder.store(builder.zext(reached, bytes_), pointers[2], align=1)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@numba.njit(nogil=True)
def _compare(currents: Any, thresholds: Any, spikes: Any) -> None:
    """Spikes (rows, up to 32) from currents (16, 32) and thresholds (32,)."""
    rows, out = spikes.shape
    for row in range(rows):
        if out == 32:
            _compare_32(currents[row].ctypes.data, thresholds.ctypes.data, spikes[row].ctypes.data)
        else:
            for o in range(out):
                spikes[row, o] = currents[row, o] >= thresholds[o]


@numba.njit(nogil=True)
def _configuration(rows: int) -> Any:
    """Tiles 0 to 5 of so many rows, for currents and traces; 6 and 7 of 16, for weights; 64 bytes in each row."""
    configuration = np.zeros(64, np.uint8)
    configuration[0] = 1
    configuration[16:32:2] = 64
    configuration[48:54] = rows
    configuration[54:56] = 16
    return configuration


@numba.njit(cache=True, nogil=True)
def fire(traces: Any, strides: Any, offsets: Any, weight: Any, thresholds: Any, spikes: Any) -> None:
    """Fill `spikes` with  sum W h >= Theta  over windows of traces.

    Args:
        traces: uint8 (bytes,), frames (B, rows, columns, channels); up to 16 windows after them are read, in vain.
        strides: bytes from a window to those in the next frame, below it, and beside it.
        offsets: int64 (chunks,), where in a window each chunk of 64 bytes begins.
        weight: int8 (out / 32, chunks, 2, 16, 64); 0 for what is in a chunk but not in the window.
        thresholds: int32 (F, out), out rounded up to a multiple of 32.
        spikes: uint8 (F, B, height, width, out), written.
    """
    steps, many, height, width, out = spikes.shape
    flat = spikes.reshape((steps, many * height * width, out))
    across = -(-width // 16)
    rows = -(-width // across)
    _configure(_configuration(rows))
    currents = np.empty((2, 16, 32), np.int32)
    address, begin, end = np.empty(2, np.int64), np.empty(2, np.int64), np.empty(2, np.int64)
    tiles = many * height * across
    for first in range(0, tiles, 2):
        for i in range(2):
            line, part = divmod(min(first + i, tiles - 1), across)
            frame, row = divmod(line, height)
            begin[i] = line * width + part * rows
            end[i] = min(begin[i] + rows, line * width + width)
            address[i] = traces.ctypes.data + frame * strides[0] + row * strides[1] + part * rows * strides[2]
        for j in range(len(weight)):
            _multiply(address[0], address[1], strides[2], offsets, weight[j], currents)
            for i in range(2):
                for f in range(steps):
                    some = slice(32 * j, 32 * j + 32)
                    _compare(currents[i], thresholds[f, some], flat[f, begin[i] : end[i], some])
    _release()


@numba.njit(cache=True, nogil=True)
def pool(traces: Any, padding: Any, source: Any, size: int) -> None:
    """Fill `traces` with the sums over windows of size x size of a source's frames.

    Args:
        traces: uint8 (frames, rows, columns, C), written but for its padding. Or 8 channels in one uint64: since no
            trace exceeds 255, sums carry nothing from one to the next.
        padding: rows above and below, columns left and right.
        source: as `traces` (frames, H, W, C), at least size times as many rows and columns, without padding.
        size: 1 for single pixels.
    """
    many, rows, columns, channels = traces.shape
    top, left = padding
    line = np.empty((columns - 2 * left, size, channels), traces.dtype)
    for frame, row in np.ndindex((many, rows - 2 * top)):
        inside = traces[frame, top + row, left : columns - left]
        if size == 1:
            inside[:] = source[frame, row, : len(inside)]
        else:
            _add_rows(line.reshape(-1), source[frame, row * size : row * size + size])
            _add_columns(inside, line)


@numba.njit(nogil=True)
def _add_rows(line: Any, rows: Any) -> None:
    """Sums (W * C,) of rows (size, W, C), at least two; what is beyond the end of the line is left out."""
    one, two = rows[0].reshape(-1), rows[1].reshape(-1)
    for i in range(len(line)):
        line[i] = one[i] + two[i]
    for y in range(2, len(rows)):
        more = rows[y].reshape(-1)
        for i in range(len(line)):
            line[i] += more[i]


@numba.njit(nogil=True)
def _add_columns(traces: Any, line: Any) -> None:
    """Traces (columns, C) from pixels (columns, size, C)."""
    columns, size, channels = line.shape
    for column in range(columns):
        for c in range(channels):
            total = line[column, 0, c] + line[column, 1, c]
            for x in range(2, size):
                total += line[column, x, c]
            traces[column, c] = total


@numba.njit(cache=True, nogil=True)
def filter_history(traces: Any, taps: Any) -> None:
    """Turn spikes, or pooled ones, (T, numbers) into their traces, in place.

    Args:
        traces: uint8, or two of them in one uint16: since none exceeds 255, nothing is carried from one to the next.
        taps: the same type (K,).
    """
    for t in range(len(traces) - 1, -1, -1):  # backwards, since it reads what was before
        for i in range(traces.shape[1]):
            traces[t, i] *= taps[0]
        for k in range(1, min(len(taps), t + 1)):
            for i in range(traces.shape[1]):
                traces[t, i] += taps[k] * traces[t - k, i]
