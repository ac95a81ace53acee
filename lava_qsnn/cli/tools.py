"""Verbs that look at a network's file: inspect it, check it, compare it with another, report on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lava_qsnn.cli.inputs import chosen_changes, fitting_data, known_data, read_array, reading, test_samples
from lava_qsnn.cli.options import (
    Array,
    AsJson,
    Data,
    DataSettings,
    Download,
    Folder,
    InputShape,
    ItsCheckpoint,
    MessageBits,
    NetworkFile,
    NetxMessageBits,
    NetxResetInterval,
    NetxResetOffset,
    Original,
    Timesteps,
)
from lava_qsnn.cli.tables import (
    backend_table,
    change_table,
    cost_table,
    file_table,
    finding_table,
    layer_table,
    part_table,
    report_table,
    word_table,
)
from lava_qsnn.cli.terminal import AS_IT_IS, console, warn
from lava_qsnn.errors import QsnnError

if TYPE_CHECKING:
    import numpy as np

    from lava_qsnn.integer import IntegerNetwork
    from netx_export import Bundle, CheckReport, Inspection, NetworkDiff, StockCall

#: What samples are called that nobody gave.
RANDOM = "random numbers"

RandomInput = Annotated[bool, typer.Option("--random", help="Random inputs, whatever data is known.")]
Samples = Annotated[int, typer.Option("--samples", min=1, help="Number of samples.")]


def inspect(
    file: NetworkFile,
    input_shape: InputShape = None,
    timesteps: Timesteps = None,
    input_message_bits: MessageBits = None,
    as_json: AsJson = False,
) -> None:
    """Show a network file: layers, numbers in plain words, bits, state, size, where it is exact, what it warns of."""
    import netx_export

    inspection = netx_export.inspect(file, **reading(input_shape, timesteps, input_message_bits))
    if as_json:
        print_json(inspection)
    else:
        show_network(inspection)


def show_network(inspection: Inspection) -> None:
    """Print all tables of a network."""
    console.print(layer_table(inspection))
    console.print(word_table(inspection))
    console.print(cost_table(inspection))
    console.print(backend_table(inspection))
    if inspection.weights_on_file:
        console.print(file_table(inspection))
    if inspection.opening:
        console.print("in stock lava-dl:", *(f"  {line}" for line in inspection.opening), sep="\n", **AS_IT_IS)
    if inspection.findings:
        console.print(finding_table(inspection.findings))


def check(
    file: NetworkFile,
    checkpoint: ItsCheckpoint = None,
    original: Original = None,
    message_bits: NetxMessageBits = None,
    reset_interval: NetxResetInterval = None,
    reset_offset: NetxResetOffset = None,
    input_shape: InputShape = None,
    timesteps: Timesteps = None,
    input_message_bits: MessageBits = None,
    data: Data = None,
    array: Array = None,
    random: RandomInput = False,
    settings: DataSettings = None,
    folder: Folder = None,
    download: Download = False,
    samples: Samples = 8,
    as_json: AsJson = False,
) -> None:
    """Look for what makes a network answer wrongly: named checks, and runs beside NetX, torch and what was meant.

    Ends with status 0 if nothing but notes was found, 3 for warnings, 4 for errors, and 1 if it could not look.
    """
    import netx_export

    network = read_network(file, array, reading(input_shape, timesteps, input_message_bits))
    net = None if checkpoint is None else _restored(checkpoint)
    given = {"input_message_bits": message_bits, "reset_interval": reset_interval, "reset_offset": reset_offset}
    x, _, source = chosen_samples(
        network, file, data, array, random, chosen_changes(settings, folder, download), samples, checkpoint
    )
    called = _call(network, x, given)
    known = None if source == RANDOM else x
    found = netx_export.check(network, known, net=net, original=original, call=called, samples=samples, file=file)
    if as_json:
        print_json(found)
    else:
        show_check(found, source)
    if found.exit_status:
        raise typer.Exit(found.exit_status)


def report(
    file: NetworkFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path("report.html"),
    backend: Annotated[
        list[str] | None, typer.Option("--backend", help="Backend to compare; repeatable. fast by default.")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Of the page; the file's name by default.")] = None,
    input_shape: InputShape = None,
    timesteps: Timesteps = None,
    input_message_bits: MessageBits = None,
    data: Data = None,
    array: Array = None,
    random: RandomInput = False,
    settings: DataSettings = None,
    folder: Folder = None,
    download: Download = False,
    samples: Samples = 100,
) -> None:
    """Write one HTML page about a network: graph, numbers, activity, a sample on its way, bounds, exactness.

    The page needs nothing else: no script, no other file and no network.
    """
    import netx_export

    network = read_network(file, array, reading(input_shape, timesteps, input_message_bits))
    changes = chosen_changes(settings, folder, download)
    x, labels, source = chosen_samples(network, file, data, array, random, changes, samples)
    netx_export.report(network, output, x, labels, source=source, title=title, backends=backend or ["fast"], file=file)
    console.print(f"wrote {output}", highlight=False, soft_wrap=True)


def bundle(
    file: NetworkFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="The archive, which must not exist.")] = Path(
        "handover.zip"
    ),
    chip: Annotated[str, typer.Option("--chip", help="Of the layout, as for the verb layout.")] = "loihi2",
    input_shape: InputShape = None,
    timesteps: Timesteps = None,
    input_message_bits: MessageBits = None,
    data: Data = None,
    array: Array = None,
    random: RandomInput = False,
    settings: DataSettings = None,
    folder: Folder = None,
    download: Download = False,
    samples: Samples = 4,
) -> None:
    """Pack a network for somebody with a board: scripts of stock lava-dl alone, golden vectors, layout, a checker.

    Nothing in a bundle has ever run on hardware. Where stock lava-dl does not compute a network, the bundle says what
    is missing.
    """
    import netx_export

    network = read_network(file, array, reading(input_shape, timesteps, input_message_bits))
    changes = chosen_changes(settings, folder, download)
    x, _, source = chosen_samples(network, file, data, array, random, changes, samples)
    show_bundle(netx_export.bundle(network, output, x, source=source, file=file, chip=chip), source)


def show_bundle(made: Bundle, source: str) -> None:
    """Print what is in an archive, the call of stock lava-dl, and what is missing."""
    console.print(f"wrote {made.path}: {', '.join(made.files)}", **AS_IT_IS)
    console.print(f"golden vectors of {made.samples} samples of {source}", **AS_IT_IS)
    if made.is_stock:
        call = ", ".join(f"{name}={value!r}" for name, value in made.call.items())
        console.print(f"stock lava-dl runs it: netx.hdf5.Network({call}), {made.latency} steps late", **AS_IT_IS)
    for reason in made.missing:
        warn(f"it has no script for a board, for unmodified NetX does not compute it: {reason}")
    console.print("nothing in it has ever run on Loihi hardware", **AS_IT_IS)


def diff(
    one: NetworkFile,
    other: Annotated[Path, typer.Argument(help="Another NetX file.", metavar="OTHER")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write an HTML page with a picture.")] = None,
    data: Data = None,
    array: Array = None,
    random: RandomInput = False,
    settings: DataSettings = None,
    folder: Folder = None,
    download: Download = False,
    samples: Samples = 16,
    as_json: AsJson = False,
) -> None:
    """Compare two networks: structure, numbers, and outputs for the same input; say where they part.

    Ends with status 0 if they are equal, 3 if only numbers differ, 4 if outputs do, and 1 if it could not compare.
    """
    import netx_export

    first, second = (read_network(each, array, {}) for each in (one, other))
    x, _, source = chosen_samples(first, one, data, array, random, chosen_changes(settings, folder, download), samples)
    known = None if source == RANDOM else x
    found = netx_export.diff(first, second, known, samples=samples, path=output, titles=(one.name, other.name))
    if as_json:
        print_json(found)
    else:
        show_diff(found)
        if output is not None:
            console.print(f"wrote {output}", highlight=False, soft_wrap=True)
    if found.exit_status:
        raise typer.Exit(found.exit_status)


def show_diff(found: NetworkDiff) -> None:
    """Print what differs, and where outputs part."""
    if found.same:
        console.print("[green]the networks are equal[/green]")
    else:
        console.print(change_table(found))
    if found.layers:
        console.print(part_table(found))
    if found.first is not None:
        console.print(f"outputs part in layer '{found.first.one}', {found.first.row.first}", **AS_IT_IS)


def show_check(found: CheckReport, source: str) -> None:
    """Print what was compared and what was found."""
    if found.comparison is not None:
        console.print(report_table(found.comparison))
    console.print(f"{len(found.checks)} checks on {found.samples} samples of {source}", highlight=False)
    if found.findings:
        console.print(finding_table(found.findings))
    else:
        console.print("[green]nothing found[/green]")


def _restored(checkpoint: Path) -> Any:
    """The torch network of a checkpoint."""
    from lava_qsnn.train.module import restore

    return restore(checkpoint).network


def read_network(file: Path, array: Path | None, told: dict[str, Any]) -> IntegerNetwork:
    """The network of a file; of a stock file what the command line says, or else what the array of samples tells."""
    import netx_export

    if told or array is None:
        return netx_export.load(file, **told)
    return netx_export.opened(file, read_array(array))


def _call(network: IntegerNetwork, x: np.ndarray[Any, Any], given: dict[str, int | None]) -> StockCall | None:
    """The call of NetX that was described, by the network's own where it was not; None if nothing was said."""
    import netx_export

    said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if not said:
        return None
    if said.get("reset_interval") == 0:
        said["reset_interval"] = None
    return replace(netx_export.stock_call(network, x.shape[-1]), **said)


