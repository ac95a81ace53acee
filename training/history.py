"""The cost and the use of a neuron's memory: potentials of few bits, histories of few spikes, same networks, same data.

    python training/history.py spoken_crossings --folder FOLDER
    python training/history.py nmnist --folder FOLDER --grid small
    python training/history.py cifar10 --folder FOLDER --device cuda --epochs 60 --channels 64,128,256

Every setting is trained with each seed, exported (which proves torch equal to the integers), and becomes a row of
benchmarks/results/history.csv. A run that is interrupted goes on where it stopped: settings in the file are not trained
again. At the end, and with --report alone, comes a table (also as Markdown) and a picture for the data set.

State is counted per spiking neuron: b bits of potential for each target, K spikes of one bit for each source, inputs
included, the present spike included; 32 bits for a potential of full precision.
"""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from history_plot import draw
from history_rows import Setting, Summary, append, read, setting_of, summarize
from history_runs import Shared, base, network_name, trained
from lava_qsnn.errors import RunError
from lava_qsnn.tasks import Answer, Job, computed, connected, pool
from lava_qsnn.train.config import override

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"

BITS = (None, 8, 4, 3, 2)
DECAYS = (0.5, 0.75, 0.875, 0.9375)
HISTORIES = (1, 2, 4, 8, 16, 64)

#: Powers of two over more steps than this exceed what float32 computes exactly.
LONGEST_SHIFT = 16


@dataclass(frozen=True)
class Grid:
    """Settings to try: potentials of all bits and decays, some of hard reset, all taps, and some of both with WS-DR."""

    bits: tuple[int | None, ...]
    decays: tuple[float, ...]
    hard_decays: tuple[float, ...]
    histories: tuple[int, ...]
    taps: tuple[str, ...]
    regulated: bool


GRIDS = {
    "full": Grid(BITS, DECAYS, DECAYS[2:], HISTORIES, ("shift", "geometric", "learned"), True),
    "small": Grid((None, 4, 2), (0.5, 0.875), (0.875,), HISTORIES, ("shift", "geometric", "learned"), True),
    "tiny": Grid((None, 4, 2), (0.5,), (), (1, 4), ("shift", "geometric"), False),
}


def settings(timesteps: int, grid: Grid) -> list[Setting]:
    """The settings of a grid for samples of T steps; histories longer than T are T."""
    found = [
        Setting("quantized_lif", bits=bits, decay=decay, reset=reset)
        for reset, decays in (("soft", grid.decays), ("hard", grid.hard_decays))
        for decay in decays
        for bits in grid.bits
    ]
    histories = sorted({min(history, timesteps) for history in grid.histories})
    for taps in grid.taps:
        for history in histories:
            # All taps of one step are alike, and long powers of two are beyond float32.
            if (history > 1 or taps == "shift") and (taps != "shift" or history <= LONGEST_SHIFT):
                found.append(Setting("memory_free", history=history, taps=taps))
    if not grid.regulated:
        return found
    chosen = [Setting("quantized_lif", bits=bits, decay=grid.decays[-1], reset="soft") for bits in grid.bits]
    chosen += [Setting("memory_free", history=history, taps="geometric") for history in histories[-2:]]
    chosen += [Setting("memory_free", history=min(4, timesteps), taps="shift")]
    return found + [replace(setting, regulated=True) for setting in chosen]


def table_lines(summaries: list[Summary]) -> Iterator[tuple[str, ...]]:
    """Setting, accuracy, spread, seeds, state bits, file bytes, seconds per epoch; best first."""
    for summary in sorted(summaries, key=lambda summary: -summary.mean):
        yield (
            summary.setting.name,
            f"{summary.mean:.2%}",
            f"{summary.spread:.2%}",
            str(len(summary.accuracies)),
            f"{summary.state_bits:.1f}",
            f"{summary.file_bytes:,}" if summary.file_bytes else "not deployable",
            f"{summary.seconds_per_epoch:.2f}",
        )


def chosen_lines(summaries: list[Summary]) -> Iterator[tuple[str, ...]]:
    """Of each kind of neuron the setting with the best validation accuracy, its test accuracy beside it."""
    kinds: dict[str, list[Summary]] = {}
    for summary in summaries:
        setting = summary.setting
        if not setting.regulated:
            potential = f"potential of {setting.bits} bits" if setting.bits else "potential of full precision"
            free = f"memory-free, {setting.taps} taps"
            kinds.setdefault(potential if setting.family == "quantized_lif" else free, []).append(summary)
    for kind, group in kinds.items():
        best = max(group, key=lambda summary: summary.validation)
        yield (kind, *next(table_lines([best]))[:6])


