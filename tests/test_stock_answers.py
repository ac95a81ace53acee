"""Files of this project in the hands of stock lava-dl: what it is told, and what it answers, without this project."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import netx_export
from lava_qsnn import block
from lava_qsnn.errors import ConfigurationError, DeploymentError, FileFormatError
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.integer.stock import StockAnswer

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "stock-lava-dl.md"
STEPS = 4

#: Lines of the command, one after the other in one process, for imports take longer than what they do.
EACH = """
import sys
from lava_qsnn.cli.verbs import app

for line in sys.argv[1:]:
    app(line.split()[1:], standalone_mode=False)
"""


def trained(history: int, seed: int = 0) -> torch.nn.Module:
    """A small network whose norms have seen data; its readout weights as many steps as its neurons do."""
    torch.manual_seed(seed)
    neurons = {"threshold": 0.5, "history": history, "taps": "shift", "norm": "batch"}
    readout = block.memory_free.Output(30, 5, weight_bits=4, neuron_params={"history": history})
    net = torch.nn.Sequential(block.memory_free.Dense(neurons, 20, 30, weight_bits=2), readout).train()
    for _ in range(10):
        net(torch.from_numpy(spikes(8)).float())
    return net.eval()


def spikes(samples: int, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, 2, (samples, 20, STEPS))


def exported(path: Path, form: str, history: int = STEPS, levels: int = 16) -> IntegerNetwork:
    options: dict[str, Any] = {} if form == "voltage" else {"stock": form}
    if form == "spikes":
        options |= {"samples": spikes(8), "levels": levels}
    return netx_export.export(trained(history), path, (20,), STEPS, **options)


def stock_output(path: Path, x: NDArray[np.int64]) -> NDArray[np.int64]:
    """The outputs of unmodified NetX, called as the file's own text says: (outputs, samples * steps + layers)."""
    from lava_qsnn.guard import require_lava

    require_lava()
    from lava.lib.dl import netx  # isort: skip
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    use = netx_export.stock_use(path)
    stock = eval(use.call, {"netx": netx})
    frames = np.concatenate([x.transpose(1, 0, 2).reshape(20, -1), np.zeros((20, use.layers), int)], axis=1)
    source, sink = Source(data=frames.astype(np.int32)), Sink(shape=stock.out.shape, buffer=frames.shape[1])
    source.s_out.connect(stock.inp)
    stock.out.connect(sink.a_in)
    stock.run(condition=RunSteps(num_steps=frames.shape[1]), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    out = np.asarray(sink.data.get()).astype(np.int64)
    stock.stop()
    stock.net_config.f.close()
    return out


@pytest.mark.lava
@pytest.mark.filterwarnings("ignore:Reset is not supported with Sigma Delta")
@pytest.mark.parametrize("history", [1, STEPS])
def test_running_sums_give_the_logits_exactly(tmp_path: Path, history: int) -> None:
    network, x = exported(tmp_path / "a.net", "sum", history), spikes(6, seed=1)
    use = netx_export.stock_use(tmp_path / "a.net")
    assert use.weights == ((1,) * STEPS if history == 1 else (15, 14, 12, 8))
    currents = np.diff(stock_output(tmp_path / "a.net", x)[:, use.layers - 1 :], axis=1)
    logits = (currents.reshape(5, -1, STEPS) * use.weights).sum(-1).T
    expected = netx_export.simulate(network, x)
    assert len(np.unique(expected)) > 10
    assert np.array_equal(logits, expected.sum(-1))


@pytest.mark.lava
@pytest.mark.parametrize("history", [1, STEPS])
def test_spikes_say_which_levels_a_potential_exceeds(tmp_path: Path, history: int) -> None:
    network, x = exported(tmp_path / "a.net", "spikes", history), spikes(6, seed=1)
    use = netx_export.stock_use(tmp_path / "a.net")
    out = stock_output(tmp_path / "a.net", x)[:, use.layers :]
    counts = out.reshape(5, len(use.answer.levels), -1, STEPS).sum(1).transpose(1, 0, 2)
    assert use.unit == (1 if history == 1 else 8)
    levels = np.array(use.answer.levels) * use.unit
    expected = netx_export.simulate(network, x)
    assert np.array_equal(counts, (expected[..., None] > levels).sum(-1))
    assert 0.1 < out.mean() < 0.9
    agreement = netx_export.stock_agreement(network, use.answer, x)
    assert agreement == (counts.sum(-1).argmax(1) == expected.sum(-1).argmax(1)).mean() > 0.5


def test_a_file_may_have_as_many_levels_as_there_can_be(tmp_path: Path) -> None:
    network = netx_export.fold(trained(STEPS), (20,), STEPS)
    netx_export.write(network, tmp_path / "a.net", StockAnswer("spikes", tuple(range(1024))))
    assert netx_export.load(tmp_path / "a.net") == network


@pytest.mark.parametrize("form", ["voltage", "sum", "spikes"])
def test_this_projects_readers_take_no_notice_of_the_form(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.net"
    network = exported(path, form)
    assert netx_export.load(path) == network == exported(tmp_path / "b.net", "voltage")
    assert netx_export.stock_use(path).answer.form == form
    with h5py.File(path) as file:  # and files of the usual form say what they always did
        assert ("stock_answer" in file["lava_qsnn"].attrs) == (form != "voltage")


def test_levels_span_the_potentials_of_the_samples(tmp_path: Path) -> None:
    network = exported(tmp_path / "a.net", "voltage", history=1)
    potentials = netx_export.simulate(network, spikes(8))
    for count in (1, 2, 7, 1024):
        levels = np.array(netx_export.stock_answer(network, "spikes", spikes(8), count).levels)
        assert len(levels) <= count
        assert potentials.min() <= levels.min() <= levels.max() <= potentials.max()
    assert set(levels) >= set(range(potentials.min(), potentials.max()))  # enough of them are exact


def test_what_stock_netx_cannot_say_is_refused(tmp_path: Path) -> None:
    net = trained(STEPS)
    with pytest.raises(ConfigurationError, match="no stock answer 'volts'"):
        netx_export.export(net, None, (20,), STEPS, stock="volts")
    with pytest.raises(ConfigurationError, match="there are none"):
        netx_export.export(net, None, (20,), STEPS, stock="spikes")
    for levels in (0, 1025, True, 2.0):
        with pytest.raises(ConfigurationError, match="levels must be an integer from 1 to 1024"):
            netx_export.export(net, None, (20,), STEPS, stock="spikes", samples=spikes(2), levels=levels)  # type: ignore[arg-type]
    with pytest.raises(DeploymentError, match="would not compute this network exactly"):
        netx_export.export(net, tmp_path / "a.net", (20,), 9, stock="sum")  # 4 of 9 steps of history
    with pytest.raises(DeploymentError, match="only a readout's answer has other forms"):
        netx_export.export(net[:1], tmp_path / "a.net", (20,), STEPS, stock="sum")
    assert not (tmp_path / "a.net").exists()
    wrong: list[tuple[str, tuple[int, ...]]] = [("spikes", ()), ("sum", (1,)), ("spikes", (2, 2)), ("rate", ())]
    for form, numbers in [*wrong, ("spikes", (2**15,))]:
        with pytest.raises(DeploymentError):
            StockAnswer(form, numbers)


def test_a_use_says_what_is_not_exact(tmp_path: Path) -> None:
    netx_export.export(trained(STEPS), tmp_path / "a.net", (20,), 9)
    (line,) = netx_export.stock_use(tmp_path / "a.net").lines
    assert line.startswith("unmodified NetX does not compute this network exactly: layer 'dense1'")


def test_a_layer_of_spikes_is_read_as_it_is(tmp_path: Path) -> None:
    netx_export.export(trained(STEPS)[:1], tmp_path / "a.net", (20,), STEPS)
    assert netx_export.stock_use(tmp_path / "a.net").lines[-1] == "the answer is what stock.out puts out"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("stock_answer", np.bytes_(b"sums"), "must be one of voltage, sum, spikes"),
        ("stock_answer", np.bytes_(b"sum"), "an answer in spikes has levels"),
        ("stock_levels", np.arange(1024), "not as many weights"),
        ("stock_levels", np.array([3, 2]), "must increase"),
        ("stock_levels", np.array([10**6]), "must be an integer"),
        ("stock_levels", np.arange(16) - 8, "its stock part differs"),
    ],
)
def test_changed_forms_are_refused(tmp_path: Path, name: str, value: Any, said: str) -> None:
    exported(tmp_path / "a.net", "spikes")
    with h5py.File(tmp_path / "a.net", "r+", libver="v110") as file:
        del file["lava_qsnn"].attrs[name]
        file["lava_qsnn"].attrs[name] = value
    with pytest.raises(FileFormatError, match=said):
        netx_export.load(tmp_path / "a.net")


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Reset is not supported with Sigma Delta")
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Its commands, with few epochs, and its script with each of its endings."""
    from lava_qsnn.guard import require_lava

    require_lava()
    monkeypatch.chdir(tmp_path)
    (commands,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    scripts = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    few = [line + " --epochs 5" if " train " in line else line for line in commands.splitlines()]
    done = subprocess.run([sys.executable, "-c", EACH, *few], check=True, capture_output=True, text=True)
    assert done.stdout.count("in stock lava-dl:\n  stock = netx.hdf5.Network(net_config=") == len(few) - 1
    script, weighted, counted, monitored = scripts
    names = run(script, "digits_sum.net")
    network = netx_export.load("digits_sum.net")
    expected = netx_export.simulate(network, names["x"].astype(int)).sum(-1)
    assert np.array_equal(names["logits"], expected)
    exec(weighted, names)
    assert np.array_equal(names["weighted"](names["out"], names["late"], np.ones(4)), expected)
    begin = script.split("sums = ")[0]
    names = run(begin + counted, "digits_spikes.net")
    assert (names["counts"].argmax(1) == expected.argmax(1)).mean() > 0.9
    opened, probed = begin.split("source, sink"), monitored.split("# run as above, then, before stock.stop():\n")
    run_and_read = opened[1].replace("stock.stop()\n", probed[1] + "stock.stop()\n")
    names = run(opened[0] + probed[0] + "source, sink" + run_and_read, "digits_voltage.net")
    assert np.array_equal(names["potentials"].sum(1), expected)
    assert float(capsys.readouterr().out.split()[-1]) > 0.5


def run(script: str, file: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(script.replace("digits_sum.net", file), str(PAGE), "exec"), names)
    return names
