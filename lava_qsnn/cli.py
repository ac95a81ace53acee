"""The command `lava-qsnn`. The one file of this package that imports upward; each verb imports what it needs."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lava_qsnn import __version__
from lava_qsnn.errors import ConfigurationError, InputError, QsnnError, QsnnWarning

if TYPE_CHECKING:
    from lava_qsnn.integer import IntegerNetwork
    from netx_export import Report
    from training.config import Data as DataPart
    from training.train import Result

app = typer.Typer(
    help="Quantized spiking networks from lava-dl training to Lava processes, bit for bit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
bench = typer.Typer(help="Measure speed on this machine.", no_args_is_help=True)
app.add_typer(bench, name="bench")
console = Console()
errors = Console(stderr=True, soft_wrap=True)

NetworkFile = Annotated[Path, typer.Argument(help="A NetX file that `lava-qsnn export` wrote.", metavar="FILE")]
Checkpoint = Annotated[Path, typer.Argument(help="A checkpoint that `lava-qsnn train` wrote.", metavar="CHECKPOINT")]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="A configuration, shipped or YAML, or a data set; by default what the checkpoint was trained on, what "
        "config.yaml beside FILE says, or digits.",
    ),
]
DataSettings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="data.KEY=VALUE", help="Any key of the configuration's data; repeatable."),
]
Folder = Annotated[Path | None, typer.Option("--folder", help="Folder that holds the data set's files.")]
Download = Annotated[bool, typer.Option("--download", help="Download the data set if the folder lacks it.")]
Samples = Annotated[int, typer.Option("--samples", min=1, help="Number of test samples.")]
Backends = Annotated[
    list[str] | None, typer.Option("--backend", help="Backend; repeatable. All that are exact by default.")
]
TimeLimit = Annotated[float | None, typer.Option("--time-limit", min=0.0, help="Seconds a Lava run may take.")]


def main() -> None:
    """Run the command; errors that a user can mend end it with one line and exit status 1."""
    try:
        with _warnings_in_a_line():
            app()
    except QsnnError as error:
        errors.print(f"[red]error:[/red] {_plain(error)}", highlight=False)
        sys.exit(1)
    except OSError as error:
        errors.print(f"[red]error:[/red] {_plain(error)}", highlight=False)
        sys.exit(1)


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Show this project's warnings as its errors are shown, and others as Python does."""
    as_python_does = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if issubclass(category, QsnnWarning):
            _warn(str(message))
        else:
            as_python_does(message, category, *place)

    with warnings.catch_warnings():
        warnings.simplefilter("always", QsnnWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield


def _warn(text: str) -> None:
    errors.print(f"[yellow]warning:[/yellow] {_plain(text)}", highlight=False)


def _plain(error: BaseException | str) -> str:
    """An error's text on as many lines as it has, with rich's markup taken literally."""
    from rich.markup import escape

    return escape(str(error))


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
    from training.demo import demonstrate

    shown = demonstrate(folder, lambda text: console.print(f"[bold]{text}[/bold] ..", highlight=False), epochs)
    table = Table("step", "result", "seconds", box=box.SIMPLE, title="lava-qsnn on handwritten digits")
    for step in shown.steps:
        table.add_row(step.done, step.result, f"{step.seconds:.1f}")
    console.print(table)
    console.print(_layer_table(shown.network, shown.file))
    console.print(_cost_table(shown.network, shown.file))
    console.print("pictures: " + ", ".join(map(str, shown.pictures)), highlight=False)
    if shown.mismatches:
        raise QsnnError(f"{shown.mismatches} values differ", remedy="report it: this must never happen")


@app.command()
def train(
    config: Annotated[str, typer.Argument(help="A shipped configuration (digits, mnist, ..) or a YAML file.")],
    data: Annotated[str | None, typer.Option("--data", help="Data set in place of the configuration's.")] = None,
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
        bool, typer.Option("--float-weights", help="Train the float-weight twin, for comparison; not deployable.")
    ] = False,
) -> None:
    """Train a network; write checkpoints, a CSV log and learning curves."""
    from training.config import load_config, override

    options = {"data.name": data, "trainer.max_epochs": epochs, "seed": seed, "model.float_weights": float_weights}
    chosen = override(load_config(config), _changes(settings, folder, download, options))

    from training.train import train as implementation  # torch and Lightning, once the arguments are known to be good

    result = implementation(chosen, output or Path("runs") / Path(config).stem, resume=resume)
    if os.environ.get("LOCAL_RANK", "0") == "0":  # with several devices, each runs this command
        console.print(_result_table(result))


