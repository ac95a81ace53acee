"""Bundles: a folder that holds one alone runs in unmodified NetX, and its checker finds what differs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import ConfigurationError, InputError
from tests.helpers.command import call
from tests.helpers.files import network

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "hand-over-to-a-board.md"

#: Runs a script of the folder where it starts, without this project, as one who does not have it.
ALONE = """
import runpy, sys
for name in ("lava_qsnn", "netx_export"):
    sys.modules[name] = None
    try:
        __import__(name)
    except ImportError:
        continue
    sys.exit("this project can be imported")
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

#: The same, with stand-ins for what Intel's compiler brings, and Lava's simulation in the place of the board.
BOARD = """
from lava.magma.core import run_configs
run_configs.Loihi2HwCfg = lambda: run_configs.Loihi2SimCfg(select_tag="fixed_pt")
"""


def unpacked(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return folder


def alone(folder: Path, *command: str, code: str = ALONE, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-c", code, *command], cwd=folder, capture_output=True, text=True, env=environment
    )


def stored(folder: Path, name: str) -> dict[str, np.ndarray]:
    with np.load(folder / name) as file:
        return {key: file[key] for key in file.files}


def made(folder: Path, subject: integer.IntegerNetwork, x: np.ndarray | None = None, **options: Any) -> Path:
    """A bundle of a network, unpacked."""
    folder.mkdir(exist_ok=True)
    netx_export.bundle(subject, folder / "handover.zip", x, **options)
    return unpacked(folder / "handover.zip", folder / "alone")


def assert_runs_alone(folder: Path) -> dict[str, np.ndarray]:
    """Simulate in unmodified NetX, compare, and want more than silence to be equal."""
    done = alone(folder, "run.py")
    assert done.returncode == 0, done.stderr
    golden, answers = stored(folder, "golden.npz"), stored(folder, "answers.npz")
    assert set(answers) == set(golden) - {"input"}
    assert all(values.any() for values in answers.values())
    assert any(len(np.unique(values)) > 1 for values in answers.values())
    judged = alone(folder, "compare.py", "answers.npz")
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert judged.stdout.splitlines()[-1] == "all layers are equal to the golden vectors, bit for bit"
    return answers


@pytest.mark.lava
@pytest.mark.slow
def test_a_bundle_alone_runs_in_unmodified_netx(tmp_path: Path) -> None:
    subject = network()
    x = netx_export.random_samples(subject, 5, seed=3)
    folder = made(tmp_path, subject, x)
    answers = assert_runs_alone(folder)
    expected = netx_export.simulate_layers(subject, x)  # by the reference engine
    for index, layer in enumerate(subject.layers):
        assert np.array_equal(answers[f"layer{index}"], expected[layer.name])


@pytest.mark.lava
@pytest.mark.slow
def test_the_way_to_a_board_is_consistent_if_adapters_take_a_step_each(tmp_path: Path) -> None:
    folder = made(tmp_path, network())
    refused = alone(folder, "run.py", "--hardware")
    assert refused.returncode == 2
    assert "needs Intel's compiler for Loihi 2" in refused.stderr
    stand_ins = str(Path(__file__).parent / "helpers" / "board")
    done = alone(folder, "run.py", "--hardware", code=BOARD + ALONE, path=stand_ins)
    assert done.returncode == 0, done.stderr
    assert alone(folder, "compare.py", "answers.npz").returncode == 0
    told = json.loads((folder / "bundle.json").read_text("utf-8"))
    told["hardware"]["input_delay"] = 0  # adapters that take another time are noticed
    (folder / "bundle.json").write_text(json.dumps(told), "utf-8")
    assert alone(folder, "run.py", "--hardware", code=BOARD + ALONE, path=stand_ins).returncode == 0
    judged = alone(folder, "compare.py", "answers.npz")
    assert judged.returncode == 1
    assert "layer 'conv1' differs first in sample 0 at time step 0" in judged.stdout


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("form", ["sum", "spikes"])
def test_files_with_another_form_of_the_answer_run_alone(tmp_path: Path, form: str) -> None:
    subject = network()
    x = netx_export.random_samples(subject, 3)
    netx_export.write(subject, tmp_path / "some.net", netx_export.stock_answer(subject, form, x, 5))
    folder = made(tmp_path, subject, x, file=tmp_path / "some.net")
    assert (folder / "network.net").read_bytes() == (tmp_path / "some.net").read_bytes()
    output = assert_runs_alone(folder)["layer2"]
    potentials = netx_export.simulate(subject, x)
    if form == "sum":
        assert np.array_equal(output, potentials)
    else:
        levels = np.array(netx_export.stock_use(tmp_path / "some.net").answer.levels)
        assert np.array_equal(output.reshape(3, 5, -1, 4), potentials[:, :, None] > levels[:, None])


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize(("name", "together"), [("input_block", True), ("recurrence", False)])
def test_stock_files_run_alone(tmp_path: Path, name: str, together: bool) -> None:
    assert_stock_runs_alone(tmp_path, name, together)


@pytest.mark.lava
@pytest.mark.long
@pytest.mark.parametrize(
    "name", ["convolution", "delays", "recurrent_delays", "each_its_own", "sigma_delta", "resonators"]
)
def test_more_stock_files_run_alone(tmp_path: Path, name: str) -> None:
    assert_stock_runs_alone(tmp_path, name, name in ("convolution", "each_its_own"))


def assert_stock_runs_alone(tmp_path: Path, name: str, together: bool) -> None:
    from tests.test_stock_files import example

    _, x = example(tmp_path / "some.net", name)
    netx_export.bundle(tmp_path / "some.net", tmp_path / "some.zip", x[:2])
    folder = unpacked(tmp_path / "some.zip", tmp_path / "alone")
    assert json.loads((folder / "bundle.json").read_text("utf-8"))["together"] == together
    assert (folder / "network.net").read_bytes() == (tmp_path / "some.net").read_bytes()
    assert "stock_mapping" not in (folder / "README.md").read_text("utf-8")
    assert_runs_alone(folder)


def test_golden_vectors_are_what_the_reference_computes(tmp_path: Path) -> None:
    subject = network()
    x = netx_export.random_samples(subject, 3)
    golden = stored(made(tmp_path, subject, x), "golden.npz")
    assert np.array_equal(golden["input"], x)
    expected = netx_export.simulate_layers(subject, x)
    for index, layer in enumerate(subject.layers):
        assert np.array_equal(golden[f"layer{index}"], expected[layer.name])
        assert len(np.unique(golden[f"layer{index}"])) > 1


def test_the_first_layer_and_step_that_differ_are_named(tmp_path: Path) -> None:
    folder = made(tmp_path, network(), netx_export.random_samples(network(), 3))
    golden = stored(folder, "golden.npz")
    golden.pop("input")
    np.savez(folder / "same.npz", **golden)
    assert alone(folder, "compare.py", "same.npz").returncode == 0
    golden["layer2"] += 1  # a fault that follows
    golden["layer1"][2, 7, 0] ^= 1  # one in a later sample
    golden["layer1"][1, 3, 2] ^= 1  # the first
    golden["layer1"][1, 1, 3] ^= 1  # one of a later step, and of an earlier neuron
    np.savez(folder / "other.npz", **golden)
    judged = alone(folder, "compare.py", "other.npz")
    assert judged.returncode == 1
    first, second, third, verdict = judged.stdout.splitlines()
    assert (first, second, third) == ("conv1: equal", "dense2: different", "output: different")
    assert verdict.startswith("layer 'dense2' differs first in sample 1 at time step 2, neuron (3,): ")
    assert "1 of its 40 neurons are wrong at this step, 3 of 480 numbers in all" in verdict


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda answers: answers.pop("layer1"), "layer 'dense2': the answers have no array 'layer1'"),
        (lambda answers: answers.update(layer0=answers["layer0"][:1]), "layer 'conv1': the answers are int8 of shape"),
        (lambda answers: answers.update(layer0=answers["layer0"] * 0.5), "layer 'conv1': the answers are float64"),
    ],
)
def test_answers_that_cannot_be_compared_are_refused(tmp_path: Path, change: Any, said: str) -> None:
    folder = made(tmp_path, network())
    answers = stored(folder, "golden.npz")
    change(answers)
    np.savez(folder / "wrong.npz", **answers)
    judged = alone(folder, "compare.py", "wrong.npz")
    assert (judged.returncode, judged.stdout) == (2, "")
    assert judged.stderr.startswith(f"cannot compare: {said}")


