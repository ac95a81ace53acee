"""Verbs that look at a network's file: inspect it, check it, compare it with another, report on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lava_qsnn.cli import completion
from lava_qsnn.cli.inputs import chosen_samples, read_network, restored
from lava_qsnn.cli.options import (
    PAGES,
    AsJson,
    CallOptions,
    ItsCheckpoint,
    NetworkFile,
    Original,
    OtherFile,
    Page,
    PageBackends,
    SampleOptions,
    Samples,
    StockOptions,
)
from lava_qsnn.cli.results import print_json
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
from lava_qsnn.cli.terminal import AS_IT_IS, console, progress_bar, say, show, warn
from lava_qsnn.outputs import writable

if TYPE_CHECKING:
    import numpy as np

    from lava_qsnn.integer import IntegerNetwork
    from netx_export import Bundle, CheckReport, Inspection, NetworkDiff, StockCall


def inspect(file: NetworkFile, stock: StockOptions, as_json: AsJson = False) -> None:
    """Show a network file: layers, numbers in plain words, bits, state, size, where it is exact, what it warns of."""
    import netx_export

    inspection = netx_export.inspect(file, **stock.told())
    if as_json:
        print_json(inspection)
    else:
        show_network(inspection)


def show_network(inspection: Inspection) -> None:
    """Print all tables of a network."""
    show(layer_table(inspection), word_table(inspection), cost_table(inspection), backend_table(inspection))
    absent = [each for each in inspection.backends if each.absence is not None]
    for reason in dict.fromkeys(str(each.absence) for each in absent):
        names = ", ".join(each.name for each in absent if each.absence == reason)
        say(f"not here: {names}. {reason}")
    if inspection.weights_on_file:
        show(file_table(inspection))
    if inspection.opening:
        console.print("in stock lava-dl:", *(f"  {line}" for line in inspection.opening), sep="\n", **AS_IT_IS)
    if inspection.findings:
        show(finding_table(inspection.findings))


def check(
    file: NetworkFile,
    stock: StockOptions,
    called: CallOptions,
    of: SampleOptions,
    checkpoint: ItsCheckpoint = None,
    original: Original = None,
    samples: Samples = 8,
    as_json: AsJson = False,
) -> None:
    """Look for what makes a network answer wrongly: named checks, and runs beside NetX, torch and what was meant.

    Ends with status 0 if nothing but notes was found, 3 for warnings, 4 for errors, and 1 if it could not look.
    """
    import netx_export

    network = read_network(file, of.array, stock.told())
    net = None if checkpoint is None else restored(checkpoint)
    chosen = chosen_samples(network, file, of, samples, checkpoint)
    call = _call(network, chosen.x, called.said())
    x = None if chosen.is_random else chosen.x
    with progress_bar("check", len(chosen.x)) as progress:
        found = netx_export.check(
            network,
            x,
            net=net,
            original=original,
            call=call,
            samples=samples,
            file=file,
            progress=lambda name, fraction: progress(fraction, name),
        )
    if as_json:
        print_json(found, source=chosen.source)
    else:
        show_check(found, chosen.source)
    if found.exit_status:
        raise typer.Exit(found.exit_status)


def report(
    file: NetworkFile,
    stock: StockOptions,
    of: SampleOptions,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.", autocompletion=PAGES)] = Path(
        "report.html"
    ),
    backend: PageBackends = None,
    title: Annotated[str | None, typer.Option("--title", help="Of the page; the file's name by default.")] = None,
    samples: Samples = 100,
    as_json: AsJson = False,
) -> None:
    """Write one HTML page about a network: graph, numbers, activity, a sample on its way, bounds, exactness.

    The page needs nothing else: no script, no other file and no network.
    """
    import netx_export

    writable(output)
    network = read_network(file, of.array, stock.told())
    chosen = chosen_samples(network, file, of, samples)
    with progress_bar("report", len(chosen.x)) as progress:
        made = netx_export.report(
            network,
            output,
            chosen.x,
            chosen.labels,
            source=chosen.source,
            title=title,
            backends=backend or ["fast"],
            file=file,
            progress=lambda name, fraction: progress(fraction, name),
        )
    if as_json:
        told = ("title", "source", "samples")
        print_json(
            {"page": output, **{name: getattr(made, name) for name in told}},
            accuracy=made.answers.accuracy,
            exact=made.check.comparison is not None and made.check.comparison.exact,
            findings=made.check.findings,
        )
    else:
        say(f"wrote {output}")


def bundle(
    file: NetworkFile,
    stock: StockOptions,
    of: SampleOptions,
    output: Annotated[Path, typer.Option("--output", "-o", help="The archive, which must not exist.")] = Path(
        "handover.zip"
    ),
    chip: Annotated[
        str, typer.Option("--chip", help="Of the layout, as for the verb layout.", autocompletion=completion.chips)
    ] = "loihi2",
    samples: Samples = 4,
    as_json: AsJson = False,
) -> None:
    """Pack a network for somebody with a board: scripts of stock lava-dl alone, golden vectors, layout, a checker.

    Nothing in a bundle has ever run on hardware. Where stock lava-dl does not compute a network, the bundle says what
    is missing.
    """
    import netx_export

    network = read_network(file, of.array, stock.told())
    chosen = chosen_samples(network, file, of, samples)
    made = netx_export.bundle(network, output, chosen.x, source=chosen.source, file=file, chip=chip)
    if as_json:
        told = ("path", "files", "samples", "call", "latency", "missing", "is_stock")
        print_json({name: getattr(made, name) for name in told}, source=chosen.source)
    else:
        show_bundle(made, chosen.source)


def show_bundle(made: Bundle, source: str) -> None:
    """Print what is in an archive, the call of stock lava-dl, and what is missing."""
    say(f"wrote {made.path}: {', '.join(made.files)}")
    say(f"golden vectors of {made.samples} samples of {source}")
    if made.is_stock:
        call = ", ".join(f"{name}={value!r}" for name, value in made.call.items())
        say(f"stock lava-dl runs it: netx.hdf5.Network({call}), {made.latency} steps late")
    for reason in made.missing:
        warn(f"it has no script for a board, for unmodified NetX does not compute it: {reason}")
    say("nothing in it has ever run on Loihi hardware")


def diff(
    one: NetworkFile,
    other: OtherFile,
    of: SampleOptions,
    output: Page = None,
    samples: Samples = 16,
    as_json: AsJson = False,
) -> None:
    """Compare two networks: structure, numbers, and outputs for the same input; say where they part.

    Ends with status 0 if they are equal, 3 if only numbers differ, 4 if outputs do, and 1 if it could not compare.
    """
    import netx_export

    if output is not None:
        writable(output)
    first, second = (read_network(each, of.array, {}) for each in (one, other))
    chosen = chosen_samples(first, one, of, samples)
    x, titles = None if chosen.is_random else chosen.x, (one.name, other.name)
    with progress_bar("diff", len(chosen.x)) as progress:
        found = netx_export.diff(
            first,
            second,
            x,
            samples=samples,
            path=output,
            titles=titles,
            progress=lambda name, fraction: progress(fraction, name),
        )
    if as_json:
        print_json(found, source=chosen.source)
    else:
        show_diff(found)
        if output is not None:
            say(f"wrote {output}")
    if found.exit_status:
        raise typer.Exit(found.exit_status)


def show_diff(found: NetworkDiff) -> None:
    """Print what differs, and where outputs part."""
    if found.same:
        console.print("[green]the networks are equal[/green]")
    else:
        show(change_table(found))
    if found.layers:
        show(part_table(found))
    if found.first is not None:
        say(f"outputs part in layer '{found.first.one}', {found.first.row.first}")


def show_check(found: CheckReport, source: str) -> None:
    """Print what was compared and what was found."""
    if found.comparison is not None:
        show(report_table(found.comparison))
    say(f"{len(found.checks)} checks on {found.samples} samples of {source}")
    if found.findings:
        show(finding_table(found.findings))
    else:
        console.print("[green]nothing found[/green]")


def _call(network: IntegerNetwork, x: np.ndarray[Any, Any], said: dict[str, Any]) -> StockCall | None:
    """The call of NetX that was described, by the network's own where it was not; None if nothing was said."""
    import netx_export

    return replace(netx_export.stock_call(network, x.shape[-1]), **said) if said else None


#: The verbs of this module, in the order of the command's help.
VERBS = (inspect, check, diff, report, bundle)
