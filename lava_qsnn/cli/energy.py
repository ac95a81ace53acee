"""The verb about energy: counts first, then what published prices make of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from lava_qsnn.cli.chip import ChipName, MappingName, traffic_table
from lava_qsnn.cli.inputs import chosen_samples
from lava_qsnn.cli.options import YAML_FILES, AsJson, NetworkFile, SampleOptions, Samples
from lava_qsnn.cli.results import print_json
from lava_qsnn.cli.terminal import console, say, show

if TYPE_CHECKING:
    from netx_export import Bill, Energy


def energy(
    file: NetworkFile,
    of: SampleOptions,
    chip: ChipName = "loihi2",
    mapping: MappingName = "word",
    prices: Annotated[
        Path | None,
        typer.Option(
            "--prices", help="A YAML file of your own prices, each with its source.", autocompletion=YAML_FILES
        ),
    ] = None,
    step_time: Annotated[
        float | None, typer.Option("--step-time", help="Seconds of a time step on the chip, for static energy.")
    ] = None,
    samples: Samples = 8,
    as_json: AsJson = False,
) -> None:
    """Count what a network does for samples, and price it by what is published; each sum names its boundary."""
    import netx_export

    network = netx_export.load(file)
    chosen = chosen_samples(network, file, of, samples)
    found = netx_export.energy(network, chosen.x, chip, mapping, prices, step_time)
    if as_json:
        print_json(found.as_dict(), source=chosen.source)
    else:
        show_energy(found, chosen.source)


def show_energy(found: Energy, source: str) -> None:
    """Print the counts, then the bills, then what was refused."""
    assert found.layout.traffic is not None
    say(f"{found.layout.chip.name}, mapping {found.layout.mapping}, samples of {source}")
    show(traffic_table(found.layout.traffic), *map(bill_table, found.bills))
    if found.envelope is not None:
        text = joules(*found.envelope)
        say(f"both bases of Loihi 1 together, dynamic: {text}; static power is not in it")
    for name, reason in found.refused.items():
        console.print(
            f"[yellow]no energy of {escape(name)}:[/yellow] {escape(reason)}", highlight=False, soft_wrap=True
        )
    for anchor in found.anchors:
        say(f"measured: {anchor}")


def bill_table(bill: Bill) -> Table:
    """The operations of one basis, their prices and energies for a sample, their sum and its boundary."""
    where = f"{bill.layout.chip.name}, mapping {bill.layout.mapping}"
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), title=f"{bill.basis.name}: {where}")
    for column in ("operation", "for a sample", "pJ each", "energy", "source"):
        table.add_column(column, justify="left" if column in ("operation", "source") else "right")
    for line in bill.lines:
        price = line.price
        each = "unpriced" if price is None else _range(price.low, price.high)
        total = "unpriced" if line.low is None else joules(line.low, line.high)
        source = escape(price.source if price is not None else "")
        table.add_row(line.operation.replace("_", " "), f"{line.count:,.1f}", each, total, source)
    table.add_section()
    table.add_row(f"sum, {bill.basis.boundary}", "", "", joules(bill.low, bill.high), "")
    if bill.static is not None:
        table.add_row("static, chip", "", "", joules(bill.static, bill.static), escape(bill.basis.static_source))
        high = None if bill.high is None else bill.high + bill.static
        table.add_row("sum, chip", "", "", joules(bill.low + bill.static, high), "")
    for note in bill.notes:
        table.add_row("", "", "", "", f"[dim]{escape(note)}[/dim]")
    return table


def _range(low: float, high: float | None) -> str:
    if high is None:
        return f"from {low:g}"
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def joules(low: float, high: float | None) -> str:
    """Picojoules in a unit that suits them: a number, a range, or an open one."""
    top = low if high is None else high
    unit, scale = next(
        ((unit, scale) for unit, scale in (("mJ", 1e9), ("uJ", 1e6), ("nJ", 1e3)) if top >= scale), ("pJ", 1.0)
    )
    if high is None:
        return f"from {low / scale:.3g} {unit}"
    return f"{low / scale:.3g} {unit}" if low == high else f"{low / scale:.3g} to {high / scale:.3g} {unit}"


#: The verbs of this module, in the order of the command's help.
VERBS = (energy,)