def test_files_that_are_no_answers_are_refused(tmp_path: Path) -> None:
    folder = made(tmp_path, network())
    (folder / "text.npz").write_text("no numbers")
    np.save(folder / "one.npy", np.arange(3))
    for name in ("text.npz", "none.npz", "one.npy"):
        judged = alone(folder, "compare.py", name)
        assert (judged.returncode, judged.stdout) == (2, "")
        assert judged.stderr.startswith(f"cannot compare: '{name}' is no .npz file of answers")
        assert judged.stderr.count("\n") == 1
    assert alone(folder, "compare.py").stderr == "usage: python compare.py ANSWERS.npz\n"


def test_the_same_network_and_samples_give_the_same_bytes(tmp_path: Path) -> None:
    x = netx_export.random_samples(network(), 2)
    netx_export.write(subject := network(), tmp_path / "some.net")
    for name in ("one.zip", "two.zip"):
        netx_export.bundle(tmp_path / "some.net", tmp_path / name, x)
    netx_export.bundle(subject, tmp_path / "other.zip", 1 - x.clip(0, 1))
    one, two, other = ((tmp_path / name).read_bytes() for name in ("one.zip", "two.zip", "other.zip"))
    assert one == two != other


def test_the_first_line_says_that_nothing_ran_on_hardware(tmp_path: Path) -> None:
    folder = made(tmp_path, network())
    for name in ("README.md", "run.py", "compare.py"):
        assert "has ever" in (line := (folder / name).read_text("utf-8").splitlines()[0])
        assert "Loihi hardware" in line
    assert next(iter(json.loads((folder / "bundle.json").read_text("utf-8")).values())).endswith("Loihi hardware.")


