"""The verb that shows the networks that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from lava_qsnn.cli.options import AsJson
from lava_qsnn.cli.terminal import console, say, show

if TYPE_CHECKING:
    from netx_export.zoo import Record


def zoo(
    name: Annotated[
        str | None, typer.Argument(help="Show its model card; without a name, the table of all.", metavar="NAME")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the trained networks that come with the package; `zoo:NAME` is a FILE for all other verbs."""
    from netx_export import to_json
    from netx_export import zoo as networks

    chosen = networks.names() if name is None else [name.removeprefix(networks.PREFIX)]
    if as_json:
        typer.echo(to_json({"networks": [networks.record(each) for each in chosen]}))
    elif name is None:
        show_zoo([networks.record(each) for each in chosen])
    elif console.is_terminal:
        from rich.markdown import Markdown  # takes a while to import

        console.print(Markdown(networks.card(chosen[0])))
    else:
        typer.echo(networks.card(chosen[0]))


def show_zoo(records: list[Record]) -> None:
    """Print the table of networks, and how to learn more of one."""
    show(zoo_table(records))
    say("lava-qsnn zoo NAME tells more: input, layers, neuron, state, digest, commands")


def zoo_table(records: list[Record]) -> Table:
    """The networks that come with the package, a line each that fits into 80 columns."""
    table = Table("name", "task", box=box.SIMPLE, padding=(0, 1, 0, 0), title="zoo:NAME is a file for every command")
    for column in ("accuracy", "bytes"):
        table.add_column(column, justify="right", no_wrap=True)
    for each in records:
        table.add_row(each.name, escape(each.task), each.measured.short, f"{each.bytes:,}")
    return table
