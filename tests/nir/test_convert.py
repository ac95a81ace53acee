"""`lava-qsnn convert`: files of networks to NIR and back, by their suffixes."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest

import netx_export
from tests.helpers import nir_graphs as graphs
from tests.helpers.command import call
from tests.helpers.files import network


def test_a_file_of_nir_becomes_a_network(tmp_path: Path, capsys, monkeypatch) -> None:
    nir.write(tmp_path / "a.nir", graphs.recurrent(0))
    np.save(tmp_path / "x.npy", x := graphs.spikes((10,), 4, 30, 0.2))
    arguments = ("--timesteps", 30, "--dt", graphs.DT, "--synapses", 2, "--input", tmp_path / "x.npy")
    status, out, _ = call(capsys, monkeypatch, "convert", tmp_path / "a.nir", tmp_path / "b.net", *arguments)
    assert status == 0
    expected, report = netx_export.from_nir(graphs.recurrent(0), 30, dt=graphs.DT, synapses=2, samples=x)
    assert netx_export.load(tmp_path / "b.net") == expected
    for text in ("lif1.lif", f"{report.rows[0].agreement:.3f}", "come back one step later", "the same class in 100.0%"):
        assert text in out


def test_a_network_becomes_a_file_of_nir(tmp_path: Path, capsys, monkeypatch) -> None:
    netx_export.write(network(), tmp_path / "a.net")
    status, out, _ = call(capsys, monkeypatch, "convert", tmp_path / "a.net", tmp_path / "b.nir", "--style", "delay")
    assert status == 0
    assert "style delay, dt 0.0001 s: 0 of" in out
    expected = netx_export.to_nir(network(), "delay")
    assert set(nir.read(tmp_path / "b.nir").nodes) == set(expected.nodes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.net", "b.nir"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("a.nir", "b.nir"), "files of the same kind"),
        (("a.net", "b.net"), "files of the same kind"),
        (("a.nir", "b.net"), "say --timesteps"),
        (("a.nir", "b.net", "--timesteps", 5), "say dt"),
        (("a.nir", "b.net", "--timesteps", 5, "--style", "cuba"), "--style means nothing where a file of NIR is read"),
        (("a.net", "b.nir", "--weight-bits", 4), "--weight-bits means nothing where a file of NIR is written"),
        (("none.nir", "b.net", "--timesteps", 5), "No such file"),
    ],
)
def test_mistakes_end_in_one_line_and_write_nothing(arguments, text, tmp_path: Path, capsys, monkeypatch) -> None:
    nir.write(tmp_path / "a.nir", graphs.recurrent(0))
    netx_export.write(network(), tmp_path / "a.net")
    monkeypatch.chdir(tmp_path)
    status, _, err = call(capsys, monkeypatch, "convert", *arguments)
    assert status == 1
    assert text in err
    assert len(err.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.net", "a.nir"]
