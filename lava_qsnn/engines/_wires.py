"""Connections made ready for the fast engine: which kernel computes each, and on which side of it time is filtered.

Steps are arrays (T, n, *shape), of maps with their channels last in memory; (1, n, *shape) of what is the same at
every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.engines._kernels import Kernel, exact_dtype, kernel
from lava_qsnn.engines._packed import packed_kernel
from lava_qsnn.engines._wrapping import compiled
from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import Connection, DelayedDense, IntegerNetwork, Layer, Shape, SumPool, Synapse, integer_dtype
from lava_qsnn.integer.layouts import channels_first, channels_last, from_frames, from_steps, to_frames, to_steps

Steps = NDArray[Any]

Finish = Callable[[NDArray[np.int64]], NDArray[np.int64]]


@dataclass(frozen=True)
class Wire:
    """A connection made ready. Taps filter traces before the kernel, or currents after it, with the same result."""

    source: str
    poolings: tuple[SumPool, ...]
    pooled: np.dtype[Any]  # of pooled traces
    kernel: Kernel | None  # None for a synapse with delays of its own
    connection: Connection
    taps: tuple[int, ...]
    traces: np.dtype[Any] | None  # of traces, if they are what the kernel gets
    finish: Finish | None  # from sums to currents, if these are not the same

    def product(self, outputs: Mapping[str, Steps], steps: int) -> Product:
        """The currents of all steps, from the sources' outputs."""
        source, taps = outputs[self.source], self.taps
        for pooling in self.poolings:
            source = pooled(source, pooling, self.pooled)
        if self.traces is not None and (len(source) > 1 or not self.connection.is_linear):
            every = np.broadcast_to(source, (steps, *source.shape[1:]))
            source, taps = _filtered(every, taps, self.traces), (1,)
        if self.kernel is None:
            sums = _over_time(self.connection.synapse, source, steps)
        else:
            sums = _frames(self.kernel, source)
        return Product(sums if self.finish is None else self.finish(sums.astype(np.int64)), taps)

    @property
    def is_counted(self) -> bool:
        """True if its currents are integers of few bits."""
        narrow = self.kernel is not None and self.kernel.dtype.kind == "i" and self.kernel.dtype.itemsize < 8
        return narrow and self.connection.is_linear


class Terms(Protocol):
    """Currents of one connection, step by step."""

    @property
    def is_still(self) -> bool:
        """True if the currents are the same at all steps."""

    def terms(self, t: int) -> list[tuple[int, NDArray[Any]]]:
        """Step t as factors and the frames (n, *shape) they multiply, without those of factor 0."""

    def whole(self, steps: int) -> Steps | None:
        """All steps (T, n, *shape), where they lie as they are; None where they would have to be put together."""


@dataclass(frozen=True)
class Product:
    """Currents of one connection, before or after their filter, and the taps still to apply."""

    values: Steps
    taps: tuple[int, ...]

    @property
    def is_still(self) -> bool:
        """True if the currents are the same at all steps."""
        return len(self.values) == 1 and len(self.taps) == 1

    def whole(self, steps: int) -> Steps | None:
        """All steps (T, n, *shape), where they lie as they are; None where they would have to be put together."""
        return self.values if self.taps == (1,) and len(self.values) == steps else None

    def terms(self, t: int) -> list[tuple[int, NDArray[Any]]]:
        """Step t as factors and the frames (n, *shape) they multiply, without those of factor 0."""
        if len(self.values) == 1:
            terms = [(sum(self.taps[: t + 1]), self.values[0])]
        else:
            terms = [(tap, self.values[t - k]) for k, tap in enumerate(self.taps[: t + 1])]
        return [(tap, frame) for tap, frame in terms if tap]


class Graded:
    """A connection from numbers that are mostly far smaller than they could be: made ready for those that come.

    The messages of sigma-delta neurons wrap at 2^25, and are rarely beyond a thousand. For each range that is met,
    by powers of two, there is a wire, whose kernel computes in the narrowest numbers, and without wrapping if it can.
    """

    is_counted = False

    def __init__(self, network: IntegerNetwork, layer: Layer, connection: Connection) -> None:
        self._make = partial(_wire, network, layer, connection)
        self._source = connection.source
        self._wires: dict[int, Wire] = {}

    def product(self, outputs: Mapping[str, Steps], steps: int) -> Product:
        """The currents of all steps, from the sources' outputs."""
        source = outputs[self._source]
        bits = max(-int(source.min()), int(source.max())).bit_length()
        if bits not in self._wires:
            self._wires[bits] = self._make(-(2**bits), 2**bits)
        return self._wires[bits].product(outputs, steps)


def wire(network: IntegerNetwork, layer: Layer, connection: Connection) -> Wire | Graded:
    """Make a connection ready, for the numbers that its source can put out."""
    low, high = network.output_ranges[connection.source]
    made = _wire(network, layer, connection, low, high)
    wide = made.kernel is not None and made.kernel.dtype not in (np.float32, np.int16, np.int32)
    return Graded(network, layer, connection) if wide or not made.connection.is_linear else made


