"""What the tests of networks that take messages share: inputs, faults, and a look at what is left behind."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from lava_qsnn.process import engine
from tests.test_guard import footprint, settle


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    gc.collect()  # What earlier tests left to be freed would otherwise be missed here.
    before = footprint()
    yield
    settle(before)
    assert footprint() == before


def samples(count: int, timesteps: int = 5) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 4, (count, 2, 4, 3, timesteps))


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
    """Make the first layer of test_process's network fail, in all processes to come, when computed so many times."""
    healthy, calls = engine.LayerEngine.__call__, [0]

    def compute(self: engine.LayerEngine, frames: list[np.ndarray], first: bool) -> Any:
        calls[0] += self.shape == (3, 3, 2)
        return fault() if calls[0] == call else healthy(self, frames, first)

    monkeypatch.setattr(engine.LayerEngine, "__call__", compute)
