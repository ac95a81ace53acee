"""Kernels against the reference's `current`: the same integers, whatever the geometry and the range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lava_qsnn import integer
from lava_qsnn.engines._kernels import exact_dtype, kernel

#: The largest weight and the largest trace: sums within float32, within float64, beyond both.
RANGES = [(1, 1), (3, 15), (127, 2**16), (2**31 - 1, 2**12), (2**31 - 1, 2**24)]


@st.composite
def synapses(draw: st.DrawFn) -> tuple[integer.Synapse, integer.Shape, int]:
    """A synapse, a source it fits, and the largest trace."""
    largest, trace = draw(st.sampled_from(RANGES))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def weights(*shape: int) -> Any:
        return random.integers(-largest, largest + 1, shape)

    kind = draw(st.sampled_from(["dense", "one-to-one", "conv", "conv"]))
    if kind != "conv":
        shape = draw(st.sampled_from([(1,), (7,), (3, 4, 5)]))
        many = draw(st.integers(1, 9))
        dense = kind == "dense"
        return (
            integer.Dense(weights(many, int(np.prod(shape)))) if dense else integer.OneToOne(weights(shape[0])),
            shape,
            trace,
        )
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    groups, per_group, per_out = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    conv = integer.Conv(
        weights(groups * per_out, per_group, *draw(pair)),
        stride=draw(pair),
        padding=draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        dilation=draw(pair),
        groups=groups,
    )
    return conv, (groups * per_group, draw(st.integers(7, 10)), draw(st.integers(7, 10))), trace


@settings(max_examples=200)
@given(synapses(), st.integers(1, 5), st.sampled_from([np.float32, np.uint8, np.int64]), st.booleans())
def test_kernels_equal_the_reference(
    case: tuple[integer.Synapse, integer.Shape, int], frames: int, dtype: Any, channels_last: bool
) -> None:
    synapse, shape, largest = case
    traces = np.random.default_rng(frames).integers(0, min(largest, 255) + 1, (frames, *shape))
    traces[0] = largest if dtype is not np.uint8 else min(largest, 255)
    given_traces = traces.astype(dtype)
    if channels_last and len(shape) == 3:
        given_traces = np.ascontiguousarray(given_traces.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    prepared = kernel(synapse, shape, largest)
    currents = prepared(given_traces)
    expected = synapse.current(traces[..., None])[..., 0]
    assert currents.dtype == prepared.dtype
    assert currents.shape == expected.shape
    assert (currents.astype(np.int64) == expected).all()


@pytest.mark.parametrize("reach", [2**24, 2**53])
def test_sums_up_to_the_limit_stay_in_the_narrower_type(reach: int) -> None:
    synapse = integer.Dense(np.array([[-1, 1], [1, 0]]))
    narrow, wide = exact_dtype(synapse, reach // 2), exact_dtype(synapse, reach // 2 + 1)
    assert (narrow.itemsize < wide.itemsize) or (narrow == np.float64 and wide == np.int64)
