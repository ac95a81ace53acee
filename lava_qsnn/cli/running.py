"""Verbs that run networks: on samples, on all backends beside each other, and against the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lava_qsnn.cli import completion
from lava_qsnn.cli.arrays import in_parts
from lava_qsnn.cli.inputs import (
    Predictions,
    chosen_workers,
    given_samples,
    known_labels,
    predictions_text,
    restored,
    score,
    to_run,
)
from lava_qsnn.cli.options import (
    ARRAYS,
    PICTURE_FILES,
    Array,
    AsJson,
    Backend,
    Backends,
    DataOptions,
    ItsCheckpoint,
    NetworkFile,
    Samples,
    Threads,
    TimeLimit,
    WorkerOptions,
)
from lava_qsnn.cli.results import print_json
from lava_qsnn.cli.tables import goal_table, report_table, throughput_table
from lava_qsnn.cli.terminal import progress_bar, say, show, warn
from lava_qsnn.errors import QsnnError
from lava_qsnn.extras import require
from lava_qsnn.outputs import PICTURES, writable

if TYPE_CHECKING:
    import numpy as np

    from lava_qsnn.integer import IntegerNetwork

Answers = Annotated[
    Path | None, typer.Option("--output", help="Write the answers to an .npy file.", autocompletion=ARRAYS)
]
Picture = Annotated[
    Path | None,
    typer.Option("--picture", help="Draw the first sample to a PNG file.", autocompletion=PICTURE_FILES),
]


Record = Annotated[Path | None, typer.Option("--record", help="Write the counts of each part to a file.")]


def run(
    file: NetworkFile,
    of: DataOptions,
    who: WorkerOptions,
    backend: Backend = "reference",
    samples: Samples = 100,
    array: Array = None,
    output: Answers = None,
    picture: Picture = None,
    time_limit: TimeLimit = None,
    threads: Threads = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with --output where a run was ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run test samples, or an array of your own, through a network on one backend. Neither need fit into memory."""
    import netx_export

    if picture is not None:
        require("plot", "matplotlib")
        writable(picture, PICTURES)
    if output is not None:
        writable(output, (".npy",))
    network, at_once = netx_export.load(file), resume or who.are_given
    if array is not None:
        x, total, labels, name = *to_run(network, None, array, samples, at_once), f"'{array}'"
    else:
        x, total, labels, name = given_samples(network, file, of, samples, at_once)
    with progress_bar(f"{backend}, {total} samples", total) as progress, chosen_workers(who) as where:
        options = {"time_limit": time_limit, "progress": progress, "resume": resume, "threads": threads, **where}
        answers: Any = netx_export.simulate(network, x, backend, out=output, **options)
        found = Predictions(network, in_parts(answers) if hasattr(answers, "shape") else answers)
    facts = {"backend": backend, "data": name, "samples": total}
    answered = _answered(network, found, known_labels(labels()))
    if picture is not None:
        first = x[:1] if hasattr(x, "shape") else given_samples(network, file, of, 1, True)[0]
        _draw(network, first, answered, picture, backend, file.name)
    told = {**facts, **{name: answered[name] for name in ANSWERED}, "output": output, "picture": picture}
    if as_json:
        print_json(told)
    else:
        show_run(told, None if output is None else answers.shape)


#: What is told of answers where there are labels, and of all.
SCORES = ("accuracy", "error")
ANSWERED = (*SCORES, "predicted", "classes", "told")


def _answered(network: IntegerNetwork, found: Predictions, labels: np.ndarray[Any, Any] | None) -> dict[str, Any]:
    """The class of each sample by number and name, how many are right, if that is known, and the first label."""
    import netx_export

    told = (
        predictions_text(network, found.predicted, found.count)
        if labels is None
        else score(network, found.predicted, labels)
    )
    if netx_export.tells_numbers(network):
        error = None if labels is None else float(((found.predicted - labels) ** 2).mean())
        numbers = {"predicted": found.predicted.tolist(), "classes": None, "label": None, "told": told}
        return {"accuracy": None, "error": error, **numbers}
    names = netx_export.class_names(network, found.count)
    return {
        "error": None,
        "told": told,
        "accuracy": None if labels is None else float((found.predicted == labels).mean()),
        "predicted": [int(number) for number in found.predicted],
        "classes": [names[number] for number in found.predicted],
        "label": None if labels is None else int(labels[0]),
    }


