"""The small choices inside: how a history is filtered; when synapses are multiplied, counted or tiled.

    python -m benchmarks.kernels            # JSON in benchmarks/results
    python -m benchmarks.kernels --quick    # a few seconds, only to see that it runs

The tables stand in the docstrings of `neuron._history.filter_history` and of `integer._packed`. One thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks._timing import RESULTS, interleave
from lava_qsnn.bench.machine import write_json
from lava_qsnn.engines._kernels import kernel
from lava_qsnn.engines._packed import packed_kernel
from lava_qsnn.engines._tiled import tiled
from lava_qsnn.integer import INPUT, Connection, Conv, Dense, Shape
from lava_qsnn.neuron._history import _multiply_over_time, _sum_shifted

#: Time steps, features and taps of a filter.
FILTERS = ((4, 16384, 4), (16, 16384, 4), (64, 16384, 4), (64, 16384, 16), (256, 4096, 4), (256, 4096, 16))

#: (out, in) if dense, (out, in, height and width of the source) if a convolution of 3 x 3; and frames.
SYNAPSES: tuple[tuple[tuple[int, ...], int], ...] = (
    ((512, 784), 256),
    ((512, 784), 1024),
    ((512, 512), 4096),
    ((1024, 4096), 256),
    ((10, 128), 1024),
    ((64, 64, 16), 256),
    ((64, 32, 14), 256),
    ((8, 16, 16), 256),
)


def measure_filter(timesteps: int, features: int, taps: int, runs: int) -> dict[str, Any]:
    """Seconds of taps added one by one, and of one product over time; 64 frames in all, or one sample."""
    torch.manual_seed(0)
    frames = torch.randn(max(1, 64 // timesteps) * timesteps, features)
    weights = 0.9 ** torch.arange(taps)
    contenders = {
        "one by one": partial(_sum_shifted, frames, timesteps, weights.tolist(), False, None),
        "product": partial(_multiply_over_time, frames, timesteps, weights, False, None),
        "product, bf16": partial(_multiply_over_time, frames.bfloat16(), timesteps, weights.bfloat16(), False, None),
    }
    seconds = {name: timing.median for name, timing in interleave(contenders, runs).items()}
    return {"T": timesteps, "features": features, "taps": taps, "seconds": seconds}


def measure_synapse(sizes: tuple[int, ...], frames: int, runs: int) -> dict[str, Any]:
    """Seconds of BLAS, of counting and of tiles, on binary frames of which one fifth spikes; None of what is absent.

    Frames have their channels last in memory, as in the fast engine. Tiles give spikes, the others currents.
    """
    random = np.random.default_rng(0)
    synapse, shape = _synapse(sizes, random)
    last = random.random((frames, *shape[1:], shape[0])) < 0.2
    connection = Connection(INPUT, synapse)
    counted, layer = packed_kernel(synapse, shape), tiled(connection, shape, (1,), np.zeros(sizes[0], np.int64), 1)
    contenders: dict[str, Callable[[], Any]] = {"BLAS": partial(kernel(synapse, shape, 1), np.moveaxis(last, -1, 1))}
    if counted is not None:
        contenders["counted"] = partial(counted, np.moveaxis(last, -1, 1))
    if layer is not None:
        steps = last.reshape(2, frames // 2, *(1, 1, *last.shape[1:])[-3:])
        out, *pixels = synapse.output_shape(shape)
        contenders["tiled"] = partial(layer, steps, np.empty((2, frames // 2, *pixels, out), bool))
    seconds = {name: timing.median for name, timing in interleave(contenders, runs).items()}
    return {"sizes": sizes, "frames": frames, "seconds": seconds}


def _synapse(sizes: tuple[int, ...], random: np.random.Generator) -> tuple[Dense | Conv, Shape]:
    if len(sizes) == 2:
        return Dense(random.choice([-1, 1], sizes)), (sizes[1],)
    out, source, side = sizes
    return Conv(random.choice([-1, 1], (out, source, 3, 3)), padding=(1, 1)), (source, side, side)


def main(
    runs: Annotated[int, typer.Option(min=1, help="Of each, after two to warm up.")] = 9,
    quick: Annotated[bool, typer.Option("--quick", help="One of each, to see that it runs.")] = False,
    results: Annotated[Path, typer.Option(help="Folder for the JSON file.")] = RESULTS,
) -> None:
    """Measure, print, write JSON."""
    torch.set_num_threads(1)
    console, count, times = Console(), 1 if quick else None, 1 if quick else runs
    filters = [measure_filter(*case, times) for case in FILTERS[:count]]
    synapses = [measure_synapse(sizes, frames, times) for sizes, frames in SYNAPSES[:count]]
    table = Table("T", "features", "taps", *(f"{name}, ms" for name in filters[0]["seconds"]))
    for row in filters:
        milliseconds = [f"{1000 * value:.2f}" for value in row["seconds"].values()]
        table.add_row(str(row["T"]), str(row["features"]), str(row["taps"]), *milliseconds)
    console.print(table)
    table = Table("synapse", "frames", "BLAS, ms", "counted, ms", "tiled, ms")
    for row in synapses:
        seconds = [row["seconds"].get(name) for name in ("BLAS", "counted", "tiled")]
        milliseconds = ["" if value is None else f"{1000 * value:.2f}" for value in seconds]
        table.add_row(" x ".join(map(str, row["sizes"])), str(row["frames"]), *milliseconds)
    console.print(table)
    console.print(f"wrote {write_json('kernels', {'rows': [*filters, *synapses]}, results)}")


if __name__ == "__main__":
    typer.run(main)
