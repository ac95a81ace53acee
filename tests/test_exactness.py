"""Invariant I1: torch in evaluation mode, the reference, the file and Lava compute the same spikes, layer for layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import nn

import netx_export
from lava_qsnn import integer, synapse
from lava_qsnn.block import memory_free as block
from lava_qsnn.block import quantized_lif
from tests.helpers import oracle
from tests.helpers.networks import Case, conv_cases, dense_cases, lif_cases, residual_cases

many = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
some = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def assert_torch_equals_reference(case: Case, network: integer.IntegerNetwork) -> None:
    report = netx_export.verify(network, case.inputs(4), backends=[], net=case.net)
    assert {row.layer for row in report.rows} == set(network)
    assert report.exact, report.rows


def assert_oracle_equals_reference(case: Case, network: integer.IntegerNetwork) -> None:
    x = case.inputs(1)
    reference = integer.run_reference(network, x)
    for index, sample in enumerate(x):
        expected = oracle.run(network, sample)
        for name, values in reference.items():
            assert values[index].flatten().tolist() == np.array(expected[name]).flatten().tolist()


@many
@given(dense_cases())
def test_torch_equals_the_reference_on_dense_networks(case: Case) -> None:
    assert_torch_equals_reference(case, netx_export.fold(case.net, **case.export_arguments))


@some
@given(conv_cases())
def test_torch_equals_the_reference_on_convolutional_networks(case: Case) -> None:
    assert_torch_equals_reference(case, netx_export.fold(case.net, **case.export_arguments))


@many
@given(lif_cases())
def test_torch_equals_the_reference_with_stored_potentials(case: Case) -> None:
    assert_torch_equals_reference(case, netx_export.fold(case.net, **case.export_arguments))


@some
@given(residual_cases())
def test_torch_equals_the_reference_with_residual_blocks(case: Case) -> None:
    assert_torch_equals_reference(case, netx_export.fold(case.net, **case.export_arguments))


@some
@given(lif_cases(longest=10))
def test_the_reference_equals_the_oracle_with_stored_potentials(case: Case) -> None:
    assert_oracle_equals_reference(case, netx_export.fold(case.net, **case.export_arguments))


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(residual_cases(longest=3))
def test_the_reference_equals_the_oracle_with_residual_blocks(case: Case) -> None:
    assert_oracle_equals_reference(case, netx_export.fold(case.net, **case.export_arguments))


@some
@given(dense_cases(longest=8))
def test_the_reference_equals_the_oracle_on_dense_networks(case: Case) -> None:
    assert_oracle_equals_reference(case, netx_export.fold(case.net, **case.export_arguments))


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(conv_cases(longest=3))
def test_the_reference_equals_the_oracle_on_convolutional_networks(case: Case) -> None:
    assert_oracle_equals_reference(case, netx_export.fold(case.net, **case.export_arguments))


@some
@given(dense_cases())
def test_a_file_returns_the_network_it_was_given(case: Case) -> None:
    assert_file_is_identity(netx_export.fold(case.net, **case.export_arguments))


@some
@given(conv_cases())
def test_a_file_returns_the_convolutional_network_it_was_given(case: Case) -> None:
    assert_file_is_identity(netx_export.fold(case.net, **case.export_arguments))


@some
@given(lif_cases())
def test_a_file_returns_stored_potentials_and_skips(case: Case) -> None:
    assert_file_is_identity(netx_export.fold(case.net, **case.export_arguments))


@some
@given(residual_cases())
def test_a_file_returns_residual_blocks(case: Case) -> None:
    assert_file_is_identity(netx_export.fold(case.net, **case.export_arguments))


def assert_file_is_identity(network: integer.IntegerNetwork) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.net"
        netx_export.write(network, path)
        assert netx_export.load(path) == network


@some
@given(dense_cases(longest=6))
def test_shorter_samples_are_exact_too(case: Case) -> None:
    """A network exported for T steps answers samples of fewer steps as torch does."""
    network = netx_export.fold(case.net, **case.export_arguments)
    for steps in range(1, case.timesteps + 1):
        assert netx_export.verify(network, case.inputs()[..., :steps], backends=[], net=case.net).exact


def calibrated(blocks: Sequence[nn.Module], shape: tuple[int, ...], history: int) -> nn.Sequential:
    """A network whose norms have seen data, with gains of both signs: every layer spikes, none all the time."""
    net = nn.Sequential(*blocks)
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.weight.data[::2] *= -1
    for _ in range(30):
        net(torch.randint(0, 4, (8, *shape, history)).float())
    return net.eval()


def dense_network(history: int, **more: object) -> nn.Sequential:
    torch.manual_seed(history)
    parameters = {"threshold": 0.3, "history": history, "norm": "batch", **more}
    blocks = [
        block.Dense(parameters, 20, 24, weight_bits=1),
        block.Dense(parameters, 24, 16, weight_bits=2),
        block.Output(16, 5, weight_bits=8),
    ]
    return calibrated(blocks, (20,), history)


def conv_network(history: int, **more: object) -> nn.Sequential:
    torch.manual_seed(history)
    parameters = {"threshold": 0.2, "history": history, **more}
    blocks: list[nn.Module] = [
        block.Conv({**parameters, "norm": "batch"}, 2, 4, 3, stride=(2, 1), padding=(1, 0)),
        block.Pool(None, 2),
        block.Conv({**parameters, "norm": "batch"}, 4, 4, 2, dilation=(1, 2), groups=2, weight_bits=4),
        block.Flatten(),
        block.Dense({**parameters, "norm": "batch"}, 4 * 2 * 2, 12),
        block.Output(12, 3),
    ]
    return calibrated(blocks, (2, 12, 11), history)


def flat_network() -> nn.Sequential:
    """Begins with a pooling and a flatten: the input of stock NetX is flat, and its order is the weights'."""
    torch.manual_seed(0)
    parameters = {"threshold": 0.3, "history": 4, "norm": "batch"}
    blocks = [
        block.Pool(None, 2),
        block.Flatten(),
        block.Dense(parameters, 2 * 6 * 5, 24, weight_bits=1),
        block.Output(24, 5),
    ]
    return calibrated(blocks, (2, 12, 11), 4)


