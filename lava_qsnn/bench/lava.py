"""Milliseconds per sample of the Lava backends on random networks, their first answers, memory, and cost of spikes.

Backends take turns, so that a busy machine is busy for all of them. A run's rate is taken between its first sign of
progress and its last, so building and starting a network do not count; they are told beside it. Unmodified NetX runs
the networks of 16 steps with a history of one step, for it is exact on no longer one there.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import QsnnError
from lava_qsnn.extras import extra
from lava_qsnn.integer.layouts import to_frames, to_sequences

#: Told what is about to be measured.
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Contender:
    """A backend with options, and how many samples a run of it takes, by kind of work."""

    name: str
    backend: str
    options: dict[str, Any]
    samples: dict[str, int]


CONTENDERS = (
    Contender("netx", "netx", {}, {"dense": 100, "layers": 20, "conv": 1, "strided": 8}),
    Contender("lava", "lava", {}, {"dense": 300, "layers": 50, "conv": 1, "strided": 8}),
    Contender("lava-async", "lava-async", {}, {"dense": 6000, "layers": 2000, "conv": 60, "strided": 2000}),
    Contender(
        "lava-async, a sample", "lava-async", {"batch": 1}, {"dense": 2000, "layers": 1000, "conv": 40, "strided": 600}
    ),
    Contender(
        "lava-async, a step",
        "lava-async",
        {"grain": "step"},
        {"dense": 1000, "layers": 300, "conv": 20, "strided": 200},
    ),
    Contender("lava-fused", "lava-fused", {}, {"dense": 6000, "layers": 2000, "conv": 60, "strided": 2000}),
    Contender(
        "lava-fused, a sample", "lava-fused", {"batch": 1}, {"dense": 1500, "layers": 700, "conv": 40, "strided": 600}
    ),
    Contender(
        "lava-fused, a step", "lava-fused", {"grain": "step"}, {"dense": 600, "layers": 100, "conv": 20, "strided": 200}
    ),
)

#: What the work of this project aims at, ratios of milliseconds per sample: slower, faster, at least.
GOALS = {
    "dense": (
        ("netx", "lava-async", 30),
        ("netx", "lava-fused, a step", 3),
        ("netx", "lava-fused, a sample", 3),
        ("netx", "lava-fused", 40),
    ),
    "layers": (("lava", "lava-async, a step", 5),),
    "conv": (("netx", "lava-async", 200),),
    "strided": (("netx", "lava-async", 200),),
}


def dense_network(sizes: tuple[int, ...], timesteps: int, history: int, maximum: int) -> integer.IntegerNetwork:
    """Dense layers of random signs; of ten or fewer neurons, the last is a readout."""
    layers, source = [], integer.INPUT
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        weight = np.random.default_rng(index).choice([-1, 1], (outputs, inputs))
        neuron = _neuron(outputs, inputs, history, last=outputs <= 10)
        layers.append(integer.Layer(f"layer{index}", (integer.Connection(source, integer.Dense(weight)),), neuron))
        source = layers[-1].name
    return integer.IntegerNetwork(integer.Input(sizes[:1], maximum), timesteps, tuple(layers))


def conv_network(timesteps: int, history: int) -> integer.IntegerNetwork:
    """Three convolutions and two dense layers for spikes of 34 x 34 pixels and two polarities, as of N-MNIST."""
    random = np.random.default_rng(0)
    layers, source = [], integer.INPUT
    shape: integer.Shape = (2, 34, 34)
    for index, maps in enumerate((16, 32, 64)):
        synapse = integer.Conv(random.choice([-1, 1], (maps, shape[0], 3, 3)), (2, 2) if index else (1, 1), (1, 1))
        neuron = _neuron(maps, 9 * shape[0], history)
        layers.append(integer.Layer(f"conv{index}", (integer.Connection(source, synapse),), neuron))
        source, shape = layers[-1].name, synapse.output_shape(shape)
    inputs = math.prod(shape)
    for index, outputs in enumerate((128, 10)):
        weight = random.choice([-1, 1], (outputs, inputs))
        neuron = _neuron(outputs, inputs, history, last=outputs == 10)
        layers.append(integer.Layer(f"dense{index}", (integer.Connection(source, integer.Dense(weight)),), neuron))
        source, inputs = layers[-1].name, outputs
    return integer.IntegerNetwork(integer.Input((2, 34, 34)), timesteps, tuple(layers))


def strided_network(timesteps: int, history: int) -> integer.IntegerNetwork:
    """Two small convolutions of stride 2 and a readout, for 4-bit images of 31 x 31 pixels."""
    random = np.random.default_rng(0)
    layers, source = [], integer.INPUT
    shape: integer.Shape = (1, 31, 31)
    for maps in (8, 16):
        synapse = integer.Conv(random.choice([-1, 1], (maps, shape[0], 3, 3)), (2, 2), (1, 1))
        neuron = _neuron(maps, 9 * shape[0], history)
        layers.append(integer.Layer(f"conv{maps}", (integer.Connection(source, synapse),), neuron))
        source, shape = layers[-1].name, synapse.output_shape(shape)
    readout = integer.Connection(source, integer.Dense(random.choice([-1, 1], (10, math.prod(shape)))))
    layers.append(integer.Layer("out", (readout,), integer.Readout(integer.shift_taps(history))))
    return integer.IntegerNetwork(integer.Input((1, 31, 31), 15), timesteps, tuple(layers))


def _neuron(count: int, inputs: int, history: int, last: bool = False) -> integer.Neuron:
    taps = integer.shift_taps(history)
    if last:
        return integer.Readout(taps)
    thresholds = np.random.default_rng(count).integers(1, max(2, int(0.7 * inputs**0.5 * sum(taps))), count)
    return integer.MemoryFree(taps, thresholds)


def network_of(work: str, backend: str) -> integer.IntegerNetwork:
    """The network of a kind of work, as a backend computes it exactly."""
    history = 1 if backend == "netx" and work not in ("dense", "strided") else 4
    if work == "strided":
        return strided_network(4, history)
    if work == "dense":
        return dense_network((784, 512, 10), 4, history, 15)
    return dense_network((256,) * 5, 16, history, 1) if work == "layers" else conv_network(16, history)


def inputs_of(network: integer.IntegerNetwork, samples: int) -> NDArray[np.int64]:
    """Graded inputs of which one in five is not zero, as of handwritten digits, or 10 % of spikes."""
    random = np.random.default_rng(0)
    shape = (samples, *network.input.shape, network.timesteps)
    active = random.random(shape) < (0.2 if network.input.maximum > 1 else 0.1)
    return active * random.integers(1, network.input.maximum + 1, shape)


def timed(contender: Contender, network: integer.IntegerNetwork, x: NDArray[np.int64]) -> tuple[float, float]:
    """Milliseconds per sample between the first and the last sign of progress, and seconds before the first."""
    signs: list[tuple[float, float]] = []
    start = time.perf_counter()

    def progress(fraction: float) -> None:
        if fraction > 0 and (not signs or fraction > signs[-1][1]):
            signs.append((time.perf_counter(), fraction))

    answer = netx_export.simulate(network, x, contender.backend, progress=progress, **contender.options)
    if not (answer[:2] == netx_export.simulate(network, x[:2])).all():
        raise QsnnError(f"{contender.name} differs from the reference", remedy="report it: this must never happen")
    if len(signs) < 2:
        return timed(contender, network, np.concatenate([x] * 4))  # It was over before anybody looked twice.
    (first, least), (last, most) = signs[0], signs[-1]
    return 1000 * (last - first) / ((most - least) * len(x)), first - start


def measure_throughput(
    work: str, repeats: int, tell: Tell, names: Collection[str] | None = None, share: float = 1.0
) -> dict[str, Any]:
    """Medians and extremes of contenders in turns, and the goals.

    Args:
        names: the contenders, or None for all.
        share: of the samples that a contender takes.
    """
    chosen = [contender for contender in CONTENDERS if names is None or contender.name in names]
    times: dict[str, list[tuple[float, float]]] = {contender.name: [] for contender in chosen}
    for round_number in range(repeats):
        for contender in chosen:
            tell(f"{work}, round {round_number + 1}: {contender.name}")
            network = network_of(work, contender.backend)
            x = inputs_of(network, max(1, round(share * contender.samples[work])))
            times[contender.name].append(timed(contender, network, x))
    rows = {name: _summary(values) for name, values in times.items()}
    return {"contenders": rows, "goals": _reached(work, rows)}


def _summary(values: list[tuple[float, float]]) -> dict[str, float]:
    rates = [rate for rate, _ in values]
    starts = [start for _, start in values]
    return {
        "ms_per_sample": statistics.median(rates),
        "least": min(rates),
        "most": max(rates),
        "seconds_to_start": statistics.median(starts),
    }


def _reached(work: str, rows: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    return [
        {
            "ratio": f"{slow} / {fast}",
            "goal": goal,
            "reached": rows[slow]["ms_per_sample"] / rows[fast]["ms_per_sample"],
        }
        for slow, fast, goal in GOALS[work]
        if slow in rows and fast in rows
    ]


def measure_latency(steps: int = 1500) -> dict[str, float]:
    """Milliseconds from a step's input to its answer, 4 layers of 256, one step at a time."""
    network = network_of("layers", "lava-async")
    x = inputs_of(network, steps // 16)
    taken = []
    with netx_export.Stream(network, grain="step") as stream:
        for frame in to_frames(to_sequences(x)):
            start = time.perf_counter()
            stream.put(frame)
            stream.get()
            taken.append(1000 * (time.perf_counter() - start))
            time.sleep(0.001)  # as events come: not as fast as they are answered
    percentiles = np.percentile(taken[100:], [5, 50, 95, 99]).tolist()
    return dict(zip(("ms_5", "ms_median", "ms_95", "ms_99"), percentiles))


def measure_events(repeats: int = 15) -> dict[str, Any]:
    """Microseconds of a layer 4096-1024 at some spike rates, a step at a time and a sample of 16 at a time.

    On one thread, which is what a layer's process has.
    """
    from lava_qsnn.engines.layerwise import LayerEngine

    with extra("lava"):
        from threadpoolctl import threadpool_limits

    network = dense_network((4096, 1024), 16, 4, 1)
    compute = LayerEngine(network, network.layers[0])
    with threadpool_limits(1):
        costs = {
            f"{rate:g}": {
                kind: _median_cost(lambda frames: compute([frames], True), rate, steps, repeats)
                for kind, steps in (("step", 1), ("sample", 16))
            }
            for rate in (0.0, 0.02, 0.1, 0.5)
        }
    ratios = {kind: costs["0.02"][kind] / costs["0.5"][kind] for kind in ("step", "sample")}
    return {"microseconds": costs, "2 % / 50 %": ratios, "goal": 0.2}


def _median_cost(compute: Callable[[NDArray[Any]], object], rate: float, steps: int, repeats: int) -> float:
    frames = np.random.default_rng(0).random((repeats, 1, steps, 4096)) < rate
    taken = []
    for frame in frames:
        start = time.perf_counter()
        compute(frame)
        taken.append(1e6 * (time.perf_counter() - start))
    return statistics.median(taken)


def measure_memory(tell: Tell) -> dict[str, float]:
    """Megabytes of each backend on the dense network, each in a fresh program."""
    command = [sys.executable, "-m", "lava_qsnn.bench.memory"]
    sizes = {}
    for backend in ("netx", "lava", "lava-async", "lava-fused"):
        tell(f"memory: {backend}")
        told = subprocess.run([*command, backend], capture_output=True, text=True, check=True).stdout
        sizes[backend] = float(told.split()[-1])
    return {**sizes, "lava-async / netx": sizes["lava-async"] / sizes["netx"]}
