"""Reports: one page that needs nothing else, as facts, as HTML, and as a real browser sees it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import ConfigurationError, InputError
from netx_export._report._facts import MOST_BARS, MOST_ROWS, histogram, raster
from netx_export._report._graph import BOX_HEIGHT
from tests.helpers.browser import needs_browser, picture, seen
from tests.helpers.command import call
from tests.helpers.files import network

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    netx_export.write(network(), tmp_path / "some.net")
    return tmp_path / "some.net"


def skipping() -> integer.IntegerNetwork:
    """A residual network that feeds back, with a name that a page must not believe."""
    random = np.random.default_rng(2)
    dense = [integer.Dense(random.integers(-3, 4, (12, 12))) for _ in range(5)]
    neuron = integer.MemoryFree((2, 1), random.integers(1, 9, 12))
    lif = integer.CUBA(*(np.full(12, value) for value in (2048, 1024, 3, 0)))
    connect = integer.Connection
    layers = (
        integer.Layer("first", (connect("input", dense[0]),), neuron),
        integer.Layer(HOSTILE.replace("/", "|"), (connect("first", dense[1]),), neuron),
        integer.Layer("third", (connect(HOSTILE.replace("/", "|"), dense[2]), connect("first", dense[3])), neuron),
        integer.Layer("loop", (connect("third", dense[4]), connect("loop", dense[0], delay=1)), lif),
        integer.Layer(
            "output", (connect("loop", integer.Dense(random.integers(-9, 9, (4, 12)))),), integer.Readout((1,))
        ),
    )
    return integer.IntegerNetwork(integer.Input((12,), 1), 20, layers)


class Page(HTMLParser):
    """The elements of a page: their names, attributes, texts, and whether each one is closed."""

    VOID = ("meta", "br", "link", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def classed(self, name: str) -> list[tuple[str, dict[str, str | None]]]:
        return [each for each in self.elements if name in (each[1].get("class") or "").split()]


def written(network: Any, path: Path, **options: Any) -> Page:
    netx_export.report(network, path, **options)
    return Page(path.read_text("utf-8"))


def test_a_page_needs_nothing_else(file: Path, tmp_path: Path) -> None:
    page = written(file, tmp_path / "page.html")
    assert not {"script", "link", "img", "iframe", "object"} & {name for name, _ in page.elements}
    text = (tmp_path / "page.html").read_text("utf-8")
    assert not re.findall(r"(?:https?:|//)\S+|@import|url\(", text)
    assert "default-src 'none'" in text
    assert len(text) < 200_000


def test_a_page_has_a_card_a_raster_and_a_box_for_each_layer(file: Path, tmp_path: Path) -> None:
    page = written(file, tmp_path / "page.html")
    assert len(page.classed("layer")) == 3
    assert len(page.classed("raster")) == 4
    assert len(page.classed("box")) == 4
    for words in ("conv1", "dense2", "memory-free", "-20 to 19", "6 of 6", "reset_interval=4", "random numbers"):
        assert words in page.text
    assert "mismatches in" in page.text


def test_texts_of_files_are_never_markup(tmp_path: Path) -> None:
    page = written(skipping(), tmp_path / "page.html", x=np.ones((1, 12, 20), int), title=HOSTILE, source="<b>bold</b>")
    assert "script" not in {name for name, _ in page.elements}
    assert HOSTILE in page.text
    assert "<b>bold</b>" in page.text


def test_skips_and_recurrences_are_drawn(tmp_path: Path) -> None:
    page = written(skipping(), tmp_path / "page.html")
    assert len(page.classed("skip")) == 1
    assert len(page.classed("back")) == 1
    boxes = [float(each["y"] or 0) for name, each in page.elements if name == "rect" and each.get("rx") == "9"]
    assert len(boxes) == 6
    assert min(np.diff(boxes)) > BOX_HEIGHT


def test_facts_are_those_of_the_reference(file: Path) -> None:
    random = np.random.default_rng(1)
    x, labels = random.integers(0, 4, (6, 2, 4, 4, 4)), random.integers(0, 5, 6)
    facts = netx_export.report(file, x=x, labels=labels)
    outputs = integer.run_reference(netx_export.load(file), x)
    for layer in facts.layers:
        values = outputs[layer.summary.name]
        assert layer.activity.rate == pytest.approx((values != 0).mean())
        assert layer.activity.silent == int((values == 0).all((0, -1)).sum())
        flat = values[0].reshape(-1, 4)
        assert [flat[index].tolist() for index in layer.raster.shown] == [list(row) for row in layer.raster.rows]
        assert sum(layer.rates.counts) == flat.shape[0]
    chosen = outputs["output"].sum(-1).argmax(1)
    assert facts.answers.accuracy == pytest.approx((chosen == labels).mean())
    assert facts.answers.confusion is not None
    assert np.array(facts.answers.confusion)[labels[0], chosen[0]] >= 1
    assert np.array(facts.answers.confusion).sum() == 6
    assert facts.answers.sums == tuple(outputs["output"][0].sum(-1))


def test_a_report_of_a_network_without_a_file_has_all_but_the_file(tmp_path: Path) -> None:
    page = written(network(), tmp_path / "page.html")
    assert "A network" in page.text
    assert "reset_interval" not in page.text


def test_what_was_found_stands_on_the_page(tmp_path: Path) -> None:
    layers = list(network().layers)
    layers[1] = replace(layers[1], neuron=integer.MemoryFree(layers[1].neuron.taps, np.full(40, 10**6)))
    page = written(replace(network(), layers=tuple(layers)), tmp_path / "page.html")
    assert "layer_never_fires" in page.text
    assert len(page.classed("finding")) > 1
    assert page.classed("verdict")[0][1]["class"] == "verdict error"
    assert any("error" in (each["class"] or "") for _, each in page.classed("box"))


def test_histograms_count_everything_once() -> None:
    values = np.random.default_rng(0).integers(-1000, 3000, 5000)
    found = histogram(values)
    assert sum(found.counts) == 5000
    assert len(found.counts) == MOST_BARS
    assert histogram(np.array([3, 3, 5])).counts == (2, 0, 1)
    assert histogram(np.array([7])).counts == (1,)


def test_rasters_of_large_layers_show_neurons_at_equal_distances() -> None:
    spikes = (np.random.default_rng(0).random((300, 50)) < 0.3).astype(np.int64)
    found = raster(spikes)
    assert (found.neurons, len(found.rows)) == (300, MOST_ROWS)
    assert (found.shown[0], found.shown[-1]) == (0, 299)
    assert set(np.diff(found.shown)) == {4, 5}
    assert [spikes[index].tolist() for index in found.shown] == [list(row) for row in found.rows]


def test_labels_that_do_not_fit_are_an_error(file: Path) -> None:
    with pytest.raises(InputError, match="do not fit 2 samples"):
        netx_export.report(file, x=np.zeros((2, 2, 4, 4, 4), int), labels=np.zeros(3, int))
    with pytest.raises(InputError, match="do not fit 0 samples"):
        netx_export.report(file, labels=np.zeros(3, int))


def test_backends_that_do_not_exist_are_an_error(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="no backend 'loihi3'"):
        netx_export.report(file, backends=["loihi3"])
    with pytest.raises(ConfigurationError, match="no backend 'loihi3'"):
        netx_export.check(file, backends=["loihi3"])


def test_the_command_writes_the_page(file: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 4, (3, 2, 4, 4, 4)))
    options = ("--input", tmp_path / "x.npy", "-o", tmp_path / "page.html", "--title", "Some network")
    status, out, _ = call(capsys, monkeypatch, "report", file, *options)
    assert status == 0
    assert "wrote" in out
    assert "Some network" in (tmp_path / "page.html").read_text("utf-8")
    assert call(capsys, monkeypatch, "report", tmp_path / "nothing.net")[0] == 1


@needs_browser
@pytest.mark.parametrize("width", [1280, 380])
def test_a_browser_shows_the_page_without_complaint_and_without_overflow(tmp_path: Path, width: int) -> None:
    """The browser itself measures: scripts are of this test, and the page's own policy is taken out for them."""
    path = tmp_path / "page.html"
    written(skipping(), path)
    _, complaints = seen(path, width)
    assert complaints == []
    measure = """<script>document.title = [
      document.documentElement.scrollWidth - innerWidth,
      [...document.querySelectorAll('svg')].filter(each => each.getBoundingClientRect().height > 10).length,
      document.querySelectorAll('svg').length,
      [...document.querySelectorAll('h1, h2, h3, h4, dd, th, .mark')].filter(each => each.scrollWidth > each.clientWidth
        && getComputedStyle(each).display != 'inline').length,
    ].join(' ')</script>"""
    text = re.sub(r"<meta http-equiv[^>]*>", "", path.read_text("utf-8")).replace("</body>", f"{measure}</body>")
    (tmp_path / "measured.html").write_text(text, "utf-8")
    shown, _ = seen(tmp_path / "measured.html", width)
    title = re.search(r"<title>([^<]*)</title>", shown)
    assert title is not None
    beyond, visible, pictures, cut = map(int, title[1].split())
    assert beyond <= 0
    assert visible == pictures > 15
    assert cut == 0


@needs_browser
def test_a_browser_draws_the_page_light_and_dark(file: Path, tmp_path: Path) -> None:
    written(file, tmp_path / "page.html")
    shots = {}
    for dark in (False, True):
        path = tmp_path / f"{dark}.png"
        assert picture(tmp_path / "page.html", path, 1280, 1200, dark).startswith(b"\x89PNG")
        shots[dark] = imread(path)[..., :3]
    assert np.median(shots[False]) > 0.9
    assert np.median(shots[True]) < 0.2
    for shot in shots.values():
        assert len(np.unique((shot.reshape(-1, 3) * 255).astype(int), axis=0)) > 20
