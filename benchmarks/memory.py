"""Memory of `simulate` against the number of samples, for data that comes a chunk at a time: a slope that should be 0.

    python -m benchmarks.memory            # 10^3 to 10^6 samples, a minute or two; JSON in benchmarks/results
    python -m benchmarks.memory --quick    # a few seconds, only to see that it runs

Each measurement is a process of its own, which reports the greatest memory of its own that was resident (RssAnon of
Linux, looked at every few milliseconds): what C libraries take is in it, and the pages of files are not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import h5py
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import netx_export
from benchmarks._timing import RESULTS
from lava_qsnn.bench.machine import write_json
from lava_qsnn.integer import Connection, Dense, Input, IntegerNetwork, Layer, MemoryFree, Readout

#: Shape of a sample, with its time steps; samples of a batch, which are also written at a time.
SHAPE, BATCH = (64, 4), 1000

SIZES = (10**3, 10**4, 10**5, 3 * 10**5, 10**6)

#: Samples from which on there are several chunks: what less than one holds depends on the samples, of course.
LARGE = 10**5


def make_network() -> IntegerNetwork:
    """64-32-10 with 1-bit weights, T = 4."""
    random = np.random.default_rng(0)
    neuron = MemoryFree((8, 4, 2, 1), random.integers(0, 300, 32))
    layers = (
        Layer("hidden", (Connection("input", Dense(random.choice([-1, 1], (32, 64)))),), neuron),
        Layer("output", (Connection("hidden", Dense(random.choice([-1, 1], (10, 32)))),), Readout((8, 4, 2, 1))),
    )
    return IntegerNetwork(Input((64,), 15), SHAPE[-1], layers)


def batches(samples: int) -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Random samples."""
    random = np.random.default_rng(samples)
    for _ in range(0, samples, BATCH):
        yield random.integers(0, 16, (BATCH, *SHAPE), np.uint8)


def _iterator(folder: Path, samples: int) -> Any:
    return batches(samples)


def _memory_map(folder: Path, samples: int) -> Any:
    return np.load(folder / f"{samples}.npy", mmap_mode="r")


def _hdf5(folder: Path, samples: int) -> Any:
    return h5py.File(folder / f"{samples}.h5")["x"]


#: Ways to hand over samples.
SOURCES: dict[str, Callable[[Path, int], Any]] = {"iterator": _iterator, "memory map": _memory_map, "HDF5": _hdf5}


def write(folder: Path, samples: int) -> None:
    """The same samples as a file of each kind."""
    made = np.lib.format.open_memmap(folder / f"{samples}.npy", "w+", np.uint8, (samples, *SHAPE))
    with h5py.File(folder / f"{samples}.h5", "w") as file:
        kept = file.create_dataset("x", made.shape, "uint8")
        for number, batch in enumerate(batches(samples)):
            made[number * BATCH : (number + 1) * BATCH] = kept[number * BATCH : (number + 1) * BATCH] = batch


def _own_memory() -> int:
    """Bytes of this process that are resident and lie in no file."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def _report(answer: Pipe, source: str, folder: str, samples: int) -> None:
    """Measure in this process, and send the peak."""
    network, over, most = make_network(), threading.Event(), _own_memory()
    netx_export.simulate(network, next(batches(BATCH)), "fast")  # what is compiled and prepared, and stays

    def look() -> None:
        nonlocal most
        while not over.wait(0.003):
            most = max(most, _own_memory())

    watcher = threading.Thread(target=look)
    watcher.start()
    start = time.perf_counter()
    netx_export.simulate(network, SOURCES[source](Path(folder), samples), "fast", out=Path(folder) / "answers.npy")
    elapsed = time.perf_counter() - start
    over.set()
    watcher.join()
    answer.send((most, elapsed))


def measure(source: str, folder: Path, samples: int) -> dict[str, Any]:
    """Peak bytes and seconds of a process that answers so many samples."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(theirs, source, str(folder), samples))
    process.start()
    theirs.close()
    peak, elapsed = ours.recv()
    process.join()
    answered = len(np.load(folder / "answers.npy", mmap_mode="r"))
    assert answered == samples
    return {"source": source, "samples": samples, "peak bytes": peak, "seconds": elapsed}


def slope(rows: list[dict[str, Any]]) -> float:
    """Bytes by which the peak grows with a sample, by least squares, where there are several chunks if any size has."""
    large = [row for row in rows if row["samples"] >= LARGE] or rows
    return float(np.polyfit([row["samples"] for row in large], [row["peak bytes"] for row in large], 1)[0])


def main(
    quick: Annotated[bool, typer.Option("--quick", help="Small, to see that it runs.")] = False,
    results: Annotated[Path, typer.Option(help="Folder for the JSON file.")] = RESULTS,
) -> None:
    """Measure, print peaks and slopes, write JSON."""
    sizes, rows = (SIZES[:2] if quick else SIZES), list[dict[str, Any]]()
    with TemporaryDirectory() as folder:
        for samples in sizes:
            write(Path(folder), samples)
            rows += [measure(source, Path(folder), samples) for source in SOURCES]
    slopes = {source: slope([row for row in rows if row["source"] == source]) for source in SOURCES}
    table = Table("source", *(f"{samples:,} samples, MB" for samples in sizes), f"bytes / sample from {LARGE:,}")
    for source, each in slopes.items():
        peaks = [row["peak bytes"] / 1e6 for row in rows if row["source"] == source]
        table.add_row(source, *(f"{peak:.1f}" for peak in peaks), f"{each:.4f}")
    console = Console()
    console.print(table)
    one = int(np.prod(SHAPE)) + 10 * SHAPE[-1] * 8
    console.print(f"a sample and its answer are {one} bytes", highlight=False)
    told = {"rows": rows, "bytes per sample": slopes, "bytes of a sample and its answer": one}
    console.print(f"wrote {write_json('memory', told, results)}")


if __name__ == "__main__":
    typer.run(main)