@app.command()
def export(
    checkpoint: Checkpoint,
    file: Annotated[Path, typer.Argument(help="The NetX file to write.", metavar="FILE")],
    timesteps: Annotated[int | None, typer.Option("--timesteps", min=1, help="T; as trained by default.")] = None,
) -> None:
    """Fold a trained checkpoint into integers, prove it against torch, and write a NetX file."""
    import netx_export
    from training.checkpoint import restore
    from training.data import make

    classifier = restore(checkpoint)
    given = make(classifier.config.data).properties
    network = netx_export.export(
        classifier.network, file, given.input_shape, timesteps or given.timesteps, given.input_bits
    )
    console.print(_layer_table(network, file))
    console.print(_cost_table(network, file))
    console.print(_backend_table(network))


@app.command()
def inspect(file: NetworkFile) -> None:
    """Show a network file: layers, bits, thresholds, state, size, and where it is exact."""
    import netx_export

    network = netx_export.load(file)
    console.print(_layer_table(network, file))
    console.print(_cost_table(network, file))
    console.print(_backend_table(network))
    _tell_silent_channels(network)


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
        typer.Option("--input", help="An .npy file of integers (N, *input shape, T) instead of a data set."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Write the answers to an .npy file.")] = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="Draw the first sample to a PNG file.")] = None,
    time_limit: TimeLimit = None,
) -> None:
    """Run test samples, or an array of your own, through a network on one backend."""
    import netx_export

    network = netx_export.load(file)
    labels, part = None, None
    if array is not None:
        x = _array(array)
    else:
        part = _fitting(network, _known_data(file, data), _changes(settings, folder, download))
        x, labels = _test_samples(network, part, samples)
    with _progress(f"{backend}, {len(x)} samples") as progress:
        answers = netx_export.simulate(network, x, backend, time_limit=time_limit, progress=progress)
    if output is not None:
        np.save(output, answers)
        console.print(f"wrote {answers.shape} integers to {output}")
    if picture is not None:
        netx_export.plot_sample(network, x[0], picture)
        console.print(f"drew the first sample to {picture}")
    predicted = answers.reshape(len(x), -1, answers.shape[-1]).sum(-1).argmax(1)
    if part is not None:
        accuracy = (predicted == labels).mean()
        console.print(f"accuracy {accuracy:.2%} on {len(x)} samples of {part.name}", highlight=False)
    elif output is None:
        console.print("classes " + " ".join(map(str, predicted)), highlight=False)


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
) -> None:
    """Compare backends, and torch, with the reference: layer for layer, step for step. Fails if anything differs."""
    import netx_export

    network = netx_export.load(file)
    net = None
    if checkpoint is not None:
        from training.checkpoint import restore

        net = restore(checkpoint).network
    part = _fitting(network, _known_data(file, data, checkpoint), _changes(settings, folder, download))
    x, _ = _test_samples(network, part, samples)
    with _progress(f"{len(x)} samples") as progress:
        report = netx_export.verify(
            network, x, backend, net, progress=lambda name, fraction: progress(fraction, f"{name}, {len(x)} samples")
        )
    console.print(_report_table(report))
    for name in report.silent:
        _warn(f"layer '{name}': every value was 0 on these samples")
    if not report.exact:
        raise QsnnError("the backends differ", remedy="report it with the file: this must never happen")


