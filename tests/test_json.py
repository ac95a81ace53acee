"""`--json`: one object and nothing else on standard output, with the names that docs/reference/json.md has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netx_export
from lava_qsnn.bench import sweep
from lava_qsnn.cli import verbs
from lava_qsnn.cli.verbs import app
from tests.helpers.command import call
from tests.helpers.files import network

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "json.md"

#: Objects by names of layers, backends and the like, or whose names are those of Python's own arguments.
BY_NAME = ("refused", "waits_for", "call", "traffic", "counts", "chip", "sanafe")

#: Lists whose entries are told in one phrase.
IN_A_PHRASE = ("layout layers",)


def documented(verb: str) -> tuple[set[str], set[str]]:
    """The names in the first column of a verb's table, and all that its section tells."""
    section = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    (text,) = (each for each in section if each.startswith(f"{verb}\n"))
    rows = re.findall(r"^\| (`.*?) \|", text, flags=re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}, set(re.findall(r"`(\w+)`", text))


def inner(verb: str, content: dict[str, Any]) -> Iterator[str]:
    """The names one level down."""
    for name, value in content.items():
        if name not in BY_NAME and f"{verb} {name}" not in IN_A_PHRASE:
            for each in value if isinstance(value, list) else [value]:
                yield from each if isinstance(each, dict) else ()


def answered(verb: str, *arguments: object, capsys: Any, monkeypatch: Any) -> dict[str, Any]:
    _, out, err = call(capsys, monkeypatch, verb, *arguments, "--json")
    assert "error" not in err, err
    return json.loads(out)  # type: ignore[no-any-return]  # fails if there is anything else


@pytest.fixture
def file(tmp_path: Path) -> Path:
    netx_export.write(network(), tmp_path / "some.net")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 4, (3, 2, 4, 4, 4)))
    changed = replace(network(), layers=(*network().layers[:-1], replace(network().layers[-1])))
    netx_export.write(changed, tmp_path / "other.net")
    return tmp_path / "some.net"


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("inspect", []),
        ("check", ["--random", "--samples", 2]),
        ("diff", ["{folder}/other.net", "--random"]),
        ("report", ["--random", "--samples", 2, "-o", "{folder}/page.html"]),
        ("bundle", ["--random", "--samples", 1, "-o", "{folder}/some.zip"]),
        ("layout", ["--random", "--samples", 1]),
        ("energy", ["--random", "--samples", 1]),
        ("run", ["--input", "{folder}/x.npy", "--backend", "fast"]),
    ],
)
def test_a_verb_prints_what_the_page_tells(
    verb: str, arguments: list[object], file: Path, capsys: Any, monkeypatch: Any
) -> None:
    filled = [str(each).format(folder=file.parent) for each in arguments]
    found = answered(verb, file, *filled, capsys=capsys, monkeypatch=monkeypatch)
    first, every = documented(verb)
    assert first == set(found)
    assert set(inner(verb, found)) <= every | {f.name for f in network().layers}
    assert found["version"] == netx_export.JSON_VERSION


def test_verbs_of_training_print_what_the_page_tells(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    run, file = tmp_path / "run", tmp_path / "digits.net"
    options = ["--epochs", 1, "--set", "model.hidden=[16]", "--output", run]
    trained = answered("train", "digits", *options, capsys=capsys, monkeypatch=monkeypatch)
    assert set(trained) == documented("train")[0]
    assert Path(trained["best"]) == run / "best.ckpt"
    exported = answered("export", run / "best.ckpt", file, capsys=capsys, monkeypatch=monkeypatch)
    assert set(exported) == documented("inspect")[0] | documented("export")[0]
    verified = answered("verify", file, "--backend", "fast", "--samples", 3, capsys=capsys, monkeypatch=monkeypatch)
    assert set(verified) == documented("verify")[0]
    assert verified["exact"] is True
    assert set(inner("verify", verified)) <= documented("verify")[1]
    ran = answered("run", file, "--samples", 20, "--backend", "fast", capsys=capsys, monkeypatch=monkeypatch)
    assert len(ran["predicted"]) == ran["samples"] == 20
    assert 0 <= ran["accuracy"] <= 1


def test_verify_scores_the_samples_as_run_does(capsys: Any, monkeypatch: Any) -> None:
    arguments = ["zoo:digits", "--backend", "fast"]
    told = {verb: answered(verb, *arguments, capsys=capsys, monkeypatch=monkeypatch) for verb in ("run", "verify")}
    assert told["verify"]["accuracy"] == told["run"]["accuracy"] == 0.95
    assert told["verify"]["error"] is None
    assert told["verify"]["told"] == "accuracy 95.00% on 20 samples of digits"


def test_convert_prints_what_the_page_tells(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    there = answered("convert", "zoo:digits", tmp_path / "some.nir", capsys=capsys, monkeypatch=monkeypatch)
    back = [tmp_path / "some.nir", tmp_path / "some.net", "--timesteps", 8]
    returned = answered("convert", *back, capsys=capsys, monkeypatch=monkeypatch)
    first, every = documented("convert")
    assert first == set(there) == set(returned)
    assert (there["from_nir"], returned["to_nir"]) == (None, None)
    assert there["to_nir"]["mismatches"] == 0
    assert set(there["to_nir"]) | set(returned["from_nir"]) <= every
    assert netx_export.load(returned["target"]).input.shape == (64,)


def test_the_zoo_prints_what_the_page_tells(capsys: Any, monkeypatch: Any) -> None:
    told = answered("zoo", capsys=capsys, monkeypatch=monkeypatch)
    assert set(told) == documented("zoo")[0]
    assert "digits" in [each["name"] for each in told["networks"]]


@pytest.mark.slow
@pytest.mark.lava
def test_the_demonstration_prints_what_the_page_tells(tmp_path: Path, capfd: Any, monkeypatch: Any) -> None:
    """Whatever its libraries print, in Python or not, goes elsewhere."""
    told = answered("demo", "--folder", tmp_path, "--epochs", 1, capsys=capfd, monkeypatch=monkeypatch)
    first, every = documented("demo")
    assert set(told) == first
    assert set(inner("demo", told)) <= every
    assert told["mismatches"] == 0
    assert all(Path(each).is_file() for each in [told["file"], *told["pictures"]])


@pytest.mark.lava
def test_the_benchmark_prints_what_the_page_tells(tmp_path: Path, capfd: Any, monkeypatch: Any) -> None:
    once = sweep.Plan(("layers",), 1, 0.05, {"layers": (1,)}, ("lava-async",), ("lava-async",))
    monkeypatch.setattr(sweep, "QUICK", once)
    told = answered("bench", "lava", "--quick", "--output", tmp_path, capsys=capfd, monkeypatch=monkeypatch)
    assert set(told) == documented("bench lava")[0]
    assert told["samples_per_second"]["layers"]["lava-async"]["1"] > 0
    assert Path(told["picture"]).is_file()


def test_every_verb_that_takes_json_is_on_the_page() -> None:
    commands = dict(verbs.typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    commands["bench lava"] = commands.pop("bench").commands["lava"]
    told = re.findall(r"^## (.*)", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    answering = {name for name, each in commands.items() if any("--json" in of.opts for of in each.params)}
    assert len(answering) >= 14
    assert answering <= set(told)


def test_an_error_leaves_standard_output_empty(file: Path, capsys: Any, monkeypatch: Any) -> None:
    status, out, err = call(
        capsys, monkeypatch, "run", file, "--input", file.parent / "x.npy", "--backend", "fst", "--json"
    )
    assert (status, out) == (1, "")
    assert "did you mean 'fast'" in err
