"""The page of a comparison: what differs in words, and where the outputs part as a picture."""

from __future__ import annotations

from netx_export._diff._facts import Change, LayerDiff, NetworkDiff, Overlay
from netx_export._report import _charts as charts
from netx_export._report._elements import Element, tag
from netx_export._report._page import assembled
from netx_export._report._parts import section
from netx_export._report._text import count

#: Of an overlay's numbers, the classes by which they are coloured.
CODES = {1: "equal", 2: "up", 3: "down"}


def page(found: NetworkDiff) -> str:
    """The HTML of a comparison."""
    parts = [_header(found), _changes(found), _outputs(found), tag("footer", tag("p", "Made by lava-qsnn diff."))]
    return assembled(" and ".join(found.titles), [part for part in parts if part is not None])


def _header(found: NetworkDiff) -> Element:
    one, other = found.titles
    return tag(
        "header",
        tag("p", "Two networks compared", class_="eyebrow"),
        tag("h1", one, tag("span", " and ", class_="quiet"), other),
        tag("p", _lede(found), class_="lede"),
        _verdict(found),
    )


def _lede(found: NetworkDiff) -> str:
    if found.first is None:
        apart = "Their outputs are equal" if found.layers else "Their outputs were not compared"
    else:
        first, row = found.first, found.first.row
        at = f" at {row.first}" if row.first is not None else ""
        apart = f"Their outputs part in layer '{first.one}'{at}"
    kind = "random numbers" if found.random else "the samples that were given"
    return f"{apart}, on {count(found.samples, 'sample')}: {kind}." if found.layers else f"{apart}."


def _verdict(found: NetworkDiff) -> Element:
    if found.same:
        return tag("p", "the networks are equal", class_="verdict fine")
    look = "error" if found.exit_status == 4 else "warning"
    return tag("p", count(len(found.changes), "difference"), class_=f"verdict {look}")


def _changes(found: NetworkDiff) -> Element | None:
    if not found.changes:
        return None
    rows = [tag("tr", tag("th", _place(each), scope="row"), tag("td", each.words)) for each in found.changes]
    return section("What differs", tag("div", tag("table", tag("tbody", rows)), class_="scroll"))


def _place(change: Change) -> str:
    return "the network" if change.layer is None else change.layer


def _outputs(found: NetworkDiff) -> Element | None:
    if not found.layers:
        return None
    rows = [_row(layer) for layer in found.layers]
    steps = found.layers[0].overlay.steps
    first, last = tag("span", "step 0"), tag("span", f"step {len(found.layers[0].overlay.rows[0]) - 1} of {steps - 1}")
    axis = tag("div", tag("span"), tag("div", first, last, class_="ends"), class_="row")
    figure = tag("figure", tag("div", rows, axis, class_="rasters"), tag("figcaption", _legend(found)))
    return section("Where the outputs part", figure)


def _legend(found: NetworkDiff) -> list[Element | str]:
    one, other = found.titles
    marks = [("equal", "equal, and not 0"), ("up", f"larger in {one}"), ("down", f"larger in {other}")]
    keys = [tag("span", tag("i", class_=f"key {look}"), text, class_="entry") for look, text in marks]
    return ["One sample, time to the right, a row a neuron. ", *keys]


def _row(layer: LayerDiff) -> Element:
    row = layer.row
    name = layer.one if layer.one == layer.other else f"{layer.one} / {layer.other}"
    share = f"{row.mismatches:,} of {row.values:,} differ" if row.mismatches else "equal"
    rates = f"active {layer.rates[0]:.1%} / {layer.rates[1]:.1%}"
    label = [
        tag("b", name),
        tag("span", share, class_="error" if row.mismatches else "fine"),
        tag("span", rates, class_="quiet"),
    ]
    return tag("div", tag("div", label, class_="label"), _picture(layer.overlay, name), class_="row")


def _picture(overlay: Overlay, name: str) -> Element:
    columns, rows = len(overlay.rows[0]), len(overlay.rows)
    paths = [tag("path", d=charts.cells(overlay.rows, code.__eq__), class_=look) for code, look in CODES.items()]
    drawn = charts.chart(columns, rows, f"outputs of {name}, laid over each other", paths, kind="chart raster overlay")
    drawn.set("style", f"height:{max(26, min(190, 4 * rows))}px")
    return drawn
