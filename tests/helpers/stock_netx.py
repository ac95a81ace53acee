"""Unmodified lava-dl NetX, run on a file as its users run it: the judge of what stock files mean.

Nothing of this project's engines or backends is used, but the guard, so that a run that would hang ends, and the
processes that record, for reading thousands of numbers from Lava's own takes seconds.
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
from lava.proc.io.source import RingBuffer as Source

from lava_qsnn import _slayer  # noqa: F401  netx imports slayer, this way without its notes
from lava_qsnn.guard import GuardedRuntime
from lava_qsnn.process.loihi.recording import Probe, Record, shared_array

with contextlib.redirect_stdout(io.StringIO()):
    from lava.lib.dl.netx.hdf5 import Network

Group = dict[str, Any]


def write_stock(path: Path, groups: Sequence[Group], **options: Any) -> None:
    """Write groups of layers as lava-dl's own exports do, `neuron/iDecay` and the like by their paths."""
    with h5py.File(path, "w", **options) as file:
        for index, group in enumerate(groups):
            for name, value in group.items():
                file[f"layer/{index}/{name}"] = value


def text(value: str) -> Any:
    return np.array([value.encode()], "S10")


def open_netx(path: Path, **options: Any) -> Any:
    """The network that unmodified NetX makes of a file."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        network = Network(str(path), **options)
    network.net_config.f.close()
    return network


def run_netx(path: Path, sample: np.ndarray, voltage: bool = False, **options: Any) -> list[np.ndarray]:
    """Outputs of all blocks at all of Lava's time steps: (C, [H, W,] steps) each.

    Args:
        path: of a file.
        sample: int (C, [H, W,] steps).
        voltage: of the last block, its neurons' voltages.
        options: of NetX.
    """
    network = open_netx(path, **options)
    frames, first = _to_lava(sample).astype(np.int32), network.layers[0]
    if len(first.inp.shape) == 1:
        frames = sample.reshape(-1, sample.shape[-1]).astype(np.int32)
    is_driven = type(first).__name__ == "Input" and hasattr(first.neuron, "bias_mant")
    stores = [shared_array((sample.shape[-1], *layer.out.shape)) for layer in network.layers]
    for store, layer in zip(stores, network.layers):
        if voltage and layer is network.layers[-1]:
            Probe(store, 0).var.connect_var(layer.neuron.v)
        else:
            layer.out.connect(Record(store, 0).s_in)
    if is_driven:
        first.neuron.bias_mant.init = frames[..., 0]
    else:
        source = Source(data=frames)
        source.s_out.connect(first.neuron.a_in if type(first).__name__ == "Input" else network.inp)
    with (
        warnings.catch_warnings(),
        GuardedRuntime(network, Loihi2SimCfg(select_tag="fixed_pt"), time_limit=300.0) as runtime,
    ):
        warnings.simplefilter("ignore")
        runtime.run(1 if is_driven else sample.shape[-1])
        for frame in np.moveaxis(frames[..., 1:], -1, 0) if is_driven else ():
            first.neuron.bias_mant.set(frame.astype(np.int16))
            runtime.run(1)
    return [_to_lava(np.moveaxis(each, 0, -1)).astype(np.int64) for each in stores]


def _to_lava(values: np.ndarray) -> np.ndarray:
    """(C, H, W, T) to (W, H, C, T), and back."""
    return values.transpose(*range(values.ndim - 2, -1, -1), values.ndim - 1)
