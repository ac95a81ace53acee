"""The zoo: each network is the one that was measured, is exact on all its backends, and is refused once damaged."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.train.config import load_config
from lava_qsnn.train.provenance import recorded_data
from netx_export import zoo
from netx_export._zoo import _files, _records
from tests.helpers import recordings
from tests.helpers.command import call
from tests.training import test_cifar10, test_data, test_events

COMMAND = Path(sys.executable).parent / "lava-qsnn"
ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", zoo.names())
def test_a_network_is_the_one_of_its_record(name: str) -> None:
    known, network, told = zoo.record(name), zoo.load(name), netx_export.inspect(f"zoo:{name}")
    assert hashlib.sha256(zoo.path(name).read_bytes()).hexdigest() == known.digest
    assert known.bytes == zoo.path(name).stat().st_size < 1_000_000
    assert (known.input_shape, known.timesteps) == (network.input.shape, network.timesteps)
    assert known.input_bits == network.input.bits
    assert known.weights == sum(layer.weights for layer in told.layers)
    kept = sum(layer.neurons * layer.state_bits for layer in told.layers if layer.thresholds is not None)
    assert known.neuron_state_bits == kept > 0
    assert known.input_state_bits == told.input.state_bits * np.prod(known.input_shape)
    recorded = recorded_data(network.metadata)
    assert recorded is not None
    assert recorded.name == known.measured.data


@pytest.mark.parametrize("name", zoo.names())
def test_a_record_tells_what_was_measured_and_how_it_is_made_again(name: str) -> None:
    known = zoo.record(name)
    measured, data = known.measured, load_config(known.training.split()[2]).data
    assert measured.command.startswith(f"lava-qsnn run zoo:{name} ")
    assert measured.command.endswith(f" --samples {measured.samples} --backend fast")
    form = {"accuracy": r"\d+\.\d\d%", "mean squared error": r"[\d.]+ \(root [\d.]+\)"}[measured.measure]
    assert re.fullmatch(form, measured.value)
    assert data.name == measured.data
    assert known.training.startswith("lava-qsnn train ")
    assert set(known.exact) | set(known.refused) | {"reference"} == set(netx_export.BACKENDS)
    assert known.exact["fast"].samples == measured.samples
    for count in known.exact.values():
        assert count.mismatches == 0
        assert count.values >= count.samples > 0


def is_large(name: str) -> bool:
    """Lava and NetX take long for it, most of that to begin."""
    return zoo.record(name).weights > 10**6


@pytest.mark.lava
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * is_large(name)) for name in zoo.names()]
)
def test_a_network_is_exact_on_all_its_backends(name: str) -> None:
    network, known = zoo.load(name), zoo.record(name)
    count = 1 if is_large(name) else 2
    x = zoo.samples(name)[0][:count] if known.samples else netx_export.random_samples(network, count)
    report = netx_export.verify(network, x)
    assert report.exact
    assert {row.backend for row in report.rows} - {"reference"} == set(known.exact)
    assert set(report.refused) == set(known.refused)
    spikes = {row.layer: row.spikes for row in report.rows}
    assert all(spikes[layer] > 0 for layer in network)


@pytest.mark.parametrize("name", [name for name in zoo.names() if zoo.record(name).samples])
def test_samples_that_come_with_a_network_are_mostly_right(name: str) -> None:
    packed, network = zoo.record(name).samples, zoo.load(name)
    assert packed is not None
    x, labels = zoo.samples(name)
    assert x.dtype == np.int64
    assert x.shape == (packed.count, *network.input.shape, network.timesteps)
    assert len(np.unique(labels)) >= 5
    answers = netx_export.predictions(network, netx_export.simulate(network, x, "fast"))
    assert answers.shape == labels.shape
    if netx_export.tells_numbers(network):
        assert ((answers - labels) ** 2).mean() < labels.var() / 10
    else:
        assert (answers == labels).mean() >= 0.8


def test_every_card_shows_its_record_and_every_file_has_one() -> None:
    for name in zoo.names():
        known, text = zoo.record(name), zoo.card(name)
        for told in (known.digest, known.measured.value, known.measured.command, known.training, known.task):
            assert told in text
        assert "**Trained on**" in text
        assert "**Limits.**" in text
    packed = {name for name in zoo.names() if zoo.record(name).samples}
    for folder, suffix, expected in (
        ("networks", ".net", set(zoo.names())),
        ("samples", ".npz", packed),
        ("cards", ".md", set(zoo.names())),
    ):
        assert {path.name for path in (_records.FOLDER / folder).iterdir()} == {f"{name}{suffix}" for name in expected}


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo of one network, in a folder that tests may change."""
    folder = tmp_path / "zoo"
    for kind, suffix in (("networks", "net"), ("samples", "npz"), ("cards", "md")):
        (folder / kind).mkdir(parents=True)
        shutil.copy(_records.FOLDER / kind / f"digits.{suffix}", folder / kind)
    shutil.copy(_records.FOLDER / "index.json", folder)
    monkeypatch.setattr(_files, "FOLDER", folder)
    return folder


