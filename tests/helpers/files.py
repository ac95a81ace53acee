"""A network for tests of files and of the command."""

from __future__ import annotations

import numpy as np

from lava_qsnn import integer

RANDOM = np.random.default_rng(0)


def dense(out: int, inputs: int, *levels: int) -> integer.Dense:
    return integer.Dense(np.random.default_rng(out * inputs).choice(levels or (-1, 1), (out, inputs)))


def network(hidden: int = 40, timesteps: int = 4) -> integer.IntegerNetwork:
    taps = integer.shift_taps(timesteps)
    layers = (
        integer.Layer(
            "conv1",
            (integer.Connection("input", integer.Conv(RANDOM.choice([-1, 1], (3, 2, 3, 3)), padding=(1, 1))),),
            integer.MemoryFree(taps, np.array([2, -3, 5])),
        ),
        integer.Layer(
            "dense2",
            (integer.Connection("conv1", dense(hidden, 48)),),
            integer.MemoryFree(taps, np.arange(hidden) - hidden // 2),
        ),
        integer.Layer("output", (integer.Connection("dense2", dense(5, hidden, -7, 0, 3, 90)),), integer.Readout((1,))),
    )
    return integer.IntegerNetwork(integer.Input((2, 4, 4), 3), timesteps, layers)
