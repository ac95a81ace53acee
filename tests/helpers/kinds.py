"""Networks with every kind of layer, and integers to run them on."""

from __future__ import annotations

from typing import Any

import numpy as np

from lava_qsnn import integer


def layer(name: str, neuron: integer.Neuron, *connections: tuple[str, integer.Synapse]) -> integer.Layer:
    return integer.Layer(name, tuple(integer.Connection(source, synapse) for source, synapse in connections), neuron)


def random(*shape: int, low: int = -5, high: int = 6) -> Any:
    return np.random.default_rng(sum(shape)).integers(low, high, shape)


def inputs(network: integer.IntegerNetwork, samples: int) -> Any:
    shape = (samples, *network.input.shape, network.timesteps)
    return random(*shape, low=network.input.minimum, high=network.input.maximum + 1)


def every_kind() -> integer.IntegerNetwork:
    """Each neuron, each synapse, both resets, a skip and a dead end; all strides, paddings and dilations differ."""
    conv = integer.Conv(random(4, 1, 2, 3), (2, 1), (1, 2), (1, 2), 2)
    shape = conv.output_shape((2, 5, 6))
    hard = integer.QuantizedLIF(3, 2, "hard", [1, 0, 2, 0], [0, 1, 0, 2], [-3, 0, 5, 1], [9, 3, 20, 4])
    soft = integer.QuantizedLIF(4, 1, "soft", [2], [1], [1], [7]).broadcast(5)
    return integer.IntegerNetwork(
        integer.Input((2, 5, 6), 3),
        5,
        (
            layer("first", integer.MemoryFree((3, 2, 1), [2, -4, 9, 0]), ("input", conv)),
            layer(
                "stored", hard, ("first", integer.OneToOne([3, -2, 4, 1])), ("first", integer.Conv(random(4, 4, 1, 1)))
            ),
            layer("dead", integer.MemoryFree((1,), [0] * 2), ("first", integer.Dense(random(2, int(np.prod(shape)))))),
            layer(
                "timed",
                integer.TimedMemoryFree((2, 1), random(5, 2)),
                ("first", integer.Dense(random(2, int(np.prod(shape))))),
            ),
            layer("dense", soft, ("stored", integer.Dense(random(5, int(np.prod(shape)))))),
            layer(
                "both",
                integer.MemoryFree((2, 1), [2, 0, 3, -1, 4]),
                ("dense", integer.Dense(random(5, 5))),
                ("dense", integer.OneToOne([3, -1, 2, -2, 1])),
            ),
            layer("out", integer.Readout((2, 1)), ("both", integer.Dense(random(3, 5)))),
        ),
    )


def pooled_and_delayed() -> integer.IntegerNetwork:
    """Poolings that merge and such that do not, two in a row, delays, and an input with negative numbers."""
    pools = (
        integer.SumPool((2, 2), (2, 2)),
        integer.SumPool((3, 2), (2, 1), (1, 2), (1, 2)),
        integer.SumPool((2, 1), (1, 2), (0, 1), (3, 1)),
    )
    padded = integer.Conv(random(3, 2, 2, 2), padding=(1, 1))
    pair = integer.Connection("input", integer.Conv(random(3, 2, 1, 1)), 2, poolings=pools[1:])
    shape = pair.output_shape((2, 9, 7))
    grid = integer.Connection("input", padded, poolings=pools[:1])
    size = int(np.prod(grid.output_shape((2, 9, 7))))
    wide = integer.Connection("grid", integer.Dense(random(6, size)), 1)
    return integer.IntegerNetwork(
        integer.Input((2, 9, 7), 3, -2),
        5,
        (
            integer.Layer("grid", (grid,), integer.MemoryFree((2, 1), [3, 0, -4])),
            integer.Layer("pair", (pair,), integer.MemoryFree((1, 3), [-5, 9, 2])),
            integer.Layer("wide", (wide, wide), integer.QuantizedLIF(4, 1, "hard", [1], [1], [1], [9]).broadcast(6)),
            layer("out", integer.Readout((1, 1)), ("pair", integer.Dense(random(2, int(np.prod(shape)))))),
        ),
    )
