"""The size of files beside slayer's own export, and the time it takes to load them.

    python -m benchmarks.files

The same shapes as networks of 1-bit memory-free blocks, exported by netx_export, and of slayer's CUBA blocks, exported
the way lava-dl's tutorials do, layer by layer (float32 weights).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import nn

import netx_export
from benchmarks._timing import RESULTS, interleave
from lava_qsnn._slayer import slayer
from lava_qsnn.bench.machine import write_json
from lava_qsnn.block import memory_free

SIZES = {"784-512-512-10": (784, 512, 512, 10), "4096-1024-1024-10": (4096, 1024, 1024, 10)}
TIMESTEPS = 4


def ours(sizes: tuple[int, ...], path: Path) -> None:
    """Export random 1-bit layers and an 8-bit output."""
    neuron = {"threshold": 0.5, "history": TIMESTEPS}
    hidden = [memory_free.Dense(neuron, *pair) for pair in pairwise(sizes[:-1])]
    net = nn.Sequential(*hidden, memory_free.Output(sizes[-2], sizes[-1]))
    netx_export.export(net, path, sizes[:1], TIMESTEPS)


def slayers(sizes: tuple[int, ...], path: Path) -> None:
    """Export random layers as slayer's blocks do."""
    neuron = {"threshold": 1.0, "current_decay": 0.5, "voltage_decay": 1.0}
    blocks = [slayer.block.cuba.Dense(dict(neuron), *pair) for pair in pairwise(sizes)]
    x = torch.zeros(1, sizes[0], TIMESTEPS)
    with h5py.File(path, "w") as file:
        layers = file.create_group("layer")
        for index, block in enumerate(blocks):
            x = block(x)
            block.export_hdf5(layers.create_group(str(index)))


def read_all(path: Path) -> int:
    """Read every number of an HDF5 file, as a loader of slayer's files has to."""
    total = 0

    def visit(_: str, item: Any) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            total += np.asarray(item[()]).nbytes

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return total


def main(
    runs: Annotated[int, typer.Option(min=1, help="Of each loading.")] = 9,
    quick: Annotated[bool, typer.Option("--quick", help="The smaller network once, to see that it runs.")] = False,
    results: Annotated[Path, typer.Option(help="Folder for the JSON file.")] = RESULTS,
) -> None:
    """Measure, print ratios, write JSON."""
    console, table = (
        Console(),
        Table("network", "slayer, bytes", "ours, bytes", "ratio", "read slayer's", "load ours, checked"),
    )
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, sizes in list(SIZES.items())[: 1 if quick else None]:
            torch.manual_seed(0)
            theirs, own = Path(folder, "slayer.net"), Path(folder, "own.net")
            slayers(sizes, theirs)
            ours(sizes, own)
            loads: dict[str, Callable[[], Any]] = {
                "slayer": partial(read_all, theirs),
                "ours": partial(netx_export.load, own),
            }
            timings = interleave(loads, 1 if quick else runs)
            large, small = theirs.stat().st_size, own.stat().st_size
            seconds = {kind: timing.median for kind, timing in timings.items()}
            rows.append({"network": name, "slayer": large, "ours": small, "ratio": large / small, "seconds": seconds})
            times = (f"{1000 * seconds[kind]:.1f} ms" for kind in ("slayer", "ours"))
            table.add_row(name, f"{large:,}", f"{small:,}", f"{large / small:.1f}", *times)
    console.print(table)
    console.print(f"wrote {write_json('files', {'rows': rows}, results)}")


if __name__ == "__main__":
    typer.run(main)
