"""Parts that several sections are made of."""

from __future__ import annotations

from netx_export._report._elements import Element, tag
from netx_export._report._facts import Histogram


def section(title: str, *children: object) -> Element:
    """A section below its title."""
    return tag("section", tag("h2", title), children)


def captioned(title: str, picture: Element, ends: tuple[str, str], text: str) -> Element:
    """A chart with its title, the two ends of its axis, and a sentence."""
    axis = tag("div", tag("span", ends[0]), tag("span", ends[1]), class_="ends")
    return tag("figure", tag("h4", title), picture, axis, tag("figcaption", text))


def ends(histogram: Histogram) -> tuple[str, str]:
    """The least and the greatest value of a histogram; one, if it has no other."""
    return f"{histogram.low:,}", f"{histogram.high:,}" if histogram.high > histogram.low else ""
