"""The section on where a network lies on a chip."""

from __future__ import annotations

from collections.abc import Iterator

from netx_export._chip.layout import Layout
from netx_export._report._elements import Element, tag
from netx_export._report._facts import NetworkReport
from netx_export._report._parts import section
from netx_export._report._text import count

SOURCE = (
    "By the rules of the compiler as far as its public tables tell; the second number of cores is a lower bound. "
    "Nothing here has run on a chip."
)


def chip(report: NetworkReport) -> Element:
    """The cores and the fullest core of each layer, and what moved; or why that cannot be said."""
    found = report.layout
    if isinstance(found, str):
        return section("On a chip", tag("p", f"It was not laid out: {found}.", class_="quiet"))
    cores, chips = count(found.cores, "core"), count(found.chips, "chip")
    board = f", which the board {found.board} has" if found.board else ""
    said = f"{cores} of {found.chip.name} on {chips}{board}; at least {count(found.tight_cores, 'core')}."
    rules = [tag("li", text) for text in _rules(found)]
    return section(
        "On a chip",
        tag("p", said),
        tag("div", tag("table", _head(), _body(found), class_="figures"), class_="scroll"),
        tag("p", _moved(found), class_="quiet") if found.traffic is not None else None,
        tag("ul", rules, class_="quiet") if rules else None,
        tag("p", SOURCE, class_="quiet"),
    )


def _head() -> Element:
    names = ("layer", "cores", "neurons a core", "synaptic memory", "fullest core")
    return tag("thead", tag("tr", [tag("th", name, scope="col") for name in names]))


def _body(found: Layout) -> Element:
    rows = [
        tag(
            "tr",
            tag("th", layer.name, scope="row"),
            tag("td", f"{layer.cores:,} ({layer.tight_cores:,})"),
            tag("td", f"{layer.neurons_per_core:,}"),
            tag("td", f"{layer.synmem_words:,} words"),
            tag("td", f"{layer.share:.0%} of {_named(layer.binding)}"),
        )
        for layer in found.layers
    ]
    return tag("tbody", rows)


def _moved(found: Layout) -> str:
    """Say what moves for a sample, in the mean."""
    traffic = found.traffic
    assert traffic is not None
    parts = [
        f"{traffic.messages.mean():,.0f} messages",
        f"{traffic.synops.mean():,.0f} synaptic operations",
    ]
    return f"A sample moves {' and makes '.join(parts)}, in the mean of {count(traffic.samples, 'sample')}."


def _rules(found: Layout) -> Iterator[str]:
    """The findings of the design rules, those of several layers once."""
    groups: dict[tuple[str, str], list[str]] = {}
    for each in found.findings:
        groups.setdefault((each.rule, each.severity), []).append(str(each))
    for (_, severity), texts in groups.items():
        more = f" And {count(len(texts) - 1, 'layer')} more." if len(texts) > 1 else ""
        yield f"{severity[0].upper()}{severity[1:]}: {texts[0]}.{more}"


def _named(limit: str) -> str:
    return limit.replace("synmem", "synaptic memory").replace("_", " ")
