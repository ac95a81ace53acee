"""Weights as NetX makes them, and networks of stock neurons in NetX's form: exact, or refused."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

import netx_export
from lava_qsnn import _slayer  # noqa: F401  lava-dl imports slayer, this way without its notes
from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import (
    CUBA,
    RF,
    Connection,
    Conv,
    DelayedDense,
    Dense,
    Input,
    IntegerNetwork,
    Layer,
    SigmaDelta,
)
from lava_qsnn.integer.stock import file_coefficients, file_weights, netx_coefficients, netx_form, netx_weights
from tests.helpers.stock_random import random_stock

with contextlib.redirect_stdout(io.StringIO()):
    from lava.lib.dl.netx.utils import optimize_weight_bits

LIMITS = [-1000, -257, -256, -255, -129, -128, -64, -9, -4, -1, 0, 1, 2, 4, 127, 128, 254, 255, 256, 300, 1000]


@st.composite
def parts(draw: st.DrawFn) -> list[np.ndarray]:
    """Weights of a layer, and those of its recurrence, of one sign, of both, of powers of two."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low, high = sorted(draw(st.tuples(st.sampled_from(LIMITS), st.sampled_from(LIMITS))))
    factor = draw(st.sampled_from([1, 1, 2, 4, 64]))
    made = [random.integers(low, high + 1, (2, int(random.integers(1, 4)))) // factor * factor for _ in range(2)]
    made = made[: draw(st.integers(1, 2))]
    if draw(st.booleans()):
        made[0].flat[0] = -(2 ** int(random.integers(0, 9)))
    hypothesis.assume(np.hstack(made).any())
    return made


def lavas(made: list[np.ndarray]) -> tuple[list[np.ndarray], int]:
    """The same by lava-dl's and Lava's own functions."""
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        joined, bits, exponent, _ = optimize_weight_bits(np.hstack(made))
    found = []
    for part in np.split(joined, np.cumsum([part.shape[1] for part in made])[:-1], axis=1):
        mode = determine_sign_mode(part)
        found.append(truncate_weights(clip_weights(part, mode, num_bits=8), mode, bits))
    return found, -exponent


@hypothesis.settings(max_examples=600)
@hypothesis.given(made=parts())
def test_weights_are_those_that_lava_multiplies_by(made: list[np.ndarray]) -> None:
    found, shift = netx_weights(*made)
    truth, by = lavas(made)
    assert all(np.array_equal(one, other) for one, other in zip(found, truth, strict=True))
    assert shift == by or not np.hstack(truth).any()


@hypothesis.settings(max_examples=600)
@hypothesis.given(made=parts())
def test_weights_for_a_file_make_the_same_sums(made: list[np.ndarray]) -> None:
    wanted, shift = netx_weights(*made)
    found = file_weights(wanted, shift)
    if found is None:
        assert len(made) == 2  # clipped recurrent weights can have no file of their own
        return
    again, by = netx_weights(*found)
    for one, other in zip(again, wanted, strict=True):
        np.testing.assert_array_equal(one << shift, other << by)


@hypothesis.given(decay=st.floats(0, 0.9), period=st.floats(2.1, 200) | st.floats(-200, -2.1), size=st.integers(1, 3))
def test_coefficients_for_a_file_are_made_again(decay: float, period: float, size: int) -> None:
    angle = 2 * np.pi / period
    turned = [np.full(size, (1 - decay) * of(angle) * 4096) for of in (np.sin, np.cos)]
    made = netx_coefficients(*turned)
    assert made is not None
    assert all(np.abs(one - other).max() <= 1 for one, other in zip(made, turned))
    found = file_coefficients(*made)
    assert found is not None
    again = netx_coefficients(*found)
    assert again is not None
    assert all(np.array_equal(one, other) for one, other in zip(again, made))


@pytest.mark.parametrize("seed", range(20, 32))
def test_a_network_in_netxs_form_is_read_as_itself(seed: int, tmp_path: Path) -> None:
    """From a file to a network, to another file, to the same network; and through a file of this project."""
    from netx_export._netx._run import write_form

    stock = random_stock(np.random.default_rng([7, seed]))
    stock.write(tmp_path / "a.net")
    network = netx_export.load(tmp_path / "a.net", **stock.load_options)
    write_form(netx_form(network), tmp_path / "b.net")
    again = netx_export.load(tmp_path / "b.net", **stock.load_options)
    x = np.random.default_rng(seed).integers(0, network.input.maximum + 1, (2, *network.input.shape, 9))
    found = netx_export.simulate_layers(again, x).values()
    for one, other in zip(netx_export.simulate_layers(network, x).values(), found, strict=True):
        np.testing.assert_array_equal(one, other)
    netx_export.write(network, tmp_path / "c.net")
    assert netx_export.load(tmp_path / "c.net") == network


def ones(count: int, value: int = 1) -> np.ndarray:
    return np.full(count, value)


def cuba(**changes: Any) -> CUBA:
    return replace(CUBA(ones(3, 100), ones(3, 100), ones(3, 20), ones(3, 0)), **changes)


def chain(*layers: tuple[Any, Any], **connection: Any) -> IntegerNetwork:
    """Layers a, b, .. of a synapse and neurons each, the first of three inputs."""
    made: list[Layer] = []
    for name, (synapse, neuron) in zip("abc", layers):
        source = made[-1].name if made else "input"
        made.append(Layer(name, (Connection(source, synapse, **connection),), neuron))
    return IntegerNetwork(Input((3,)), 20, tuple(made))


DENSE = Dense(np.arange(9).reshape(3, 3) - 3)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (chain((DENSE, cuba()), delay=2), "delays of 2 steps, and NetX has one for all"),
        (chain((Dense(np.full((3, 3), 300)), cuba())), "no weights in a file make NetX compute with these"),
        (chain((DENSE, cuba()), sum_bits=3), "sums may leave the 32 bits"),
        (chain((DENSE, cuba()), poolings=()), None),
        (
            chain((DENSE, SigmaDelta(ones(3), ones(3), rule="corrected"))),
            "NetX has the stock rule of sigma-delta neurons alone",
        ),
        (chain((DENSE, SigmaDelta(np.arange(3), ones(3)))), "its thresholds differ, and NetX has one for all of them"),
        (
            chain((DENSE, SigmaDelta(ones(3), ones(3))), (DENSE, SigmaDelta(ones(3), ones(3), exponent=4))),
            "several exponents",
        ),
        (chain((DelayedDense(DENSE.weight, np.full((3, 3), 63)), cuba())), "of up to 63 steps exceed NetX's 62"),
        (chain((DENSE, RF(ones(3, 9), ones(3, 9), ones(3)))), "for the real and one for the imaginary"),
    ],
)
def test_what_netx_has_no_words_for_is_refused_with_its_layer(network: IntegerNetwork, said: str | None) -> None:
    reason = netx_export.BACKENDS["netx"].refusal(network)
    if said is None:
        assert reason is None
        return
    assert said in str(reason)
    x = np.random.default_rng(0).integers(0, 2, (2, 3, 5))
    with pytest.raises(DeploymentError):
        netx_export.simulate(network, x, "netx")
    np.testing.assert_array_equal(netx_export.simulate(network, x), netx_export.simulate(network, x, "fast"))


def test_skips_are_refused() -> None:
    skip = Layer("b", (Connection("a", DENSE), Connection("input", DENSE)), cuba())
    network = IntegerNetwork(Input((3,)), 20, (Layer("a", (Connection("input", DENSE),), cuba()), skip))
    assert "NetX only runs chains of layers" in str(netx_export.BACKENDS["netx"].refusal(network))


def test_sums_that_would_wrap_in_another_way_are_refused() -> None:
    conv = Conv(np.full((1, 1, 1, 1), 2**20))
    neuron = CUBA(ones(1, 100), ones(1, 100), ones(1, 20), ones(1, 0))
    network = IntegerNetwork(Input((1, 2, 2), 255), 9, (Layer("a", (Connection("input", conv),), neuron),))
    assert "wraps its sums to 24 bits" in str(netx_export.BACKENDS["netx"].refusal(network))
    assert "wrap in another way" in str(netx_export.BACKENDS["lava"].refusal(network))
