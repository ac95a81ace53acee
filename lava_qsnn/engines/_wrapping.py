"""Neurons with wrapping state, made ready for compiled loops: for the fast engine and for messages alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, singledispatch
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import CUBA, RF, Neuron, RFIzhikevich, SigmaDelta, wrapped

Numbers = NDArray[Any]
State = NDArray[np.int32]

#: Neurons below which samples are computed side by side: loops over few neurons would spend their time on starting.
FEW = 1024

#: Values of a parameter for each of P neurons, from its name.
Spread = Callable[[str], NDArray[np.int64]]


class Loop:
    """A population of P neurons made ready.

    Args:
        numbers: its parameters, (count, P).
        states: numbers that a neuron keeps.
        compute: the loop: currents (T, n, P) or None of each port, int32 parameters (count, P), and the state
            (states, n, P), which it changes, to outputs (T, n, P).
    """

    def __init__(
        self,
        numbers: Sequence[NDArray[np.int64]],
        states: int,
        compute: Callable[[Sequence[Numbers | None], NDArray[np.int32], State, tuple[int, ...]], Numbers],
    ) -> None:
        self._numbers, self._states, self._compute = np.array(numbers, np.int32), states, compute
        self._side_by_side: dict[int, NDArray[np.int32]] = {}

    def start(self, samples: int) -> State:
        """The state before the first step of so many samples."""
        return np.zeros((self._states, samples, self._numbers.shape[1]), np.int32)

    def __call__(self, currents: Sequence[Numbers | None], state: State, shape: tuple[int, int, int]) -> Numbers:
        """Compute all time steps.

        Args:
            currents: of each port, C-contiguous (T, n, P); None of one that nothing feeds.
            state: as `start` gives it, changed.
            shape: (T, n, P).

        Returns:
            (T, n, P): spikes, bool, or int32.
        """
        steps, samples, neurons = shape
        numbers = self._numbers
        if neurons < FEW and samples > 1:
            known = self._side_by_side  # which another thread may replace
            if samples not in known:
                known = self._side_by_side = {samples: np.tile(numbers, samples)}
            numbers, samples, neurons = known[samples], 1, samples * neurons
        inner = (steps, samples, neurons)
        fed = [None if current is None else in_int32(current).reshape(inner) for current in currents]
        return self._compute(fed, numbers, state.reshape(-1, samples, neurons), inner).reshape(shape)


@singledispatch
def loop(neuron: Neuron, spread: Spread) -> Loop | None:
    """The compiled loop of a kind of neuron; None for one that has none, or if there is no compiler."""
    return None


@loop.register
def _(neuron: CUBA, spread: Spread) -> Loop | None:
    if (loops := compiled()) is None:
        return None

    def compute(currents: Sequence[Numbers | None], numbers: Numbers, state: State, shape: tuple[int, ...]) -> Numbers:
        current, extra = currents
        current = np.zeros(shape, np.int32) if current is None else current
        extra = np.empty((0, 0, 0), np.int32) if extra is None else extra.astype(np.int32, copy=False)
        spikes, none = np.empty(shape, bool), np.empty((0, 0, 0), np.int32)
        voltages = none if neuron.spikes else np.empty(shape, np.int32)
        loops.cuba(current, extra, numbers, state[0], state[1], spikes, voltages)
        return spikes if neuron.spikes else voltages

    return Loop(cuba_numbers(neuron, spread), 2, compute)


@loop.register
def _(neuron: SigmaDelta, spread: Spread) -> Loop | None:
    if (loops := compiled()) is None or neuron.form == "sigma":
        return None
    numbers = [spread("threshold") << neuron.shift, spread("bias") << neuron.shift]
    cut, is_encoder = np.int32(6 if neuron.rule == "corrected" else 0), neuron.form == "delta"

    def compute(currents: Sequence[Numbers | None], numbers: Numbers, state: State, shape: tuple[int, ...]) -> Numbers:
        output = np.empty(shape, np.int32)
        loops.sigma_delta(currents[0], numbers, np.int32(neuron.shift), is_encoder, cut, state, output)
        return output

    return Loop(numbers, 3, compute)


@loop.register
def _(neuron: RF, spread: Spread) -> Loop | None:
    if (loops := compiled()) is None:
        return None
    sine = spread("sine")
    numbers = [spread("cosine"), sine, -sine, spread("threshold") << 6]

    def compute(currents: Sequence[Numbers | None], numbers: Numbers, state: State, shape: tuple[int, ...]) -> Numbers:
        real, imaginary = (np.zeros(shape, np.float32) if each is None else each for each in currents)
        spikes = np.empty(shape, bool)
        loops.resonate(real, imaginary, numbers, isinstance(neuron, RFIzhikevich), state, spikes)
        return spikes

    return Loop(numbers, 2, compute)


def cuba_numbers(neuron: Neuron, spread: Spread) -> list[NDArray[np.int64]]:
    """The parameters of CUBA neurons as the loops take them."""
    kept = [4096 - spread(name) for name in ("current_decay", "voltage_decay")]
    return [*kept, spread("bias") << 6, spread("threshold") << 6]


def in_int32(current: Numbers) -> Numbers:
    """Currents as numbers that int32 holds: what is wider may exceed it, and wraps."""
    if current.dtype in (np.float32, np.int32):
        return current
    if current.dtype in (np.int8, np.uint8, np.int16, np.uint16):
        return current.astype(np.int32)
    return wrapped(current.astype(np.int64), 32).astype(np.int32)


@cache
def compiled() -> ModuleType | None:
    """The loops, compiled when first used; None without numba, or a folder for its cache."""
    try:
        from lava_qsnn.engines import _dynamics
    except (ImportError, RuntimeError):
        return None
    return _dynamics