@bench.command("lava")
def bench_lava(
    quick: Annotated[bool, typer.Option("--quick", help="Few and small runs, without NetX: within 20 s.")] = False,
    repeats: Annotated[int | None, typer.Option("--repeats", min=1, help="Runs of each; the median counts.")] = None,
    output: Annotated[Path, typer.Option("--output", help="Folder for lava.json and lava.png.")] = Path("runs/bench"),
) -> None:
    """Measure the throughput of the Lava backends; draw it against depth, T, batch and spike rate."""
    from netx_export._bench import sweep
    from netx_export._bench.machine import write_json

    plan = sweep.QUICK if quick else sweep.Plan()
    plan = replace(plan, repeats=repeats or plan.repeats)
    begun = count(1)
    with _progress(f"{plan.runs} runs") as progress:
        tables = plan.throughput(lambda text: progress((next(begun) - 1) / plan.runs, text))
        curves = plan.sweep(lambda text: progress((next(begun) - 1) / plan.runs, text))
    for work, result in tables.items():
        console.print(_throughput_table(work, result["contenders"]))
    console.print(_goal_table(tables))
    console.print(f"wrote {write_json('lava', {'throughput': tables, 'samples_per_second': curves}, output)}")
    sweep.draw(curves, output / "lava.png")
    console.print(f"drew {output / 'lava.png'}")


@contextmanager
def _progress(text: str) -> Iterator[Callable[..., None]]:
    """A progress bar, and the function that moves it to a fraction and may change its text."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(text, total=1.0)
        yield lambda fraction, said=text: bar.update(task, completed=fraction, description=said)


def _changes(
    settings: list[str] | None, folder: Path | None, download: bool, options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What the command line changes in a configuration, by key: what `--set` says, and options that were given."""
    from training.config import parse_override

    given = {"data.folder": folder and str(folder), "data.download": download, **(options or {})}
    changes = dict(parse_override(text) for text in settings or [])
    return changes | {key: value for key, value in given.items() if value is not None and value is not False}


def _array(path: Path) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except ValueError as error:
        raise InputError(f"'{path}' is no array of numbers ({error})", remedy="write it with numpy.save") from None


def _known_data(file: Path, data: str | None, checkpoint: Path | None = None) -> DataPart:
    """What a network is evaluated on: what is named, or what it was trained on as far as that is known, or digits."""
    from training.config import Data as DataPart
    from training.config import load_config, shipped

    if data is not None:
        is_configuration = data in shipped() or Path(data).suffix in (".yaml", ".yml")
        return load_config(data).data if is_configuration else DataPart(name=data)
    if checkpoint is not None:
        from training.checkpoint import read_checkpoint

        return read_checkpoint(checkpoint)[0].data
    beside = file.parent / "config.yaml"
    if not beside.is_file():
        return DataPart()
    try:
        return load_config(beside).data
    except ConfigurationError as error:
        raise ConfigurationError(
            f"'{beside}', beside the network, is no configuration: {error.problem}", remedy="name one with --data"
        ) from None


def _fitting(network: IntegerNetwork, part: DataPart, changes: dict[str, Any]) -> DataPart:
    """The data as a network takes them, with changes by key."""
    from training.config import Config, override

    for key in changes:
        if not key.startswith("data."):
            raise ConfigurationError(
                f"'{key}' is no key of the data, and only they are free here", remedy="write for example data.size=16"
            )
    fitting = replace(
        part,
        timesteps=network.timesteps,
        input_bits=min(8, network.input.bits),
        flatten=len(network.input.shape) == 1,
        augment=False,
    )
    return override(Config(data=fitting), changes).data


