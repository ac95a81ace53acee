"""The verbs of the command `lava-qsnn`. Each imports what it needs."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lava_qsnn import __version__
from lava_qsnn.cli import chip, convert, energy, tools
from lava_qsnn.cli.inputs import (
    Predictions,
    chosen_changes,
    chosen_workers,
    fitting_data,
    in_parts,
    known_data,
    known_labels,
    named_data,
    predictions_text,
    score,
    test_samples,
    to_run,
    validation_samples,
)
from lava_qsnn.cli.launch import is_first_process, write_batch_script
from lava_qsnn.cli.options import (
    Backends,
    Checkpoint,
    ClusterAddress,
    Data,
    DataSettings,
    Download,
    Folder,
    NetworkFile,
    Samples,
    Threads,
    TimeLimit,
    Workers,
)
from lava_qsnn.cli.tables import (
    cost_table,
    demonstration_table,
    goal_table,
    layer_table,
    report_table,
    result_table,
    throughput_table,
)
from lava_qsnn.cli.terminal import console, errors, plain, progress_bar, warn
from lava_qsnn.errors import ConfigurationError, QsnnError, QsnnWarning
from lava_qsnn.extras import require

if TYPE_CHECKING:
    from lava_qsnn.integer import IntegerNetwork
    from lava_qsnn.train.config import Data as DataPart

app = typer.Typer(
    help="Quantized spiking networks from lava-dl training to Lava processes, bit for bit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
bench = typer.Typer(help="Measure speed on this machine.", no_args_is_help=True)
app.add_typer(bench, name="bench")
for _verb in (*tools.VERBS, *chip.VERBS, *energy.VERBS, convert.convert):
    app.command()(_verb)


def main() -> None:
    """Run the command; errors that a user can mend end it with one line and exit status 1."""
    try:
        with _warnings_in_a_line():
            app()
    except QsnnError as error:
        errors.print(f"[red]error:[/red] {plain(error)}", highlight=False)
        sys.exit(1)
    except OSError as error:
        errors.print(f"[red]error:[/red] {plain(error)}", highlight=False)
        sys.exit(1)


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Show this project's warnings as its errors are shown, and others as Python does."""
    as_python_does = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if issubclass(category, QsnnWarning):
            warn(str(message))
        else:
            as_python_does(message, category, *place)

    with warnings.catch_warnings():
        warnings.simplefilter("always", QsnnWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"lava-qsnn {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Quantized spiking networks from lava-dl training to Lava processes, bit for bit."""


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--folder", help="For everything that is written.")] = Path("runs/demo"),
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Of both trainings.")] = None,
) -> None:
    """Learn handwritten digits with 1-bit weights, export, run in Lava, and count what differs: nothing."""
    import netx_export
    from lava_qsnn.cli.demo import demonstrate

    shown = demonstrate(folder, lambda text: console.print(f"[bold]{text}[/bold] ..", highlight=False), epochs)
    console.print(demonstration_table(shown))
    inspection = netx_export.inspect(shown.file)
    console.print(layer_table(inspection))
    console.print(cost_table(inspection))
    console.print("pictures: " + ", ".join(map(str, shown.pictures)), highlight=False)
    if shown.mismatches:
        raise QsnnError(f"{shown.mismatches} values differ", remedy="report it: this must never happen")


