"""The fast engine's forms of neurons: one row for each kind that has a faster form than its own step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.engines._history import History
from lava_qsnn.engines._stored import StoredPotential
from lava_qsnn.engines._wires import Product, Steps, Terms
from lava_qsnn.engines._wrapping import loop
from lava_qsnn.integer import (
    CUBA,
    RF,
    Bounds,
    MemoryFree,
    Neuron,
    QuantizedLIF,
    Readout,
    Shape,
    SigmaDelta,
    TimedMemoryFree,
    integer_dtype,
)
from lava_qsnn.integer.layouts import channels_first, channels_last, empty_channels_last, per_channel


class Currents:
    """The current of one port at each step: the sum over the connections that add to it.

    Args:
        products: of these connections; none for a port that nothing feeds.
        shape: (n, *population).
        dtype: in which all partial sums are exact.
    """

    def __init__(self, products: Sequence[Terms], shape: Shape, dtype: np.dtype[Any]) -> None:
        self.products, self.shape, self.dtype = products, shape, dtype

    @property
    def is_still(self) -> bool:
        """True if the current is the same at all steps."""
        return all(product.is_still for product in self.products)

    def terms(self, t: int) -> list[tuple[int, NDArray[Any]]]:
        """Step t as factors and the frames (n, *population) they multiply."""
        return [term for product in self.products for term in product.terms(t)]

    def total(self, t: int) -> NDArray[Any]:
        """Step t as one frame; possibly the only term itself, so not to be written to."""
        terms = self.terms(t)
        if not terms:
            return np.zeros(self.shape, self.dtype)
        (tap, frame), *others = terms
        if not others and tap == 1:
            return frame.astype(self.dtype, copy=False)
        total = np.multiply(frame, self.dtype.type(tap), dtype=self.dtype, casting="unsafe")
        for tap, frame in others:
            if tap == 1:
                np.add(total, frame, out=total, dtype=self.dtype, casting="unsafe")
            else:
                total += np.multiply(frame, self.dtype.type(tap), dtype=self.dtype, casting="unsafe")
        return total

    def every(self, steps: int) -> NDArray[Any] | None:
        """All steps, (T, n, P), of maps with their channels last; None for a port that nothing feeds."""
        if not self.products:
            return None
        if len(self.products) == 1 and (values := self.products[0].whole(steps)) is not None:
            return _flat(values, 2)
        total = np.empty((steps, self.shape[0], math.prod(self.shape[1:])), self.dtype)
        for t in range(steps):
            total[t] = _flat(self.total(t), 1)
        return total


def _flat(values: NDArray[Any], axis: int) -> NDArray[Any]:
    """(.., C, [H, W]) -> (.., P), with channels last, C at some axis; C-contiguous."""
    return np.ascontiguousarray(channels_last(values, axis).reshape(*values.shape[:axis], -1))


#: Computes all steps of a layer: the currents of its ports, and T, to outputs (T, n, *shape), or (1, n, *shape).
Form = Callable[[Sequence[Currents], int], Steps]


@singledispatch
def form(neuron: Neuron, shape: Shape, ranges: Sequence[Bounds], dtype: np.dtype[Any]) -> Form:
    """Make a layer's neurons ready: by the row of their kind, or else by their own step, in int64.

    Args:
        neuron: the neurons.
        shape: of the population.
        ranges: of its currents, per channel.
        dtype: of the currents.
    """
    return stepping(neuron, ranges)


def stepping(neuron: Neuron, ranges: Sequence[Bounds]) -> Form:
    """Neurons of any kind, by their own step."""
    low, high = neuron.output_range(ranges)
    output = np.dtype(bool) if neuron.spikes else integer_dtype(low, high)

    def fire(ports: Sequence[Currents], steps: int) -> Steps:
        outputs = empty_channels_last((steps, *ports[0].shape), output, 2)
        state = neuron.start(ports[0].shape)
        for t in range(steps):
            currents = [port.total(t).astype(np.int64) for port in ports]
            outputs[t], _, state = neuron.step(state, currents, t)
        return outputs

    return fire


@form.register
def _(neuron: Readout, shape: Shape, ranges: Sequence[Bounds], dtype: np.dtype[Any]) -> Form:
    def fire(ports: Sequence[Currents], steps: int) -> Steps:
        potentials = empty_channels_last((1 if ports[0].is_still else steps, *ports[0].shape), dtype, 2)
        for t in range(len(potentials)):
            potentials[t] = ports[0].total(t)
        return potentials

    return fire


@form.register
def _(neuron: MemoryFree, shape: Shape, ranges: Sequence[Bounds], dtype: np.dtype[Any]) -> Form:
    thresholds = neuron.within(ranges)
    spread_out: dict[int, NDArray[Any]] = {}
    histories: dict[tuple[int, ...], History] = {}  # by their taps, which a sample may be too short for

    def reached(factor: int) -> NDArray[Any]:
        """The least U of each neuron at which factor U reaches its threshold, (*shape)."""
        if factor not in spread_out:
            spread_out[factor] = spread(-(-thresholds // factor), shape, dtype)
        return spread_out[factor]

    def in_one_pass(current: Currents, steps: int) -> NDArray[np.bool_] | None:
        if len(current.products) != 1 or not isinstance(product := current.products[0], Product):
            return None
        if product.taps not in histories:
            histories[product.taps] = History(product.taps, _flat(reached(1), 0), shape)
        return histories[product.taps](product.values, steps)

    def fire(ports: Sequence[Currents], steps: int) -> Steps:
        (current,) = ports
        if (found := in_one_pass(current, steps)) is not None:
            return found
        spikes = empty_channels_last((1 if current.is_still else steps, *current.shape), bool, 2)
        for t in range(len(spikes)):
            terms = current.terms(t)
            if len(terms) == 1 and terms[0][1].dtype == dtype:
                np.greater_equal(terms[0][1], reached(terms[0][0]), out=spikes[t])  # without the product
            else:
                np.greater_equal(current.total(t), reached(1), out=spikes[t])
        return spikes

    return fire


@form.register
def _(neuron: TimedMemoryFree, shape: Shape, ranges: Sequence[Bounds], dtype: np.dtype[Any]) -> Form:
    thresholds = [spread(each, shape, dtype) for each in neuron.within(ranges)]

    def fire(ports: Sequence[Currents], steps: int) -> Steps:
        spikes = empty_channels_last((steps, *ports[0].shape), bool, 2)
        for t in range(steps):
            np.greater_equal(ports[0].total(t), thresholds[t], out=spikes[t])
        return spikes

    return fire


@form.register
def _(neuron: QuantizedLIF, shape: Shape, ranges: Sequence[Bounds], dtype: np.dtype[Any]) -> Form:
    step = StoredPotential(neuron, ranges, lambda values: spread(values, shape, np.dtype(np.int64)))

    def fire(ports: Sequence[Currents], steps: int) -> Steps:
        spikes = empty_channels_last((steps, *ports[0].shape), bool, 2)
        stored = empty_channels_last(ports[0].shape, step.dtype, 1)
        stored[...] = 0
        for t in range(steps):
            step(stored, ports[0].total(t), spikes[t])
        return spikes

    return fire


@form.register(CUBA)
@form.register(SigmaDelta)
@form.register(RF)
def _(neuron: Neuron, shape: Shape, ranges: Sequence[Bounds], dtype: np.dtype[Any]) -> Form:
    made = loop(neuron, lambda name: _flat(np.broadcast_to(neuron.along(name, len(shape)), shape), 0))
    if made is None:
        return stepping(neuron, ranges)
    count, (channels, *pixels) = math.prod(shape), shape

    def fire(ports: Sequence[Currents], steps: int) -> Steps:
        samples = ports[0].shape[0]
        currents = [port.every(steps) for port in ports]
        outputs = made(currents, made.start(samples), (steps, samples, count))
        return channels_first(outputs.reshape(steps, samples, *pixels, channels), 2)

    return fire


def spread(values: NDArray[np.int64], shape: Shape, dtype: np.dtype[Any]) -> NDArray[Any]:
    """One number per channel for every neuron, (*shape), so that loops over neurons run without breaks."""
    found = empty_channels_last(shape, dtype, 0)
    found[...] = per_channel(values, len(shape))
    return found