def _draw(
    network: IntegerNetwork, first: Any, answered: dict[str, Any], picture: Path, backend: str, title: str
) -> None:
    """Draw the first sample, with its true class if that is known."""
    import numpy as np

    import netx_export

    sample = np.asarray(first)[0]
    netx_export.plot_sample(network, sample, picture, backend=backend, label=answered["label"], title=title)


def show_run(told: dict[str, Any], shape: tuple[int, ...] | None) -> None:
    """Print what was written, and the accuracy or the classes."""
    if shape is not None:
        say(f"wrote {shape} integers to {told['output']}")
    if told["picture"] is not None:
        say(f"drew the first sample to {told['picture']}")
    if told["accuracy"] is not None or told["error"] is not None:
        say(f"{told['told']} on {told['samples']} samples of {told['data']}")
    elif shape is None:
        say(told["told"])


def _scored(network: IntegerNetwork, given: tuple[Any, int, Callable[[], Any], str]) -> dict[str, Any]:
    """The quality of a network's answers on test samples, where these have labels, by name and in words."""
    import netx_export

    x, total, labels, name = given
    answers: Any = netx_export.simulate(network, x, "fast")
    found, right = Predictions(network, [answers] if hasattr(answers, "shape") else answers), known_labels(labels())
    answered = _answered(network, found, right)
    told = "no labels are known" if right is None else answered["told"]
    return {**{name: answered[name] for name in SCORES}, "told": f"{told} on {total} samples of {name}"}


def verify(
    file: NetworkFile,
    of: DataOptions,
    who: WorkerOptions,
    checkpoint: ItsCheckpoint = None,
    backend: Backends = None,
    samples: Samples = 20,
    record: Record = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with --record where a run was ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare backends, and torch, with the reference: layer for layer, step for step. Fails if anything differs."""
    import netx_export

    network = netx_export.load(file)
    net = None
    if checkpoint is not None:
        net = restored(checkpoint)
    at_once = who.are_given or record is not None
    x, total, _, data = given_samples(network, file, of, samples, at_once, checkpoint)
    with progress_bar("verify", total) as progress, chosen_workers(who) as where:
        report = netx_export.verify(
            network,
            x,
            backend,
            net,
            lambda name, fraction: progress(fraction, f"{name}, {total} samples"),
            record=record,
            resume=resume,
            **where,
        )
    scored = _scored(network, given_samples(network, file, of, samples, at_once, checkpoint, is_told=False))
    if as_json:
        print_json(report, samples=total, data=data, **scored)
    else:
        show(report_table(report))
        say(scored["told"])
    for name in report.silent:
        warn(f"layer '{name}': every value was 0 on these samples")
    if not report.exact:
        raise QsnnError("the backends differ", remedy="report it with the file: this must never happen")


def bench_lava(
    quick: Annotated[bool, typer.Option("--quick", help="Few and small runs, without NetX: within 20 s.")] = False,
    repeats: Annotated[int | None, typer.Option("--repeats", min=1, help="Runs of each; the median counts.")] = None,
    output: Annotated[
        Path, typer.Option("--output", help="Folder for lava.json and lava.png.", autocompletion=completion.folders)
    ] = Path("runs/bench"),
    as_json: AsJson = False,
) -> None:
    """Measure the throughput of the Lava backends; draw it against depth, T, batch and spike rate."""
    from lava_qsnn.bench import sweep
    from lava_qsnn.bench.machine import machine, write_json

    require("plot", "matplotlib")
    plan = sweep.QUICK if quick else sweep.Plan()
    plan = replace(plan, repeats=repeats or plan.repeats)
    begun = count(1)
    with progress_bar(f"{plan.runs} runs") as progress:
        tables = plan.throughput(lambda text: progress((next(begun) - 1) / plan.runs, text))
        curves = plan.sweep(lambda text: progress((next(begun) - 1) / plan.runs, text))
    result = {"throughput": tables, "samples_per_second": curves}
    written = write_json("lava", result, output)
    picture = output / "lava.png"
    sweep.draw(curves, picture)
    if as_json:
        print_json({"machine": machine(), **result, "file": written, "picture": picture})
        return
    show(*(throughput_table(work, result["contenders"]) for work, result in tables.items()), goal_table(tables))
    say(f"wrote {written}")
    say(f"drew {picture}")


#: The verbs of this module, in the order of the command's help.
VERBS = (run, verify)