@app.command()
def init(
    data: Annotated[
        str,
        typer.Argument(
            help="Your data: an .npz file, a folder of images or events, module:name; or a kind: arrays, images, ..",
            metavar="DATA",
        ),
    ] = "arrays",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write; after the data.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a commented configuration for data of your own, its values chosen by a look at them."""
    from lava_qsnn.train.starting import first_configuration, place

    named = named_data(data)
    source = named.get("source")
    path = output or Path(Path((source or place(named["name"])).partition(":")[0]).stem + ".yaml")
    if path.exists() and not force:
        raise ConfigurationError(f"'{path}' exists", remedy="choose another --output, or replace it with --force")
    text = first_configuration(named["name"], source)
    path.write_text(text, "utf-8")
    console.print(f"wrote {path}; train with: lava-qsnn train {path}", highlight=False, soft_wrap=True)


@app.command()
def train(
    config: Annotated[str, typer.Argument(help="A shipped configuration (digits, mnist, ..) or a YAML file.")],
    data: Annotated[str | None, typer.Option("--data", help="Data set, .npz file, folder or module:name.")] = None,
    folder: Folder = None,
    download: Download = False,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Number of epochs.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of initial weights and sample order.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any key of the configuration; repeatable."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Folder for what is written; runs/CONFIG.")] = None,
    resume: Annotated[Path | None, typer.Option("--resume", help="Go on from this checkpoint.")] = None,
    float_weights: Annotated[
        bool, typer.Option("--float-weights", help="Train the float-weight baseline, for comparison; not deployable.")
    ] = False,
    slurm: Annotated[
        Path | None, typer.Option("--slurm", help="Train nothing: write the SLURM batch script of this training.")
    ] = None,
) -> None:
    """Train a network; write checkpoints, a CSV log and learning curves."""
    from lava_qsnn.train.config import load_config, override

    named = {f"data.{key}": value for key, value in named_data(data).items()} if data is not None else {}
    options = {**named, "trainer.max_epochs": epochs, "seed": seed, "model.float_weights": float_weights}
    chosen = override(load_config(config), chosen_changes(settings, folder, download, options))

    from lava_qsnn.train.train import (
        train as implementation,  # torch and Lightning, once the arguments are known to be good
    )

    output = output or Path("runs") / Path(config).stem
    if slurm is not None:
        return write_batch_script(slurm, chosen, output)
    result = implementation(chosen, output, resume=resume)
    if is_first_process():  # with several devices, each runs this command
        console.print(result_table(result))
    return None


@app.command()
def export(
    checkpoint: Checkpoint,
    file: Annotated[Path, typer.Argument(help="The NetX file to write.", metavar="FILE")],
    timesteps: Annotated[int | None, typer.Option("--timesteps", min=1, help="T; as trained by default.")] = None,
    stock: Annotated[
        str, typer.Option("--stock", help="The answer in unmodified NetX: voltage, sum (both exact) or spikes.")
    ] = "voltage",
    levels: Annotated[int, typer.Option("--levels", min=1, help="Of --stock spikes: neurons for each class.")] = 16,
) -> None:
    """Fold a trained checkpoint into integers, prove it against torch, and write a NetX file."""
    import netx_export
    from lava_qsnn.train.config import own_code_apart
    from lava_qsnn.train.data import make
    from lava_qsnn.train.module import restore

    classifier = restore(checkpoint)
    given, steps = classifier.properties, timesteps or classifier.properties.timesteps
    known = own_code_apart(classifier.config.data)
    samples = validation_samples(make(known, known=classifier.description)) if stock == "spikes" else None
    network = netx_export.export(
        classifier.network,
        file,
        given.input_shape,
        steps,
        given.input_bits,
        stock=stock,
        samples=samples,
        levels=levels,
        metadata=classifier.metadata(steps),
    )
    tools.show_network(netx_export.inspect(file))
    if samples is not None:
        answer = netx_export.stock_answer(network, stock, samples, levels)
        agreement = netx_export.stock_agreement(network, answer, samples)
        console.print(f"the class by spikes is that of the potentials in {agreement:.2%} of {len(samples)} samples")


@app.command()
def run(
    file: NetworkFile,
    backend: Annotated[
        str, typer.Option("--backend", help="reference, fast, lava, lava-async, lava-fused or netx.")
    ] = "reference",
    data: Data = None,
    settings: DataSettings = None,
    folder: Folder = None,
    download: Download = False,
    samples: Samples = 100,
    array: Annotated[
        Path | None,
        typer.Option("--input", help="Integers (N, *input shape, T) instead of a data set: .npy, or FILE.h5[:NAME]."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Write the answers to an .npy file.")] = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="Draw the first sample to a PNG file.")] = None,
    time_limit: TimeLimit = None,
    threads: Threads = None,
    workers: Workers = None,
    cluster: ClusterAddress = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with --output where a run was ended.")] = False,
) -> None:
    """Run test samples, or an array of your own, through a network on one backend. Neither need fit into memory."""
    import numpy as np

    import netx_export

    if picture is not None:
        require("plot", "matplotlib")
    network, part = netx_export.load(file), None
    if array is None:
        part = fitting_data(network, known_data(network, file, data), chosen_changes(settings, folder, download))
    at_once = workers is not None or cluster is not None or resume
    x, count, labels = to_run(network, part, array, samples, at_once)
    with progress_bar(f"{backend}, {count} samples") as progress, chosen_workers(workers, cluster) as where:
        told = {"time_limit": time_limit, "progress": progress, "resume": resume, "threads": threads, **where}
        answers: Any = netx_export.simulate(network, x, backend, out=output, **told)
        found = Predictions(network, in_parts(answers) if hasattr(answers, "shape") else answers)
    if output is not None:
        console.print(f"wrote {answers.shape} integers to {output}")
    if picture is not None:
        first = x[:1] if part is None else test_samples(network, part, 1)[0]
        netx_export.plot_sample(network, np.asarray(first)[0], picture)
        console.print(f"drew the first sample to {picture}")
    right = None if part is None else known_labels(labels())
    if part is not None and right is not None:
        console.print(f"{score(network, found.predicted, right)} on {count} samples of {part.name}", highlight=False)
    elif output is None:
        console.print(predictions_text(network, found.predicted, found.count), highlight=False)


def _scored(network: IntegerNetwork, part: DataPart, samples: int, at_once: bool) -> str:
    """The quality of a network's answers on test samples, where these have labels."""
    import netx_export

    x, count, labels = to_run(network, part, None, samples, at_once)
    answers: Any = netx_export.simulate(network, x, "fast")
    found, right = Predictions(network, [answers] if hasattr(answers, "shape") else answers), known_labels(labels())
    told = "no labels are known" if right is None else score(network, found.predicted, right)
    return f"{told} on {count} samples of {part.name}"


@app.command()
def verify(
    file: NetworkFile,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Compare with the torch network of this checkpoint, too.")
    ] = None,
    backend: Backends = None,
    data: Data = None,
    settings: DataSettings = None,
    folder: Folder = None,
    download: Download = False,
    samples: Samples = 20,
    workers: Workers = None,
    cluster: ClusterAddress = None,
    record: Annotated[Path | None, typer.Option("--record", help="Write the counts of each part to a file.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with --record where a run was ended.")] = False,
) -> None:
    """Compare backends, and torch, with the reference: layer for layer, step for step. Fails if anything differs."""
    import netx_export

    network = netx_export.load(file)
    net = None
    if checkpoint is not None:
        from lava_qsnn.train.module import restore

        net = restore(checkpoint).network
    part = fitting_data(
        network, known_data(network, file, data, checkpoint), chosen_changes(settings, folder, download)
    )
    at_once = workers is not None or cluster is not None or record is not None
    x, total, _ = to_run(network, part, None, samples, at_once)
    with progress_bar(f"{total} samples") as progress, chosen_workers(workers, cluster) as where:
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
    console.print(report_table(report))
    console.print(_scored(network, part, samples, at_once), highlight=False)
    for name in report.silent:
        warn(f"layer '{name}': every value was 0 on these samples")
    if not report.exact:
        raise QsnnError("the backends differ", remedy="report it with the file: this must never happen")


