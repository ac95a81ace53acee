"""Unmodified lava-dl NetX, run on a file by Lava's own sources and sinks: the judge of what stock files mean.

Nothing of this project's engines or backends is used, but the guard, so that a run that would hang ends.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.monitor.process import Monitor

from lava_qsnn import _slayer  # noqa: F401  netx imports slayer, this way without its notes
from lava_qsnn.guard import GuardedRuntime

with contextlib.redirect_stdout(io.StringIO()):
    from lava.lib.dl.netx.hdf5 import Network


def write_stock(path: Path, groups: Sequence[dict[str, Any]], **options: Any) -> None:
    """Write groups of layers as lava-dl's own exports do, `neuron/iDecay` and the like by their paths."""
    with h5py.File(path, "w", **options) as file:
        for index, group in enumerate(groups):
            for name, value in group.items():
                file[f"layer/{index}/{name}"] = value


def text(value: str) -> Any:
    return np.array([value.encode()], "S10")


def netx(path: Path, **options: Any) -> Any:
    """The network that unmodified NetX makes of a file."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        network = Network(str(path), **options)
    network.net_config.f.close()
    return network


def run_netx(
    path: Path, frames: Any, steps: int | None = None, voltages: bool = False, **options: Any
) -> list[np.ndarray]:
    """Outputs of all blocks at all of Lava's time steps: (*port shape, steps) each; or their voltages.

    Args:
        frames: int (*port shape of the input, steps), 0 after its end.
        steps: time steps; as many as frames by default.
        voltages: of CUBA neurons, their v instead of their spikes.
    """
    network = netx(path, **options)
    count = frames.shape[-1] if steps is None else steps
    padded = np.zeros((*frames.shape[:-1], count), np.int32)
    padded[..., : frames.shape[-1]] = frames
    source = Source(data=padded)
    block = network.layers[0]
    source.s_out.connect(block.neuron.a_in if type(block).__name__ == "Input" else network.inp)
    sinks = []
    for layer in network.layers:
        if voltages:
            sinks.append(Monitor())
            sinks[-1].probe(layer.neuron.v, count)
        else:
            sinks.append(Sink(shape=layer.out.shape, buffer=count))
            layer.out.connect(sinks[-1].a_in)
    return _run(source, sinks, count, network, voltages)


def _run(source: Any, sinks: list[Any], count: int, network: Any, voltages: bool) -> list[np.ndarray]:
    config = Loihi2SimCfg(select_tag="fixed_pt")
    with GuardedRuntime(source, config, time_limit=300.0) as runtime:
        runtime.run(count)
        if voltages:
            found = [sink.get_data()[layer.neuron.name]["v"] for sink, layer in zip(sinks, network.layers)]
            return [np.moveaxis(each, 0, -1).astype(np.int64) for each in found]
        return [np.array(sink.data.get()).astype(np.int64) for sink in sinks]
