"""The table of rooms in CONTRIBUTING.md, and the picture of it: `python -m tests.helpers.rooms` draws it anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "assets" / "rooms.svg"

#: Of the picture: its width, the height of a row, and the sides of a box.
WIDTH, ROW, BOX = 780, 74, (112, 38)

STYLE = """
    text { font: 15px system-ui, sans-serif; fill: #1f2933; text-anchor: middle; }
    rect { fill: #e0f0ff; stroke: #1f6fb2; stroke-width: 1.6; }
    path { stroke: #52606d; stroke-width: 1.6; fill: none; }
    marker path { fill: #52606d; stroke: none; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e4e7eb; } rect { fill: #14344f; stroke: #57a9e8; }
      path { stroke: #b6c0ca; } marker path { fill: #b6c0ca; }
    }
"""

#: A room in its row, or an arrow that passes through it: (room that imports, room that is imported, row).
Place = str | tuple[str, str, int]


class Room(NamedTuple):
    """A row of the table: its files and folders, the rooms that it imports, and the packages of others."""

    name: str
    files: tuple[str, ...]
    rooms: frozenset[str]
    packages: frozenset[str]


def table() -> list[Room]:
    """The rows of the table of rooms, in its order."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    lines = text.partition("| room | files |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    return [
        Room(name, _code(files), frozenset(rooms.replace(",", " ").split()), frozenset(_code(packages)))
        for name, files, _, rooms, packages in rows
    ]


def _code(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def arrows(rooms: list[Room]) -> list[tuple[str, str]]:
    """The imports that no others imply: from a room to one that it reaches in no other way."""
    below = {room.name: room.rooms for room in rooms}
    implied = {name: {far for near in near_by for far in _reached(near, below)} for name, near_by in below.items()}
    return [
        (room.name, other.name) for room in rooms for other in rooms if other.name in room.rooms - implied[room.name]
    ]


def _reached(name: str, below: dict[str, frozenset[str]]) -> set[str]:
    return set(below[name]).union(*(_reached(other, below) for other in below[name]))


def levels(rooms: list[Room]) -> dict[str, int]:
    """The row of each room: as many below the top as the longest way of imports that leads to it."""
    found: dict[str, int] = {}
    for room in reversed(rooms):
        found[room.name] = 1 + max((found[user.name] for user in rooms if room.name in user.rooms), default=-1)
    return found


def drawing(rooms: list[Room]) -> str:
    """The picture as SVG: a box for a room, an arrow for each import that no others imply."""
    level, edges = levels(rooms), arrows(rooms)
    rows = _rows(rooms, edges, level)
    at = {
        place: (WIDTH * (index + 1) // (len(row) + 1), ROW * number + ROW // 2)
        for number, row in enumerate(rows)
        for index, place in enumerate(row)
    }
    boxes = [_box(room.name, *at[room.name]) for room in reversed(rooms)]
    lines = [_line([at[place] for place in _passage(edge, level)]) for edge in edges]
    height = ROW * len(rows)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img"'
    label = "The rooms of the project, each above those that it imports."
    tip = '<marker id="tip" markerWidth="9" markerHeight="9" refX="7.5" refY="4" orient="auto">'
    parts = [
        f'{head} aria-label="{label}">',
        f"  <style>{STYLE}  </style>",
        f'  <defs>{tip}<path d="M0,0 L8,4 L0,8 z"/></marker></defs>',
        *lines,
        *boxes,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _passage(edge: tuple[str, str], level: dict[str, int]) -> list[Place]:
    """The places that an arrow leads through, from row to row."""
    user, used = edge
    return [user, *((user, used, row) for row in range(level[user] + 1, level[used])), used]


def _rows(rooms: list[Room], edges: list[tuple[str, str]], level: dict[str, int]) -> list[list[Place]]:
    """The places of each row, from left to right: near to those above and below that they are connected with."""
    rows: list[list[Place]] = [[] for _ in range(1 + max(level.values()))]
    for room in rooms:
        rows[level[room.name]].append(room.name)
    links = [link for edge in edges for link in pairwise(_passage(edge, level))]
    for edge in edges:
        for row, place in enumerate(_passage(edge, level)[1:-1], level[edge[0]] + 1):
            rows[row].append(place)
    for others in _sweeps(rows):
        at = {place: (index + 1) / (len(row) + 1) for row in rows for index, place in enumerate(row)}
        others.sort(key=lambda place: _middle(place, links, at))
    return rows


def _sweeps(rows: list[list[Place]]) -> Iterator[list[Place]]:
    """All rows, downwards and upwards, some times."""
    for _ in range(4):
        yield from rows
        yield from reversed(rows)


def _middle(place: Place, links: list[tuple[Place, Place]], at: dict[Place, float]) -> float:
    """The mean position of a place's neighbours."""
    near = [at[other] for pair in links if place in pair for other in pair if other != place]
    return sum(near) / len(near)


def _box(name: str, x: int, y: int) -> str:
    width, height = BOX
    rect = f'<rect x="{x - width // 2}" y="{y - height // 2}" width="{width}" height="{height}" rx="8"/>'
    return f'  {rect}<text x="{x}" y="{y + 5}">{name}</text>'


def _line(points: list[tuple[int, int]]) -> str:
    half = BOX[1] // 2
    (x, y), *through, (end_x, end_y) = points
    beside = [corner for x, y in through for corner in ((x, y - half), (x, y + half))]
    path = [(x, y + half), *beside, (end_x, end_y - half - 2)]
    return f'  <path d="M{" L".join(f"{x},{y}" for x, y in path)}" marker-end="url(#tip)"/>'


if __name__ == "__main__":
    PICTURE.write_text(drawing(table()), "utf-8")