@bench.command("lava")
def bench_lava(
    quick: Annotated[bool, typer.Option("--quick", help="Few and small runs, without NetX: within 20 s.")] = False,
    repeats: Annotated[int | None, typer.Option("--repeats", min=1, help="Runs of each; the median counts.")] = None,
    output: Annotated[Path, typer.Option("--output", help="Folder for lava.json and lava.png.")] = Path("runs/bench"),
) -> None:
    """Measure the throughput of the Lava backends; draw it against depth, T, batch and spike rate."""
    from lava_qsnn.bench import sweep
    from lava_qsnn.bench.machine import write_json

    require("plot", "matplotlib")
    plan = sweep.QUICK if quick else sweep.Plan()
    plan = replace(plan, repeats=repeats or plan.repeats)
    begun = count(1)
    with progress_bar(f"{plan.runs} runs") as progress:
        tables = plan.throughput(lambda text: progress((next(begun) - 1) / plan.runs, text))
        curves = plan.sweep(lambda text: progress((next(begun) - 1) / plan.runs, text))
    for work, result in tables.items():
        console.print(throughput_table(work, result["contenders"]))
    console.print(goal_table(tables))
    console.print(f"wrote {write_json('lava', {'throughput': tables, 'samples_per_second': curves}, output)}")
    sweep.draw(curves, output / "lava.png")
    console.print(f"drew {output / 'lava.png'}")
