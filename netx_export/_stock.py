"""Files in the hands of stock lava-dl: the form of their answer, and how to open and read them with it alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.integer.stock import (
    FORMS,
    SPIKES,
    SUM,
    VOLTAGE,
    StockAnswer,
    check_answer,
    input_message_bits,
    levels_for,
)
from netx_export._hdf5 import read_contents
from netx_export._read import load, stored_answer
from netx_export._simulate import simulate

#: Levels of an answer in spikes, and so neurons for each potential of the readout.
LEVELS = 16


def stock_answer(
    network: IntegerNetwork,
    form: str = VOLTAGE,
    samples: NDArray[np.integer[Any]] | None = None,
    levels: int = LEVELS,
) -> StockAnswer:
    """Choose how unmodified NetX gives the answer of a network's readout, for `write`.

    Args:
        network: a deployed network.
        form: "voltage": the readout's neurons never fire, and their voltage is the potential; exact. "sum": the output
            is the running sum of the readout's current, as graded messages; exact. "spikes": the output is spikes,
            from several neurons for each potential; the more fire, the higher it is.
        samples: int (N, *input shape, T), for "spikes": typical input, whose potentials the levels span.
        levels: of "spikes", how many.

    Raises:
        ConfigurationError: there is no such form, or "spikes" has no samples.
        DeploymentError: the network has no readout, or unmodified NetX does not compute it exactly.
        InputError: the samples do not fit the network.
    """
    if form not in FORMS:
        raise ConfigurationError(f"there is no stock answer {form!r}", remedy=f"choose one of {', '.join(FORMS)}")
    if form != SPIKES:
        answer = StockAnswer(form)
    elif samples is None:
        raise ConfigurationError(
            "an answer in spikes has levels, which are chosen by samples, and there are none",
            remedy='give typical input as `samples`, or choose "sum", which is exact and needs none',
        )
    else:
        answer = levels_for(network, simulate(network, samples, "fast"), levels)
    check_answer(network, answer)
    return answer


def stock_agreement(network: IntegerNetwork, answer: StockAnswer, samples: NDArray[np.integer[Any]]) -> float:
    """The fraction of samples whose class by an answer in spikes is that of the potentials; 1 for the exact forms.

    Args:
        network: a deployed network, whose last layer is a readout.
        answer: of `stock_answer`.
        samples: int (N, *input shape, T).
    """
    if answer.form != SPIKES:
        return 1.0
    potentials = simulate(network, samples, "fast")
    spikes = sum((potentials > level * network.output.neuron.taps[0]).sum(-1) for level in answer.levels)
    classes, seen = (each.reshape(len(samples), -1).argmax(1) for each in (potentials.sum(-1), np.asarray(spikes)))
    return float((classes == seen).mean())


@dataclass(frozen=True)
class StockUse:
    """The use of a file, opened, run and read, with unmodified lava-dl alone.

    Attributes:
        arguments: of `lava.lib.dl.netx.hdf5.Network`, by name.
        layers: its processes from input to output, each of which answers a time step late.
        answer: the form of the answer.
        unit: L_0 of a readout: 2^6 in its voltage stand for so much of its potential; None of a spiking last layer.
        weights: T integers: the sum over time of a sample's potentials is that of its currents times these.
        obstacles: the reasons why NetX would not compute the network exactly.
    """

    arguments: dict[str, Any]
    layers: int
    answer: StockAnswer
    unit: int | None
    weights: tuple[int, ...]
    obstacles: tuple[str, ...]

    @property
    def call(self) -> str:
        """The call that opens the file."""
        return f"netx.hdf5.Network({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"

    @property
    def lines(self) -> tuple[str, ...]:
        """Tell what to do, in a few sentences."""
        if self.obstacles:
            return (f"unmodified NetX does not compute this network exactly: {self.obstacles[0]}",)
        timesteps = self.arguments["reset_interval"]
        return (
            f"stock = {self.call}",
            f"feed {timesteps} steps a sample, one sample after the other, and {self.layers} steps more: the answer to "
            f"step t comes at step t + {self.layers}",
            *self._reading(),
        )

    def _reading(self) -> tuple[str, ...]:
        if self.unit is None:
            return ("the answer is the spikes of stock.out",)
        if self.answer.form == SUM:
            shown = "" if set(self.weights) == {1} else f", times {list(self.weights)} at a sample's steps 0, 1, .."
            return (
                "the answer is in the differences of stock.out from step to step, the readout's currents: add a "
                f"sample's up{shown}, and the largest sum is its class",
            )
        if self.answer.form == SPIKES:
            count = len(self.answer.levels)
            return (
                f"the answer is the spikes of stock.out: outputs {count} c to {count} c + {count - 1} are of class c, "
                "and the class with the most spikes in a sample is its class",
            )
        return (
            "stock.out stays silent: the answer is in stock.layers[-1].neuron.v at each step, as "
            f"v * {self.unit} // 64",
        )


def stock_use(path: str | os.PathLike[str]) -> StockUse:
    """Tell how a file of this project is opened, run and read with unmodified lava-dl alone. Errors as `load`."""
    network = load(path)
    answer = stored_answer(read_contents(path), network)
    timesteps, neuron = network.timesteps, network.output.neuron
    taps = neuron.taps
    weights = tuple(sum(taps[: timesteps - step]) for step in range(timesteps))
    arguments = {
        "net_config": str(path),
        "input_message_bits": input_message_bits(network),
        "reset_interval": timesteps,
        "reset_offset": 1,
    }
    unit = None if neuron.spikes else taps[0]
    return StockUse(arguments, len(network), answer, unit, weights, network.stock_obstacles)
