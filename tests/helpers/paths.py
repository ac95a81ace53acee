"""All paths of the fast engine, in a process of its own, since numba compiles for one processor in each.

`python -m tests.helpers.paths` prints as JSON how many numbers each path gets wrong, and what it computes with.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from lava_qsnn import engines, integer
from lava_qsnn.engines import _fast, _history, _packed, _tiled


def network() -> integer.IntegerNetwork:
    """Weights of 1 bit in maps with a pooling, in two connections of one layer, and a readout of 8 bits."""
    random = np.random.default_rng(0)
    connection, pool = integer.Connection, integer.SumPool((2, 2), (2, 2))

    def one_bit(*shape: int) -> Any:
        return 2 * random.integers(0, 2, shape) - 1

    conv = connection("input", integer.Conv(one_bit(32, 16, 3, 3), padding=(1, 1)))
    pooled = connection("conv", integer.Conv(one_bit(24, 32, 3, 3)), poolings=(pool,))
    both = connection("pooled", integer.Dense(one_bit(40, 96))), connection("pooled", integer.Dense(one_bit(40, 96)))
    lif = integer.QuantizedLIF(8, 2, "soft", [0], [1], [1], [9]).broadcast(40)
    layers = (
        integer.Layer("conv", (conv,), integer.MemoryFree((2, 1), random.integers(-20, 20, 32))),
        integer.Layer("pooled", (pooled,), integer.MemoryFree((4, 2, 1), random.integers(-60, 60, 24))),
        integer.Layer("lif", both, lif),
        integer.Layer("out", (connection("lif", integer.Dense(random.integers(-90, 90, (10, 40)))),), READOUT),
    )
    return integer.IntegerNetwork(integer.Input((16, 8, 8), 1), 5, layers)


READOUT = integer.Readout((1,))


def used(x: Any, expected: dict[str, Any]) -> dict[str, int]:
    """Numbers that the fast engine gets wrong as it is, layers in tiles, and connections whose bits are counted."""
    of = network()  # a new one, for what an engine has prepared it keeps
    actual = engines.run_fast(of, x)
    plan = _fast._plan(of, of.timesteps, list(of))
    return {
        "wrong": sum(int((actual[name] != values).sum()) for name, values in expected.items()),
        "tiled": sum(stage.tiled is not None for stage in plan),
        "counted": sum(wire.is_counted for stage in plan for wires in stage.wires for wire in wires),
    }


def main() -> None:
    """Take the paths one after the other, the fastest first."""
    x = np.random.default_rng(1).integers(0, 2, (6, 16, 8, 8, 5))
    expected = integer.run_reference(network(), x)
    found: dict[str, Any] = {"unit": _tiled.compiled() is not None, "tiles": used(x, expected)}
    _tiled.compiled = lambda: None  # type: ignore[assignment]
    found["counted bits"] = used(x, expected)
    _packed.compiled = _history.compiled = lambda: None  # type: ignore[assignment]
    found["numpy alone"] = used(x, expected)
    rates = {name: float(expected[name].mean()) for name in ("conv", "pooled", "lif")}
    print(json.dumps({**found, "rates": rates}))


if __name__ == "__main__":
    main()