def _wire(network: IntegerNetwork, layer: Layer, connection: Connection, least: int, greatest: int) -> Wire:
    """Make a connection ready for numbers of its source in a range: the one place where a kernel is chosen.

    Bits are counted where that pays, for 1-bit weights and binary spikes; poolings before it are merged, since sums
    over windows are not binary. Everything else is a product of matrices, or the synapse's own form.
    """
    source, shape = connection.source, network.shapes[connection.source]
    taps = layer.taps(connection)[: network.timesteps]
    between = min(least, 0) * sum(taps), max(greatest, 0) * sum(taps)
    connection = connection.simplified(shape, *between)
    finish = connection.finisher(layer.name, shape, *between)
    must_filter = not connection.is_linear and sum(taps) > 1  # what is no sum of the parts that traces have
    low, high = min(least, 0) * connection.amplification, max(greatest, 0) * connection.amplification
    traces = integer_dtype(low * sum(taps), high * sum(taps))
    if connection.synapse.delay:
        filtered = traces if must_filter else None
        return Wire(source, connection.poolings, np.dtype(np.int64), None, connection, taps, filtered, finish)
    binary = (least, greatest) == (0, 1) and not must_filter
    if binary and (counted := _counted(connection, shape)) is not None:
        return Wire(source, (), np.dtype(bool), counted, connection, taps, None, finish)
    largest, trace = max(-low, high), max(-low, high) * sum(taps)
    inner = connection.pooled_shape(shape)
    # On the side with fewer numbers, or on the one that lets the kernel stay in narrower ones.
    before = math.prod(inner) <= math.prod(network.shapes[layer.name])
    before = before and exact_dtype(connection.synapse, largest) == exact_dtype(connection.synapse, trace)
    before = before or must_filter
    prepared = kernel(connection.synapse, inner, trace if before else largest)
    pools = connection.poolings
    filtered = traces if before else None
    return Wire(source, pools, integer_dtype(low, high), prepared, connection, taps, filtered, finish)


def _counted(connection: Connection, source: Shape) -> Kernel | None:
    try:
        merged = connection.merged(source).synapse
    except DeploymentError:  # then it has no merged form, and is pooled
        return None
    return packed_kernel(merged, source)


def pooled(source: Steps, pooling: SumPool, dtype: np.dtype[Any]) -> Steps:
    """Sums over windows of all steps of maps: (T, n, C, H, W) to (T, n, C, rows, columns), channels last in memory."""
    last = channels_last(source, 2)
    _, rows, columns = pooling.output_shape(source.shape[2:])
    (top, left), (down, across) = pooling.padding, pooling.stride
    if top or left:
        last = np.pad(last, ((0, 0), (0, 0), (top, top), (left, left), (0, 0)))
    total = np.zeros((*last.shape[:2], rows, columns, last.shape[-1]), dtype)
    for y, x in np.ndindex(*pooling.kernel):
        begin_y, begin_x = y * pooling.dilation[0], x * pooling.dilation[1]
        vertical = slice(begin_y, begin_y + down * (rows - 1) + 1, down)
        horizontal = slice(begin_x, begin_x + across * (columns - 1) + 1, across)
        np.add(total, last[:, :, vertical, horizontal], out=total, casting="unsafe")
    return channels_first(total, 2)


def _frames(prepared: Kernel, traces: Steps) -> Steps:
    return from_frames(prepared(to_frames(traces)), traces)


def _filtered(source: Steps, taps: tuple[int, ...], dtype: np.dtype[Any]) -> Steps:
    """Traces, from all steps of a source."""
    traces = np.multiply(source, dtype.type(taps[0]), dtype=dtype, casting="unsafe")
    for k, tap in enumerate(taps[1:], start=1):
        if tap:
            traces[k:] += np.multiply(source[:-k], dtype.type(tap), dtype=dtype, casting="unsafe")
    return traces


def _over_time(synapse: Synapse, source: Steps, steps: int) -> Steps:
    """The currents of a synapse that looks back in time by itself: compiled for a dense one, or by its own form."""
    every = np.broadcast_to(source, (steps, *source.shape[1:]))
    if isinstance(synapse, DelayedDense) and (loops := compiled()) is not None:
        flat = np.ascontiguousarray(every.reshape(*every.shape[:2], -1), np.int64)
        current = np.empty((*flat.shape[:2], len(synapse.weight)), np.int64)
        delays = np.broadcast_to(synapse.delays, synapse.weight.shape)
        loops.delayed(flat, synapse.weight.T.astype(np.int64), delays.T.astype(np.int32), current)
        return current
    return to_steps(synapse.current(from_steps(every).astype(np.int64)))