def _test_samples(
    network: IntegerNetwork, part: DataPart, samples: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Test samples, int64 (N, *input shape, T), and their labels, int64 (N,)."""
    from training.data import make

    source = make(part)
    if source.properties.input_shape != network.input.shape:
        raise ConfigurationError(
            f"the network takes {_shape(network.input.shape)} inputs, '{part.name}' has "
            f"{_shape(source.properties.input_shape)}",
            remedy="name the data set it was trained on with --data, change it by --set, or give an array with --input",
        )
    return source.test_arrays(samples)


def _result_table(result: Result) -> Table:
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_row("validation accuracy", f"{result.best_accuracy:.2%}, best epoch; {result.last_accuracy:.2%}, last")
    table.add_row("test accuracy", f"{result.test_accuracy:.2%}, of the best epoch")
    table.add_row("time", f"{result.seconds:.1f} s, {result.seconds_per_epoch:.2f} s per epoch")
    table.add_row("checkpoints", f"{result.best}, {result.last}")
    table.add_row("curves", str(result.curves))
    return table


def _layer_table(network: IntegerNetwork, file: Path) -> Table:
    import netx_export

    packed = netx_export.weight_bytes(network, file)
    said = (
        f"{file.name}: {network.timesteps} time steps, input {_shape(network.input.shape)} of {network.input.bits} bits"
    )
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), title=said)
    for column in ("layer", "shape", "weights", "bits", "on disk", "memory", "thresholds", "reach", "state bits"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    table.add_row("input", _shape(network.input.shape), *[""] * 6, str(netx_export.state_bits(network, "input")))
    for layer in netx_export.describe(network):
        table.add_row(
            layer.name,
            _shape(layer.shape),
            f"{layer.weights:,}",
            str(layer.weight_bits),
            f"{8 * packed[layer.name] / layer.weights:.2f}",
            layer.potential or _taps(layer.taps),
            "readout" if layer.thresholds is None else f"{layer.thresholds[0]}..{layer.thresholds[1]}",
            str(max(-layer.potentials[0], layer.potentials[1])),
            str(layer.state_bits),
        )
    return table


def _cost_table(network: IntegerNetwork, file: Path) -> Table:
    import netx_export

    spiking = [layer for layer in netx_export.describe(network) if layer.thresholds is not None]
    neurons = sum(layer.neurons for layer in spiking)
    kept = sum(layer.neurons * layer.state_bits for layer in spiking)
    packed = sum(netx_export.weight_bytes(network, file).values())
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_row("file", f"{file.stat().st_size:,} bytes, {packed:,} of them weights")
    table.add_row(f"state of {neurons:,} spiking neurons", f"{kept:,} bits, {kept / max(1, neurons):.1f} each")
    inputs, kept_each = int(np.prod(network.input.shape)), netx_export.state_bits(network, "input")
    table.add_row(f"state of {inputs:,} inputs", f"{inputs * kept_each:,} bits, {kept_each} each")
    table.add_row(
        "the neurons as Loihi's LIF",
        f"{neurons * netx_export.LIF_STATE_BITS:,} bits, {netx_export.LIF_STATE_BITS} each",
    )
    return table


def _backend_table(network: IntegerNetwork) -> Table:
    import netx_export

    table = Table("backend", "what it is", "exact", box=box.SIMPLE)
    for name, backend in netx_export.BACKENDS.items():
        reason = backend.refusal(network)
        table.add_row(
            name, backend.summary, "[green]yes[/green]" if reason is None else f"[yellow]no:[/yellow] {reason}"
        )
    return table


def _tell_silent_channels(network: IntegerNetwork) -> None:
    import netx_export

    for layer in netx_export.describe(network):
        if layer.silent_channels:
            _warn(
                f"layer '{layer.name}': {layer.silent_channels} of {layer.shape[0]} channels can never fire, for no "
                "potential reaches their thresholds"
            )


def _report_table(report: Report) -> Table:
    table = Table("backend", "layer", "values", "not zero", "mismatches", box=box.SIMPLE)
    for row in report.rows:
        mark = "green" if row.mismatches == 0 else "red"
        table.add_row(
            row.backend, row.layer, f"{row.values:,}", f"{row.spikes:,}", f"[{mark}]{row.mismatches:,}[/{mark}]"
        )
    for name, reason in report.refused.items():
        table.add_row(name, "", "", "", f"[yellow]left out:[/yellow] {reason}")
    return table


def _throughput_table(work: str, rows: dict[str, dict[str, float]]) -> Table:
    table = Table(box=box.SIMPLE, title=f"{work}: milliseconds per sample, bit-equal answers")
    for column in ("backend", "median", "least", "most", "s to start"):
        table.add_column(column, justify="left" if column == "backend" else "right")
    for name, row in rows.items():
        table.add_row(name, *(f"{value:.3g}" for value in row.values()))
    return table


def _goal_table(tables: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE, title="ratios of milliseconds per sample")
    for column in ("work", "ratio", "measured", "goal"):
        table.add_column(column, justify="left" if column in ("work", "ratio") else "right")
    for work, result in tables.items():
        for row in result["goals"]:
            mark = "green" if row["reached"] >= row["goal"] else "yellow"
            table.add_row(work, row["ratio"], f"[{mark}]{row['reached']:.1f}[/{mark}]", str(row["goal"]))
    return table


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _taps(taps: tuple[int, ...]) -> str:
    text = [str(tap) for tap in taps]
    return " ".join(text if len(text) <= 8 else [*text[:4], "..", *text[-2:], f"({len(text)})"])
