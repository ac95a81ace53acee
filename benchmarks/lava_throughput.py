"""Milliseconds per sample of the Lava backends on random networks, their first answers, memory, and cost of spikes.

    python -m benchmarks.lava_throughput all                     # JSON in benchmarks/results
    python -m benchmarks.lava_throughput throughput --work conv
    python -m benchmarks.lava_throughput small                   # first answers, cost of spikes, memory

What measures is `lava_qsnn.bench`, which the command `lava-qsnn bench lava` runs, too.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks._timing import RESULTS
from lava_qsnn.bench import lava
from lava_qsnn.bench.machine import write_json

app = typer.Typer(add_completion=False, no_args_is_help=True)
console = Console()

Repeats = Annotated[int, typer.Option(min=1, help="Runs of each backend; the median counts.")]
Results = Annotated[Path, typer.Option(help="Folder for the JSON file.")]


@app.command()
def throughput(work: str = "dense", repeats: Repeats = 7, results: Results = RESULTS) -> None:
    """Milliseconds per sample of all backends on one kind of work: dense, layers, conv or strided."""
    _tell(f"lava_{work}", {work: lava.measure_throughput(work, repeats, console.print)}, results)


@app.command("all")
def everything(repeats: Repeats = 7, results: Results = RESULTS) -> None:
    """All measurements."""
    measured = {work: lava.measure_throughput(work, repeats, console.print) for work in lava.GOALS}
    _tell("lava_throughput", measured | _others(), results)


@app.command()
def small(results: Results = RESULTS) -> None:
    """Latency, cost of spikes and memory."""
    _tell("lava_small", _others(), results)


def _others() -> dict[str, Any]:
    return {
        "latency": lava.measure_latency(),
        "events": lava.measure_events(),
        "memory_mb": lava.measure_memory(console.print),
    }


def _tell(name: str, measured: dict[str, Any], folder: Path) -> None:
    for work, result in measured.items():
        if "contenders" not in result:
            console.print(work, result)
            continue
        table = Table("backend", "ms per sample", "least", "most", "s to start", title=work)
        for backend, row in result["contenders"].items():
            table.add_row(backend, *(f"{value:.3g}" for value in row.values()))
        console.print(table)
        for goal in result["goals"]:
            console.print(f"{goal['ratio']}: {goal['reached']:.3g}, goal {goal['goal']}")
    contenders = [asdict(contender) for contender in lava.CONTENDERS]
    console.print(f"wrote {write_json(name, {'contenders': contenders, **measured}, folder)}")


if __name__ == "__main__":
    app()