#: What these networks are exact on; NETWORKS in unmodified NetX, too.
EXACT_ANYWHERE = {"torch", "reference", "fast", "lava", "lava-async", "lava-fused"}

NETWORKS = {
    "dense, K = T = 4": (dense_network(4), (20,), 4, 3),
    "dense, K = T = 7": (dense_network(7), (20,), 7, 1),
    "dense, K = 1, T = 9": (dense_network(1), (20,), 9, 2),
    "conv, K = T = 4": (conv_network(4), (2, 12, 11), 4, 2),
    "pool and flatten first": (flat_network(), (2, 12, 11), 4, 1),
}


def lif_network(bits: int, reset: str) -> nn.Sequential:
    torch.manual_seed(bits)
    stored = {"threshold": 0.5, "potential_bits": bits, "decay": 0.75, "reset": reset, "norm": "batch"}
    blocks: list[nn.Module] = [
        quantized_lif.Conv(stored, 2, 4, 3, stride=2, padding=1, weight_bits=4),
        quantized_lif.Residual(quantized_lif.Conv(stored, 4, 4, 3, padding=1), quantized_lif.Conv(stored, 4, 4, 1)),
        quantized_lif.Pool({**stored, "norm": None}, 2),
        block.Flatten(),
        block.Dense({"threshold": 0.2, "history": 3, "norm": "batch"}, 4 * 3 * 3, 12),
        quantized_lif.Dense({**stored, "threshold": 0.25}, 12, 12),
        block.Output(12, 3),
    ]
    return calibrated(blocks, (2, 12, 11), 9)


def residual_network(**more: object) -> nn.Sequential:
    torch.manual_seed(0)
    parameters = {"threshold": 0.3, "history": 4, "norm": "batch", **more}
    shortcut = synapse.Conv(4, 6, 1, stride=2)
    blocks: list[nn.Module] = [
        block.Pool(None, 2),
        block.Residual(block.Conv(parameters, 2, 2, 3, padding=1), block.Conv(parameters, 2, 2, 3, padding=1)),
        block.Conv(parameters, 2, 4, 3, padding=1),
        block.Residual(
            block.Conv(parameters, 4, 6, 3, stride=2, padding=1),
            block.Conv(parameters, 6, 6, 3, padding=1),
            shortcut=shortcut,
        ),
        block.Flatten(),
        block.Output(6 * 2 * 2, 3),
    ]
    return calibrated(blocks, (2, 8, 8), 4)


