"""Refusals before anything runs: wrong inputs, unknown backends, ranges beyond what a backend can do."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from typing import Any

import numpy as np
import pytest

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import ConfigurationError, DeploymentError, InputError, RangeError


def network(
    weight: np.ndarray, taps: tuple[int, ...] = (2, 1), maximum: int = 3, timesteps: int = 4
) -> integer.IntegerNetwork:
    neuron = integer.MemoryFree(taps, np.zeros(len(weight), int))
    layer = integer.Layer("dense1", (integer.Connection("input", integer.Dense(weight)),), neuron)
    return integer.IntegerNetwork(integer.Input((weight.shape[1],), maximum), timesteps, (layer,))


SMALL = network(np.ones((2, 5), int))
X = np.ones((3, 5, 4), int)


@pytest.mark.parametrize("backend", netx_export.BACKENDS)
@pytest.mark.parametrize(
    ("x", "text"),
    [
        (X * 0.5, "must be integers, not float64"),
        (X.astype(np.float32), "must be integers, not float32"),
        (X * np.nan, "must be integers"),
        (X * 4, "values from 4 to 4 leave the range 0 to 3"),
        (-X, "leave the range"),
        (X[:, :4], r"must have shape \(N, 5, T\), not \(3, 4, 4\)"),
        (X[0], "must have shape"),
        (X[..., 0], "must have shape"),
        (X[:0], r"must have shape .* Remedy: give a sample at least"),
        (X[..., :0], r"must have shape .* Remedy: give a sample at least"),
        (np.ones((1, 5, 5), int), "5 time steps exceed the 4"),
        (X.astype(object), "must be integers"),
        (None, "must be integers"),
    ],
)
def test_wrong_input_is_refused_by_every_backend(backend: str, x: np.ndarray, text: str) -> None:
    if netx_export.BACKENDS[backend].refusal(SMALL):
        backend = "reference"
    with pytest.raises(InputError, match=text):
        netx_export.simulate(SMALL, x, backend=backend)


def test_booleans_are_spikes() -> None:
    spikes: Any = X > 0
    assert (netx_export.simulate(SMALL, spikes) == netx_export.simulate(SMALL, X)).all()


def test_an_unknown_backend_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigurationError, match="no backend 'loihi3'.*reference.*lava.*netx"):
        netx_export.simulate(SMALL, X, backend="loihi3")


def test_potentials_beyond_loihi_are_refused_and_still_right_in_the_reference() -> None:
    wide = network(np.ones((1, 1500), int), taps=(8, 4, 2, 1), maximum=7)
    x = np.full((1, 1500, 4), 7)
    for backend in ("lava", "netx"):
        with pytest.raises((RangeError, DeploymentError), match=r"157,500.*Remedy"):
            netx_export.simulate(wide, x, backend=backend)
    assert netx_export.simulate(wide, x).tolist() == [[[1, 1, 1, 1]]]


def test_the_limit_of_loihi_itself_is_allowed() -> None:
    exactly = network(np.ones((1, 2**15), int), taps=(1,), maximum=4)
    assert exactly.potential_ranges["dense1"][1][0] == 2**17
    assert netx_export.BACKENDS["lava"].refusal(exactly) is None
    above = network(np.ones((1, 2**15 + 1), int), taps=(1,), maximum=4)
    assert "beyond 2^17" in str(netx_export.BACKENDS["lava"].refusal(above))


def test_weights_beyond_lavas_dense_are_refused() -> None:
    with pytest.raises(RangeError, match="layer 'dense1'.*weights up to 128 exceed 127"):
        netx_export.simulate(network(np.full((1, 5), 128)), X, backend="lava")


def test_geometry_beyond_lavas_conv_is_refused() -> None:
    conv = integer.Conv(np.ones((130, 1, 1, 1), int), groups=130)
    layer = integer.Layer("conv1", (integer.Connection("input", conv),), integer.Readout((1,)))
    wide = integer.IntegerNetwork(integer.Input((130, 2, 2)), 1, (layer,))
    with pytest.raises(RangeError, match="group count of 130 exceeds 127"):
        netx_export.simulate(wide, np.ones((1, 130, 2, 2, 1), int), backend="lava")
    assert not wide.stock_exact


@pytest.mark.parametrize(
    ("taps", "weight", "reason"),
    [
        ((8, 4, 2, 1), -np.ones((2, 5), int), "no dense weight is positive"),
        ((8, 4, 2, 1), np.zeros((2, 5), int), "no dense weight is positive"),
        ((8, 4, 2, 1), np.array([[-33, 2]]), "are clipped to -256 .. 254"),
        ((8, 4, 2, 1), np.array([[0, 32]]), "clipped to 255"),
        ((1,), np.array([[-129, 2]]), "truncated to even"),
        ((4, 2, 1), np.array([[-1, 1]]), "neither one step nor powers of two over all 4 steps"),
    ],
)
def test_obstacles_to_stock_netx_are_named(taps: tuple[int, ...], weight: np.ndarray, reason: str) -> None:
    obstacles = network(weight, taps).stock_obstacles
    assert any(reason in text and "layer 'dense1'" in text for text in obstacles), obstacles


def test_layers_that_do_not_fit_are_refused_by_name() -> None:
    with pytest.raises(DeploymentError, match="the weight of a dense synapse must be integers, not float64"):
        network(np.ones((2, 5)))
    with pytest.raises(DeploymentError, match="taps of a memory free neuron must be an integer from 1 to"):
        network(np.ones((2, 5), int), taps=(1, 0))
    with pytest.raises(DeploymentError, match="timesteps"):
        network(np.ones((2, 5), int), timesteps=0)
    with pytest.raises(DeploymentError, match="do not fit int32"):
        network(np.full((2, 5), 2**31))
    connection = integer.Connection("nowhere", integer.Dense(np.ones((1, 2), int)))
    with pytest.raises(DeploymentError, match="layer 'a': its source 'nowhere' is not before it"):
        integer.IntegerNetwork(integer.Input((2,)), 1, (integer.Layer("a", (connection,), integer.Readout((1,))),))


def test_a_network_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        SMALL.layers[0].connections[0].synapse.weight[0, 0] = 5
    with pytest.raises(AttributeError):
        SMALL.timesteps = 9  # type: ignore[misc]


def uninstalled(package: str) -> str:
    raise PackageNotFoundError(package)


def test_backends_that_are_not_installed_are_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", uninstalled)
    report = netx_export.verify(SMALL, X)
    assert {row.backend for row in report.rows} == {"reference", "fast"}
    assert set(report.refused) == set(netx_export.BACKENDS) - {"reference", "fast"}
    assert all("Lava runs on Python 3.10 only" in reason or "lava-nc" in reason for reason in report.refused.values())
    assert report.exact
    for name in ("lava", "lava-async", "lava-fused"):
        with pytest.raises(ConfigurationError, match="Remedy"):
            netx_export.verify(SMALL, X, backends=[name])
    assert netx_export.BACKENDS["lava"].refusal(SMALL) is None  # where Lava is, it would be exact


def test_an_older_python_leaves_lava_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lava_qsnn._platform.sys.version_info", (3, 11, 4))
    assert "Lava runs on Python 3.10 only, and this is 3.11" in str(netx_export.BACKENDS["lava"].absence())
    assert netx_export.BACKENDS["fast"].absence() is None