@pytest.mark.parametrize("place", [0, 5000, -1])
def test_a_byte_that_was_flipped_is_refused(place: int, copied: Path, capsys, monkeypatch) -> None:
    assert (zoo.load("digits").timesteps, len(zoo.samples("digits")[1])) == (4, 20)
    for file in (copied / "networks" / "digits.net", copied / "samples" / "digits.npz"):
        content = bytearray(file.read_bytes())
        content[place % len(content)] ^= 1
        file.write_bytes(content)
    with pytest.raises(FileFormatError, match="is damaged: its SHA-256 digest is .* as recorded"):
        zoo.load("digits")
    with pytest.raises(FileFormatError, match="is damaged: its SHA-256 digest is .* as recorded"):
        zoo.samples("digits")
    status, _, err = call(capsys, monkeypatch, "inspect", "zoo:digits")
    assert status == 1
    assert "Remedy: install the package again" in err


def test_a_missing_file_is_refused(copied: Path) -> None:
    (copied / "networks" / "digits.net").unlink()
    with pytest.raises(FileFormatError, match=r"the zoo lacks its file '.*digits\.net'"):
        netx_export.load("zoo:digits")


@pytest.mark.parametrize("ask", [zoo.load, zoo.path, zoo.card, zoo.record, zoo.samples])
def test_an_unknown_name_lists_the_names(ask: Callable[[str], object]) -> None:
    with pytest.raises(ConfigurationError, match="there is no network 'digts' in the zoo") as raised:
        ask("digts")
    assert "did you mean 'digits'?" in str(raised.value)
    assert all(name in str(raised.value) for name in zoo.names())
    with pytest.raises(ConfigurationError, match=r"choose one of .*digits"):
        ask("../../secret")


