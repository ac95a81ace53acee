"""Neurons at the limits of their parameters, and the ranges that they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lava_qsnn import integer
from lava_qsnn.errors import DeploymentError
from tests.helpers.chains import stored


class TestNeurons:
    def test_what_they_keep_between_steps(self) -> None:
        assert integer.MemoryFree((2, 1), [1]).state_bits == integer.Readout((2, 1)).state_bits == 0
        assert stored(bits=5).state_bits == 5
        assert [stored(bits=bits).stored_range for bits in (2, 16)] == [(-2, 1), (-(2**15), 2**15 - 1)]

    def test_which_of_them_spike_and_for_how_many_channels(self) -> None:
        assert integer.MemoryFree((1,), [1]).spikes
        assert stored().spikes
        assert not integer.Readout((1,)).spikes
        assert integer.MemoryFree((1,), [7]).broadcast(3).threshold.tolist() == [7, 7, 7]
        assert integer.Readout((1,)).threshold is None
        assert integer.Readout((2, 1)).broadcast(3) == integer.Readout((2, 1))
        assert stored().taps == (1,)
        assert not integer.Readout.feeds
        assert integer.MemoryFree.feeds
        assert stored(bits=3, leak=4, reset="soft").summary() == "3 bits, leak 1/16, soft"
        assert integer.MemoryFree((1,), [1]).summary() == ""

    @pytest.mark.parametrize("shape", [(2,), (2, 3, 4)])
    def test_numbers_of_channels_are_as_many_as_channels(self, shape: integer.Shape) -> None:
        integer.Readout((1,)).check(shape, 1)
        integer.MemoryFree((1,), [1, 2]).check(shape, 1)
        for count in (1, 3):
            with pytest.raises(DeploymentError, match=rf"its threshold values \({count},\) do not fit \(2,\), one for"):
                integer.MemoryFree((1,), [1] * count).check(shape, 1)

    @pytest.mark.parametrize("taps", [(), (0,), (1, 0), (2, -1)])
    def test_taps_are_positive(self, taps: tuple[int, ...]) -> None:
        with pytest.raises(DeploymentError, match="the taps of a readout neuron must be"):
            integer.Readout(taps)

    def test_taps_are_up_to_64_of_up_to_2_to_the_62(self) -> None:
        assert integer.Readout((2**62, *[1] * 63)).taps == (2**62, *[1] * 63)
        with pytest.raises(DeploymentError, match="the taps of a readout neuron must be 1 to 64 integers, not 65"):
            integer.Readout((1,) * 65)
        with pytest.raises(
            DeploymentError, match="each of the taps of a memory free neuron must be an integer from 1 to"
        ):
            integer.MemoryFree((2**62 + 1,), [1])

    def test_thresholds_are_one_per_channel(self) -> None:
        with pytest.raises(DeploymentError, match=r"must have shape \(channel\), not \(1, 2\)"):
            integer.MemoryFree((1,), np.ones((1, 2), int))
        with pytest.raises(DeploymentError, match="shifts, biases and thresholds must be as many as channels"):
            stored(bias=[0, 0])

    @pytest.mark.parametrize(
        ("name", "good", "bad"),
        [("bits", (2, 16), (1, 17)), ("leak", (1, 8), (0, 9)), ("reset", ("hard", "soft"), ("", "none", 1))],
    )
    def test_options_of_a_stored_potential(self, name: str, good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
        for value in good:
            assert getattr(stored(**{name: value}), name) == value
        for value in bad:
            with pytest.raises(
                DeploymentError, match=f"the {name} of a quantized lif neuron must be .*, not {value!r}"
            ):
                stored(**{name: value})

    @pytest.mark.parametrize("name", ["potential_shift", "current_shift"])
    def test_shifts_from_0_to_31(self, name: str) -> None:
        assert getattr(stored(**{name: [31]}), name).tolist() == [31]
        for shift in (-1, 32):
            with pytest.raises(DeploymentError, match="shifts must be from 0 to 31"):
                stored(**{name: [shift]})

    def test_the_range_of_a_stored_potential(self) -> None:
        neuron = stored(potential_shift=[3], current_shift=[2], bias=[5])
        low, high = neuron.potential_range([(np.array([-10], object), np.array([20], object))])
        assert (low.tolist(), high.tolist()) == ([8 * -8 + 4 * -10 + 5], [8 * 7 + 4 * 20 + 5])

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            # U from -47 to 40, leaking by 3 |U| + 2.
            ({}, 3 * 47 + 2),
            ({"bias": [9]}, 3 * 49 + 2),
            ({"leak": 1}, 47 + 1),
            ({"leak": 3}, 7 * 47 + 4),
            ({"potential_shift": [3]}, 3 * 103 + 16),
            ({"reset": "soft", "threshold": [-20]}, 3 * 60 + 2),
            ({"reset": "soft", "threshold": [-7]}, 3 * 47 + 2),
            ({"reset": "soft", "threshold": [2**62]}, 3 * 47 + 2),
            ({"reset": "hard", "threshold": [-20]}, 3 * 47 + 2),
            # With its bias, U is from -44 to 43; before it is added, -47 is further out than what leaks.
            ({"leak": 1, "bias": [3]}, 47),
        ],
    )
    def test_what_computing_a_stored_potential_reaches(self, changes: dict[str, Any], expected: int) -> None:
        neuron = stored(**changes)
        currents = [(np.array([-39], object), np.array([33], object))]
        assert neuron.reach(currents) == expected

    def test_thresholds_within_what_potentials_reach(self) -> None:
        """All that are never reached are one beyond, all that always are the least; a soft reset subtracts these."""
        currents = [(np.array([-39] * 4, object), np.array([33] * 4, object))]
        far, zeros = (
            [-(2**63), -47, 40, 2**63 - 1],
            dict.fromkeys(("potential_shift", "current_shift", "bias"), [0] * 4),
        )
        for neuron, expected in (
            (integer.MemoryFree((1,), far), [-39, -39, 34, 34]),
            (integer.MemoryFree((1,), [-38, 0, 33, 34]), [-38, 0, 33, 34]),
            (integer.TimedMemoryFree((1,), [far, [0] * 4]), [[-39, -39, 34, 34], [0] * 4]),
            (stored(**zeros, threshold=far), [-47, -47, 40, 41]),
            (stored(**zeros, threshold=far, reset="soft"), [-(2**63), -47, 40, 41]),
        ):
            assert neuron.within(currents).tolist() == expected
            assert neuron.within(currents).dtype == np.int64

    def test_steps_are_what_a_run_is_made_of(self) -> None:
        """Also of kinds that compute all steps at once."""
        arrays = {name: [0, 1, 0] for name in ("potential_shift", "current_shift", "bias")}
        for shape in ((3,), (3, 2, 4)):
            currents = np.random.default_rng(0).integers(-4, 9, (5, *shape, 6))
            for neuron in (
                integer.MemoryFree((1,), [2, 4, -1]),
                integer.Readout((1,)),
                stored(**arrays, threshold=[3, 4, 5]),
            ):
                found, steps = neuron.run([currents]), integer.Neuron.run(neuron, [currents])
                for one, other in zip(found, steps):
                    assert (one == other).all()
                    assert (one.dtype, one.shape) == (np.int64, currents.shape)
                assert not neuron.spikes or 0 < found[0].mean() < 1

    def test_which_channels_never_fire(self) -> None:
        currents = [(np.array([-39] * 4, object), np.array([33] * 4, object))]
        assert integer.MemoryFree((1,), [33, 34, -99, 99]).never_fires(currents).tolist() == [False, True, False, True]
        zeros = dict.fromkeys(("potential_shift", "current_shift", "bias"), [0] * 4)
        silent = stored(**zeros, threshold=[40, 41, -99, 99]).never_fires(currents)
        assert silent.tolist() == [False, True, False, True]
        timed = integer.TimedMemoryFree((1,), [[33, 34, -39, -38], [34, 34, -40, -39]])
        assert timed.never_fires(currents).tolist() == [False, True, False, False]
        assert timed.always_fires(currents).tolist() == [False, False, True, False]
        assert timed.threshold.tolist() == [33, 34, -40, -39]
        assert integer.Readout((1,)).never_fires(currents).tolist() == [False] * 4
