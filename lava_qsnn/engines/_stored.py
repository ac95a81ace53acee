"""The step of neurons with a stored potential, at speed: in place, in the narrowest integers, for every engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import Bounds, QuantizedLIF, integer_dtype

Numbers = NDArray[Any]


class StoredPotential:
    """Neurons of QuantizedLIF made ready; its docstring has the equations.

    Args:
        neuron: the integers of its channels.
        currents: the range of its current, per channel.
        spread: gives values (channels,), int64, the shape in which they broadcast over a population.

    Attributes:
        dtype: of all numbers: int32 if nothing on the way leaves it, int64 otherwise.
    """

    def __init__(self, neuron: QuantizedLIF, currents: Sequence[Bounds], spread: Callable[[Numbers], Numbers]) -> None:
        threshold = neuron.within(currents)
        reach = neuron.reach(currents)
        self.dtype: np.dtype[Any] = integer_dtype(-reach, reach, (np.int32,))
        numbers = (threshold, neuron.bias, neuron.potential_shift, neuron.current_shift)
        self._threshold, self._bias, self._shift, self._gain = (self._spread(spread, values) for values in numbers)
        self._leak = self._shift + self.dtype.type(neuron.leak)
        self._half = self.dtype.type(1) << (self._leak - self.dtype.type(1))
        self._kept = self.dtype.type(2**neuron.leak - 1)
        self._hard, self._stored_range = neuron.reset == "hard", neuron.stored_range

    def _spread(self, spread: Callable[[Numbers], Numbers], values: Numbers) -> NDArray[np.int64]:
        """Values in the shape of the population and in this dtype."""
        return spread(values).astype(self.dtype)

    def __call__(self, stored: NDArray[np.int64], current: Numbers, spikes: NDArray[np.bool_]) -> None:
        """Compute one time step.

        Args:
            stored: the potentials P of the step before, `dtype`; overwritten by those of this one.
            current: integers of any dtype, shaped like `stored`.
            spikes: bool, shaped like `stored`; written.
        """
        potential = stored << self._shift
        potential += current.astype(self.dtype, copy=False) << self._gain
        potential += self._bias
        np.greater_equal(potential, self._threshold, out=spikes)
        if self._hard:
            np.copyto(potential, 0, where=spikes)
        else:
            potential -= self._threshold * spikes
        potential *= self._kept
        potential += self._half
        potential >>= self._leak
        np.clip(potential, *self._stored_range, out=stored)
