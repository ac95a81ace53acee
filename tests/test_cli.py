"""The command: every verb on real files, and one clear line with a non-zero status on bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import netx_export
from lava_qsnn import cli
from netx_export._bench import sweep
from tests.test_file import network

COMMAND = Path(sys.executable).parent / "lava-qsnn"


def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object
) -> tuple[int, str, str]:
    """Run the command in this process: exit status, standard output, standard error."""
    monkeypatch.setattr(sys, "argv", ["lava-qsnn", *map(str, arguments)])
    monkeypatch.setattr(cli, "console", cli.Console(width=200))
    monkeypatch.setattr(cli, "errors", cli.Console(stderr=True, soft_wrap=True))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


@pytest.fixture
def file(tmp_path: Path) -> Path:
    netx_export.write(network(), tmp_path / "some.net")
    return tmp_path / "some.net"


@pytest.fixture
def array(tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 4, (3, 2, 4, 4, 4)))
    return tmp_path / "x.npy"


def test_inspect_shows_layers_costs_and_backends(file: Path, capsys, monkeypatch) -> None:
    status, out, _ = call(capsys, monkeypatch, "inspect", file)
    assert status == 0
    for text in ("conv1", "dense2", "readout", "8 4 2 1", "-20..19", "bytes", "Loihi's LIF", *netx_export.BACKENDS):
        assert text in out
    assert f"{file.stat().st_size:,} bytes" in out


def test_run_answers_an_array_and_draws_it(file: Path, array: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    output, picture = tmp_path / "y.npy", tmp_path / "sample.png"
    status, out, _ = call(capsys, monkeypatch, "run", file, "--input", array, "--output", output, "--picture", picture)
    assert status == 0
    assert str(output) in out.replace("\n", "")
    assert (np.load(output) == netx_export.simulate(file, np.load(array))).all()
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.lava
def test_run_and_verify_on_lava(file: Path, array: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    output = tmp_path / "y.npy"
    assert call(capsys, monkeypatch, "run", file, "--backend", "lava", "--input", array, "--output", output)[0] == 0
    assert (np.load(output) == netx_export.simulate(file, np.load(array))).all()


@pytest.mark.lava
def test_bench_measures_and_draws(tmp_path: Path, capsys, monkeypatch) -> None:
    status, out, _ = call(capsys, monkeypatch, "bench", "lava", "--quick", "--output", tmp_path)
    assert status == 0
    assert "lava / lava-async, a step" in out
    written = json.loads((tmp_path / "lava.json").read_text("utf-8"))
    assert set(written["throughput"]["layers"]["contenders"]) == set(sweep.QUICK.names)
    for axis, values in sweep.QUICK.axes.items():
        for curve in written["samples_per_second"][axis].values():
            assert [float(value) for value in curve] == list(values)
            assert min(curve.values()) > 0
    assert (tmp_path / "lava.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("inspect", "nothing.net"), "there is no file 'nothing.net'"),
        (("run", "{file}", "--backend", "loihi3", "--input", "{array}"), "no backend 'loihi3'"),
        (("run", "{file}"), "name the data set it was trained on with --data"),
        (("run", "{file}", "--data", "imagenet"), "no data set 'imagenet'"),
        (("run", "{file}", "--data", "mnist"), "takes 2x4x4 inputs, 'mnist' has 1x28x28"),
        (("run", "{file}", "--input", "{file}"), "is no array of numbers"),
        (("train", "nothing.yaml"), "nothing.yaml"),
        (("train", "digits", "--set", "trainer.max_epoch=3"), "no key 'trainer.max_epoch'"),
        (("train", "digits", "--set", "seed"), "KEY=VALUE"),
        (("export", "{file}", "{file}.net"), "no checkpoint"),
        (("export", "nothing.ckpt", "x.net"), "there is no file 'nothing.ckpt'"),
    ],
)
def test_bad_input_is_one_clear_line(
    arguments: tuple[str, ...], text: str, file: Path, array: Path, capsys, monkeypatch
) -> None:
    filled = [argument.format(file=file, array=array) for argument in arguments]
    status, _, err = call(capsys, monkeypatch, *filled)
    assert status == 1
    assert text in err
    assert err.startswith("error: ")
    assert "Traceback" not in err


def test_help_comes_at_once_and_names_every_verb() -> None:
    result = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True)
    for verb in ("demo", "train", "export", "run", "verify", "inspect", "bench"):
        assert verb in result.stdout
        assert "Usage" in subprocess.run([COMMAND, verb, "--help"], capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
@pytest.mark.lava
def test_the_demonstration_ends_with_no_mismatch(tmp_path: Path, capsys, monkeypatch) -> None:
    status, out, _ = call(capsys, monkeypatch, "demo", "--folder", tmp_path, "--epochs", 3)
    assert status == 0
    for backend in netx_export.BACKENDS:
        assert f"run on '{backend}'" in out
    assert out.count(" 0 mismatches") == len(netx_export.BACKENDS)  # torch's among them, without the judge's
    for picture in (tmp_path / "sample.png", tmp_path / "one-bit" / "curves.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
    checkpoint, file = tmp_path / "one-bit" / "best.ckpt", tmp_path / "again.net"
    assert call(capsys, monkeypatch, "export", checkpoint, file)[0] == 0
    assert netx_export.load(file) == netx_export.load(tmp_path / "digits.net")
    status, out, _ = call(capsys, monkeypatch, "verify", file, "--checkpoint", checkpoint, "--samples", 5)
    assert status == 0
    assert "torch" in out
    status, out, _ = call(capsys, monkeypatch, "run", file, "--data", "digits", "--samples", 360)
    assert "accuracy" in out
