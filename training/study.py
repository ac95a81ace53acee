"""Variants of one training side by side, with several seeds each.

    python training/study.py regulation_spoken --folder FOLDER
    python training/study.py regulation_spoken --report

Every training becomes a row of benchmarks/results/study.csv. Those that the file has are not trained again, so that
an interrupted study goes on where it stopped. At the end, and with --report alone, comes a table, also as Markdown and
as a picture. The variants are in studies.py; each training takes one thread.
"""

from __future__ import annotations

import json
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from history_rows import append, read_rows
from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.curves import read_logs
from lava_qsnn.train.train import train
from studies import STUDIES
from study_report import COLUMNS, Row, draw, lines, markdown, summarize

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def measure(study: str, variant: str, place: Mapping[str, Any], seed: int, folder: Path) -> Row:
    """Train one variant with one seed, on one thread; `place` are changes that results do not depend on."""
    torch.set_num_threads(1)
    of = STUDIES[study]
    config = override(load_config(of.config), {**of.common, **of.variants[variant], **place, "seed": seed})
    name = f"{study} {variant} {seed} {time.time_ns()}".replace(",", "").replace(" ", "-")
    result = train(config, folder / name, progress=False)
    last = {name: values[max(values)] for name, values in read_logs(result.logs).items() if values}
    return Row(
        study=study,
        variant=variant,
        seed=seed,
        epochs=config.trainer.max_epochs,
        test_accuracy=round(result.test_accuracy, 5),
        validation_accuracy=round(result.last_accuracy, 5),
        training_accuracy=round(last["train_accuracy"], 5),
        rates=" ".join(f"{value:.3f}" for name, value in last.items() if name.startswith("rate_")),
        seconds_per_epoch=round(result.seconds_per_epoch, 2),
        changes=json.dumps({**of.common, **of.variants[variant]}, sort_keys=True),
        torch=torch.__version__,
        command=shlex.join(["python", "training/study.py", study, "--folder", "FOLDER"]),
    )


def report(study: str, results: Path, console: Console) -> None:
    """Print the table of a study, and write it as Markdown and as a picture beside the CSV file."""
    summaries = summarize(row for row in read_rows(results / "study.csv", Row) if row.study == study)
    if not summaries:
        console.print(f"nothing is measured of {study} yet")
        return
    title = STUDIES[study].title
    table = Table(*COLUMNS, title=title)
    for line in lines(summaries):
        table.add_row(*line)
    console.print(table)
    (results / f"{study}.md").write_text(markdown(title, summaries), "utf-8")
    draw(summaries, results / f"{study}.png", title)
    console.print(f"wrote {study}.md and {study}.png to {results}")


def main(
    study: Annotated[str, typer.Argument(help=f"One of {', '.join(STUDIES)}.")],
    folder: Annotated[Path | None, typer.Option(help="Folder that holds the data set.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds, from 0.")] = 3,
    only: Annotated[str, typer.Option(help="Only variants whose names contain this.")] = "",
    workers: Annotated[int, typer.Option(min=1, help="Trainings at once.")] = 1,
    results: Annotated[Path, typer.Option(help="Folder of study.csv.")] = RESULTS,
    runs: Annotated[Path, typer.Option(help="Folder for checkpoints and logs.")] = Path("runs/study"),
    report_only: Annotated[bool, typer.Option("--report", help="Only show what was measured.")] = False,
) -> None:
    """Train every variant that the results lack, then show the table."""
    if study not in STUDIES:
        raise typer.BadParameter(f"there is no study '{study}': choose one of {', '.join(STUDIES)}")
    console = Console()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an end that takes its trainings with it
    path = results / "study.csv"
    if not report_only:
        known = {(row.variant, row.seed) for row in read_rows(path, Row) if row.study == study}
        names = [name for name in STUDIES[study].variants if only in name]
        wanted = [(name, seed) for seed in range(seeds) for name in names if (name, seed) not in known]
        place = {"data.folder": str(folder)} if folder else {}
        _train_missing(study, wanted, place, workers, path, runs, console)
    report(study, results, console)


def _train_missing(
    study: str,
    wanted: list[tuple[str, int]],
    place: Mapping[str, Any],
    workers: int,
    path: Path,
    runs: Path,
    console: Console,
) -> None:
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    pending: dict[Future[Row], str] = {
        pool.submit(measure, study, name, place, seed, runs): f"{name}, seed {seed}" for name, seed in wanted
    }
    try:
        for done in as_completed(pending):
            row = done.result()
            append(path, row)
            console.print(f"{pending[done]}: {row.test_accuracy:.2%}")
    finally:
        pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    typer.run(main)
