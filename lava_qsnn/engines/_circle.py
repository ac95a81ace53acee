"""Layers that feed back, for the fast engine: batches step by step, but what comes from outside all steps at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.engines._forms import Currents
from lava_qsnn.engines._kernels import Kernel, kernel
from lava_qsnn.engines._wires import Finish, Graded, Steps, Wire, pooled, wire
from lava_qsnn.integer import Component, Connection, IntegerNetwork, Layer, Shape, State, integer_dtype
from lava_qsnn.integer.layouts import empty_channels_last, from_steps


class Circle:
    """The layers of a component that feeds back, made ready.

    Args:
        network: the network.
        component: one of its components, which feeds back.
    """

    def __init__(self, network: IntegerNetwork, component: Component) -> None:
        inside = {layer.name for layer in component.layers}
        self.members = [_member(network, layer, inside) for layer in component.layers]

    def __call__(self, known: Mapping[str, Steps], steps: int) -> dict[str, Steps]:
        """The outputs (T, n, *shape) of the layers, by name, from those of the layers outside."""
        samples = next(iter(known.values())).shape[1]
        found = {each.layer.name: each.unset(steps, samples) for each in self.members}
        known = {**known, **found}
        running = [_Running(each, known, samples, steps) for each in self.members]
        for t in range(steps):
            for each in running:
                each.step(t)
        return found


@dataclass(frozen=True)
class _Inner:
    """A connection from inside the circle, made ready."""

    connection: Connection
    kernel: Kernel | None  # None for a synapse with delays of its own
    pooled: np.dtype[Any]
    taps: tuple[int, ...]
    traces: np.dtype[Any]  # of traces
    finish: Finish | None  # from sums to currents, if these are not the same


@dataclass(frozen=True)
class _Member:
    """One of the layers, made ready."""

    layer: Layer
    shape: Shape
    dtype: np.dtype[Any]  # of its outputs
    wires: tuple[tuple[int, Wire | Graded | _Inner], ...]  # with their ports

    def unset(self, steps: int, samples: int) -> Steps:
        """An array for its outputs."""
        return empty_channels_last((steps, samples, *self.shape), self.dtype, 2)


def _member(network: IntegerNetwork, layer: Layer, inside: set[str]) -> _Member:
    wires: list[tuple[int, Wire | Graded | _Inner]] = []
    for connection in layer.connections:
        is_inner = connection.source in inside
        made = _inner(network, layer, connection) if is_inner else wire(network, layer, connection)
        wires.append((connection.port, made))
    low, high = network.output_ranges[layer.name]
    dtype = np.dtype(bool) if layer.neuron.spikes else integer_dtype(low, high)
    return _Member(layer, network.shapes[layer.name], dtype, tuple(wires))


def _inner(network: IntegerNetwork, layer: Layer, connection: Connection) -> _Inner:
    taps = layer.taps(connection)[: network.timesteps]
    low, high = network.trace_range(connection.source, taps)
    prepared = None
    if not connection.synapse.delay:
        largest = max(-low, high) * connection.amplification
        prepared = kernel(connection.synapse, connection.pooled_shape(network.shapes[connection.source]), largest)
    poolable = network.trace_range(connection.source, (sum(taps) * connection.amplification,))
    finish = connection.finisher(layer.name, network.shapes[connection.source], low, high)
    return _Inner(connection, prepared, integer_dtype(*poolable), taps, integer_dtype(low, high), finish)


class _Running:
    """A layer in the midst of its steps: `known` has its sources' outputs, as far as they are computed, and its own."""

    def __init__(self, of: _Member, known: Mapping[str, Steps], samples: int, steps: int) -> None:
        self.neuron, self.outputs = of.layer.neuron, known[of.layer.name]
        shape = (samples, *of.shape)
        found = [
            (
                port,
                Live(made, known[made.connection.source]) if isinstance(made, _Inner) else made.product(known, steps),
            )
            for port, made in of.wires
        ]
        self.ports = [
            Currents([product for target, product in found if target == port], shape, np.dtype(np.int64))
            for port in range(len(self.neuron.currents))
        ]
        self.state: State = self.neuron.start(shape)

    def step(self, t: int) -> None:
        """Compute time step t."""
        currents = [port.total(t).astype(np.int64, copy=False) for port in self.ports]
        self.outputs[t], _, self.state = self.neuron.step(self.state, currents, t)


@dataclass(frozen=True)
class Live:
    """Currents of a connection whose source is still being computed; those of step t are asked for at step t."""

    of: _Inner
    values: Steps  # of the source
    is_still: ClassVar[bool] = False

    def whole(self, steps: int) -> None:
        """They are never known before their steps."""

    def terms(self, t: int) -> list[tuple[int, NDArray[Any]]]:
        """Step t as a factor and the frame (n, *shape) that it multiplies."""
        of = self.of
        first = max(0, t - of.connection.synapse.delay) if of.kernel is None else t
        traces = np.stack([self._traces(step) for step in range(first, t + 1)])
        for pooling in of.connection.poolings:
            traces = pooled(traces, pooling, of.pooled)
        if of.kernel is None:
            sums = of.connection.synapse.current(from_steps(traces).astype(np.int64))[..., -1]
        else:
            sums = of.kernel(traces[0])
        return [(1, sums if of.finish is None else of.finish(sums.astype(np.int64)))]

    def _traces(self, t: int) -> NDArray[Any]:
        """History traces of step t, (n, *source shape)."""
        of = self.of
        traces = np.zeros(self.values.shape[1:], of.traces)
        for k, tap in enumerate(of.taps[: t + 1]):
            if tap:
                traces += np.multiply(self.values[t - k], of.traces.type(tap), dtype=of.traces, casting="unsafe")
        return traces