COLUMNS = ("neuron", "test accuracy", "spread", "seeds", "state bits", "file bytes", "s / epoch")


def report(data: str, results: Path, console: Console) -> None:
    """Print the table of a data set, and write it as Markdown and as a picture beside the CSV file."""
    rows = [row for row in read(results / "history.csv") if row.data == data]
    if not rows:
        console.print(f"nothing is measured on {data} yet")
        return
    summaries = summarize(rows)
    title = f"{data}, {rows[0].network}, {rows[0].weight_bits}-bit weights, {rows[0].epochs} epochs"
    table = Table(*COLUMNS, title=title)
    lines = list(table_lines(summaries))
    for line in lines:
        table.add_row(*line)
    console.print(table)
    text = [f"# {title}", "", *_markdown(COLUMNS, lines), "## Chosen by validation accuracy", ""]
    text += _markdown(("kind", *COLUMNS[:6]), list(chosen_lines(summaries)))
    (results / f"history_{data}.md").write_text("\n".join(text), "utf-8")
    draw(summaries, results / f"history_{data}.png", title)
    console.print(f"wrote history_{data}.md and history_{data}.png to {results}")


def _markdown(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    return [_row(columns), _row(["---"] * len(columns)), *map(_row, lines), ""]


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def main(
    data: Annotated[str, typer.Argument(help="spoken_crossings, spoken_digits, nmnist or cifar10.")],
    folder: Annotated[Path | None, typer.Option(help="Folder that holds the data set.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds, from 0.")] = 3,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of each training.")] = None,
    grid: Annotated[str, typer.Option(help="full, small or tiny.")] = "full",
    channels: Annotated[str | None, typer.Option(help="Of a convolutional network, such as 64,128,256.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Trainings at once, of one thread each if more than 1.")
    ] = None,
    cluster: Annotated[str | None, typer.Option(help="Scheduler of Dask's whose workers train, instead.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of history.csv.")] = RESULTS,
    runs: Annotated[Path, typer.Option(help="Folder for checkpoints and logs.")] = Path("runs/history"),
    report_only: Annotated[bool, typer.Option("--report", help="Only draw what was measured.")] = False,
) -> None:
    """Train every setting that the results lack, then show the table."""
    console = Console()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an end that takes its trainings with it
    if not report_only:
        changes: dict[str, Any] = {"data.folder": folder and str(folder), "trainer.accelerator": device}
        if epochs is not None:
            changes["trainer.max_epochs"] = epochs
        if channels is not None:
            changes["model.channels"] = [int(width) for width in channels.split(",")]
        count = workers or (1 if cluster is None else None)
        _train_missing(data, changes, seeds, grid, count, cluster, results / "history.csv", runs, console)
    report(data, results, console)


def _train_missing(
    data: str,
    changes: dict[str, Any],
    seeds: int,
    grid: str,
    workers: int | None,
    cluster: str | None,
    path: Path,
    runs: Path,
    console: Console,
) -> None:
    config = override(base(data), changes)
    known = {(setting_of(row), row.seed, row.network, row.epochs) for row in read(path) if row.data == data}
    wanted = [
        (setting, seed)
        for seed in range(seeds)
        for setting in settings(config.data.timesteps, GRIDS[grid])
        if (setting, seed, network_name(config), config.trainer.max_epochs) not in known
    ]
    threads = torch.get_num_threads() if workers == 1 and torch.cuda.is_available() else 1
    command = shlex.join(["python", "training/history.py", *sys.argv[1:]])
    job = Job.of(trained, Shared(data, changes, runs, threads, command))
    connection = nullcontext() if cluster is None else connected(cluster)
    with Progress(console=console) as progress, connection as client, pool(job, workers, client) as place:
        task = progress.add_task(f"{data}, {len(wanted)} trainings", total=len(wanted))
        for (setting, seed), answer in computed(place, wanted):
            console.print(f"{setting.name}, seed {seed}: {_recorded(answer, path)}")
            progress.advance(task)


def _recorded(answer: Answer, path: Path) -> str:
    """Add a training's row to the file, and say its accuracy, or why there is none."""
    try:
        row = answer.value()
    except RunError as error:  # twice; the next call tries it again
        return f"failed, {error}"
    if isinstance(row, str):
        return f"left out, {row}"
    append(path, row)
    return f"{row.test_accuracy:.2%}"


if __name__ == "__main__":
    typer.run(main)
