"""Diff: where two networks part, in structure, in numbers, and in what they answer to the same input."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import InputError
from tests.helpers.browser import needs_browser, seen
from tests.helpers.command import call


def chain(names: str = "abc", width: int = 8, seed: int = 0) -> integer.IntegerNetwork:
    random = np.random.default_rng(seed)
    layers, source = [], "input"
    for name in names:
        dense = integer.Dense(random.integers(-5, 6, (width, width)))
        neuron = integer.MemoryFree((1,), random.integers(1, 6, width))
        layers.append(integer.Layer(name, (integer.Connection(source, dense),), neuron))
        source = name
    return integer.IntegerNetwork(integer.Input((width,), 3), 6, tuple(layers))


def replaced(network: integer.IntegerNetwork, index: int, **changes: object) -> integer.IntegerNetwork:
    layers = list(network.layers)
    layers[index] = replace(layers[index], **changes)  # type: ignore[arg-type]
    return replace(network, layers=tuple(layers))


def raised(network: integer.IntegerNetwork, index: int, by: int) -> integer.IntegerNetwork:
    """With the first threshold of a layer raised."""
    threshold = np.array(network.layers[index].neuron.threshold)
    threshold[0] += by
    return replaced(network, index, neuron=integer.MemoryFree((1,), threshold))


def test_equal_networks_differ_in_nothing() -> None:
    found = netx_export.diff(chain(), chain())
    assert (found.same, found.first, found.exit_status) == (True, None, 0)
    assert [layer.row.mismatches for layer in found.layers] == [0, 0, 0]
    assert all(layer.row.spikes for layer in found.layers)


def test_numbers_that_change_no_output_are_told_apart_from_those_that_do() -> None:
    never = raised(chain(), 1, 10**6)
    found = netx_export.diff(never, raised(never, 1, 1))
    assert (found.same, found.first, found.exit_status) == (False, None, 3)
    (change,) = found.changes
    assert (change.layer, change.what) == ("b", "threshold")
    assert "1 of 8 differ, by at most 1" in change.words
    assert netx_export.diff(chain(), raised(chain(), 1, 10**6)).exit_status == 4


@settings(max_examples=20, deadline=None)
@given(index=st.integers(0, 2), by=st.sampled_from([-40, -20, -8, 20, 60]), seed=st.integers(0, 99))
def test_the_first_difference_is_the_first_there_is(index: int, by: int, seed: int) -> None:
    """Judged by comparing the outputs of both by hand."""
    one, other = chain(seed=seed), raised(chain(seed=seed), index, by)
    x = netx_export.random_samples(one, 5, seed)
    found = netx_export.diff(one, other, x)
    mine, its = integer.run_reference(one, x), integer.run_reference(other, x)
    apart = [name for name in one if (mine[name] != its[name]).any()]
    if not apart:
        assert found.first is None
        return
    assert found.first is not None
    assert found.first.one == apart[0]
    row = found.first.row
    differs = mine[apart[0]] != its[apart[0]]
    assert row.mismatches == differs.sum()
    assert row.first is not None
    assert row.first.step == int(differs.any((0, 1)).argmax())
    place = (row.first.sample, *row.first.neuron, row.first.step)
    assert (row.first.expected, row.first.found) == (mine[apart[0]][place], its[apart[0]][place])
    assert found.first.per_step == pytest.approx(tuple(differs.mean((0, 1))))


def test_overlays_show_the_sample_in_which_the_networks_part() -> None:
    one, other = chain(), raised(chain(), 0, -20)
    x = netx_export.random_samples(one, 6)
    first = netx_export.diff(one, other, x).first
    assert first is not None
    assert first.row.first is not None
    mine, its = (integer.run_reference(each, x)["a"][first.row.first.sample] for each in (one, other))
    codes = np.array(first.overlay.rows)
    assert ((codes == 1) == ((mine == its) & (mine != 0))).all()
    assert ((codes == 2) == (mine > its)).all()
    assert ((codes == 3) == (mine < its)).all()
    assert (codes == 3).any()


def test_words_name_the_relation_of_weights() -> None:
    (connection,) = chain().layers[1].connections
    turned = integer.Dense(connection.synapse.weight.T)
    found = netx_export.diff(chain(), replaced(chain(), 1, connections=(replace(connection, synapse=turned),)))
    assert [change.words for change in found.changes] == ["weight from 'a': sources and targets are exchanged"]


def test_layers_that_only_one_network_has_are_named() -> None:
    found = netx_export.diff(chain("abc"), chain("ac"))
    assert ("b", "layer") in [(change.layer, change.what) for change in found.changes]
    assert [layer.one for layer in found.layers] == ["a", "c"]


def test_layers_of_other_names_are_paired_by_kind_and_shape() -> None:
    found = netx_export.diff(chain("abc"), chain("xyz"))
    assert {change.what for change in found.changes} == {"name", "source"}
    assert [(layer.one, layer.other) for layer in found.layers] == [("a", "x"), ("b", "y"), ("c", "z")]
    assert found.first is None


def test_other_inputs_neurons_and_steps_are_named() -> None:
    readout = replaced(chain(), 2, neuron=integer.Readout((1,)))
    words = [change.words for change in netx_export.diff(chain(), replace(readout, timesteps=9)).changes]
    assert words == ["6 and 9 time steps", "a memory free neuron and a readout neuron"]
    found = netx_export.diff(chain(), chain(width=9))
    assert found.layers == ()
    assert found.exit_status == 4
    assert "shape input: (8,) and (9,)" in [change.words for change in found.changes]


def test_samples_must_fit_both_networks() -> None:
    narrow = replace(chain(), input=integer.Input((8,), 1))
    with pytest.raises(InputError, match="leave the range"):
        netx_export.diff(chain(), narrow, np.full((1, 8, 6), 3))
    assert netx_export.diff(chain(), narrow).layers


def test_the_command_says_where_networks_part(tmp_path: Path, capsys, monkeypatch) -> None:
    netx_export.write(chain(), tmp_path / "one.net")
    netx_export.write(raised(chain(), 1, 4), tmp_path / "other.net")
    files = tmp_path / "one.net", tmp_path / "other.net"
    assert call(capsys, monkeypatch, "diff", files[0], files[0])[0] == 0
    status, out, _ = call(capsys, monkeypatch, "diff", *files, "-o", tmp_path / "diff.html")
    assert status == 4
    assert "outputs part in layer 'b'" in out
    page = (tmp_path / "diff.html").read_text("utf-8")
    assert "one.net" in page
    assert "overlay" in page
    status, out, _ = call(capsys, monkeypatch, "diff", *files, "--json")
    shown = json.loads(out)
    assert shown["first"]["one"] == "b"
    assert shown["exit_status"] == status == 4
    assert call(capsys, monkeypatch, "diff", files[0], tmp_path / "nothing.net")[0] == 1


@needs_browser
def test_a_browser_shows_the_picture_without_complaint(tmp_path: Path) -> None:
    netx_export.diff(chain(), raised(chain(), 1, 4), path=tmp_path / "diff.html")
    shown, complaints = seen(tmp_path / "diff.html")
    assert complaints == []
    assert shown.count('class="chart raster overlay"') == 3
