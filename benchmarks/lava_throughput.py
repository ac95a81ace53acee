"""Milliseconds per sample of the Lava backends on random networks, their first answers, memory, and cost of spikes.

    python -m benchmarks.lava_throughput all --output lava.json
    python -m benchmarks.lava_throughput throughput --work dense --repeats 5

What measures is `netx_export._bench`, which the command `lava-qsnn bench lava` runs, too.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from netx_export._bench import lava

app = typer.Typer(add_completion=False, no_args_is_help=True)
console = Console(stderr=True)

Repeats = Annotated[int, typer.Option(min=1, help="Runs of each backend; the median counts.")]
Output = Annotated[Path | None, typer.Option(help="JSON file; standard output if none.")]


@app.command()
def throughput(work: str = "dense", repeats: Repeats = 3, output: Output = None) -> None:
    """Milliseconds per sample of all backends on one kind of work: dense, layers or conv."""
    _tell({work: lava.measure_throughput(work, repeats, console.print)}, output)


@app.command("all")
def everything(repeats: Repeats = 3, output: Output = None) -> None:
    """All measurements."""
    results = {work: lava.measure_throughput(work, repeats, console.print) for work in lava.GOALS}
    _tell(results | _others(), output)


@app.command()
def small(output: Output = None) -> None:
    """Latency, cost of spikes and memory."""
    _tell(_others(), output)


def _others() -> dict[str, Any]:
    return {
        "latency": lava.measure_latency(),
        "events": lava.measure_events(),
        "memory_mb": lava.measure_memory(console.print),
    }


def _tell(results: dict[str, Any], output: Path | None) -> None:
    for work, result in results.items():
        if "contenders" not in result:
            continue
        table = Table(title=work)
        for title in ("backend", "ms per sample", "least", "most", "s to start"):
            table.add_column(title)
        for name, row in result["contenders"].items():
            table.add_row(name, *(f"{value:.3g}" for value in row.values()))
        console.print(table)
    text = json.dumps({"contenders": [asdict(contender) for contender in lava.CONTENDERS], **results}, indent=2)
    if output is None:
        typer.echo(text)
    else:
        output.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    app()
