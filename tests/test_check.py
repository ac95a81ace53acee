"""Checks: each planted fault is found by the check of its name, and clean networks raise none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import netx_export
from lava_qsnn import integer
from lava_qsnn.block import memory_free as block
from lava_qsnn.errors import InputError
from netx_export._findings import SEVERITIES
from netx_export._relations import RELATIONS, relation
from tests.helpers.command import call
from tests.helpers.files import network as some_network

NAMES = [check.name for check in netx_export.CHECKS]


def names(report: netx_export.CheckReport, *severities: str) -> set[str]:
    return {finding.check for finding in report.findings if finding.severity in (severities or SEVERITIES[:2])}


def with_layer(network: integer.IntegerNetwork, index: int, **changes: Any) -> integer.IntegerNetwork:
    layers = list(network.layers)
    layers[index] = replace(layers[index], **changes)
    return replace(network, layers=tuple(layers))


def with_weight(
    network: integer.IntegerNetwork, index: int, change: Callable[[np.ndarray], np.ndarray]
) -> integer.IntegerNetwork:
    (connection,) = network.layers[index].connections
    assert isinstance(connection.synapse, (integer.Dense, integer.Conv))
    synapse = replace(connection.synapse, weight=change(np.array(connection.synapse.weight)))
    return with_layer(network, index, connections=(replace(connection, synapse=synapse),))


def meant() -> integer.IntegerNetwork:
    """A network in which no fault of weights looks like another one."""
    random = np.random.default_rng(7)
    kernels = random.integers(-40, 41, (3, 2, 3, 3))
    layers = (
        integer.Layer(
            "conv",
            (integer.Connection("input", integer.Conv(kernels, padding=(1, 1))),),
            integer.MemoryFree((2, 1), np.array([30, 60, -20])),
        ),
        integer.Layer(
            "square",
            (integer.Connection("conv", integer.Dense(random.integers(-30, 31, (75, 75)))),),
            integer.MemoryFree((1,), random.integers(1, 20, 75)),
        ),
        integer.Layer(
            "output",
            (integer.Connection("square", integer.Dense(random.integers(-9, 10, (4, 75)))),),
            integer.Readout((1,)),
        ),
    )
    return integer.IntegerNetwork(integer.Input((2, 5, 5), 3), 5, layers)


def test_checks_have_names_of_their_own_and_say_what_they_find() -> None:
    assert len(set(NAMES)) == len(NAMES) > 15
    for check in netx_export.CHECKS:
        assert check.name.isidentifier()
        assert check.severity in SEVERITIES
        assert check.about.endswith(".")


@pytest.mark.parametrize("clean", [some_network(), meant()], ids=["exact in NetX", "not exact there"])
def test_clean_networks_raise_nothing_but_notes(clean: integer.IntegerNetwork) -> None:
    found = netx_export.check(clean, original=clean, samples=3)
    assert names(found) == set()
    assert found.clean
    assert found.exit_status == 0
    assert found.comparison is not None
    assert all(row.mismatches == 0 < row.spikes for row in found.comparison.rows)
    assert {row.backend for row in found.comparison.rows} >= {"fast", "original"}
    assert names(found, "note") == (set() if clean.stock_exact else {"not_exact_in_netx"})


WEIGHT_FAULTS: dict[str, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {
    "kernel_transposed": (0, lambda weight: weight.swapaxes(2, 3)),
    "kernel_flipped": (0, lambda weight: weight[:, :, ::-1, ::-1]),
    "weights_exchanged": (1, lambda weight: weight.T),
    "weights_negated": (1, lambda weight: -weight),
    "weights_scaled": (1, lambda weight: 3 * weight),
    "weights_clipped": (1, lambda weight: weight.clip(-16, 15)),
    "weights_truncated": (0, lambda weight: weight >> 1 << 1),
    "weights_differ": (1, lambda weight: np.random.default_rng(3).permuted(weight)),
}


@pytest.mark.parametrize("fault", WEIGHT_FAULTS)
def test_faults_of_weights_are_named_where_they_are(fault: str) -> None:
    index, change = WEIGHT_FAULTS[fault]
    faulty = with_weight(meant(), index, change)
    found = netx_export.check(faulty, original=meant(), samples=4)
    weights = [finding for finding in found.findings if finding.check.startswith(("kernel", "weights"))]
    assert [(finding.check, finding.layer) for finding in weights] == [(fault, list(faulty)[index])]
    assert found.exit_status == 4
    (differs,) = (finding for finding in found.findings if finding.check == "original_differs")
    assert differs.layer == list(faulty)[index]


def test_the_first_value_that_differs_is_named() -> None:
    """Judged by looking for it in the outputs of both."""
    faulty, x = with_weight(meant(), 1, lambda weight: -weight), netx_export.random_samples(meant(), 4)
    one, other = (netx_export.simulate_layers(each, x)["square"] for each in (faulty, meant()))
    step = min(t for t in range(5) if (one[..., t] != other[..., t]).any())
    sample, neuron = min(zip(*np.nonzero(one[..., step] != other[..., step])))
    comparison = netx_export.check(faulty, x, original=meant()).comparison
    assert comparison is not None
    row = comparison.first("original")
    assert row is not None
    assert row.first == netx_export.Parting(
        step, sample, (neuron,), one[sample, neuron, step], other[sample, neuron, step]
    )
    assert f"time step {step}, sample {sample}, neuron {neuron}" in str(row.first)


def test_other_thresholds_and_layers_are_named() -> None:
    network = thresholds(0, lambda old: old + np.array([0, 1, 0]))
    found = netx_export.check(network, original=meant(), samples=0)
    (finding,) = found.of("error")
    assert (finding.check, finding.layer) == ("neuron_differs", "conv")
    assert "threshold" in finding.problem
    assert names(netx_export.check(some_network(), original=meant(), samples=0)) == {"structure_differs"}


def thresholds(index: int, value: Callable[[np.ndarray], np.ndarray]) -> integer.IntegerNetwork:
    neuron = meant().layers[index].neuron
    assert isinstance(neuron, integer.MemoryFree)
    return with_layer(meant(), index, neuron=replace(neuron, threshold=value(np.array(neuron.threshold))))


def first(values: np.ndarray, value: int) -> np.ndarray:
    values[0] = value
    return values


FAULTY: dict[str, tuple[integer.IntegerNetwork, str | None]] = {
    "layer_never_fires": (thresholds(1, lambda old: old + 10**6), "square"),
    "channels_never_fire": (thresholds(1, lambda old: first(old, 10**6)), "square"),
    "layer_always_fires": (thresholds(1, lambda old: old - 10**6), "square"),
    "channels_always_fire": (thresholds(1, lambda old: first(old, -(10**6))), "square"),
    "weights_all_zero": (with_weight(meant(), 1, lambda weight: 0 * weight), "square"),
    "weights_all_equal": (with_weight(meant(), 1, lambda weight: 0 * weight + 3), "square"),
    "channels_without_weights": (with_weight(meant(), 1, lambda weight: first(weight, 0)), "square"),
    "layer_is_silent": (thresholds(1, lambda old: meant().potential_ranges["square"][1].astype(np.int64)), "square"),
    "layer_is_constant": (thresholds(1, lambda old: old - 10**6), "square"),
    "answers_are_equal": (thresholds(1, lambda old: old - 10**6), None),
}


@pytest.mark.parametrize("name", FAULTY)
def test_worthless_layers_are_named(name: str) -> None:
    network, layer = FAULTY[name]
    found = netx_export.check(network, samples=4)
    assert (name, layer) in [(finding.check, finding.layer) for finding in found.findings]
    assert all(finding.remedy for finding in found.findings)


def test_channels_that_always_fire_do() -> None:
    """Judged by trying many inputs."""
    network, _ = FAULTY["channels_always_fire"]
    always = network.layer("square").neuron.always_fires(network.port_ranges["square"])
    spikes = netx_export.simulate_layers(network, netx_export.random_samples(network, 50))["square"]
    assert list(np.flatnonzero(always)) == [0]
    assert spikes[:, 0].all()
    assert not spikes.all((0, 2))[1:].all()
    assert spikes[:, 1:].any()


def test_a_layer_that_feeds_nothing_is_named() -> None:
    layers = list(meant().layers)
    dense = integer.Connection("conv", integer.Dense(np.full((2, 75), -1)))
    spare = integer.Layer("spare", (dense,), integer.MemoryFree((1,), np.array([-9, -8])))
    found = netx_export.check(replace(meant(), layers=(*layers[:2], spare, layers[2])), samples=0)
    assert ("dead_end", "spare") in [(finding.check, finding.layer) for finding in found.findings]


def test_samples_that_show_nothing_are_named() -> None:
    zeros = np.zeros((2, 2, 5, 5, 5), int)
    assert "input_is_zero" in names(netx_export.check(meant(), zeros))
    wide = replace(meant(), input=integer.Input((2, 5, 5), 255))
    assert "input_scaled_down" in names(netx_export.check(wide, zeros + 1))
    assert "input_scaled_down" not in names(netx_export.check(wide, zeros + 200))


def test_what_is_not_there_is_not_looked_at() -> None:
    found = netx_export.check(meant(), samples=0)
    assert found.comparison is None
    assert not {"netx_differs", "kernel_transposed", "layer_is_silent", "reset"} & set(found.checks)
    assert "layer_never_fires" in found.checks


def test_samples_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(InputError, match="must have shape"):
        netx_export.check(meant(), np.zeros((1, 3), int))


def test_relations_tell_weights_apart() -> None:
    weight = np.random.default_rng(0).integers(-40, 40, (3, 3, 3, 3))
    assert relation(weight, weight) == "equal"
    assert relation(weight, weight + 1) is None
    assert relation(weight, np.zeros_like(weight)) is None
    assert relation(weight[:2], weight) is None
    assert relation(weight[..., :2], weight[..., :2].swapaxes(2, 3)) == "transposed"
    assert relation(weight, 2 * weight) == "scaled"
    assert relation(6 * weight, 4 * weight) == "scaled"
    assert set(RELATIONS) >= {"equal", "transposed", "flipped", "clipped", "truncated", "negated", "exchanged"}


def trained() -> nn.Sequential:
    torch.manual_seed(0)
    parameters = {"threshold": 0.2, "history": 4, "norm": None}
    conv = block.Conv(parameters, 2, 4, 3, weight_bits=4)
    dense = block.Dense(parameters, 36, 12, weight_bits=4)
    return nn.Sequential(conv, block.Flatten(), dense, block.Output(12, 3)).eval()


def test_a_torch_network_is_compared_with_its_file_and_with_a_wrong_one(tmp_path: Path) -> None:
    """The fault that accuracies collapse by: kernels that were transposed on the way to the file."""
    net = trained()
    network = netx_export.export(net, tmp_path / "right.net", (2, 5, 5), 4, 2)
    right = netx_export.check(tmp_path / "right.net", net=net, samples=3)
    assert names(right) == set()
    assert right.comparison is not None
    assert {row.backend for row in right.comparison.rows} >= {"torch", "original", "fast"}

    netx_export.write(with_weight(network, 0, lambda weight: weight.swapaxes(2, 3)), tmp_path / "wrong.net")
    wrong = netx_export.check(tmp_path / "wrong.net", net=net, samples=3)
    assert names(wrong) >= {"kernel_transposed", "torch_differs", "original_differs"}
    assert {finding.layer for finding in wrong.findings if finding.check == "torch_differs"} == {next(iter(network))}


def test_a_torch_network_of_other_layers_is_named_not_raised(tmp_path: Path) -> None:
    net = nn.Sequential(block.Dense({"threshold": 0.2}, 3, 4), block.Output(4, 2)).eval()
    netx_export.export(net, tmp_path / "some.net", (3,), 4)
    other = nn.Sequential(block.Output(3, 2)).eval()
    found = netx_export.check(tmp_path / "some.net", net=other, samples=2)
    assert "structure_differs" in names(found)
    assert found.comparison is not None
    assert "torch" in found.comparison.refused


@pytest.mark.lava
def test_calls_of_netx_that_lack_message_bits_or_resets_are_named() -> None:
    network = some_network()
    right = netx_export.stock_call(network)
    x = netx_export.random_samples(network, 3)
    wrong = netx_export.check(network, x, call=replace(right, input_message_bits=0))
    assert names(wrong) >= {"message_bits", "netx_differs"}
    assert "reset" not in names(wrong)
    for call_ in (replace(right, reset_offset=0), replace(right, reset_interval=None)):
        assert names(netx_export.check(network, x, call=call_)) >= {"reset", "netx_differs"}
    assert names(netx_export.check(network, x, call=right)) == set()


def test_the_command_tells_by_its_status_what_it_found(tmp_path: Path, capsys, monkeypatch) -> None:
    written = {"clean": meant(), "warned": FAULTY["weights_all_equal"][0], "failed": FAULTY["layer_is_silent"][0]}
    for name, network in written.items():
        netx_export.write(network, tmp_path / f"{name}.net")
    assert call(capsys, monkeypatch, "check", tmp_path / "clean.net")[0] == 0
    status, out, _ = call(capsys, monkeypatch, "check", tmp_path / "warned.net")
    assert status == 3
    assert "weights_all_equal" in out
    status, out, _ = call(
        capsys, monkeypatch, "check", tmp_path / "failed.net", "--original", tmp_path / "clean.net", "--json"
    )
    assert status == 4
    shown = json.loads(out)
    assert shown["version"] == 1
    assert {"layer_is_silent", "neuron_differs"} <= {finding["check"] for finding in shown["findings"]}
    assert shown["exit_status"] == 4
    assert call(capsys, monkeypatch, "check", tmp_path / "nothing.net")[0] == 1


@pytest.mark.lava
def test_the_command_takes_the_call_of_netx(tmp_path: Path, capsys, monkeypatch) -> None:
    netx_export.write(some_network(), tmp_path / "some.net")
    options = ("--netx-reset-interval", 0, "--samples", 2)
    status, out, _ = call(capsys, monkeypatch, "check", tmp_path / "some.net", *options)
    assert status == 4
    assert "reset_interval=None runs samples of 4 steps into each other" in out


def test_a_silent_layer_is_named_and_not_those_that_hear_it_alone() -> None:
    """The second of four layers is silent; the last two have no chance."""
    zero, dense = np.zeros(3, np.int64), integer.Dense(np.ones((3, 3), int) * [[1], [2], [3]])
    layers, source = [], "input"
    for name, threshold in (("a", 1), ("b", 9), ("c", 1), ("d", 1)):
        neuron = integer.MemoryFree((1,), np.array([3, 6, 9]) if name == "b" else zero + threshold)
        layers.append(integer.Layer(name, (integer.Connection(source, dense),), neuron))
        source = name
    x = np.zeros((2, 3, 4), int)
    x[0, 0, 0] = 1
    first = replace(layers[0], connections=(integer.Connection("input", integer.Dense(np.eye(3, dtype=int))),))
    found = netx_export.check(integer.IntegerNetwork(integer.Input((3,)), 4, (first, *layers[1:])), x)
    silent = [finding for finding in found.findings if finding.check == "layer_is_silent"]
    assert [finding.layer for finding in silent] == ["b"]
    assert "so are 2 layers after it" in silent[0].problem


def test_the_how_to_names_checks_that_there_are() -> None:
    page = (Path(__file__).parent.parent / "docs" / "how-to" / "check-a-network.md").read_text("utf-8")
    table = page.partition("## All checks")[2].partition("## Files of others")[0]
    told = set(
        re.findall(r"`([a-z_]+)`", "".join(line.split("|")[1] for line in table.splitlines() if line[:2] == "| "))
    )
    assert len(told) > 15
    assert told <= set(NAMES)


def test_the_how_to_s_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("digits.net", "meant.net"):
        netx_export.write(meant(), tmp_path / name)
    page = (Path(__file__).parent.parent / "docs" / "how-to" / "check-a-network.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(example, "check-a-network.md", "exec"), {"x": netx_export.random_samples(meant(), 2)})
    assert "note not_exact_in_netx" in capsys.readouterr().out


def test_random_numbers_are_told_and_not_blamed(tmp_path: Path, capsys, monkeypatch) -> None:
    """Random numbers are no larger than a byte, whatever the input could hold."""
    netx_export.write(replace(meant(), input=integer.Input((2, 5, 5), 60000)), tmp_path / "wide.net")
    found = netx_export.check(tmp_path / "wide.net")
    assert found.random
    assert "input_scaled_down" not in names(found, *SEVERITIES)
    status, out, _ = call(capsys, monkeypatch, "check", tmp_path / "wide.net", "--samples", 3)
    assert status == 0
    assert "on 3 samples of random numbers" in out


def test_data_that_a_file_tells_and_that_are_not_there_are_a_warning(tmp_path: Path, capsys, monkeypatch) -> None:
    told = {"data": {"name": "mnist", "flatten": False}}
    netx_export.write(replace(meant(), metadata=told), tmp_path / "some.net")
    monkeypatch.chdir(tmp_path)
    status, out, err = call(capsys, monkeypatch, "check", tmp_path / "some.net", "--samples", 2)
    assert status == 0
    assert "the data that it was trained on cannot be had" in err
    assert "on 2 samples of random numbers" in out
    status, _, err = call(capsys, monkeypatch, "check", tmp_path / "some.net", "--data", "mnist")
    assert status == 1
    assert err.startswith("error: ")
