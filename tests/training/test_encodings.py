"""Encodings: what each keeps of a value, by equations of their own; and what they refuse."""

from __future__ import annotations

from typing import get_args, get_type_hints

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from lava_qsnn import integer
from lava_qsnn.errors import ConfigurationError, InputError
from lava_qsnn.train.config import Data
from lava_qsnn.train.encodings import ENCODINGS, encode, names

bits = st.integers(1, 8)


@st.composite
def still(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    b = draw(bits)
    shape = draw(arrays.array_shapes(min_dims=2, max_dims=4, max_side=4))
    return draw(arrays.arrays(np.uint8, shape, elements=st.integers(0, 2**b - 1))), b


@st.composite
def signals(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    b = draw(bits)
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 12)))
    return draw(arrays.arrays(np.uint8, shape, elements=st.integers(0, 2**b - 1))), b


def test_the_configuration_knows_every_encoding() -> None:
    assert set(get_args(get_type_hints(Data)["encoding"])) == set(ENCODINGS)
    assert set(names(True)) | set(names(False)) == set(ENCODINGS)


@given(still(), st.integers(1, 12))
def test_levels_repeat_the_values_without_copies(given: tuple[np.ndarray, int], steps: int) -> None:
    values, b = given
    x = encode("levels", values, steps, b)
    assert x.shape == (*values.shape, steps)
    assert x.strides[-1] == 0
    assert (x == values[..., None]).all()


@given(still(), st.integers(0, 8))
def test_bits_spell_the_value_and_begin_again(given: tuple[np.ndarray, int], more: int) -> None:
    values, b = given
    x = encode("bits", values, b + more, b)
    assert (sum(x[..., t].astype(int) << t for t in range(b)) == values).all()
    assert all((x[..., t] == x[..., t - b]).all() for t in range(b, b + more))


@given(st.integers(2, 6).flatmap(lambda b: st.tuples(st.just(b), st.lists(st.integers(0, 2**b - 1), min_size=1))))
def test_a_neuron_with_taps_in_powers_of_two_sees_the_value_itself(given: tuple[int, list[int]]) -> None:
    """The oracle is the reference engine: at step b - 1 a potential of weight 1 is the value."""
    b, values = given
    taps = tuple(2 ** (b - 1 - k) for k in range(b))
    layer = integer.Layer(
        "out", (integer.Connection("input", integer.Dense(np.ones((1, 1), int))),), integer.Readout(taps)
    )
    network = integer.IntegerNetwork(integer.Input((1,), 1), b, (layer,))
    x = encode("bits", np.array(values)[:, None], b, b)
    assert integer.run_reference(network, x)["out"][:, 0, -1].tolist() == values


@given(still(), st.integers(1, 40))
def test_rate_counts_the_value_and_spreads_its_spikes(given: tuple[np.ndarray, int], steps: int) -> None:
    values, b = given
    x = encode("rate", values, steps, b)
    count = x.sum(-1, dtype=int)
    assert (np.abs(count * (2**b - 1) - values.astype(int) * steps) * 2 <= 2**b - 1).all(), "within half a spike"
    for train in x.reshape(-1, steps):
        gaps = np.diff(np.flatnonzero(train))
        assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


@given(still(), st.integers(1, 40))
def test_latency_is_one_spike_and_earlier_the_larger(given: tuple[np.ndarray, int], steps: int) -> None:
    values, b = given
    x = encode("latency", values, steps, b)
    assert (x.sum(-1) == (values > 0)).all()
    fired = values > 0
    time, value = x.argmax(-1)[fired].astype(int), values[fired].astype(int)
    order = np.argsort(value)
    assert (np.diff(time[order]) <= 0).all()
    assert (time[value == 2**b - 1] == 0).all()


@given(signals())
def test_delta_tracks_a_signal_by_steps_of_one(given: tuple[np.ndarray, int]) -> None:
    values, b = given
    steps = values.shape[-1]
    x = encode("delta", values, steps, b, still=False).astype(int)
    rises, falls = np.split(x, 2, axis=1)
    tracked = (rises - falls).cumsum(-1)
    assert not (rises & falls).any()
    before = np.concatenate([np.zeros_like(tracked[..., :1]), tracked[..., :-1]], -1)
    assert (np.abs(values - tracked) == np.maximum(np.abs(values.astype(int) - before) - 1, 0)).all()


@given(signals())
def test_crossings_are_spikes_where_a_signal_changes(given: tuple[np.ndarray, int]) -> None:
    values, b = given
    rises, falls = np.split(encode("crossings", values, values.shape[-1], b, still=False), 2, axis=1)
    change = np.diff(np.concatenate([np.zeros_like(values[..., :1]), values], -1).astype(int), axis=-1)
    assert (rises == (change > 0)).all()
    assert (falls == (change < 0)).all()


@pytest.mark.parametrize(
    ("name", "steps", "still", "text"),
    [
        ("latencies", 4, True, "data.encoding must be one of levels, bits, .* did you mean 'latency'"),
        ("delta", 4, True, "'delta', which does not take samples without a time axis.* levels, bits, rate, latency"),
        ("rate", 4, False, "'rate', which does not take signals.* choose one of levels, delta, crossings"),
        ("bits", 2, True, "2 time steps do not hold the 3 bits .* set data.timesteps to 3 or more"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, steps: int, still: bool, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        encode(name, np.zeros((2, 3) if still else (2, 3, steps), np.uint8), steps, 3, still)


@pytest.mark.parametrize("values", [np.full((1, 2), 8), np.full((1, 2), -1), np.full((1, 2), 0.5)])
def test_values_that_are_no_such_integers_are_refused(values: np.ndarray) -> None:
    with pytest.raises(InputError, match="integers from 0 to 7"):
        encode("rate", values, 4, 3)
