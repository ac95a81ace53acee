"""The tools on files of lava-dl: each planted fault is found by the check of its name, and clean files raise none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

import netx_export
from lava_qsnn import integer
from lava_qsnn._slayer import slayer
from lava_qsnn.errors import ConfigurationError, InputError
from netx_export._findings import SEVERITIES
from tests.helpers.command import call

Group = dict[str, Any]
STEPS = 12


def text(value: str) -> Any:
    return np.array([value.encode()], "S10")


def cuba(threshold: int, **more: Any) -> Group:
    neuron = {"type": text("CUBA"), "iDecay": 1024, "vDecay": 300, "vThMant": threshold, "refDelay": 1, **more}
    return {f"neuron/{name}": value for name, value in neuron.items()}


def groups() -> list[Group]:
    """A convolution and two dense layers, as lava-dl exports them; no fault of weights looks like another one."""
    random = np.random.default_rng(5)
    kernels = 2 * random.integers(-12, 14, (3, 2, 3, 3, 1))
    conv = {"type": text("conv"), "shape": np.array([3, 5, 5]), "weight": kernels.astype(np.float32), **cuba(40)}
    geometry = {"stride": np.array([1, 1]), "padding": np.array([1, 1]), "dilation": np.array([1, 1]), "groups": 1}
    first = {"type": text("input"), "shape": np.array([2, 5, 5])}
    dense = [
        {
            "type": text("dense"),
            "shape": np.array([out]),
            "weight": 2.0 * random.integers(-40, 50, (out, inputs)).astype(np.float32),
            **cuba(threshold),
        }
        for out, inputs, threshold in ((8, 75, 100), (4, 8, 80))
    ]
    return [first, {**conv, **geometry, "bias": np.array([2, -4, 6.0])}, {"type": text("flatten")}, *dense]


def write(path: Path, *changes: tuple[int, str, Any]) -> Path:
    """A file of these groups, arrays of some of them replaced or added."""
    found = groups()
    for index, name, value in changes:
        found[index][name] = value(found[index][name]) if callable(value) else value
    with h5py.File(path, "w") as file:
        for index, group in enumerate(found):
            for name, value in group.items():
                file[f"layer/{index}/{name}"] = value
    return path


def samples(low: int = 0, high: int = 1, count: int = 3) -> np.ndarray:
    return np.random.default_rng(3).integers(low, high + 1, (count, 2, 5, 5, STEPS))


def names(found: netx_export.CheckReport, *severities: str) -> set[str]:
    return {each.check for each in found.findings if each.severity in (severities or SEVERITIES[:2])}


def test_a_clean_file_raises_nothing_but_notes(tmp_path: Path) -> None:
    found = netx_export.check(write(tmp_path / "a.net"), samples(), backends=["fast"])
    assert names(found) == set()
    assert found.comparison is not None
    assert all(row.spikes for row in found.comparison.rows)
    assert len(found.comparison.rows) == 3


def spoiled(index: int, place: tuple[int, ...], value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(old: np.ndarray) -> np.ndarray:
        new = old.copy()
        new[place] = value
        return new

    return change


FAULTS: dict[str, tuple[tuple[int, str, Any], str]] = {
    "conv_delays_dropped": ((1, "delay", np.array([1, 2, 3])), "conv1"),
    "delays_clipped": ((3, "delay", np.arange(75) % 9 * 10), "dense3"),
    "dense_without_positive_weights": ((4, "weight", lambda old: -np.ones_like(old)), "dense4"),
    "weights_clipped_by_netx": ((3, "weight", spoiled(3, (0, 0), 400)), "dense3"),
    "numbers_not_whole": ((3, "weight", spoiled(3, (2, 3), 7.5)), "dense3"),
    "bias_wraps": ((1, "bias", np.array([2, 40000, 3])), "conv1"),
    "weight_exponent_dropped": ((3, "neuron/weight_exp", 2), "dense3"),
    "refractory_delay_dropped": ((3, "neuron/refDelay", 4), "dense3"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_netx_does_silently_is_named_where_it_does_it(name: str, tmp_path: Path) -> None:
    change, layer = FAULTS[name]
    found = netx_export.check(write(tmp_path / "a.net", change), samples(), backends=["fast"])
    told = [(each.check, each.layer) for each in found.findings if each.check in netx_export_notes()]
    assert told == [(name, layer)]
    assert found.exit_status in (3, 4)
    assert name in {each.check for each in netx_export.inspect(tmp_path / "a.net").findings}


def test_recurrent_weights_that_lose_bits_are_named(tmp_path: Path) -> None:
    """Weights of both signs need all bits; recurrent ones of one sign then lose theirs."""
    random = np.random.default_rng(0)
    both, one = random.integers(-99, 100, (4, 8)), random.integers(1, 100, (4, 4))
    both[0, :2] = -201, 199
    recurrent = ((4, "type", text("dense_rec")), (4, "weight", both), (4, "weight_rec", one))
    found = netx_export.check(write(tmp_path / "a.net", *recurrent), samples(), backends=["fast"])
    assert ("weights_truncated_by_netx", "dense_rec4") in [(each.check, each.layer) for each in found.findings]


def netx_export_notes() -> set[str]:
    from netx_export._check._netx import NOTES

    return set(NOTES)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("kernel_transposed", (1, "weight", lambda old: old.swapaxes(2, 3))),
        ("kernel_flipped", (1, "weight", lambda old: old[:, :, ::-1, ::-1])),
        ("weights_clipped", (3, "weight", lambda old: old.clip(-16, 14))),
        ("weights_negated", (4, "weight", lambda old: -old)),
    ],
)
def test_weights_that_were_not_meant_are_named(name: str, change: tuple[int, str, Any], tmp_path: Path) -> None:
    meant, wrong = write(tmp_path / "meant.net"), write(tmp_path / "wrong.net", change)
    found = netx_export.check(wrong, samples(), original=meant, backends=["fast"])
    assert {name, "original_differs"} <= names(found)
    (first,) = (each for each in found.findings if each.check == "original_differs")
    assert first.layer == f"{'conv' if change[0] == 1 else 'dense'}{change[0]}"
    assert "first at time step" in first.problem


def test_samples_tell_what_a_stock_file_does_not_say(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "a.net"), "a") as file:
        del file["layer/0/shape"]
    network = netx_export.opened(tmp_path / "a.net", samples(-5, 9))
    assert network.input.shape == (2, 5, 5)
    assert network.timesteps == STEPS
    assert network.input.minimum <= -5 < 9 <= network.input.maximum
    assert netx_export.opened(tmp_path / "a.net", samples()).input.maximum == 1
    with pytest.raises(ConfigurationError, match="were given for a network that was read already"):
        netx_export.opened(network, timesteps=3)


def test_calls_that_lack_message_bits_or_resets_are_named(tmp_path: Path) -> None:
    path, x = write(tmp_path / "a.net"), samples(0, 9)
    right = netx_export.stock_call(netx_export.opened(path, x))
    assert right == netx_export.StockCall(4, STEPS, 1)
    wrong = {
        "message_bits": netx_export.StockCall(0, STEPS, 1),
        "reset": netx_export.StockCall(4, None, 1),
    }
    for name, called in wrong.items():
        assert names(netx_export.check(path, x, call=called, backends=["fast"])) == {name}
    assert "reset" in names(netx_export.check(path, x, call=netx_export.StockCall(4, STEPS, 0), backends=["fast"]))
    assert names(netx_export.check(path, x, call=right, backends=["fast"])) == set()


@pytest.mark.parametrize("held", ["recurrent", "delay", "sigma_delta", "nothing"])
def test_states_that_no_reset_of_netx_clears_are_named(held: str) -> None:
    zero, dense = np.zeros(4, np.int64), integer.Dense(np.eye(4, dtype=int) * 9)
    neuron = (
        integer.SigmaDelta(zero, zero) if held == "sigma_delta" else integer.CUBA(zero + 9, zero + 9, zero + 3, zero)
    )
    delayed = integer.DelayedDense(np.eye(4, dtype=int) * 9, np.arange(4).reshape(4, 1) % 2)
    first = integer.Connection("input", delayed if held == "delay" else dense)
    connections = (first, integer.Connection("only", dense, delay=1)) if held == "recurrent" else (first,)
    network = integer.IntegerNetwork(integer.Input((4,), 1), STEPS, (integer.Layer("only", connections, neuron),))
    found = netx_export.check(network, samples=0, call=netx_export.stock_call(network))
    told = [each.problem for each in found.findings if each.check == "state_runs_on"]
    assert len(told) == (held != "nothing")
    assert "reset" not in names(found)


def test_samples_beyond_the_bits_that_were_told_are_an_error(tmp_path: Path) -> None:
    network = netx_export.load(write(tmp_path / "a.net"), timesteps=STEPS)
    with pytest.raises(InputError, match="leave the range 0 to 1"):
        netx_export.check(network, samples(0, 9))


def wrapping(scale: int) -> integer.IntegerNetwork:
    """CUBA neurons whose current never decays, driven up to 64 `scale` at each of 40 steps."""
    zero = np.zeros(2, np.int64)
    neuron = integer.CUBA(zero, zero + 4096, np.full(2, 10**5), zero)
    dense = integer.Dense(np.array([[scale], [1]]))
    layer = integer.Layer("only", (integer.Connection("input", dense, sum_bits=24),), neuron)
    return integer.IntegerNetwork(integer.Input((1,), 1), 40, (layer,))


def test_currents_that_can_wrap_are_told_from_those_that_do() -> None:
    x = np.ones((2, 1, 40), np.int64)
    x[1] = 0
    never = 2**17 // 40
    assert not {"current_can_wrap", "current_wraps"} & names(netx_export.check(wrapping(never), x), *SEVERITIES)
    found = netx_export.check(wrapping(never + 1), x)
    assert {"current_can_wrap", "current_wraps"} <= names(found, *SEVERITIES)
    (problem,) = (each.problem for each in found.findings if each.check == "current_wraps")
    assert "1 neurons" in problem
    assert "time step 39" in problem
    silent = netx_export.check(wrapping(never + 1), 0 * x)
    assert "current_can_wrap" in names(silent, "note")
    assert "current_wraps" not in names(silent, *SEVERITIES)


def test_the_drift_of_sigma_delta_neurons_is_measured() -> None:
    random = np.random.default_rng(0)
    zero = np.zeros(6, np.int64)
    layers = tuple(
        integer.Layer(
            name,
            (integer.Connection(source, integer.Dense(random.integers(-9, 12, (6, 6)))),),
            integer.SigmaDelta(zero, zero, form, 0),
        )
        for name, source, form in (("a", "input", "sigma_delta"), ("b", "a", "sigma_delta"), ("c", "b", "sigma"))
    )
    network = integer.IntegerNetwork(integer.Input((6,), 99, -99), 20, layers)
    x = netx_export.random_samples(network, 4)
    corrected = tuple(
        integer.Layer(
            each.name,
            each.connections,
            integer.SigmaDelta(zero, zero, each.neuron.form, 0, "corrected"),  # type: ignore[attr-defined]
        )
        for each in layers
    )
    other = integer.IntegerNetwork(network.input, 20, corrected)
    apart = np.abs(integer.run_reference(network, x)["c"] - integer.run_reference(other, x)["c"])[..., -1]
    assert apart.max() > 0
    found = netx_export.check(network, x, backends=["fast"])
    (problem,) = (each.problem for each in found.findings if each.check == "sigma_delta_drifts")
    assert f"drifts by up to {apart.max():,}" in problem
    assert "(a, b)" in problem
    assert "sigma_delta_drifts" not in names(netx_export.check(other, x, backends=["fast"]), *SEVERITIES)


def test_an_inspection_shows_weights_on_file_beside_those_in_netx(tmp_path: Path) -> None:
    path = write(tmp_path / "a.net", (4, "weight", lambda old: np.round(old / 8)))
    found = netx_export.inspect(path)
    conv, _, dense = found.weights_on_file
    assert (conv.dtype, conv.shift) == ("float32", 0)
    weights = groups()[1]["weight"]
    assert (conv.file_low, conv.file_high) == (weights.min(), weights.max()) == (conv.low, conv.high)
    assert dense.shift > 0
    assert (dense.low, dense.high) == (dense.file_low * 2**dense.shift, dense.file_high * 2**dense.shift)
    assert found.file is not None
    assert found.file.weights["dense3"] == 4 * 8 * 75
    assert found.is_endless
    assert any("stock.inp" in line for line in found.opening)


def test_an_input_block_is_fed_where_netx_connects_it(tmp_path: Path) -> None:
    block = cuba(25) | {"neuron/type": text("CUBA"), "weight": 36, "bias": 34}
    path = write(tmp_path / "a.net", *((0, name, value) for name, value in block.items()))
    opening = " ".join(netx_export.inspect(path).opening)
    assert "stock.layers[0].neuron.bias_mant" in opening
    assert "36 x + 34" in opening
    assert "reset_offset=0" in opening


def test_the_commands_take_stock_files(tmp_path: Path, capsys, monkeypatch) -> None:
    path = write(tmp_path / "a.net", FAULTS["bias_wraps"][0])
    status, out, _ = call(capsys, monkeypatch, "inspect", path)
    assert status == 0
    for words in ("weights on file", "float32", "bias_wraps", "CUBA", "any number of time steps", "conv1"):
        assert words in out
    np.save(tmp_path / "x.npy", samples(0, 9))
    status, out, _ = call(capsys, monkeypatch, "check", path, "--input", tmp_path / "x.npy", "--json")
    assert status == 4
    assert "bias_wraps" in {finding["check"] for finding in json.loads(out)["findings"]}
    options = ("--input", tmp_path / "x.npy", "-o", tmp_path / "page.html")
    assert call(capsys, monkeypatch, "report", path, *options)[0] == 0
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "samples of 12 time steps" in page
    assert "The file has weights from" in page
    status, out, _ = call(capsys, monkeypatch, "diff", path, write(tmp_path / "b.net"), "--input", tmp_path / "x.npy")
    assert status == 4
    assert "bias: 2 of 3 differ" in out


def test_options_for_files_that_say_all_themselves_are_an_error(tmp_path: Path, capsys, monkeypatch) -> None:
    path = write(tmp_path / "a.net")
    status, _, err = call(capsys, monkeypatch, "inspect", path, "--input-shape", "2;5;5")
    assert status == 1
    assert "is no shape" in err
    status, _, err = call(capsys, monkeypatch, "check", path, "--data", "digits")
    assert status == 1
    assert "--timesteps" in err


@pytest.mark.lava
def test_netx_opens_the_very_file_and_agrees(tmp_path: Path) -> None:
    path, x = write(tmp_path / "a.net"), samples(0, 9)
    found = netx_export.check(path, x)
    assert names(found) == set()
    assert found.comparison is not None
    rows = [row for row in found.comparison.rows if row.backend == "netx"]
    assert [row.layer for row in rows] == ["conv1", "dense3", "dense4"]
    assert all(row.mismatches == 0 < row.spikes for row in rows)
    other = netx_export.load(write(tmp_path / "b.net", (3, "weight", lambda old: -old)), (2, 5, 5), STEPS)
    wrong = netx_export.check(other, (x > 0).astype(int), file=path)
    assert {each.layer for each in wrong.findings if each.check == "netx_differs"} == {"dense3"}


@pytest.mark.lava
@pytest.mark.parametrize(
    ("name", "change"),
    [("message_bits", (0, STEPS, 1)), ("reset", (4, None, 1)), ("reset", (4, STEPS, 0))],
)
def test_netx_called_wrongly_differs_and_the_reason_is_named(
    name: str, change: tuple[int, int | None, int], tmp_path: Path
) -> None:
    path, x = write(tmp_path / "a.net"), samples(0, 9)
    assert names(netx_export.check(path, x, call=netx_export.StockCall(*change))) == {name, "netx_differs"}
    right = netx_export.stock_call(netx_export.opened(path, x))
    assert names(netx_export.check(path, x, call=right)) == set()


def exported(net: nn.Sequential, path: Path, turned: bool) -> Path:
    """The file that lava-dl's own export writes, its first kernels transposed or not."""
    with h5py.File(path, "w") as file:
        file["layer/0/type"], file["layer/0/shape"] = text("input"), np.array([2, 6, 6])
        for index, each in enumerate(net, 1):
            each.export_hdf5(file.create_group(f"layer/{index}"))  # type: ignore[operator]
        if turned:
            weight = file["layer/1/weight"]
            weight[...] = weight[()].swapaxes(2, 3)
    return path


