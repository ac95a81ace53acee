"""Shared parts of the tests of networks that take messages: a network, inputs, and faults."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from lava_qsnn import integer
from lava_qsnn.engines import layerwise as engine


def network(timesteps: int = 5) -> integer.IntegerNetwork:
    random = np.random.default_rng(5)

    def dense(out: int, inputs: int) -> integer.Dense:
        return integer.Dense(random.choice([-1, 1], (out, inputs)))

    layers = (
        integer.Layer(
            "conv1",
            (integer.Connection("input", integer.Conv(random.choice([-1, 1], (3, 2, 2, 2)))),),
            integer.MemoryFree((4, 2, 1), np.array([1, -2, 4])),
        ),
        integer.Layer(
            "dense2",
            (integer.Connection("conv1", dense(8, 18)),),
            integer.MemoryFree((3, 2), random.integers(-3, 4, 8)),
        ),
        integer.Layer("output", (integer.Connection("dense2", dense(3, 8)),), integer.Readout((1,))),
    )
    return integer.IntegerNetwork(integer.Input((2, 4, 3), 3), timesteps, layers)


def samples(count: int, timesteps: int = 5) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 4, (count, 2, 4, 3, timesteps))


def items(x: np.ndarray, grain: str) -> Iterator[np.ndarray]:
    """The items to put in: samples, or their frames."""
    return iter(x) if grain == "sample" else (sample[..., t] for sample in x for t in range(x.shape[-1]))


def endless(grain: str) -> Iterator[np.ndarray]:
    return itertools.chain.from_iterable(items(samples(10), grain) for _ in itertools.count())


def sleep_for_ever(*_: object) -> None:
    while True:
        time.sleep(1)


def raise_error(*_: object) -> None:
    raise ValueError("the weights are upside down")


def be_killed(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt_parent(*_: object) -> None:
    os.kill(os.getppid(), signal.SIGINT)
    sleep_for_ever()


def send_wrong_shape(*_: object) -> np.ndarray:
    return np.ones((1, 1, 3, 3), bool)


Fault = Callable[..., Any]


def break_engine(monkeypatch: pytest.MonkeyPatch, fault: Fault, call: int) -> None:
    """Make the first layer of `network` fail, in all processes to come, when computed so many times."""
    healthy, calls = engine.LayerEngine.__call__, [0]

    def compute(self: engine.LayerEngine, frames: list[np.ndarray], first: bool) -> Any:
        calls[0] += self.shape == (3, 3, 2)
        return fault() if calls[0] == call else healthy(self, frames, first)

    monkeypatch.setattr(engine.LayerEngine, "__call__", compute)
