"""Throughput against workers: measured as far as there are cores, and modelled beyond from measured costs.

    python -m benchmarks.scaling all         # ten minutes; or one by one:
    python -m benchmarks.scaling measure     # the costs of a task, a transfer, a run and a sample; scaling.json
    python -m benchmarks.scaling model       # 1 to 1,000 workers, 10^4 to 10^9 samples, from scaling.json; the picture
    python -m benchmarks.scaling workers     # the goal of two workers, run by run, three minutes; workers.json

The machine should have nothing else to do.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import netx_export
from benchmarks._scaling_model import Costs, Outcome, simulate, stops
from benchmarks._timing import RESULTS, interleave, ratio
from lava_qsnn.bench.machine import write_json
from lava_qsnn.integer import Connection, Dense, Input, IntegerNetwork, Layer, MemoryFree, Readout
from lava_qsnn.tasks import Job, computed, pool
from netx_export._chunks import Chunk
from netx_export._many import small

app = typer.Typer(add_completion=False, no_args_is_help=True)
console = Console()

#: Backends, and the samples of a short run, a long one, and of a computation on one and on two workers.
BACKENDS = {"netx": (20, 400, 1000), "lava": (20, 400, 2000), "fast": (500, 20000, 200000)}

WORKERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
SAMPLES = (10**4, 10**5, 10**6, 10**7, 10**8, 10**9)

#: Bytes of a task in the measurement of transfers.
LOAD = 2**22

Results = Annotated[Path, typer.Option(help="Folder of the JSON files and the picture.")]
Scale = Annotated[float, typer.Option(min=0.01, help="Fraction of the samples, to try it out.")]
Repeats = Annotated[int, typer.Option(min=1, help="Of each measurement; the median counts.")]


def make_network(timesteps: int = 4) -> IntegerNetwork:
    """784-256-10, 1-bit weights, history 4: what unmodified NetX computes, too."""
    numbers = np.random.default_rng(0)
    neuron = MemoryFree((8, 4, 2, 1), numbers.integers(-100, 600, 256))
    layers = (
        Layer("dense1", (Connection("input", Dense(numbers.choice([-1, 1], (256, 784)))),), neuron),
        Layer("output", (Connection("dense1", Dense(numbers.choice([-1, 1], (10, 256)))),), Readout((8, 4, 2, 1))),
    )
    return IntegerNetwork(Input((784,), 1), timesteps, layers)


def inputs(network: IntegerNetwork, samples: int) -> NDArray[np.uint8]:
    """Random spikes."""
    shape = (samples, *network.input.shape, network.timesteps)
    return np.random.default_rng(1).integers(0, 2, shape, np.uint8)


def seconds(function: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def nothing(_: Any, task: bytes) -> bytes:
    """Give a task back."""
    return task


def length(_: Any, task: bytes) -> int:
    """Tell only how long a task is."""
    return len(task)


def task_seconds(function: Any, tasks: Iterable[bytes], client: Any) -> float:
    """Seconds per task of a cluster whose workers have computed before."""
    with pool(Job.of(function, None), client=client) as place:
        list(computed(place, [b""] * 8))
        known = list(tasks)
        return seconds(lambda: list(computed(place, known))) / len(known)


def cluster_costs(repeats: int) -> dict[str, float]:
    """The seconds of a task without content, and the bytes that pass in a second, on a local cluster of two workers."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        task = statistics.median(task_seconds(nothing, [b""] * 300, client) for _ in range(repeats))
        full = statistics.median(task_seconds(length, [bytes(LOAD)] * 24, client) for _ in range(repeats))
    return {"task": task, "second_of_bytes": LOAD / max(full - task, 1e-9)}


