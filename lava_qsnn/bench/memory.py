"""A program that prints the memory of a run, in MB: `python -m lava_qsnn.bench.memory BACKEND`, on Linux."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

import netx_export
from lava_qsnn.bench.lava import inputs_of, network_of


def largest_of(backend: str) -> float:
    """The largest proportional set size, in MB, of a run of the dense network and all its processes."""
    largest = 0.0

    def look(_: float) -> None:
        nonlocal largest
        everyone = [os.getpid(), *(child.pid for child in multiprocessing.active_children())]
        largest = max(largest, sum(_kilobytes(number) for number in everyone if number is not None) / 1024)

    network = network_of("dense", backend)
    netx_export.simulate(network, inputs_of(network, 200), backend, progress=look)
    return largest


def _kilobytes(number: int) -> int:
    """The proportional set size of a process: its own memory, and its share of what it shares."""
    lines = Path(f"/proc/{number}/smaps_rollup").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    print(largest_of(sys.argv[1]))
