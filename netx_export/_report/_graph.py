"""The graph of a network as SVG: layers from top to bottom, skips at their left, recurrences at their right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netx_export._report._elements import Element, tag
from netx_export._report._facts import NetworkReport
from netx_export._report._text import count, extents
from netx_export._words import kind_words

#: Of a box, of the room between two boxes, and of the lane of an arc; in pixels.
BOX_WIDTH, BOX_HEIGHT, GAP, LANE = 268, 50, 40, 16

#: Letters of a name that fit into a box.
LONGEST = 22


@dataclass(frozen=True)
class Arc:
    """A connection that passes by others: from place `start` to place `end`, counted from the top, in a lane."""

    start: int
    end: int
    lane: int
    label: str


def graph(report: NetworkReport) -> Element:
    """The whole graph."""
    places = {"input": 0, **{layer.summary.name: place for place, layer in enumerate(report.layers, 1)}}
    skips, returns = _arcs(report, places)
    left, right = (_margin(arcs) for arcs in (skips, returns))
    width, height = left + BOX_WIDTH + right, len(places) * (BOX_HEIGHT + GAP) - GAP + 4
    drawn = [
        *_straight(report, places, left),
        *(_arc(arc, left, -1) for arc in skips),
        *(_arc(arc, left + BOX_WIDTH, 1) for arc in returns),
        *_boxes(report, left),
    ]
    return tag(
        "svg",
        tag("title", f"{len(report.layers)} layers and what connects them"),
        drawn,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label="the graph of the network",
        class_="graph",
    )


def _margin(arcs: Sequence[Arc]) -> float:
    """The room that arcs take beside the boxes."""
    return 14 + LANE * (1 + max(arc.lane for arc in arcs)) if arcs else 2


def _boxes(report: NetworkReport, left: float) -> Iterable[Element]:
    given = report.inspection.input
    yield _box(0, left, "input", f"{extents(given.shape)}, {count(given.bits, 'bit')}", "source")
    worst = _severities(report)
    for place, layer in enumerate(report.layers, 1):
        summary = layer.summary
        text = f"{extents(summary.shape)} {kind_words(summary.neuron)}"
        yield _box(place, left, summary.name, text, worst.get(summary.name, "fine"), layer.activity.rate)


def _severities(report: NetworkReport) -> Mapping[str, str]:
    """The worst that was found of each layer; findings come the worst first."""
    found = {finding.layer: finding.severity for finding in reversed(report.check.findings)}
    return {layer: severity for layer, severity in found.items() if layer is not None}


def _box(place: int, left: float, name: str, text: str, look: str, rate: float | None = None) -> Element:
    top = _top(place)
    shown = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    parts = [
        tag("title", f"{name}: {text}"),
        tag("rect", x=left, y=top, width=BOX_WIDTH, height=BOX_HEIGHT, rx=9),
        tag("text", shown, x=left + 16, y=top + 21, class_="name"),
        tag("text", text, x=left + 16, y=top + 39, class_="detail"),
    ]
    if rate is not None:
        parts += _meter(left + BOX_WIDTH - 74, top + 32, rate)
    return tag("g", parts, class_=f"box {look}")


def _meter(x: float, y: float, rate: float) -> list[Element]:
    """The activity of a layer, as a bar and in percent."""
    return [
        tag("text", f"{rate:.0%}", x=x + 58, y=y - 11, class_="rate"),
        tag("rect", x=x, y=y, width=58, height=5, rx=2.5, class_="scale"),
        tag("rect", x=x, y=y, width=58 * rate, height=5, rx=2.5, class_="level"),
    ]


def _top(place: int) -> float:
    return 2 + place * (BOX_HEIGHT + GAP)


def _straight(report: NetworkReport, places: Mapping[str, int], left: float) -> Iterable[Element]:
    """The connection from the layer just before, as an arrow with its synapse beside it."""
    x = left + BOX_WIDTH / 2
    for layer in report.layers:
        place = places[layer.summary.name]
        for source, synapse, delay in layer.edges:
            if places[source] != place - 1:
                continue
            end = _top(place) - 2
            yield tag("path", d=f"M{x:g} {_top(place - 1) + BOX_HEIGHT:g}V{end - 5:g}", class_="edge")
            yield tag("path", d=f"M{x - 5:g} {end - 7:g}l5 7l5 -7z", class_="head")
            yield tag("text", _edge_text(synapse, delay), x=x + 14, y=end - 15, class_="detail")


def _edge_text(synapse: str, delay: int) -> str:
    return f"{synapse}, {count(delay, 'step')} later" if delay else synapse


def _arcs(report: NetworkReport, places: Mapping[str, int]) -> tuple[list[Arc], list[Arc]]:
    """The connections that skip layers and those that go back, each in lanes in which no two meet."""
    found: tuple[list[Arc], list[Arc]] = ([], [])
    edges = [
        (places[source], places[layer.summary.name], _edge_text(synapse, delay))
        for layer in report.layers
        for source, synapse, delay in layer.edges
    ]
    for start, end, label in sorted(edges, key=lambda edge: abs(edge[1] - edge[0])):
        if end != start + 1:
            arcs = found[end <= start]
            arcs.append(Arc(start, end, _free_lane(arcs, start, end), label))
    return found


def _free_lane(arcs: Sequence[Arc], start: int, end: int) -> int:
    low, high = sorted((start, end))
    taken = {arc.lane for arc in arcs if low <= max(arc.start, arc.end) and min(arc.start, arc.end) <= high}
    return next(lane for lane in range(len(arcs) + 1) if lane not in taken)


def _arc(arc: Arc, x: float, side: int) -> Element:
    """An arc beside the boxes: `side` -1 is left, 1 right."""
    start, end = _top(arc.start) + BOX_HEIGHT * 0.68, _top(arc.end) + BOX_HEIGHT * 0.32
    away = side * (12 + LANE * arc.lane)
    turn = 8 if end > start else -8
    path = (
        f"M{x:g} {start:g}h{away - side * 8:g}q{side * 8} 0 {side * 8} {turn}V{end - turn:g}"
        f"q0 {turn} {-side * 8} {turn}H{x + side * 3:g}"
    )
    head = tag("path", d=f"M{x + side * 8:g} {end - 5:g}l{-side * 7} 5l{side * 7} 5z", class_="head")
    look = "edge back" if side > 0 else "edge skip"
    return tag("g", tag("title", arc.label), tag("path", d=path, class_=look), head)
