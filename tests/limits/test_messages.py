"""Networks computed a message at a time, and the bytes of a message."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lava_qsnn import integer
from lava_qsnn.engines import layerwise, message_format
from tests.helpers.kinds import every_kind, inputs, pooled_and_delayed, random


class TestMessages:
    """Networks computed a message at a time, with state between messages."""

    @pytest.mark.parametrize("make", [every_kind, pooled_and_delayed])
    @pytest.mark.parametrize("steps", [1, 2, 5])
    def test_they_give_the_reference_s_numbers(self, make: Callable[[], integer.IntegerNetwork], steps: int) -> None:
        network = make()
        engine = layerwise.NetworkEngine(network)
        for samples in (3, 1):  # the second ones begin anew
            x = inputs(network, samples)
            expected, frames = integer.run_reference(network, x), np.moveaxis(x, -1, 1)
            for begin in range(0, network.timesteps, steps):
                found = engine(frames[:, begin : begin + steps], begin == 0)
                for name, values in expected.items():
                    assert (found[name] == np.moveaxis(values, -1, 1)[:, begin : begin + steps]).all()
                    assert found[name].dtype == (np.int64 if name == "out" else bool)

    @pytest.mark.parametrize("way", ["_multiply", "_multiply_each", "_add_to_one", "_add_to_many"])
    @pytest.mark.parametrize(("largest", "weight"), [(1, 2**13 - 1), (1, 2**13), (3, 2**13), (2**28, 2**31 - 1)])
    def test_every_way_to_a_dense_current_is_exact(self, way: str, largest: int, weight: int) -> None:
        """Rows of 4 weights: their sum is just below 2^15, at it, and beyond."""
        dense = integer.Dense([[weight] * 4, [-weight] * 4, [1, 0, -1, 2]])
        event = layerwise.EventDense(dense, largest)
        frames = np.array([[largest] * 4, [-largest, 0, 0, largest], [0, 1, 0, 0], [0] * 4])
        for part in [frames[:1], frames[1:2], frames[3:]] if way == "_add_to_one" else [frames, frames[2:]]:
            found = getattr(event, way)(part)
            assert (found == dense.current(part[..., None])[..., 0]).all()
            assert (event(part) == found).all()
        spikes = np.array([[True, False, True, True]])
        assert (getattr(event, way)(spikes) == dense.current(spikes[..., None].astype(int))[..., 0]).all()

    @pytest.mark.parametrize(("weight", "dtype"), [(2**13 - 1, np.int16), (2**13, np.float32)])
    def test_rows_are_narrow_where_their_sums_are(self, weight: int, dtype: type) -> None:
        assert layerwise.EventDense(integer.Dense([[weight] * 4]), 1).rows.dtype == dtype

    def test_history_lasts_from_message_to_message(self) -> None:
        history = layerwise.HistoryFilter((5, 0, 1), np.dtype(np.int32))
        for _ in range(2):  # a sample, and another one
            found = [history(np.array([[[step], [step + 1]]]), step == 1).ravel().tolist() for step in (1, 3, 5)]
            assert found == [[5, 10], [16, 22], [28, 34]]
        frames = np.ones((1, 1, 1), bool)
        for taps in ((), (1,)):
            assert layerwise.HistoryFilter(taps, np.dtype(np.int32))(frames, True) is frames
        assert layerwise.HistoryFilter((2,), np.dtype(np.int32))(frames, True).tolist() == [[[2]]]

    @pytest.mark.parametrize(
        ("low", "high", "dtype", "size"),
        [
            (0, 1, "?", 8 + 6),
            (0, 2, "u1", 8 + 42),
            (-1, 0, "i1", 8 + 42),
            (-1, 1, "i1", 8 + 42),
            (0, 256, "u2", 8 + 84),
        ],
    )
    def test_frames_come_back_from_their_bytes(self, low: int, high: int, dtype: str, size: int) -> None:
        """2 samples of 3 steps of 7 numbers: 42, in 6 bytes if they are bits."""
        form = message_format.Format((7,), low, high, 2, 3)
        assert (form.dtype, form.size) == (np.dtype(dtype), size)
        for samples in (1, 2):
            frames = random(samples, 3, 7, low=low, high=high + 1)
            frames[0, 0, :2] = low, high
            message = form.write(frames.astype(form.dtype), 2**32 - 1)
            assert (message.dtype, len(message) <= size) == (np.uint8, True)
            slot = np.full(size + 3, 255, np.uint8)
            slot[: len(message)] = message
            found, first = form.read(slot)
            assert (found.dtype, first) == (form.dtype, 2**32 - 1)
            assert (found == frames).all()
            assert not np.shares_memory(found, slot)

    @pytest.mark.parametrize("shape", [(3, 3, 7), (2, 2, 7), (2, 4, 7), (2, 3, 6), (2, 3, 7, 1)])
    def test_other_frames_are_no_message(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="are no frames of 3 steps of"):
            message_format.Format((7,), 0, 1, 2, 3).write(np.zeros(shape, bool), 0)

    def test_every_layer_has_the_format_of_what_it_puts_out(self) -> None:
        network = pooled_and_delayed()
        forms = {name: message_format.Messages(4, 5).format(network, name) for name in ("input", *network)}
        assert {name: form.dtype for name, form in forms.items()} == {
            **{name: np.dtype(bool) for name in ("grid", "pair", "wide")},
            "input": np.dtype(np.int8),
            "out": integer.integer_dtype(*network.output_ranges["out"]),
        }
        assert {name: form.shape for name, form in forms.items()} == network.shapes
