"""Tables that fit a terminal: texts are broken into lines, numbers never; what is left over becomes another table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Column, Table

#: Characters that a text keeps for itself, however long its words are; a longer word is broken.
WORD = 24


@dataclass(frozen=True)
class Extent:
    """The characters that a column needs at the least, those that it would fill, and its padding."""

    least: int
    most: int
    padding: int


def fitted(table: Table, console: Console) -> Iterator[Table]:
    """The table as it is, or as several with its first column each, where numbers would be cut off.

    Numbers are what is aligned to the right. Texts get lines of their own.
    """
    sides = Padding.unpack(table.padding)
    extents = [_extent(column, console, sides[1] + sides[3]) for column in table.columns]
    for number, chosen in enumerate(_groups(extents, console.width)):
        widths = _widths([extents[index] for index in chosen], console.width)
        yield _part(table, chosen, widths, table.title if not number else None)


def _extent(column: Column, console: Console, padding: int) -> Extent:
    """Its header, and its cells."""
    measured = [Measurement.get(console, console.options.update(width=10**4), cell) for cell in _cells(column)]
    most = max(each.maximum for each in measured)
    least = most if column.justify == "right" else min(WORD, max(each.minimum for each in measured))
    return Extent(least, most, padding)


def _cells(column: Column) -> Iterator[RenderableType]:
    yield column.header
    yield from column.cells


def _taken(extents: Sequence[Extent]) -> int:
    """Characters of a table of these columns: with what lies between them and at its edges."""
    return 1 + sum(each.least + each.padding + 1 for each in extents)


def _groups(extents: Sequence[Extent], width: int) -> list[list[int]]:
    """The columns of each table: as many as fit, the first column in each."""
    groups: list[list[int]] = [[0]]
    for index in range(1, len(extents)):
        if len(groups[-1]) > 1 and _taken([extents[each] for each in (*groups[-1], index)]) > width:
            groups.append([0])
        groups[-1].append(index)
    return groups


def _widths(extents: Sequence[Extent], width: int) -> list[int]:
    """Characters of each column: what is left over goes to the texts, those first that want least."""
    widths = [each.least for each in extents]
    wanting = sorted((each.most - each.least, index) for index, each in enumerate(extents) if each.most > each.least)
    left = max(0, width - _taken(extents))
    for others, (wanted, index) in zip(range(len(wanting), 0, -1), wanting):
        given = min(wanted, left // others)
        widths[index] += given
        left -= given
    return widths


def _part(table: Table, chosen: Sequence[int], widths: Sequence[int], title: object) -> Table:
    """A table of some of the columns."""
    part = Table(box=table.box, padding=table.padding, show_header=table.show_header, title=title)  # type: ignore[arg-type]
    for index, width in zip(chosen, widths):
        column = table.columns[index]
        is_number = column.justify == "right"
        part.add_column(column.header, justify=column.justify, width=width, no_wrap=is_number, overflow="fold")
    for row, cells in zip(table.rows, zip(*(table.columns[index].cells for index in chosen))):
        part.add_row(*cells, end_section=row.end_section)
    return part
