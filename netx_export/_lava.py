"""The engines that run on Lava: this project's own processes, and unmodified lava-dl NetX."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.extras import extra
from lava_qsnn.guard import run
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.integer.layouts import from_lava_frames, to_lava_frames
from lava_qsnn.process.loihi.network import NetworkProcess, fixed_point
from lava_qsnn.process.loihi.recording import Feed, Probe, Record, shared_array
from netx_export._options import Options
from netx_export._stock_call import StockCall, stock_call
from netx_export._write import write

Integers = NDArray[np.int64]


def run_lava(network: IntegerNetwork, x: NDArray[np.integer[Any]], options: Options) -> dict[str, Integers]:
    """Run a batch as one Lava run, one process per synapse and per neuron; outputs by layer, (N, *shape, T)."""
    process = NetworkProcess(network, x.shape[-1])
    frames, clock = to_lava_frames(x, process.inp.shape), shared_array((1,))
    feed = Feed(frames, clock)
    feed.s_out.connect(process.inp)
    stores = {name: shared_array((len(frames), *process.spikes[name].shape)) for name in options.chosen(network)}
    for name, store in stores.items():
        record = Record(store, process.depths[name])
        process.spikes[name].connect(record.s_in)
    deepest = max(process.depths[name] for name in stores)  # a dead end may be deeper than the output
    _run(feed, clock, len(frames) + deepest, network, options)
    return {name: from_lava_frames(store, x.shape[-1]) for name, store in stores.items()}


def run_netx(
    network: IntegerNetwork, x: NDArray[np.integer[Any]], options: Options, call: StockCall | None = None
) -> dict[str, Integers]:
    """Run a batch in unmodified lava-dl NetX from a file written for it; outputs by layer, (N, *shape, T).

    NetX is called as the network needs it, or as `call` says.
    """
    call = call or replace(stock_call(network), reset_interval=x.shape[-1])
    with extra("lava"):
        from lava_qsnn import _slayer  # noqa: F401  netx imports slayer, this way without its notes
        from lava.lib.dl.netx.hdf5 import Network as StockNetwork  # isort: skip  its import takes seconds

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.net"
        write(network, path)
        stock = StockNetwork(net_config=str(path), **asdict(call))
        stock.net_config.f.close()  # it would stay open, and its file undeletable on some systems
    frames, clock = to_lava_frames(x, stock.inp.shape), shared_array((1,))
    feed = Feed(frames, clock)
    feed.s_out.connect(stock.inp)
    stores = {}
    for depth, (layer, block) in enumerate(zip(network.layers, stock.layers), 1):
        if layer.name in options.chosen(network):
            stores[layer.name] = shared_array((len(frames), *block.out.shape))
            _observe(stores[layer.name], block, depth, layer.neuron.spikes)
    _run(feed, clock, len(frames) + len(network), network, options)
    return {name: _unscaled(network, name, from_lava_frames(store, x.shape[-1])) for name, store in stores.items()}


def _run(feed: Feed, clock: NDArray[np.int32], steps: int, network: IntegerNetwork, options: Options) -> None:
    report = options.progress
    progress = None if report is None else lambda _: report(min(1.0, int(clock[0]) / steps))
    run(feed, steps, fixed_point(), time_limit=options.limit(network, steps), progress=progress)


def _observe(store: np.ndarray[Any, Any], block: Any, depth: int, spiking: bool) -> None:
    """Record a block's spikes from its port, or a readout's potential from its voltage."""
    if spiking:
        record = Record(store, depth)
        block.out.connect(record.s_in)
    else:
        probe = Probe(store, depth)
        probe.var.connect_var(block.neuron.v)


def _unscaled(network: IntegerNetwork, name: str, values: Integers) -> Integers:
    """A stock voltage is 2^6 / L_0 times the integer potential."""
    neuron = network.layer(name).neuron
    return values if neuron.spikes else values * neuron.taps[0] // 64