def chosen_samples(
    network: IntegerNetwork,
    file: Path,
    data: str | None,
    array: Path | None,
    random: bool,
    changes: dict[str, Any],
    samples: int,
    checkpoint: Path | None = None,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None, str]:
    """Samples, their labels if there are any, and what they are: an array, known data, or else random numbers.

    Data that nobody named, but the file knows, are a wish: where they cannot be had, a warning says why.
    """
    if array is not None:
        return read_array(array)[:samples], None, f"'{array}'"
    if random:
        return _random(network, samples)
    if data is not None or checkpoint is not None:
        part = fitting_data(network, known_data(network, file, data, checkpoint), changes)
        return *test_samples(network, part, samples), part.name
    if "data" not in network.metadata and not (file.parent / "config.yaml").is_file():
        return _random(network, samples)
    try:
        part = fitting_data(network, known_data(network, file, data), changes)
        return *test_samples(network, part, samples), part.name
    except (QsnnError, OSError) as error:
        warn(f"the data that it was trained on cannot be had, and random numbers are taken: {error}")
        return _random(network, samples)


def _random(network: IntegerNetwork, samples: int) -> tuple[np.ndarray[Any, Any], None, str]:
    import netx_export

    return netx_export.random_samples(network, samples), None, RANDOM


def print_json(result: Any) -> None:
    """Print a result as JSON, and nothing else."""
    import netx_export

    typer.echo(netx_export.to_json(result))


#: The verbs of this module, in the order of the command's help.
VERBS = (inspect, check, diff, report, bundle)
