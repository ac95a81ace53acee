"""Unmodified lava-dl NetX on a network of stock neurons: every sample from rest, in the network's own time.

NetX resets the states of CUBA neurons alone, and no message on its way: what delays hold, what a recurrent layer sent
itself, what sigma-delta neurons sum. So one time step passes between samples, in which a process beside the network
writes zeros into these Vars of its processes, through Lava's own reference ports; nothing of NetX is changed.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lava_qsnn.extras import extra
from lava_qsnn.guard import run
from lava_qsnn.integer import IntegerNetwork, Layer
from lava_qsnn.integer.layouts import from_lava_frames, to_lava_frames
from lava_qsnn.integer.stock import NetxForm, netx_form, write_arrays
from lava_qsnn.process.configurations import fixed_point
from lava_qsnn.process.loihi.recording import Drive, Feed, Probe, Record, Rest, shared_array
from netx_export._options import Options
from netx_export._stock_call import StockCall

Integers = NDArray[np.int64]

#: The Vars of neurons and synapses that hold anything of a sample.
NEURON_STATE = ("u", "v", "sigma", "act", "residue", "real", "imag")
BUFFERS = ("a_buff", "a_buf")


def run_stock(
    network: IntegerNetwork, x: NDArray[np.integer[Any]], options: Options, path: Path | None = None
) -> dict[str, Integers]:
    """Run a batch in unmodified NetX; outputs by layer, (N, *shape, T).

    Args:
        network: of stock neurons.
        x: samples.
        options: of the run.
        path: the stock file that the network was read from; by default a file is written for it.
    """
    form, steps = netx_form(network), x.shape[-1]
    stock = _opened(form, path, {"input_message_bits": form.input_message_bits})
    for depth, block in zip(_starts(form, len(network)), stock.layers):
        _bring_to_rest(block, depth, steps + 1, form.is_late)
    pause = np.zeros((*x.shape[:-1], 1), x.dtype)
    outputs = _run(network, form, stock, np.concatenate([x, pause], -1), options)
    return {name: values[..., :steps] for name, values in outputs.items()}


def run_called(
    network: IntegerNetwork,
    x: NDArray[np.integer[Any]],
    options: Options,
    call: StockCall,
    path: Path | None = None,
) -> dict[str, Integers]:
    """The same as a user runs NetX, called as said: samples back to back, nothing brought to rest from outside."""
    form = netx_form(network)
    return _run(network, form, _opened(form, path, asdict(call)), x, options)


def _run(
    network: IntegerNetwork, form: NetxForm, stock: Any, x: NDArray[np.integer[Any]], options: Options
) -> dict[str, Integers]:
    """Feed samples back to back and record every layer wanted, in the network's own time."""
    feed, frames, clock = _fed(stock, form, x)
    stores = {}
    for depth, layer, block in zip(_starts(form, len(network)), network.layers, stock.layers):
        if layer.name in options.chosen(network):
            stores[layer.name] = shared_array((frames, *block.out.shape))
            _observe(stores[layer.name], layer, block, depth - 1)
    total = frames + _starts(form, len(network))[-1]
    report = options.progress
    progress = None if report is None else lambda _: report(min(1.0, int(clock[0]) / total))
    run(feed, total, fixed_point(), time_limit=options.limit(network, total), progress=progress)
    return {name: from_lava_frames(store, x.shape[-1]) for name, store in stores.items()}


def write_form(form: NetxForm, path: Path) -> None:
    """Write a network in NetX's form as a file that holds nothing else."""
    with h5py.File(path, "w") as file:
        for index, arrays in enumerate(form.groups):
            write_arrays(file.require_group(f"layer/{index}"), arrays)


def _opened(form: NetxForm, path: Path | None, arguments: dict[str, Any]) -> Any:
    with extra("lava"):
        from lava_qsnn import _slayer  # noqa: F401  netx imports slayer, this way without its notes
        from lava.lib.dl.netx.hdf5 import Network as StockNetwork  # isort: skip  its import takes seconds

    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            path = Path(folder) / "network.net"
            write_form(form, path)
        stock = StockNetwork(str(path), spike_exp=form.spike_exp, **arguments)
        stock.net_config.f.close()  # it would stay open, and its file undeletable on some systems
    return stock


def _fed(stock: Any, form: NetxForm, x: NDArray[np.integer[Any]]) -> tuple[Any, int, NDArray[np.int32]]:
    """The process that feeds a batch, how many time steps it has, and a clock of those passed."""
    first, clock = stock.layers[0], shared_array((1,))
    frames = to_lava_frames(x, first.inp.shape)
    if form.begins == "cuba":
        drive = Drive(frames, clock)
        drive.var.connect_var(first.neuron.bias_mant)
        return drive, len(frames), clock
    feed = Feed(frames, clock)
    feed.s_out.connect(first.neuron.a_in if form.begins else stock.inp)
    return feed, len(frames), clock


def _starts(form: NetxForm, count: int) -> list[int]:
    """Lava's time step at which each layer computes the first step of the first sample."""
    first = {"": 2, "sdnn": 1, "cuba": 2}[form.begins]
    if form.is_late:
        return [first - (form.begins == "")] * count
    return [first + index for index in range(count)]


def _bring_to_rest(block: Any, start: int, period: int, is_late: bool) -> None:
    """Zeros for what a block holds, before each sample's first step; for what comes in before that is on its way."""
    on_its_way = start - (1 if is_late else 2)
    held = [(block.neuron, name, start - 1) for name in NEURON_STATE]
    held += [(getattr(block, "synapse_rec", None), name, start - 1) for name in BUFFERS]
    for part in ("synapse", "real_synapse", "imag_synapse"):
        held += [(getattr(block, part, None), name, on_its_way) for name in BUFFERS]
    found = [(getattr(process, name), step) for process, name, step in held if hasattr(process, name)]
    rest = Rest([var.shape for var, _ in found], [step for _, step in found], period)
    for index, (var, _) in enumerate(found):
        getattr(rest, f"var_{index}").connect_var(var)


def _observe(store: NDArray[np.int32], layer: Layer, block: Any, delay: int) -> None:
    """Record what a block sends, or the voltage of a readout."""
    if layer.neuron.feeds:
        record = Record(store, delay)
        block.out.connect(record.s_in)
    else:
        probe = Probe(store, delay)
        probe.var.connect_var(block.neuron.v)