@pytest.mark.skipif(slayer is None, reason="lava-dl is not installed")
def test_a_slayer_network_is_compared_with_the_file_that_it_wrote(tmp_path: Path) -> None:
    cuba_blocks, parameters = slayer.block.cuba, {"threshold": 1.0, "current_decay": 0.3, "voltage_decay": 0.1}
    torch.manual_seed(0)
    conv = cuba_blocks.Conv(dict(parameters), 2, 6, 3, padding=1, weight_scale=3, delay_shift=False)
    dense = cuba_blocks.Dense(dict(parameters), 6 * 36, 5, weight_scale=3, delay_shift=False)
    net = nn.Sequential(conv, cuba_blocks.Flatten(), dense).eval()
    x = np.random.default_rng(0).integers(0, 2, (3, 2, 6, 6, STEPS))
    net(torch.tensor(x).float())
    right = netx_export.check(exported(net, tmp_path / "right.net", False), x, net=net, backends=["fast"])
    assert names(right) == set()
    assert right.comparison is not None
    assert {row.backend for row in right.comparison.rows} == {"fast", "original", "torch"}
    assert all(row.mismatches == 0 < row.spikes for row in right.comparison.rows)
    wrong = netx_export.check(exported(net, tmp_path / "wrong.net", True), x, net=net, backends=["fast"])
    assert names(wrong) == {"kernel_transposed", "original_differs", "torch_differs"}
    assert {each.layer for each in wrong.findings} >= {"conv1"}
