"""The plan that scripts of a bundle follow: the exact call of NetX, where data go in, where each layer is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn import __version__
from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import IntegerNetwork, Layer
from lava_qsnn.integer.layouts import lava_shape
from lava_qsnn.integer.stock import SUM, NetxForm, StockAnswer, has_stock_neurons, network_arrays, netx_form
from netx_export._bundle._golden import key
from netx_export._netx._load import late
from netx_export._open import is_stock
from netx_export._stock_call import StockCall, keeps, stock_call

#: Of bundle.json; counts up when a name in it changes its meaning or goes.
VERSION = 1

#: The first line of all that has never run on a board.
NEVER_ON_HARDWARE = "Nothing in this bundle has ever run on Loihi hardware."

#: Steps that the adapters between a host and a chip add: lava-dl's PilotNet notebook (tutorials/lava/lib/dl/netx/
#: pilotnet_snn/run.ipynb) finds data of step 0 at the embedded processor in step 1, and at the first layer in step 2.
ADAPTER_STEPS = 1

#: What a stock voltage counts in, of a potential of 1.
VOLTAGE_UNIT = 64

#: Where the data of a network with an input block go, by the neurons of that block.
FEEDS = {"": "inp", "sdnn": "neuron.a_in", "cuba": "neuron.bias_mant"}

#: Options of `load` that are arguments of NetX, too.
NETX_OPTIONS = ("num_layers", "skip_layers")


@dataclass(frozen=True)
class Plan:
    """A network in the hands of the scripts.

    Args:
        missing: the reasons why unmodified NetX does not compute it exactly; empty if it does.
        call: arguments of `lava.lib.dl.netx.hdf5.Network` beside the file.
        feed: "inp", or the port or Var of the first block's neurons where data go in.
        together: True if samples run back to back, each layer from rest as a sample reaches it; False if each needs a
            network of its own, whose layers all begin at Lava's first step.
        layers: of each, what `run.py` and `compare.py` are told.
    """

    missing: tuple[str, ...]
    call: Mapping[str, Any]
    feed: str
    together: bool
    layers: tuple[Mapping[str, Any], ...]

    @property
    def latency(self) -> int:
        """Time steps from the last layer's input to its answer."""
        return int(self.layers[-1]["latency"])

    def as_dict(self, steps: int, samples: int) -> dict[str, Any]:
        """The contents of bundle.json."""
        return {
            "hardware_status": NEVER_ON_HARDWARE,
            "version": VERSION,
            "made_by": f"lava-qsnn {__version__}",
            "file": "network.net",
            "missing": list(self.missing),
            "call": dict(self.call),
            "feed": self.feed,
            "together": self.together,
            "time": "the sample's" if self.together else "Lava's: each layer answers one step after the one before it",
            "samples": samples,
            "timesteps": steps,
            "latency": self.latency,
            "layers": [dict(layer) for layer in self.layers],
            "simulation": {
                "run_cfg": "Loihi2SimCfg",
                "select_tag": "fixed_pt",
                "input_delay": 0,
                "output_delay": 0,
            },
            "hardware": {
                "run_cfg": "Loihi2HwCfg",
                "input_delay": 0 if self.feed == FEEDS["cuba"] else ADAPTER_STEPS,  # biases need no adapter
                "output_delay": ADAPTER_STEPS,
                "source": "adapters as in lava-dl, tutorials/lava/lib/dl/netx/pilotnet_snn/run.ipynb; never run here",
            },
        }


def as_netx_runs(
    network: IntegerNetwork, x: NDArray[np.integer[Any]]
) -> tuple[IntegerNetwork, NDArray[np.integer[Any]]]:
    """A network and its samples in the time in which unmodified NetX, alone, computes them exactly.

    That is the network's own, where resets bring every layer to rest as a sample reaches it. Where layers keep what no
    reset clears, it is Lava's: all layers begin at the first step, each answers a step late, and samples end with as
    many silent steps as there are layers, so that the last one's answers are all there.
    """
    if not has_stock_neurons(network) or not any(map(keeps, network.layers)):
        return network, x
    try:
        form = netx_form(network)
    except DeploymentError:
        return network, x
    if form.is_late:
        return network, x
    silence = np.zeros((*x.shape[:-1], len(network)), x.dtype)
    longest = max(network.timesteps, x.shape[-1] + len(network))
    in_lava_time = replace(network, timesteps=longest, layers=tuple(map(late, network.layers)))
    return in_lava_time, np.concatenate([x, silence], -1)


def plan(network: IntegerNetwork, steps: int, answer: StockAnswer | None, options: Mapping[str, Any]) -> Plan:
    """The plan for a network whose samples have so many steps.

    Args:
        network: a deployed network, `as_netx_runs` it.
        steps: T of its samples.
        answer: the form in which its file, one of this project, has stock NetX give a readout's answer; None of a stock
            file.
        options: of `load`, with which it was read.
    """
    called, form_of_answer = stock_call(network, steps), answer or StockAnswer()
    if not has_stock_neurons(network):
        layers = _layers(network, form_of_answer, range(1, len(network) + 1))
        return Plan(network.stock_obstacles, asdict(called), FEEDS[""], True, layers)
    try:
        form = netx_form(network)
    except DeploymentError as error:
        return Plan((str(error),), {}, FEEDS[""], False, _layers(network, form_of_answer, [0] * len(network)))
    together = not form.is_late and not any(map(keeps, network.layers))
    call = asdict(called if together else StockCall(called.input_message_bits))
    call |= {"spike_exp": form.spike_exp, **_told(network, options)}
    layers = _layers(network, form_of_answer, latencies(form, len(network)))
    return Plan(() if answer is None else _unwritten(network), call, FEEDS[form.begins], together, layers)


def latencies(form: NetxForm, count: int) -> list[int]:
    """Lava's time steps by which each layer is later than the network's own time; an input block is not late."""
    first = 0 if form.begins else 1
    return [0 if form.is_late else first + index for index in range(count)]


def _told(network: IntegerNetwork, options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that NetX shares with `load`: the shape of the input, in Lava's order, and which layers to take."""
    shape = network.input.shape
    told = {"input_shape": list(lava_shape(shape))} if is_stock(network) and len(shape) == 3 else {}
    return told | {name: options[name] for name in NETX_OPTIONS if options.get(name)}


def _unwritten(network: IntegerNetwork) -> tuple[str, ...]:
    """The reason why a file of this project has no stock part that NetX opens, if it has none."""
    if any("weight" in path for path in network_arrays(network)):
        return ()
    return ("the coefficients of its neurons are no integers; slayer's own export_hdf5 writes such networks",)


def _layers(network: IntegerNetwork, answer: StockAnswer, late: Iterable[int]) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {
            "key": key(index),
            "name": layer.name,
            "latency": latency,
            **_reading(layer, answer if layer is network.output else StockAnswer()),
        }
        for index, (layer, latency) in enumerate(zip(network.layers, late))
    )


def _reading(layer: Layer, answer: StockAnswer) -> dict[str, Any]:
    """The place where a layer's answer is read, and the fraction that makes the golden vector's number of it."""
    neuron = layer.neuron
    if neuron.feeds or answer.levels:
        return {"read": "out", "numerator": 1, "divisor": 1}
    if answer.form == SUM:
        return {"read": "sum", "taps": list(neuron.taps)}
    if neuron.wraps:
        return {"read": "voltage", "numerator": 1, "divisor": 1}
    return {"read": "voltage", "numerator": neuron.taps[0], "divisor": VOLTAGE_UNIT}
