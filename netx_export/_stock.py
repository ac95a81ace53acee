"""Files in the hands of stock lava-dl: how to open, run and read them with it alone."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.integer import CUBAReadout, IntegerNetwork, SigmaDelta
from lava_qsnn.integer.stock import (
    SPIKES,
    SUM,
    StockAnswer,
    has_stock_neurons,
    network_arrays,
    netx_form,
)
from netx_export._hdf5 import Contents, read_contents
from netx_export._read import load, stored_answer
from netx_export._schema import GROUP
from netx_export._stock_call import keeps, stock_call
from netx_export._zoo import located

#: What a stock voltage counts in, of a potential of 1.
VOLTAGE_UNIT = 64


@dataclass(frozen=True)
class StockUse:
    """The way to open, run and read a file with unmodified lava-dl alone.

    Attributes:
        arguments: of `lava.lib.dl.netx.hdf5.Network`, by name.
        layers: its processes from input to output, each of which answers a time step late.
        answer: the form of the answer.
        unit: L_0 of a readout: 2^6 in its voltage stand for so much of its potential; 64 of a readout whose potential
            is the voltage itself; None of a spiking last layer.
        weights: T integers: the sum over time of a sample's potentials is that of its currents times these.
        keeps: True if a sample leaves something behind that NetX does not reset: delays, sigma-delta neurons.
        obstacles: the reasons why NetX would not compute the network exactly.
    """

    arguments: dict[str, Any]
    layers: int
    answer: StockAnswer
    unit: int | None
    weights: tuple[int, ...]
    keeps: bool
    obstacles: tuple[str, ...]

    @property
    def call(self) -> str:
        """The call that opens the file."""
        return f"netx.hdf5.Network({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"

    @property
    def lines(self) -> tuple[str, ...]:
        """The same in a few sentences."""
        if self.obstacles:
            return (f"unmodified NetX does not compute this network exactly: {self.obstacles[0]}",)
        return (f"stock = {self.call}", self._feeding(), *self._reading())

    def _feeding(self) -> str:
        answered = f"and {self.layers} steps more: the answer to step t comes at step t + {self.layers}"
        if self.keeps:
            return f"feed one sample, from a network just made, for NetX resets no delays and no sums, {answered}"
        timesteps = self.arguments["reset_interval"]
        return f"feed {timesteps} steps a sample, one sample after the other, {answered}"

    def _reading(self) -> tuple[str, ...]:
        if self.unit is None:
            return ("the answer is what stock.out puts out",)
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
        scaled = "" if self.unit == VOLTAGE_UNIT else f", as v * {self.unit} // {VOLTAGE_UNIT}"
        return (f"stock.out stays silent: the answer is in stock.layers[-1].neuron.v at each step{scaled}",)


def stock_use(path: str | os.PathLike[str]) -> StockUse:
    """Tell how a file of this project is opened, run and read with unmodified lava-dl alone. Errors as `load`."""
    path = located(path)
    network = load(path)
    if GROUP not in (contents := read_contents(path)).attributes:
        raise ConfigurationError(f"'{path}' is a file of another producer", remedy="open it as its producer says")
    return use_of(network, contents, path)


def use_of(network: IntegerNetwork, contents: Contents, path: str | os.PathLike[str]) -> StockUse:
    """The same of a network that was read from this project's file, and of that file's contents."""
    timesteps, neuron = network.timesteps, network.output.neuron
    weights = tuple(sum(neuron.taps[: timesteps - step]) for step in range(0 if network.is_endless else timesteps))
    told = asdict(stock_call(network)) | ({"reset_interval": None} if network.is_endless else {})
    unit = None if neuron.spikes or isinstance(neuron, SigmaDelta) else neuron.taps[0]
    return StockUse(
        {"net_config": str(path), **told},
        len(network),
        stored_answer(contents, network),
        VOLTAGE_UNIT if isinstance(neuron, CUBAReadout) else unit,
        weights,
        any(keeps(layer) for layer in network.layers),
        _obstacles(network),
    )


def _obstacles(network: IntegerNetwork) -> tuple[str, ...]:
    """The reasons why NetX would not compute a network as the stock part of its file says it; see `network_arrays`."""
    if not has_stock_neurons(network):
        return network.stock_obstacles
    try:
        form = netx_form(network)
    except DeploymentError as error:
        return (str(error),)
    if form.begins:
        return ("its data are written into the neurons of an input block, which has no port",)
    if form.is_late or network.is_endless:
        return ("its time is NetX's own, or has no end; aligned time needs a reset for each sample",)
    if not any("weight" in path for path in network_arrays(network)):
        return ("the coefficients of its neurons are no integers; slayer's own export_hdf5 writes such networks",)
    return ()
