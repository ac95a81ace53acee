"""Results in notebooks and in print: networks as tables with histograms of weights, verdicts in short lines."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import netx_export
from lava_qsnn import integer
from lava_qsnn.integer._notebook import HEIGHT, histogram
from tests.helpers.files import network


class Tags(HTMLParser):
    """Counts tags, and wants each closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(html: str) -> list[str]:
    parser = Tags()
    parser.feed(html)
    assert parser.open == []
    return parser.seen


def test_a_network_shows_a_row_and_a_histogram_for_each_layer() -> None:
    html = network()._repr_html_()
    seen = tags(html)
    assert seen.count("svg") == len(network())
    assert seen.count("tr") == 1 + len(network())
    for layer in network().layers:
        assert f">{layer.name}<" in html
        weights = [connection.synapse.weight for connection in layer.connections]
        assert f">{sum(each.size for each in weights):,}<" in html


def test_the_histogram_has_a_bar_for_each_number_there_is() -> None:
    drawn = histogram(np.repeat([-2, 0, 1], [5, 10, 20]))
    heights = [float(height) for height in re.findall(r"height='([\d.]+)'/>", drawn)]
    assert heights == [HEIGHT * 5 / 20, HEIGHT * 10 / 20, HEIGHT]
    assert "weights from -2 to 1" in drawn
    assert histogram(np.full(3, 7)).count("<rect") == 1


def test_names_from_a_file_are_no_html() -> None:
    weight = np.array([[1, -1]])
    layer = integer.Layer("<script>", (integer.Connection("input", integer.Dense(weight)),), integer.Readout((1,)))
    html = integer.IntegerNetwork(integer.Input((2,)), 2, (layer,))._repr_html_()
    assert "script" not in tags(html)
    assert "&lt;script&gt;" in html


@pytest.fixture(scope="module")
def exact() -> netx_export.Report:
    return netx_export.verify(network(), netx_export.random_samples(network(), 2), ["reference", "fast"])


def test_a_report_is_short_lines_with_its_verdict_first(exact: netx_export.Report) -> None:
    lines = str(exact).splitlines()
    assert lines[0].startswith("exact: ")
    assert max(map(len, lines)) < 80
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["reference", "fast"]
    assert tags(exact._repr_html_()).count("tr") == 1 + len(exact.rows)


def test_a_report_of_what_differs_names_the_first_layer(exact: netx_export.Report) -> None:
    wrong = replace(exact.rows[-1], mismatches=3, first=netx_export.Parting(2, 0, (1,), 5, 4))
    differing = replace(exact, rows=(*exact.rows[:-1], wrong), refused={"netx": "it is <too> long"})
    text = str(differing)
    assert text.startswith("not exact: 3 of ")
    assert f"first in layer '{wrong.layer}', time step 2" in text
    assert "&lt;too&gt;" in differing._repr_html_()


def test_a_check_shows_its_findings() -> None:
    found = netx_export.check(network(), samples=2, backends=("fast",))
    assert f"{len(found.checks)} checks on 2 samples" in str(found).splitlines()[0]
    assert len(str(found).splitlines()) == 1 + len(found.findings)
    rows = tags(found._repr_html_()).count("tr")
    assert rows == (1 + len(found.findings) if found.findings else 0)
