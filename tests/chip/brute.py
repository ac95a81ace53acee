"""Traffic counted by brute force: every sample, time step, synapse and core in loops of Python."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import INPUT, Conv, Dense, IntegerNetwork, Layer, MemoryFree, Readout, run_reference
from netx_export import Layout

Integers = NDArray[np.int64]
Pairs = dict[tuple[Any, ...], int]


class BruteForce:
    """Counts of a layout for samples x (N, *shape, T), by the definitions alone; cores are taken from the layout."""

    def __init__(self, layout: Layout, network: IntegerNetwork, x: Integers) -> None:
        self.layout, self.network, self.x = layout, network, x
        self.outputs = {INPUT: x.astype(np.int64)} | run_reference(network, x)
        self.steps = x.shape[-1]
        self.synops: Pairs = defaultdict(int)
        self.multiplications: Pairs = defaultdict(int)
        self.words: Pairs = defaultdict(int)
        self.messages: Pairs = defaultdict(int)
        self.idle: Pairs = defaultdict(int)
        for sample in range(len(x)):
            for layer in network.layers:
                self._count(sample, layer)

    def core(self, name: str, neuron: int) -> int:
        if name == INPUT:
            return 0
        cut, shape = self.layout.layer(name).cut, (*self.network.shapes[name], 1, 1)[:3]
        place = np.unravel_index(neuron, shape)
        c, y, x = (int(at) // part for at, part in zip(place, cut.box))
        rows, columns = math.ceil(shape[1] / cut.box[1]), math.ceil(shape[2] / cut.box[2])
        return (c * rows + y) * columns + x

    def trace(self, values: Integers, taps: tuple[int, ...], t: int) -> int:
        return sum(tap * int(values[t - k]) for k, tap in enumerate(taps) if t - k >= 0)

    def waves(self, layer: Layer, delay: int) -> list[tuple[int, ...]]:
        """The taps of each thing that a synapse is given: one, or one for each of its delays."""
        taps, before = layer.neuron.taps[: self.network.timesteps], (0,) * delay
        memory_free = isinstance(layer.neuron, (MemoryFree, Readout))
        if self.layout.mapping == "word" or not memory_free:
            return [before + taps]
        if self.layout.mapping == "stock":
            return [(*before, 1)]
        return [(*before, *[0] * k, 1) for k in range(len(taps)) if taps[k]]

    def _count(self, sample: int, layer: Layer) -> None:
        size = math.prod(self.network.shapes[layer.name])
        cores = [self.core(layer.name, neuron) for neuron in range(size)]
        shape = self.network.shapes[layer.name]
        silent = np.ones((size, self.steps), bool)
        told: dict[tuple[Any, ...], set[int]] = defaultdict(set)
        for connection in layer.connections:
            source = connection.source
            matrix, there = self.matrix(connection.synapse, source, size)
            values = self.outputs[source][sample].reshape(matrix.shape[1], self.steps)
            waves = self.waves(layer, connection.delay)
            graded = any(
                abs(self.trace(each, taps, t)) > 1
                for every in self.outputs[source].reshape(len(self.x), -1, self.steps)
                for each in every
                for taps in waves
                for t in range(self.steps)
            )
            for j, taps, t in ((j, taps, t) for j in range(len(values)) for taps in waves for t in range(self.steps)):
                if not self.trace(values[j], taps, t):
                    continue
                reached = {cores[i] for i in range(size) if there[i, j]}
                for i in range(size):
                    if there[i, j]:
                        silent[i, t] = False
                    if matrix[i, j]:
                        self.synops[layer.name, sample, cores[i]] += 1
                        self.multiplications[layer.name, sample] += graded
                if taps == waves[0]:
                    in_register = self.layout.mapping == "word" and isinstance(layer.neuron, (MemoryFree, Readout))
                    key = (source, taps, j, t) if in_register else (source, None, j, t - connection.delay)
                    told[key] |= reached
                    for core in reached:
                        hit = [i for i in range(size) if there[i, j] and cores[i] == core]
                        self.words[layer.name, sample, core] += self.read(layer, connection.synapse, shape, hit, core)
        for (source, _, j, _), reached in told.items():
            for core in reached:
                self.messages[source, layer.name, sample, self.core(source, j), core] += 1
        if isinstance(layer.neuron, MemoryFree) and self.layout.mapping != "stock":
            positions = size // shape[0]
            fires = [int(layer.neuron.threshold[i // positions]) <= 0 for i in range(size)]
            self.idle[layer.name, sample] = sum(int(silent[i].sum()) for i in range(size) if not fires[i])
        elif isinstance(layer.neuron, Readout) and self.layout.mapping != "stock":
            self.idle[layer.name, sample] = int(silent.sum())

    def matrix(self, synapse: Any, source: str, size: int) -> tuple[Integers, Integers]:
        """The weight of each pair, and the pairs that have a synapse, by the reference's own currents of one spike."""
        shape = self.network.shapes[source]
        units = np.eye(math.prod(shape), dtype=np.int64).reshape(-1, *shape, 1)
        ones = replace(synapse, weight=np.ones_like(synapse.weight))
        return tuple(each.current(units).reshape(len(units), size).T for each in (synapse, ones))  # type: ignore

    def read(self, layer: Layer, synapse: Any, shape: tuple[int, ...], hit: list[int], core: int) -> int:
        """Words that one message reads in a core: its row, or a row for each position it hits."""
        copies = sum(tap != 0 for tap in layer.neuron.taps[: self.network.timesteps])
        population = self.layout.layer(layer.name).population
        number = [each.synapse is synapse for each in layer.connections].index(True)
        projection = population.projections[number]
        bits = min(width for width in (1, 2, 3, 4, 5, 6, 8) if width >= min(8, projection.bits))
        delayed = self.layout.mapping == "delayed"
        many, extra = (copies if delayed else 1), (6 if projection.delay else 0)
        if isinstance(synapse, Conv):
            positions = {np.unravel_index(i, shape)[1:] for i in hit}
            own = [i for i in range(math.prod(shape)) if self.core(layer.name, i) == core]
            channels = len({np.unravel_index(i, shape)[0] for i in own})
            channels = min(channels, shape[0] // synapse.groups)
            return len(positions) * math.ceil((channels * many * (bits + (synapse.stride[1] == 2) + extra) + 20) / 64)
        own_targets = (
            len(hit)
            if not isinstance(synapse, Dense)
            else sum(self.core(layer.name, i) == core for i in range(math.prod(shape)))
        )
        return math.ceil((own_targets * many * (12 + bits + extra) + 10) / 64)
