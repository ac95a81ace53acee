"""Verbs that run networks: on samples, on all backends beside each other, and against the clock."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lava_qsnn.cli import completion
from lava_qsnn.cli.inputs import (
    chosen_changes,
    chosen_workers,
    fitting_data,
    known_data,
    read_array,
    test_samples,
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
    resume: Annotated[bool, typer.Option("--resume", help="Go on with --output where a run was ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run test samples, or an array of your own, through a network on one backend."""
    import netx_export

    if picture is not None:
        require("plot", "matplotlib")
        writable(picture, PICTURES)
    if output is not None:
        writable(output, (".npy",))
    network = netx_export.load(file)
    labels, part = None, None
    if array is not None:
        x = read_array(array)
    else:
        part = fitting_data(network, known_data(network, file, of.data), chosen_changes(of))
        x, labels = test_samples(network, part, samples)
    is_spread = resume or who.are_given
    with progress_bar(f"{backend}, {len(x)} samples", len(x)) as progress, chosen_workers(who) as where:
        told = {"time_limit": time_limit, "progress": progress, "resume": resume, **where}
        answers = netx_export.simulate(network, x, backend, out=output if is_spread else None, **told)
    if output is not None and not is_spread:
        import numpy as np

        np.save(output, answers)
    if picture is not None:
        label = None if labels is None else int(labels[0])
        netx_export.plot_sample(network, x[0], picture, backend=backend, label=label, title=file.name)
    facts = {"backend": backend, "data": f"'{array}'" if part is None else part.name, "samples": len(x)}
    answered = _answered(network, answers, labels)
    if as_json:
        print_json({**facts, **answered, "output": output, "picture": picture})
    else:
        show_run({**facts, **answered}, answers, output, picture)


def _answered(
    network: IntegerNetwork, answers: np.ndarray[Any, Any], labels: np.ndarray[Any, Any] | None
) -> dict[str, Any]:
    """The class of each sample by number and name, and how many are right, if that is known."""
    import netx_export

    predicted = answers.reshape(len(answers), -1, answers.shape[-1]).sum(-1).argmax(1)
    names = netx_export.class_names(network, math.prod(answers.shape[1:-1]))
    return {
        "accuracy": None if labels is None else float((predicted == labels).mean()),
        "predicted": [int(number) for number in predicted],
        "classes": [names[number] for number in predicted],
    }


def show_run(told: dict[str, Any], answers: np.ndarray[Any, Any], output: Path | None, picture: Path | None) -> None:
    """Print what was written, and the accuracy or the classes."""
    if output is not None:
        say(f"wrote {answers.shape} integers to {output}")
    if picture is not None:
        say(f"drew the first sample to {picture}")
    if told["accuracy"] is not None:
        say(f"accuracy {told['accuracy']:.2%} on {told['samples']} samples of {told['data']}")
    elif output is None:
        say("classes " + " ".join(told["classes"]))


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
        from lava_qsnn.train.module import restore

        net = restore(checkpoint).network
    part = fitting_data(network, known_data(network, file, of.data, checkpoint), chosen_changes(of))
    x, _ = test_samples(network, part, samples)
    with progress_bar("verify", len(x)) as progress, chosen_workers(who) as where:
        report = netx_export.verify(
            network,
            x,
            backend,
            net,
            lambda name, fraction: progress(fraction, f"{name}, {len(x)} samples"),
            record=record,
            resume=resume,
            **where,
        )
    if as_json:
        print_json(report, samples=len(x), data=part.name)
    else:
        show(report_table(report))
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