def run_costs(network: IntegerNetwork, backend: str, few: int, many: int, repeats: int) -> dict[str, float]:
    """Seconds of a run and of each of its samples, from short and long runs; the cores that a long one keeps busy."""
    x, busy = inputs(network, many), list[float]()

    def long() -> None:
        before, start = _cpu_seconds(), time.perf_counter()
        netx_export.simulate(network, x, backend)
        busy.append((_cpu_seconds() - before) / (time.perf_counter() - start))

    contenders = {"few": lambda: netx_export.simulate(network, x[:few], backend), "many": long}
    timings = interleave(contenders, repeats, 1)
    sample = max(timings["many"].median - timings["few"].median, 1e-9) / (many - few)
    return {"run": max(0.0, timings["few"].median - few * sample), "sample": sample, "cores": statistics.median(busy)}


def _cpu_seconds() -> float:
    """Seconds of processor time of this process and of its children that have ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def start_seconds(network: IntegerNetwork, backend: str, run: float) -> float:
    """Seconds until a new process has answered its first sample, without the run itself."""
    x = inputs(network, 1)
    return max(0.0, seconds(lambda: netx_export.simulate(network, x, backend, workers=1)) - run)


def measured_throughput(network: IntegerNetwork, backend: str, samples: int, repeats: int) -> dict[str, Any]:
    """Samples per second of one worker and of two, by turns, and the ratio run by run."""
    x = inputs(network, samples)
    contenders = {
        str(count): lambda count=count: netx_export.simulate(network, x, backend, workers=count) for count in (1, 2)
    }
    timings = interleave(contenders, repeats, 0)
    found = ratio(timings["1"], timings["2"])
    rates = {count: samples / timing.median for count, timing in timings.items()}
    return {"samples": samples, "samples_per_second": rates, "speedup": asdict(found), "seconds": _all(timings)}


def _all(timings: Any) -> dict[str, list[float]]:
    return {name: list(timing.seconds) for name, timing in timings.items()}


@app.command()
def measure(results: Results = RESULTS, repeats: Repeats = 5, scale: Scale = 1.0) -> dict[str, Any]:
    """Measure the costs of the model."""
    network = make_network()
    passage = cluster_costs(repeats)
    console.print("cluster:", passage)
    found = dict[str, Any]()
    for backend, sizes in BACKENDS.items():
        few, many, _ = (max(4, int(size * scale)) for size in sizes)
        costs = run_costs(network, backend, few, max(many, 2 * few), repeats)
        costs["start"] = start_seconds(network, backend, costs["run"])
        costs["input_bytes"] = small(network, Chunk(0, inputs(network, 1))).x.nbytes
        costs["output_bytes"] = 10 * network.timesteps * 2
        found[backend] = costs
        console.print(backend, costs)
    console.print(f"wrote {write_json('scaling', {'cluster': passage, 'backends': found}, results)}")
    return found


@app.command()
def workers(
    results: Results = RESULTS,
    repeats: Repeats = 3,
    scale: Scale = 1.0,
    backend: Annotated[list[str], typer.Option(help="Again for each: netx, lava, fast.")] = ["netx", "lava"],  # noqa: B006
) -> None:
    """Measure one worker beside two: the goal is 0.9 of (cores of the machine, 2 at most) / (cores of one run)."""
    network, costs = make_network(), dict[str, dict[str, float]]()
    for name in backend:
        few, many, _ = (max(4, int(size * scale)) for size in BACKENDS[name])
        costs[name] = run_costs(network, name, few, max(many, 2 * few), repeats)
    beside(costs, results, repeats, scale)


def beside(costs: dict[str, dict[str, float]], results: Path, repeats: int, scale: float) -> None:
    """Measure one worker beside two of each backend whose costs are known; print, write workers.json."""
    network, found = make_network(), dict[str, Any]()
    heads = ("cores of a run", "1 worker, samples / s", "2 workers", "times as fast", "goal")
    table = Table("backend", *heads, title="two workers beside one")
    for name, known in costs.items():
        cores = max(1.0, known["cores"])
        measured = measured_throughput(network, name, max(4, int(BACKENDS[name][2] * scale)), repeats)
        goal = 0.9 * min(2, os.cpu_count() or 1) / cores
        found[name] = {**measured, "cores_of_a_run": cores, "goal": goal}
        rates = [f"{rate:,.1f}" for rate in measured["samples_per_second"].values()]
        table.add_row(name, f"{cores:.2f}", *rates, f"{measured['speedup']['median']:.2f}", f"{goal:.2f}")
    console.print(table)
    console.print(f"wrote {write_json('workers', found, results)}")


@app.command()
def model(results: Results = RESULTS) -> None:
    """Model what the costs of scaling.json come to, and draw it with what was measured."""
    known = json.loads((results / "scaling.json").read_text("utf-8"))
    all_costs = {backend: _costs(known, backend) for backend in BACKENDS}
    outcomes = {
        backend: {n: {w: simulate(costs, w, n) for w in WORKERS} for n in SAMPLES}
        for backend, costs in all_costs.items()
    }
    console.print(model_table(all_costs, outcomes))
    plain = {
        backend: {
            "stops_at_workers": stops(all_costs[backend]),
            "samples_per_second": {n: {w: n / each.seconds for w, each in row.items()} for n, row in rows.items()},
            "bound": {n: {w: each.bound for w, each in row.items()} for n, row in rows.items()},
        }
        for backend, rows in outcomes.items()
    }
    path = results / "scaling_model.json"
    path.write_text(json.dumps({"costs": known, "modelled": plain}, indent=1) + "\n", "utf-8")
    measured = results / "workers.json"
    draw(outcomes, json.loads(measured.read_text("utf-8")) if measured.exists() else {}, results / "scaling.png")
    console.print(f"wrote {path}, drew {results / 'scaling.png'}")


@app.command("all")
def everything(results: Results = RESULTS, repeats: Repeats = 5, scale: Scale = 1.0) -> None:
    """Measure the costs, and two workers beside one; then model and draw."""
    beside(measure(results, repeats, scale), results, repeats, scale)
    model(results)


def _costs(known: dict[str, Any], backend: str) -> Costs:
    parts = {name: value for name, value in known["backends"][backend].items() if name != "cores"}
    return Costs(**known["cluster"], **parts)


def model_table(costs: dict[str, Costs], outcomes: dict[str, dict[int, dict[int, Outcome]]]) -> Table:
    """Samples per second and bounds, for the README of the model: rows of backends and samples, columns of workers."""
    shown = (1, 10, 100, 1000)
    table = Table("backend", "samples", *(f"{w:,} workers" for w in shown), "scheduler-bound from", title="modelled")
    for backend, rows in outcomes.items():
        for samples in (10**4, 10**6, 10**9):
            cells = [f"{samples / rows[samples][w].seconds:,.0f}/s, {rows[samples][w].bound}" for w in shown]
            table.add_row(backend, f"{samples:,}", *cells, f"{stops(costs[backend]):,}")
    return table


def draw(outcomes: dict[str, dict[int, dict[int, Outcome]]], measured: dict[str, Any], path: Path) -> None:
    """Plot throughput against workers: lines are modelled, dots are measured."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.9), layout="constrained")
    for axis, (backend, rows) in zip(figure.subplots(1, len(outcomes)), outcomes.items()):
        for samples in (10**4, 10**6, 10**9):
            rates = [samples / outcome.seconds for outcome in rows[samples].values()]
            axis.plot(list(rows[samples]), rates, label=f"modelled, 10^{len(str(samples)) - 1} samples")
        if backend in measured:
            rates = measured[backend]["samples_per_second"]
            places = [int(count) for count in rates]
            axis.plot(places, list(rates.values()), "o", color="black", label="measured, processes of one machine")
        axis.set(xscale="log", yscale="log", xlabel="workers", title=backend)
        axis.grid(alpha=0.3, which="both")
        axis.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("samples per second")
    figure.axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    app()