BEYOND_STOCK = {
    "dense, K = 3 of T = 6": (dense_network(3), (20,), 6, 3),
    "dense, K = T = 12": (dense_network(12), (20,), 12, 1),
    "dense, geometric taps": (dense_network(8, taps="geometric"), (20,), 11, 2),
    "conv, learned taps": (conv_network(5, taps="learned"), (2, 12, 11), 5, 1),
    "potentials of 2 bits, hard reset": (lif_network(2, "hard"), (2, 12, 11), 9, 2),
    "potentials of 4 bits, soft reset": (lif_network(4, "soft"), (2, 12, 11), 9, 2),
    "potentials of 16 bits, hard reset": (lif_network(16, "hard"), (2, 12, 11), 9, 2),
    "residual blocks": (residual_network(), (2, 8, 8), 6, 2),
}


def verified(name: str, cases: dict[str, tuple[nn.Sequential, tuple[int, ...], int, int]]) -> netx_export.Report:
    net, shape, timesteps, bits = cases[name]
    case = Case(net, shape, timesteps, bits, seed=1)
    network = netx_export.fold(net, **case.export_arguments)
    return netx_export.verify(network, case.inputs(6), net=net)


def assert_exact_and_alive(report: netx_export.Report, backends: set[str]) -> None:
    assert {row.backend for row in report.rows} == backends
    assert report.exact, [row for row in report.rows if row.mismatches]
    for row in report.rows:  # neither silent nor saturated: a comparison of constants would prove nothing
        assert 0.03 * row.values < row.spikes, row
        assert row.layer == "output" or row.spikes < 0.97 * row.values, row


@pytest.mark.lava
@pytest.mark.parametrize("name", NETWORKS)
def test_every_backend_is_exact_where_stock_netx_can_be(name: str) -> None:
    report = verified(name, NETWORKS)
    assert_exact_and_alive(report, EXACT_ANYWHERE | {"netx"})
    assert not report.refused


@pytest.mark.lava
@pytest.mark.parametrize("name", BEYOND_STOCK)
def test_lava_is_exact_beyond_what_stock_netx_can_do(name: str) -> None:
    report = verified(name, BEYOND_STOCK)
    assert_exact_and_alive(report, EXACT_ANYWHERE)
    assert "netx" in report.refused


@pytest.mark.lava
@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(dense_cases(longest=7))
def test_whatever_claims_to_be_stock_exact_is(case: Case) -> None:
    network = netx_export.fold(case.net, **case.export_arguments)
    for name, backend in netx_export.BACKENDS.items():
        if backend.refusal(network) is None:
            assert netx_export.verify(network, case.inputs(), backends=[name]).exact


@pytest.mark.lava
def test_a_network_with_skip_connections_runs_in_lava() -> None:
    """Skips add integer currents; their spikes wait until the main path has caught up."""
    random = np.random.default_rng(3)

    def dense(out: int, inputs: int) -> integer.Dense:
        return integer.Dense(random.choice([-1, 1], (out, inputs)))

    def neurons(taps: tuple[int, ...], count: int) -> integer.MemoryFree:
        return integer.MemoryFree(taps, random.integers(-2, 4, count))

    network = integer.IntegerNetwork(
        integer.Input((5,), 3),
        6,
        (
            integer.Layer("a", (integer.Connection("input", dense(7, 5)),), neurons((2, 1), 7)),
            integer.Layer("b", (integer.Connection("a", dense(7, 7)),), neurons((4, 2, 1), 7)),
            integer.Layer(
                "c",
                (
                    integer.Connection("b", dense(6, 7)),
                    integer.Connection("a", dense(6, 7)),
                    integer.Connection("input", dense(6, 5)),
                ),
                neurons((3, 2, 2), 6),
            ),
            integer.Layer(
                "out",
                (integer.Connection("c", dense(3, 6)), integer.Connection("a", dense(3, 7))),
                integer.Readout((1,)),
            ),
        ),
    )
    x = random.integers(0, 4, (4, 5, 6))
    report = netx_export.verify(network, x, backends=["lava", "lava-async", "lava-fused"])
    assert report.exact
    assert all(0 < row.spikes < row.values for row in report.rows)
    expected = oracle.run(network, x[0])
    outputs = integer.run_reference(network, x)
    assert all(outputs[name][0].flatten().tolist() == np.array(expected[name]).flatten().tolist() for name in network)
