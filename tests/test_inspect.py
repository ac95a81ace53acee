"""Inspect: all that a network tells about itself, from Python, as tables, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import netx_export
from lava_qsnn import integer
from tests.helpers.command import call
from tests.helpers.files import network


@pytest.fixture
def file(tmp_path: Path) -> Path:
    netx_export.write(network(), tmp_path / "some.net")
    return tmp_path / "some.net"


def test_an_inspection_says_what_goes_in_and_what_each_layer_is(file: Path) -> None:
    found = netx_export.inspect(file)
    assert found.file is not None
    assert found.file.size == file.stat().st_size
    assert set(found.file.weights) == {"conv1", "dense2", "output"}
    assert (found.input.shape, found.input.maximum, found.input.bits) == ((2, 4, 4), 3, 2)
    conv, dense, output = found.layers
    assert (conv.neuron, conv.sources, conv.outputs) == ("memory_free", ("input",), (0, 1))
    assert dense.weight_range == (-1, 1)
    assert output.weight_range == (-7, 90)
    assert output.zero_weights == int((network().layers[2].connections[0].synapse.weight == 0).sum()) > 0
    assert any("reaches its threshold, -20 to 19" in words for words in dense.words)
    assert found.neurons == 48 + 40 + 5
    assert found.weights == 54 + 48 * 40 + 200


def test_an_inspection_of_a_network_without_a_file_is_the_same_without_it(file: Path) -> None:
    with_file, without = netx_export.inspect(file), netx_export.inspect(network())
    assert without.file is None
    assert without.input == with_file.input
    assert [layer.name for layer in without.layers] == [layer.name for layer in with_file.layers]


def test_how_lava_dl_opens_the_file_is_told(file: Path) -> None:
    stock = netx_export.inspect(file).stock
    assert stock == netx_export.stock_use(file)
    assert stock is not None
    call_of_network = netx_export.stock_call(network())
    assert stock.arguments == {"net_config": str(file), **asdict(call_of_network)}


def test_backends_that_refuse_a_network_say_why() -> None:
    (conv, *_), neuron = network().layers, integer.MemoryFree((3, 1), np.array([2, -3, 5]))
    other = integer.IntegerNetwork(network().input, 4, (integer.Layer("conv", conv.connections, neuron),))
    refusals = {backend.name: backend.refusal for backend in netx_export.inspect(other).backends}
    assert refusals["reference"] is None
    assert "taps" in str(refusals["netx"])


def test_numbers_of_kinds_without_words_of_their_own_are_listed() -> None:
    from netx_export._words import neuron_words

    assert neuron_words.dispatch(integer.Neuron)(integer.Readout((4, 2))) == ("taps 2 to 4",)
    lif = integer.QuantizedLIF(4, 2, "soft", *[np.array([1, 2])] * 4)
    assert any("1/4 leaks" in words for words in neuron_words(lif))


def test_the_command_shows_words_findings_and_the_call(file: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    status, out, _ = call(capsys, monkeypatch, "inspect", file)
    assert status == 0
    assert "sees the last 4 steps, weighted 8 4 2 1" in " ".join(out.split())
    assert "input_message_bits=2, reset_interval=4, reset_offset=1" in out
    dense = integer.Dense(np.ones((3, 4), int))
    silent = integer.Layer("out", (integer.Connection("input", dense),), integer.MemoryFree((1,), np.full(3, 99)))
    netx_export.write(integer.IntegerNetwork(integer.Input((4,)), 2, (silent,)), tmp_path / "silent.net")
    _, out, _ = call(capsys, monkeypatch, "inspect", tmp_path / "silent.net")
    assert "layer_never_fires" in out
    assert "weights_all_equal" in out


def test_the_command_prints_json_with_a_version(file: Path, capsys, monkeypatch) -> None:
    status, out, _ = call(capsys, monkeypatch, "inspect", file, "--json")
    assert status == 0
    shown = json.loads(out)
    assert shown["version"] == 1
    assert [layer["name"] for layer in shown["layers"]] == ["conv1", "dense2", "output"]
    assert shown["stock"]["arguments"]["reset_interval"] == 4
    assert shown["layers"][0]["neurons"] == 48
