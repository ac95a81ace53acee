"""All cores: `fast` on one thread beside several, by the clock, of `simulate` as called; and how batch sizes share out.

    python -m benchmarks.threads            # JSON and a picture in benchmarks/results
    python -m benchmarks.threads --quick    # a few seconds, only to see that it runs

The networks of `benchmarks.inference`. One thread and each larger number take turns, and a ratio is
the median over neighbouring runs. BLAS has one thread in all of them. Beside them, what the machine itself allows:
processes of one thread each, which share nothing but its memory, beside one of them alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

import netx_export
from benchmarks._timing import RESULTS, interleave, ratio
from benchmarks.inference import CASES, Case, build, samples
from lava_qsnn.bench.machine import write_json
from lava_qsnn.engines import cores
from lava_qsnn.extras import extra

BATCHES = (1, 8, 65, 256, 1024)

#: Of the ratio on two cores, for batches above 64; and of a single sample.
GOALS = {"batches above 64, two threads": 1.9, "one sample": 1.0}


def measure(case: Case, batches: tuple[int, ...], threads: tuple[int, ...], runs: int) -> list[dict[str, Any]]:
    """One row for each batch: milliseconds a sample, and how many times faster each number of threads is than one."""
    network = netx_export.export(build(case), None, case.input_shape, case.timesteps, case.input_bits)
    return [_row(case, network, np.ascontiguousarray(samples(case, batch)), threads, runs) for batch in batches]


def _row(case: Case, network: Any, x: Any, threads: tuple[int, ...], runs: int) -> dict[str, Any]:
    contenders: dict[str, Callable[[], Any]] = {
        str(count): partial(netx_export.simulate, network, x, "fast", threads=count) for count in (1, *threads)
    }
    truth = contenders["1"]()
    assert all(np.array_equal(contender(), truth) for contender in contenders.values())
    timings = interleave(contenders, runs)
    return {
        "network": case.name,
        "batch": len(x),
        "ms per sample, one thread": 1000 * timings["1"].median / len(x),
        "times as fast": {str(count): asdict(ratio(timings["1"], timings[str(count)])) for count in threads},
    }


def ceiling(case: Case, batch: int, processes: tuple[int, ...], seconds: float) -> dict[str, float]:
    """Calls per second of so many processes beside each other, each with one thread, over those of one."""
    network = netx_export.export(build(case), None, case.input_shape, case.timesteps, case.input_bits)
    x = np.ascontiguousarray(samples(case, batch))
    call = partial(netx_export.simulate, network, x, "fast", threads=1)
    call()
    alone = _rate(call, 1, seconds)
    return {str(count): _rate(call, count, seconds) / alone for count in processes}


def _rate(call: Callable[[], Any], processes: int, seconds: float) -> float:
    """Calls per second of forked processes that begin at the same time."""
    context = get_context("fork")
    start, rates = context.Barrier(processes), context.SimpleQueue()

    def work() -> None:
        with threadpool_limits(1):
            call()
            start.wait()
            calls, begun = 0, time.perf_counter()
            while time.perf_counter() - begun < seconds:
                call()
                calls += 1
            rates.put(calls / (time.perf_counter() - begun))

    started = [context.Process(target=work) for _ in range(processes)]
    for each in started:
        each.start()
    total = sum(rates.get() for _ in started)
    for each in started:
        each.join()
    return total


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the ratios against the batch, a line for each network and number of threads."""
    with extra("plot"):
        from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for name in dict.fromkeys(row["network"] for row in rows):
        mine = [row for row in rows if row["network"] == name]
        for count in mine[0]["times as fast"]:
            medians = [row["times as fast"][count]["median"] for row in mine]
            axes.plot(
                [row["batch"] for row in mine], medians, marker="o", markersize=4, label=f"{name}, {count} threads"
            )
    axes.axhline(1, color="0.6", linewidth=0.8)
    axes.set(xscale="log", xlabel="samples of a batch", ylabel="times as fast as one thread", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=130)


def main(
    runs: Annotated[int, typer.Option(min=2, help="Of each, after two to warm up.")] = 15,
    quick: Annotated[bool, typer.Option("--quick", help="Small, to see that it runs.")] = False,
    results: Annotated[Path, typer.Option(help="Folder for the JSON file and the picture.")] = RESULTS,
) -> None:
    """Measure, print ratios, write JSON, draw."""
    threads = tuple(count for count in (2, 4, 8, 16, 32, 64) if count <= cores()) or (1,)
    cases, batches = (CASES[1:2], (1, 65)) if quick else (CASES, BATCHES)
    rows = [row for case in cases for row in measure(case, batches, threads, 2 if quick else runs)]
    table = Table("network", "batch", "ms / sample, 1 thread", *(f"{count} threads, times" for count in threads))
    for row in rows:
        found = (row["times as fast"][str(count)] for count in threads)
        cells = [f"{each['median']:.2f} ({each['low']:.2f} .. {each['high']:.2f})" for each in found]
        table.add_row(row["network"], str(row["batch"]), f"{row['ms per sample, one thread']:.4f}", *cells)
    console = Console()
    console.print(table)
    console.print(f"load {os.getloadavg()[0]:.1f} on {cores()} cores", highlight=False)
    most, seconds = (65, 0.1) if quick else (1024, 2.0)
    ceilings = {case.name: ceiling(case, most, threads, seconds) for case in cases}
    for name, allowed in ceilings.items():
        times = ", ".join(f"{value:.2f} with {count} processes" for count, value in allowed.items())
        console.print(f"what the machine allows, {name}: {times}", highlight=False)
    told = {"goals": GOALS, "cores": cores(), "rows": rows, "processes": ceilings}
    console.print(f"wrote {write_json('threads', told, results)}")
    draw(rows, results / "threads.png")
    console.print(f"drew {results / 'threads.png'}")


if __name__ == "__main__":
    typer.run(main)