def test_layout_and_rules_are_those_of_the_mapping_that_is_handed_over(tmp_path: Path) -> None:
    subject, x = network(timesteps=5), netx_export.random_samples(network(timesteps=5), 2)
    folder = made(tmp_path, subject, x)
    told = json.loads((folder / "layout.json").read_text("utf-8"))
    expected = netx_export.layout(subject, mapping="stock", activity=x)
    assert told == json.loads(json.dumps(expected.as_dict()))
    rules = {finding.rule for finding in expected.findings if finding.severity == "error"}
    assert "reset_power_of_2" in rules  # which no simulation shows
    assert all(f"error ({rule})" in (folder / "README.md").read_text("utf-8") for rule in rules)
    assert "<html" in (folder / "report.html").read_text("utf-8")


def too_long(timesteps: int = 9) -> integer.IntegerNetwork:
    """A network that unmodified NetX does not compute: its state loses bits from step 8 on."""
    return network(timesteps=timesteps)


def test_what_needs_microcode_says_what_is_missing(tmp_path: Path) -> None:
    found = netx_export.bundle(too_long(), tmp_path / "some.zip")
    assert not found.is_stock
    assert "run.py" not in found.files
    folder = unpacked(tmp_path / "some.zip", tmp_path / "alone")
    page = (folder / "README.md").read_text("utf-8")
    assert page.startswith("Nothing in this bundle has ever run on Loihi hardware.\n")
    assert "What is missing for a board" in page
    assert all(reason in page for reason in found.missing)
    assert "unknown (program)" in page


@pytest.mark.lava
@pytest.mark.slow
def test_what_needs_microcode_is_simulated_by_lava_processes_of_this_project(tmp_path: Path) -> None:
    folder = made(tmp_path, too_long(), netx_export.random_samples(too_long(), 2))
    subprocess.run([sys.executable, "simulate.py"], cwd=folder, check=True, capture_output=True)
    judged = alone(folder, "compare.py", "answers.npz")
    assert judged.returncode == 0, judged.stdout


@pytest.mark.lava
@pytest.mark.long
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands, with few epochs, one after the other in a shell."""
    first, second = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    script = (first + second).replace("train digits", "train digits --epochs 3")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "all layers are equal to the golden vectors, bit for bit"


@pytest.mark.lava
@pytest.mark.slow
def test_resonators_without_their_file_say_what_is_missing(tmp_path: Path) -> None:
    """A file of this project has no stock part for them; the stock file that they came from is one."""
    from tests.test_stock_files import example

    subject, x = example(tmp_path / "some.net", "resonators")
    assert netx_export.bundle(tmp_path / "some.net", tmp_path / "file.zip", x).is_stock
    assert netx_export.bundle(subject, tmp_path / "given.zip", x, file=tmp_path / "some.net").is_stock
    alone = netx_export.bundle(subject, tmp_path / "alone.zip", x)
    assert ("run.py" in alone.files) == alone.is_stock
    netx_export.write(subject, tmp_path / "own.net")
    assert netx_export.bundle(tmp_path / "own.net", tmp_path / "own.zip", x).missing == alone.missing


def test_an_archive_never_replaces_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_text("mine")
    with pytest.raises(ConfigurationError, match=r"mine\.zip' exists already"):
        netx_export.bundle(network(), tmp_path / "mine.zip")
    assert (tmp_path / "mine.zip").read_text() == "mine"
    with pytest.raises(ConfigurationError, match="there is no folder"):
        netx_export.bundle(network(), tmp_path / "none" / "a.zip")


def test_samples_that_do_not_fit_leave_no_archive(tmp_path: Path) -> None:
    x = netx_export.random_samples(network(), 2)
    for wrong in (x[..., None], x + 99, x * 0.5, x[:, :1], np.concatenate([x, x], -1), x[:0]):
        with pytest.raises(InputError):
            netx_export.bundle(network(), tmp_path / "some.zip", wrong)
    assert not list(tmp_path.iterdir())


def test_the_command_packs_and_says_what_it_did(tmp_path: Path, capsys, monkeypatch) -> None:
    netx_export.write(network(), tmp_path / "some.net")
    np.save(tmp_path / "x.npy", netx_export.random_samples(network(), 3))
    arguments = ("bundle", tmp_path / "some.net", "-o", tmp_path / "some.zip", "--input", tmp_path / "x.npy")
    status, out, _ = call(capsys, monkeypatch, *arguments, "--samples", 2)
    assert status == 0
    assert "netx.hdf5.Network(input_message_bits=2, reset_interval=4, reset_offset=1), 3 steps late" in out
    assert "golden vectors of 2 samples" in out
    assert "nothing in it has ever run on Loihi hardware" in out
    status, _, errors = call(capsys, monkeypatch, *arguments)
    assert status == 1
    assert "exists already" in errors
    netx_export.write(too_long(), tmp_path / "long.net")
    status, _, errors = call(capsys, monkeypatch, "bundle", tmp_path / "long.net", "-o", tmp_path / "long.zip")
    assert status == 0
    assert "no script for a board" in errors
