"""Data of one's own from the command line: the how-to word for word, and what files tell of such data."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netx_export
from lava_qsnn.errors import ConfigurationError, FileFormatError, InputError
from lava_qsnn.train import provenance
from lava_qsnn.train.checkpoint import read_description
from lava_qsnn.train.config import Data, from_dict, load_config
from lava_qsnn.train.data import make
from lava_qsnn.train.module import restore
from lava_qsnn.train.starting import PLACES, first_configuration
from lava_qsnn.train.train import Result, train
from tests.helpers.command import call

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "own-data.md"
FIRST, *OTHERS = PAGE.read_text("utf-8").split("\n## ")[1:]


def follow(text: str, capsys: Any, monkeypatch: Any) -> list[str]:
    """Do what a part of the page says, block after block, and return what its commands print."""
    printed = []
    for language, block in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL):
        if language == "python":
            exec(compile(block, PAGE.name, "exec"), {"__name__": "page"})
            continue
        for line in block.splitlines():
            assert line.startswith("$ lava-qsnn ")
            status, out, err = call(capsys, monkeypatch, *shlex.split(line.removeprefix("$ lava-qsnn ")))
            assert status == 0, f"{line}\n{out}\n{err}"
            printed.append(out)
    return printed


@pytest.mark.slow
@pytest.mark.lava
def test_the_how_to_s_first_part_ends_in_lava(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    *_, verified, classified, named = follow(FIRST, capsys, monkeypatch)
    assert "lava-fused" in verified
    assert float(re.findall(r"accuracy ([0-9.]+)% on 50 samples of arrays", classified)[0]) > 60
    assert re.fullmatch(r"classes( [0-9]){5}\n", named)


@pytest.mark.slow
@pytest.mark.parametrize("part", OTHERS, ids=lambda part: part.splitlines()[0])
def test_the_how_to_s_other_parts_run(part: str, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    follow(re.findall(r"```python\n.*?```", FIRST, re.DOTALL)[0], capsys, monkeypatch)
    call(capsys, monkeypatch, "init", "digits.npz")
    *_, last = follow(part, capsys, monkeypatch)
    shown = re.findall(r"(accuracy|error).* on [0-9]+ samples of (arrays|images|events|dataset)", last)
    assert shown or "test accuracy" in last


@pytest.mark.parametrize("name", PLACES)
def test_a_first_configuration_is_valid_and_has_a_comment_for_each_key(name: str, tmp_path: Path) -> None:
    text = first_configuration(name, None)
    (tmp_path / "my.yaml").write_text(text, "utf-8")
    assert load_config(tmp_path / "my.yaml").data.name == name
    lines = text.splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(r"  [a-z_]+:", line)]
    assert len(keys) > 12
    assert all(lines[number - 1].startswith("  # ") for number in keys)


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        (np.zeros((60, 8, 8), np.uint8), np.arange(60) % 3, {"axes": "NHW", "targets": "classes", "flatten": True}),
        (np.zeros((60, 9), float), np.arange(60) / 7, {"axes": "NC", "targets": "numbers", "encoding": "levels"}),
        (np.zeros((60, 3, 100)), np.arange(60) % 3 * 1.0, {"axes": "NCT", "targets": "classes", "timesteps": 100}),
        (np.zeros((60, 100, 3)), np.array(["a", "b"] * 30), {"axes": "NTC", "targets": "classes", "timesteps": 100}),
        (
            np.full((60, 32, 32, 3), 255, np.uint8),
            np.arange(60) % 3,
            {"axes": "NHWC", "input_bits": 8, "flatten": False},
        ),
        (np.full((60, 2), -300), np.arange(60), {"range": (-300.0, -300.0), "targets": "numbers", "signed": False}),
    ],
)
def test_a_look_at_arrays_finds_what_they_are(x: Any, y: Any, told: dict[str, Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=x, y=y)
    (tmp_path / "my.yaml").write_text(first_configuration("arrays", str(tmp_path / "my.npz")), "utf-8")
    data = load_config(tmp_path / "my.yaml").data
    assert {key: getattr(data, key) for key in told} == told


def test_init_refuses_arrays_of_different_lengths(tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=np.zeros((30, 9)), y=np.arange(3))
    with pytest.raises(InputError, match="holds 30 samples, and 3 targets"):
        first_configuration("arrays", str(tmp_path / "my.npz"))


def test_init_replaces_nothing_unasked(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text("mine")
    status, _, err = call(capsys, monkeypatch, "init", "arrays")
    assert status == 1
    assert "'my.yaml' exists. Remedy: choose another --output, or replace it with --force" in err
    assert (tmp_path / "my.yaml").read_text() == "mine"
    assert call(capsys, monkeypatch, "init", "arrays", "--force")[0] == 0
    assert load_config("my.yaml").data.source == "my.npz"
    status, _, err = call(capsys, monkeypatch, "init", "imagse")
    assert status == 1
    assert "did you mean 'images'?" in err


class TestNumbers:
    """A network that learns the sum and the difference of two numbers."""

    @pytest.fixture(scope="class")
    def trained(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
        folder = tmp_path_factory.mktemp("numbers")
        x = np.random.default_rng(0).uniform(-1, 1, (600, 2))
        y = np.stack([1000 + 50 * (x[:, 0] + x[:, 1]), x[:, 0] - x[:, 1]], 1)
        np.savez(folder / "my.npz", x=x, y=y, names=["sum", "difference"])
        config = from_dict(
            {
                "data": {"name": "arrays", "source": str(folder / "my.npz"), "targets": "numbers", "encoding": "rate"},
                "model": {"hidden": [64]},
                "optimizer": {"learning_rate": 0.02},
                "trainer": {"max_epochs": 15},
            }
        )
        config = replace(config, data=replace(config.data, timesteps=8, input_bits=6))
        return train(config, folder / "run", progress=False), folder

    @pytest.fixture
    def network(self, trained: tuple[Result, Path]) -> Any:
        classifier = restore(trained[0].best)
        given = classifier.properties
        return netx_export.export(
            classifier.network,
            trained[1] / "my.net",
            given.input_shape,
            given.timesteps,
            given.input_bits,
            metadata=classifier.metadata(given.timesteps),
        )

    def test_it_learns_them(self, trained: tuple[Result, Path]) -> None:
        result, _ = trained
        assert result.metric == "mse"
        assert result.test_metric < 0.5 * (50**2 * 2 / 3) / 2, "half the variance, mean over both"
        with pytest.raises(ConfigurationError, match="numbers have no accuracy"):
            _ = result.test_accuracy

    def test_the_deployed_error_is_the_logged_one(self, trained: tuple[Result, Path], network: Any) -> None:
        result, folder = trained
        data = replace(load_config(folder / "run" / "config.yaml").data)
        x, y = make(data, known=provenance.recorded_description(network.metadata)).test_arrays()
        for backend in ("reference", "fast", "lava-fused"):
            found = netx_export.predictions(network, netx_export.simulate(network, x, backend))
            assert ((found - y) ** 2).mean() == pytest.approx(result.test_metric, rel=1e-4)
        assert len(np.unique(found)) > 10

    def test_run_tells_it_in_the_targets_units(
        self, trained: tuple[Result, Path], network: Any, capsys, monkeypatch
    ) -> None:
        result, folder = trained
        arguments = (folder / "my.net", "--data", folder / "my.npz", "--samples", 1000)
        status, out, err = call(capsys, monkeypatch, "run", *arguments)
        assert (status, err) == (0, "")
        assert f"mean squared error {result.test_metric:.3g}"[:-1] in out
        status, out, _ = call(capsys, monkeypatch, "verify", *arguments, "--backend", "fast", "--json")
        assert status == 0
        assert json.loads(out)["error"] == pytest.approx(result.test_metric, rel=1e-4)
        assert json.loads(out)["accuracy"] is None
        np.savez(folder / "new.npz", x=[[0.5, -0.5], [0.1, 0.2]])
        status, out, _ = call(capsys, monkeypatch, "run", folder / "my.net", "--data", folder / "new.npz")
        assert out.startswith("numbers ")
        assert out.count(";") == 1

    def test_a_file_knows_the_names_and_what_makes_numbers(self, network: Any) -> None:
        assert network.metadata["numbers"] == ["sum", "difference"]
        assert "classes" not in network.metadata
        assert netx_export.tells_numbers(network)
        with pytest.raises(FileFormatError, match="'scale' is no list of 2 numbers"):
            netx_export.predictions(replace(network, metadata={"scale": [1.0]}), np.zeros((1, 2, 8), int))


def test_checkpoints_of_own_data_open_without_them(tmp_path: Path, capsys, monkeypatch) -> None:
    np.savez(tmp_path / "my.npz", x=np.random.default_rng(0).random((60, 5)), y=np.array(["up", "down"] * 30))
    data = {"name": "arrays", "source": str(tmp_path / "my.npz")}
    result = train(
        from_dict({"data": data, "model": {"hidden": [8]}, "trainer": {"max_epochs": 1}}),
        tmp_path / "run",
        progress=False,
    )
    (tmp_path / "my.npz").unlink()
    told = read_description(result.best)
    assert told is not None
    assert told.names == ("down", "up")
    assert call(capsys, monkeypatch, "export", result.best, tmp_path / "my.net")[0] == 0
    about = netx_export.load(tmp_path / "my.net").metadata
    assert (about["classes"], about["shape"], about["low"]) == (["down", "up"], [5], list(told.low))
    assert str(tmp_path) not in str(about)
    status, _, err = call(capsys, monkeypatch, "run", tmp_path / "my.net")
    assert status == 1
    assert "'arrays' needs a file. Remedy: name the .npz file by data.source, or by --data FILE.npz" in err


@pytest.mark.parametrize("low", [["x"], [3.0, 4.0], 7])
def test_nonsense_about_data_is_refused(low: Any) -> None:
    about = provenance.about_data(Data("arrays"), make(Data()).description) | {"low": low, "high": [1.0]}
    with pytest.raises(FileFormatError, match="nonsense of its data"):
        provenance.recorded_description(about)
