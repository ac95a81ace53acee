"""The networks of the files beside this one, which commit 3f14d1f wrote in version 1 of the format.

It ran this:

python -m tests.data.version_1 tests/data
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import netx_export
from lava_qsnn import integer


def some(*shape: int) -> Any:
    """Numbers from -3 to 3."""
    return (np.arange(np.prod(shape)) * 5 % 7 - 3).reshape(shape)


def signs(*shape: int) -> Any:
    return np.where(some(*shape) > 0, 1, -1)


def layer(name: str, neuron: integer.Neuron, *ways: tuple[str, integer.Synapse]) -> integer.Layer:
    return integer.Layer(name, tuple(integer.Connection(source, synapse) for source, synapse in ways), neuron)


def all_kinds() -> integer.IntegerNetwork:
    """Each neuron, each synapse, a skip, and a dead end."""
    conv = integer.Conv(some(4, 1, 2, 3), (1, 2), (2, 1), (2, 1), 2)
    lif = integer.QuantizedLIF(3, 2, "soft", [1, 0, 2, 3], [0, 1, 2, 3], [-3, 0, 5, 7], [4, 300, 9, -70000])
    layers = (
        layer("first", integer.MemoryFree((5, 2), [3, -1, 0, 9]), ("input", conv)),
        layer("dead \u00e9nd", integer.MemoryFree((1,), [2**63 - 1]), ("first", integer.Dense(some(1, 84)))),
        layer("skip", lif, ("first", integer.OneToOne([1, -2, 3, 200])), ("first", integer.Conv(some(4, 4, 1, 1)))),
        layer("out", integer.Readout((9, 4, 1)), ("skip", integer.Dense(some(3, 84)))),
    )
    return integer.IntegerNetwork(integer.Input((2, 5, 6), 7), 6, layers)


def exact_chain() -> integer.IntegerNetwork:
    """A chain that stock NetX computes exactly: weights are shifted, and shared with its part of the file."""
    taps = integer.shift_taps(4)
    layers = (
        layer(
            "conv1", integer.MemoryFree(taps, [2, -3, 5]), ("input", integer.Conv(signs(3, 2, 3, 3), padding=(1, 1)))
        ),
        layer("dense2", integer.MemoryFree(taps, np.arange(20) - 9), ("conv1", integer.Dense(signs(20, 48)))),
        layer("output", integer.Readout((1,)), ("dense2", integer.Dense(some(5, 20)))),
    )
    return integer.IntegerNetwork(integer.Input((2, 4, 4), 3), 4, layers)


def other_chain() -> integer.IntegerNetwork:
    """A chain that it computes nearly: a stored potential, and taps that are no powers of two."""
    lif = integer.QuantizedLIF(4, 3, "hard", [0] * 9, range(9), range(-4, 5), range(10, 190, 20))
    layers = (
        layer("stored", lif, ("input", integer.Dense(some(9, 12)))),
        layer("fires", integer.MemoryFree((15, 13, 12), [9, -7, 40, 0]), ("stored", integer.Dense(some(4, 9)))),
        layer("output", integer.Readout((1,)), ("fires", integer.Dense(some(2, 4)))),
    )
    return integer.IntegerNetwork(integer.Input((3, 2, 2), 15), 16, layers)


def many_obstacles() -> integer.IntegerNetwork:
    """So many that stock NetX cannot compute it that the list of them lies outside of what HDF5 calls a heap."""
    names = ["input", *(f"{'long ' * 40}{number:02d}" for number in range(18))]
    layers = (
        layer(name, integer.MemoryFree((3, 2), some(2)), (source, integer.Dense(some(2, 2))))
        for source, name in pairwise(names)
    )
    return integer.IntegerNetwork(integer.Input((2,), 1), 4, tuple(layers))


if __name__ == "__main__":
    for make in (all_kinds, exact_chain, other_chain, many_obstacles):
        netx_export.write(make(), Path(sys.argv[1], f"version_1_{make.__name__}.net"))
