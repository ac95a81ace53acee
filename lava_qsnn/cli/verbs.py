"""The verbs of the command `lava-qsnn`. Each imports what it needs."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from lava_qsnn import __version__
from lava_qsnn.cli import chip, completion, convert, energy, running, tools, zoo
from lava_qsnn.cli.inputs import chosen_changes, named_data, validation_samples
from lava_qsnn.cli.launch import is_first_process, write_batch_script
from lava_qsnn.cli.options import NETWORKS, AsJson, Checkpoint, DataOptions, Download, Folder, spread
from lava_qsnn.cli.results import print_json
from lava_qsnn.cli.tables import cost_table, demonstration_table, layer_table, result_table
from lava_qsnn.cli.terminal import console, errors, plain, say, show, warn, working
from lava_qsnn.errors import ConfigurationError, QsnnError, QsnnWarning
from lava_qsnn.outputs import writable

app = typer.Typer(
    help="Quantized spiking networks from lava-dl training to Lava processes, bit for bit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
bench = typer.Typer(help="Measure speed on this machine.", no_args_is_help=True)


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


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", help="For everything that is written.", autocompletion=completion.folders)
    ] = Path("runs/demo"),
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Of both trainings.")] = None,
    as_json: AsJson = False,
) -> None:
    """Learn handwritten digits with 1-bit weights, export, run in Lava, and count what differs: nothing."""
    import netx_export

    with working("importing torch and Lightning"):
        from lava_qsnn.cli.demo import demonstrate

    told, log = (errors, sys.stderr) if as_json else (console, sys.stdout)
    shown = demonstrate(folder, lambda text: told.print(f"[bold]{text}[/bold] ..", highlight=False), epochs, log)
    if as_json:
        names = ("steps", "file", "pictures", "mismatches")
        print_json({name: getattr(shown, name) for name in names})
    else:
        inspection = netx_export.inspect(shown.file)
        show(demonstration_table(shown), layer_table(inspection), cost_table(inspection))
        say("pictures: " + ", ".join(map(str, shown.pictures)))
    if shown.mismatches:
        raise QsnnError(f"{shown.mismatches} values differ", remedy="report it: this must never happen")


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
    say(f"wrote {path}; train with: lava-qsnn train {path}")


def train(
    config: Annotated[
        str,
        typer.Argument(
            help="A shipped configuration (digits, mnist, ..) or a YAML file.",
            autocompletion=completion.configurations,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option("--data", help="Data set, .npz file, folder or module:name.", autocompletion=completion.data_sets),
    ] = None,
    folder: Folder = None,
    download: Download = False,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Number of epochs.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of initial weights and sample order.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any key of the configuration; repeatable.",
            autocompletion=completion.settings,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="Folder for what is written; runs/CONFIG.", autocompletion=completion.folders),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", help="Go on from this checkpoint.", autocompletion=completion.files(".ckpt")),
    ] = None,
    initial: Annotated[
        Path | None,
        typer.Option(
            "--initial",
            help="Begin with the weights of this checkpoint or NetX file, or of zoo:NAME.",
            autocompletion=completion.files(".ckpt", ".net", ".h5", ".hdf5"),
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            "--teacher", help="Learn from what this checkpoint says, too.", autocompletion=completion.files(".ckpt")
        ),
    ] = None,
    float_weights: Annotated[
        bool, typer.Option("--float-weights", help="Train the float-weight baseline, for comparison; not deployable.")
    ] = False,
    slurm: Annotated[
        Path | None, typer.Option("--slurm", help="Train nothing: write the SLURM batch script of this training.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a network; write checkpoints, a CSV log and learning curves."""
    from lava_qsnn.train.config import load_config, override

    named = {f"data.{key}": value for key, value in named_data(data).items()} if data is not None else {}
    options = {
        **named,
        "trainer.max_epochs": epochs,
        "seed": seed,
        "model.initial": initial and str(initial),
        "optimizer.teacher": teacher and str(teacher),
        "model.float_weights": float_weights,
    }
    of = DataOptions(settings=settings, folder=folder, download=download)
    chosen = override(load_config(config), chosen_changes(of, options))

    output = output or Path("runs") / Path(config).stem
    if slurm is not None:
        write_batch_script(slurm, chosen, output)
        return
    with working("importing torch and Lightning"):  # once the arguments are known to be good
        from lava_qsnn.train.train import train as implementation

    result = implementation(
        chosen,
        output,
        resume=resume,
        log=sys.stderr if as_json else sys.stdout,
    )
    if not is_first_process():  # with several devices, each runs this command
        return
    if as_json:
        names = (*(entry.name for entry in fields(result)), "seconds_per_epoch")  # accuracies are of classes alone
        print_json({name: getattr(result, name) for name in names})
    else:
        show(result_table(result))


def export(
    checkpoint: Checkpoint,
    file: Annotated[Path, typer.Argument(help="The NetX file to write.", metavar="FILE", autocompletion=NETWORKS)],
    timesteps: Annotated[int | None, typer.Option("--timesteps", min=1, help="T; as trained by default.")] = None,
    stock: Annotated[
        str,
        typer.Option(
            "--stock",
            help="The answer in unmodified NetX: voltage, sum (both exact) or spikes.",
            autocompletion=completion.answers,
        ),
    ] = "voltage",
    levels: Annotated[int, typer.Option("--levels", min=1, help="Of --stock spikes: neurons for each class.")] = 16,
    as_json: AsJson = False,
) -> None:
    """Fold a trained checkpoint into integers, prove it against torch, and write a NetX file."""
    writable(file)
    with working("importing torch and Lightning"):
        import netx_export
        from lava_qsnn.train.config import own_code_apart
        from lava_qsnn.train.data import make
        from lava_qsnn.train.module import restore

    classifier = restore(checkpoint)
    given, steps = classifier.properties, timesteps or classifier.properties.timesteps
    known = own_code_apart(classifier.config.data)
    samples = validation_samples(make(known, known=classifier.description)) if stock == "spikes" else None
    with working("folding, and comparing with torch"):
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
    agreement = None
    if samples is not None:
        answer = netx_export.stock_answer(network, stock, samples, levels)
        agreement = netx_export.stock_agreement(network, answer, samples)
    inspection = netx_export.inspect(file)
    if as_json:
        print_json(inspection, stock_agreement=agreement)
        return
    tools.show_network(inspection)
    if agreement is not None:
        assert samples is not None
        say(f"the class by spikes is that of the potentials in {agreement:.2%} of {len(samples)} samples")


for _verb in (
    demo,
    init,
    train,
    export,
    *running.VERBS,
    *tools.VERBS,
    *chip.VERBS,
    *energy.VERBS,
    zoo.zoo,
    convert.convert,
):
    app.command()(spread(_verb))
app.add_typer(bench, name="bench")
bench.command("lava")(running.bench_lava)
