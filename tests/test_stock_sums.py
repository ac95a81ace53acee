"""Sums of a convolution at the edge of int32: equal to unmodified NetX inside, refused outside, by all backends alike.

Lava's Conv adds up in float64 and converts to int32 before it wraps to 24 bits; beyond int32 that is left to the
processor. Here a sample decides: sigma-delta messages of an input block, times 2^6, times weights whose sum is 2^10.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import netx_export
from lava_qsnn.errors import RangeError
from lava_qsnn.integer import (
    CUBA,
    INPUT,
    Connection,
    Conv,
    Dense,
    Input,
    IntegerNetwork,
    Layer,
)
from tests.helpers import stock_many
from tests.helpers.stock_netx import run_netx, text, write_stock

SDNN = {"neuron/type": text("SDNN"), "neuron/vThMant": 0}
TEXT = "layer 'conv1': sums of a connection from 'input0' leave int32 on this input"


def written(path: Path) -> None:
    """Write an input block, a convolution over all its eight pixels with weights of 128, and a dense layer."""
    weight = np.full((2, 2, 2, 2, 1), 128.0, np.float32)
    weight[1] = np.arange(-60, 68, 16, dtype=np.float32).reshape(2, 2, 2, 1)
    geometry = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    conv = {"type": text("conv"), "shape": np.array([2, 1, 1]), "weight": weight, **geometry, **SDNN}
    dense = {"type": text("dense"), "shape": np.array([2]), "weight": np.array([[9.0, -3.0], [4.0, 1.0]]), **SDNN}
    picture = {"type": text("input"), "shape": np.array([2, 2, 2]), **SDNN}
    write_stock(path, [picture, conv, {"type": text("flatten")}, dense])


def pixels(*values: int) -> np.ndarray:
    """A sample of pixels that are all the same: (1, 2, 2, 2, steps)."""
    return np.broadcast_to(np.array(values), (1, 2, 2, 2, len(values))).copy()


#: All int32 in the first channel: -2^31, 2^31 - 2^16, and, where the last step is one more, 2^31.
INSIDE, OUTSIDE = pixels(-(2**15), -1, -5, 2, 2, 2, 2), pixels(-(2**15), 0, -5, 2, 2, 2, 2)


@pytest.mark.parametrize("backend", ["reference", "fast"])
def test_sums_that_just_fit_int32_equal_netx(backend: str, tmp_path: Path) -> None:
    written(tmp_path / "a.net")
    network = netx_export.load(tmp_path / "a.net", timing="lava")
    truth = run_netx(tmp_path / "a.net", INSIDE[0])
    found = netx_export.simulate_layers(network, INSIDE, backend)
    for layer, expected in zip(found, truth, strict=True):
        np.testing.assert_array_equal(found[layer][0], expected)
        assert expected.any()


@pytest.mark.parametrize("backend", netx_export.BACKENDS)
def test_every_backend_refuses_one_more_in_the_same_words(backend: str, tmp_path: Path) -> None:
    written(tmp_path / "a.net")
    network = netx_export.load(tmp_path / "a.net")
    netx_export.simulate(network, INSIDE, backend)
    with pytest.raises(RangeError) as refusal:
        netx_export.simulate(network, OUTSIDE, backend)
    assert str(refusal.value).startswith(TEXT)
    assert "Remedy: scale the layer's weights, or the input, down" in str(refusal.value)


def test_a_stream_refuses_it_too(tmp_path: Path) -> None:
    written(tmp_path / "a.net")
    stream = netx_export.Stream(tmp_path / "a.net", timesteps=7)
    with pytest.raises(RangeError, match=TEXT), stream:  # noqa: PT012  one sample is answered before
        stream.put(INSIDE[0])
        assert stream.get().any()
        stream.put(OUTSIDE[0])
        stream.get()


@pytest.mark.parametrize("engine", stock_many.ENGINES)
def test_one_sample_of_many_is_enough(engine: str, tmp_path: Path) -> None:
    written(tmp_path / "a.net")
    batch = np.concatenate([INSIDE, INSIDE, OUTSIDE])
    with pytest.raises(RangeError, match=TEXT):
        netx_export.simulate(tmp_path / "a.net", batch, engine)


def circle(weight: int, largest: int = 2**20) -> IntegerNetwork:
    """A population that is fed numbers by a convolution, and feeds back to itself by another one."""
    wide = Conv(np.full((1, 1, 1, 1), weight))
    links = (
        Connection(INPUT, wide, sum_bits=24),
        Connection("n", Conv(np.ones((1, 1, 1, 1), int)), 1, sum_bits=24),
    )
    neuron = CUBA(np.array([0]), np.array([0]), np.array([5]), np.array([0]))
    return IntegerNetwork(Input((1, 1, 1), largest), 9, (Layer("n", links, neuron),))


@pytest.mark.parametrize("backend", ["reference", "fast", "lava-async", "lava-fused"])
def test_layers_that_feed_back_look_at_their_sums_too(backend: str) -> None:
    network, x = circle(2**11), np.zeros((1, 1, 1, 1, 9), int)
    x[..., 4] = 2**20 - 1
    assert netx_export.simulate(network, x, backend).shape == (1, 1, 1, 1, 9)
    x[..., 4] = 2**20
    with pytest.raises(RangeError, match="layer 'n': sums of a connection from 'input' leave int32"):
        netx_export.simulate(network, x, backend)


def test_where_ranges_stay_in_int32_nobody_looks() -> None:
    assert circle(2**11).may_leave_int32
    assert not circle(2**11 - 1).may_leave_int32
    wide = circle(2**11).layers[0].connections[0]
    assert not replace(wide, sum_bits=25).may_leave_int32((1, 1, 1), 0, 2**20)
    assert not replace(wide, synapse=Dense(np.array([[2**11]]))).may_leave_int32((1,), 0, 2**20)


def test_sums_that_float64_may_round_are_refused_before_they_run() -> None:
    assert circle(2**30, 2**23).may_leave_int32
    with pytest.raises(RangeError, match="layer 'n': sums of a connection from 'input' may exceed 2\\^53"):
        circle(2**30, 2**23 + 1)


def test_a_random_file_that_leaves_int32_counts_as_refused(tmp_path: Path) -> None:
    """Seed 473 of the generator, of which NetX computes something that depends on the processor."""
    verdict = stock_many.judge(473, tmp_path, 100)
    assert verdict.refused.startswith("layer 'conv3': sums of a connection from 'conv2' leave int32")
    assert (verdict.different, verdict.values) == (0, 0)