def test_samples_that_do_not_come_with_a_network_are_refused(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _records.write_index({"digits": replace(zoo.record("digits"), samples=None)}, copied)
    with pytest.raises(ConfigurationError, match="no samples come with 'zoo:digits'"):
        zoo.samples("digits")


def test_the_table_has_a_line_of_80_columns_for_every_network() -> None:
    environment = os.environ | {"COLUMNS": "80"}
    done = subprocess.run([COMMAND, "zoo"], env=environment, capture_output=True, text=True, check=True)
    *table, more = done.stdout.splitlines()
    assert max(map(len, table)) <= 80
    assert len(more) <= 80
    assert "lava-qsnn zoo NAME" in more
    rows = {line.split()[0]: line for line in table if line.split() and line.split()[0] in zoo.names()}
    assert list(rows) == list(zoo.names())
    assert len(table) == len(rows) + 5, "a line each, title, head and blank lines"
    for known in map(zoo.record, zoo.names()):
        numbers = rf"{re.escape(known.measured.short)} +{known.bytes:,}"
        assert re.fullmatch(rf" {known.name} +{re.escape(known.task)} +{numbers} *", rows[known.name])


def test_a_card_tells_all_of_a_network() -> None:
    for known in map(zoo.record, zoo.names()):
        card = zoo.card(known.name)
        state = f"{known.neuron_state_bits:,} bits in neurons, {known.input_state_bits:,} in the input"
        for told in (known.task, known.neuron, known.digest, known.measured.value, known.measured.command, state):
            assert told in card
        assert f"{known.bytes:,} bytes" in card


def test_json_and_cards_are_printed(capsys, monkeypatch) -> None:
    status, out, _ = call(capsys, monkeypatch, "zoo", "--json")
    networks = {told["name"]: told for told in json.loads(out)["networks"]}
    assert status == 0
    assert set(networks) == set(zoo.names())
    assert networks["digits"]["digest"] == zoo.record("digits").digest
    status, out, _ = call(capsys, monkeypatch, "zoo", "zoo:digits")
    assert status == 0
    assert out.strip() == zoo.card("digits").strip()
    assert json.loads(call(capsys, monkeypatch, "zoo", "digits", "--json")[1])["networks"] == [networks["digits"]]


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "zoo:digits"),
        ("check", "zoo:digits"),
        ("diff", "zoo:digits", "zoo:digits"),
        ("report", "zoo:digits"),
        ("layout", "zoo:digits"),
        ("energy", "zoo:digits"),
        ("bundle", "zoo:digits"),
        ("convert", "zoo:digits", "digits.nir"),
        ("verify", "zoo:digits", "--backend", "fast"),
        ("run", "zoo:digits", "--backend", "fast"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_verb_takes_the_name_of_a_network_for_its_file(
    arguments: tuple[str, ...], tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = call(capsys, monkeypatch, *arguments)
    assert (status, "error" in err) == (0, False)
    assert out
    status, _, err = call(capsys, monkeypatch, *(each.replace("zoo:digits", "zoo:digts") for each in arguments))
    assert status == 1
    assert "did you mean 'digits'?" in err


def test_a_verb_on_the_zoo_takes_the_samples_that_come_with_it(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("lava_qsnn.cli.inputs.test_samples", lambda *_: pytest.fail("data sets are not read"))
    x, labels = zoo.samples("digits")
    right = (netx_export.simulate("zoo:digits", x).sum(-1).argmax(1) == labels)[:7].mean()
    status, out, err = call(capsys, monkeypatch, "run", "zoo:digits", "--backend", "fast", "--samples", "7")
    assert (status, out) == (0, f"accuracy {right:.2%} on 7 samples of digits\n")
    assert err == "7 samples that come with zoo:digits; --folder, or --data, names the whole data set\n"


def test_a_result_is_told_in_short() -> None:
    assert zoo.record("digits").measured.short == zoo.record("digits").measured.value
    error = zoo.record("road").measured
    assert error.measure == "mean squared error"
    square, root = re.findall(r"\d+\.\d+", error.value)
    assert float(root) == pytest.approx(float(square) ** 0.5, rel=1e-3)
    assert error.short == f"± {float(root):.2f}"


@pytest.mark.parametrize("name", ["digits", "road"])
def test_the_recorded_command_says_the_recorded_result(name: str, capsys, monkeypatch) -> None:
    known = zoo.record(name).measured
    status, out, _ = call(capsys, monkeypatch, *known.command.split()[1:])
    assert status == 0
    assert out == f"{known.measure} {known.value} on {known.samples} samples of {name}\n"


def test_the_page_has_the_table_of_all_networks() -> None:
    page = (ROOT / "docs" / "reference" / "zoo.md").read_text("utf-8")
    told = [each.strip("|").split("|") for each in page.splitlines() if each.startswith("| `")]
    rows = [tuple(cell.strip() for cell in cells) for cells in told]
    networks = map(zoo.record, zoo.names())
    assert rows == [(f"`{each.name}`", each.task, f"{each.bytes:,}", str(each.measured)) for each in networks]


def test_piped_output_ends_with_the_accuracy_alone(tmp_path: Path) -> None:
    command = [COMMAND, "run", "zoo:digits", "--backend", "fast", "--output", "a" * 60 + ".npy"]
    narrow = os.environ | {"COLUMNS": "20", "TERM": "xterm-256color"}
    out = subprocess.run(command, capture_output=True, cwd=tmp_path, env=narrow, check=True).stdout
    assert re.fullmatch(rb"accuracy \d+\.\d\d% on 20 samples of digits", out.splitlines()[-1])
    assert out.count(b"accuracy") == 1
    assert out.isascii()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", out)


def data_folder(name: str, folder: Path) -> Path:
    """A small data set in its own format."""
    if name == "mnist":
        return test_data.write(folder)
    if name == "nmnist":
        test_events.write_nmnist(folder)
        return folder
    return test_cifar10.write_binary(folder) if name == "cifar10" else recordings.write(folder)


def stranger(configuration: str) -> integer.IntegerNetwork:
    """An untrained network for the data of a configuration, as its file would tell them."""
    from lava_qsnn.train.data import make
    from lava_qsnn.train.provenance import metadata

    data = make(load_config(configuration).data)
    given, random = data.properties, np.random.default_rng(0)
    synapse: integer.Synapse
    if len(given.input_shape) == 1:
        synapse = integer.Dense(random.choice([-1, 1], (given.outputs, *given.input_shape)))
    else:
        synapse = integer.Conv(random.choice([-1, 1], (given.outputs, *given.input_shape)))
    layer = integer.Layer("out", (integer.Connection("input", synapse),), integer.Readout((1,)))
    shape = integer.Input(given.input_shape, 2**given.input_bits - 1)
    return integer.IntegerNetwork(shape, given.timesteps, (layer,), metadata(data))


@pytest.mark.parametrize("name", ["mnist", "nmnist", "cifar10", "spoken_digits", "spoken_crossings"])
def test_the_last_line_is_the_accuracy_on_the_data_that_the_file_tells_of(
    name: str, tmp_path: Path, capsys, monkeypatch
) -> None:
    from lava_qsnn.train.data import make

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    part = load_config(name).data
    folder = data_folder(part.name, tmp_path / "data")
    netx_export.write(stranger(name), tmp_path / "some.net")
    x, labels = make(replace(part, folder=str(folder), augment=False, validation=0.4)).test_arrays()
    right = netx_export.simulate(tmp_path / "some.net", x).reshape(len(x), 10, -1).sum(-1).argmax(1) == labels
    options = ("--folder", folder, "--set", "data.validation=0.4", "--samples", "10000", "--backend", "fast")
    status, out, _ = call(capsys, monkeypatch, "run", tmp_path / "some.net", *options)
    assert status == 0
    assert out.splitlines()[-1] == f"accuracy {right.mean():.2%} on {len(x)} samples of {part.name}"
    assert len(x) >= 10
