"""Quantizers by numbers worked out by hand: steps, levels, gradients at the ends of their ranges."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd.gradcheck import gradcheck

from lava_qsnn import quantize

WEIGHT = torch.tensor([[0.5, -1.0, 0.25, -0.25], [8.0, 0.0, 0.0, 0.0]])


@pytest.mark.parametrize(("bits", "level"), [(1, 1), (2, 1), (4, 7), (8, 127)])
def test_the_largest_level_of_each_width(bits: int, level: int) -> None:
    assert quantize.largest_level(bits) == level
    weight = torch.tensor([-1e9, -level - 1.0, -level, level, level + 1.0, 1e9])
    found = quantize.integer_weight(weight, 1.0, bits).tolist()
    assert found == [-level] * 3 + [level] * 3


def test_steps_of_each_channel() -> None:
    assert quantize.channel_step(WEIGHT, 1).tolist() == [[0.5], [2.0]]
    # The largest over the level: 1 / 1 and 8 / 1; twice the mean over its root: 1 and 4.
    assert quantize.channel_step(WEIGHT, 2).tolist() == [[1.0], [4.0]]
    assert torch.allclose(quantize.channel_step(WEIGHT, 4), torch.tensor([[1 / 7], [8 / 7]]))
    assert torch.allclose(quantize.channel_step(WEIGHT, 8), torch.tensor([[1 / 127], [8 / 127]]))
    mostly_small = torch.tensor([[7.0] + [0.0] * 99])
    assert torch.allclose(quantize.channel_step(mostly_small, 4), torch.tensor([[2 * 0.07 / math.sqrt(7)]]))


def test_a_step_for_every_shape() -> None:
    for shape in ((3, 4), (3, 4, 2, 2)):
        weight = torch.ones(shape)
        for step in (quantize.channel_step(weight, 1), quantize.power_of_two_step(weight)):
            assert step.tolist() == torch.ones(3, *[1] * (len(shape) - 1)).tolist()


@pytest.mark.parametrize(
    ("inputs", "bits", "step"), [(2, 1, -1), (3, 1, -1), (64, 8, -7), (64, 1, -4), (784, 8, -9), (784, 4, -7)]
)
def test_one_step_for_a_layer(inputs: int, bits: int, step: int) -> None:
    """The power of two nearest to 1 / sqrt(2 inputs level)."""
    exact = -math.log2(2 * inputs * quantize.largest_level(bits)) / 2
    assert abs(step - exact) <= 0.5
    assert quantize.fixed_step(inputs, bits) == 2.0**step


def test_rounding_is_to_the_nearest_and_to_even() -> None:
    weight = torch.tensor([0.74, 0.76, 0.25, 0.75, -0.75])
    assert quantize.integer_weight(weight, 0.5, 4).tolist() == [1, 2, 0, 2, -2]


@pytest.mark.parametrize(("bits", "end"), [(1, 1.0), (2, 0.5), (4, 3.5), (8, 63.5)])
def test_the_gradient_ends_with_the_range(bits: int, end: float) -> None:
    """Up to rounding: the ends themselves are within."""
    weight = torch.tensor([-1.001 * end, -end, 0.0, end, 1.001 * end], requires_grad=True)
    quantize.integer_weight(weight, 0.5, bits).backward(torch.arange(1.0, 6.0))
    assert weight.grad is not None
    assert weight.grad.tolist() == [0.0, 4.0, 6.0, 8.0, 0.0]


def test_taps_are_rounded_within_their_range_and_so_is_their_gradient() -> None:
    taps = torch.tensor([0.4, 0.99, 1.0, 3.4, 6.6, 7.0, 7.01, 99.0], requires_grad=True)
    integers = quantize.integer_taps(taps, 3)
    assert integers.tolist() == [1, 1, 1, 3, 7, 7, 7, 7]
    integers.backward(torch.arange(1.0, 9.0))
    assert taps.grad is not None
    assert taps.grad.tolist() == [0, 0, 3, 4, 5, 6, 0, 0]


def test_standardized_weights_have_mean_0_and_variance_1() -> None:
    weight = torch.tensor([[1.0, 2.0, 3.0, 6.0], [-5.0, -5.0, -5.0, -5.0], [0.0, 0.0, 0.0, 0.0]])
    deviation = math.sqrt(3.5)
    expected = [[-2 / deviation, -1 / deviation, 0.0, 3 / deviation], [0.0] * 4, [0.0] * 4]
    assert torch.allclose(quantize.standardize(weight), torch.tensor(expected))
    assert quantize.standardize(torch.tensor([[7.0], [-7.0]])).tolist() == [[0.0], [0.0]]


def test_a_variance_of_rounding_is_none() -> None:
    """One part in a million of the largest weight: below it, and at it, a channel counts as constant."""
    for deviation, standardized in ((0.9e-6, 0.9e-6), (1.1e-6, 1.0)):
        weight = torch.tensor([[1 + deviation, 1 - deviation]], dtype=torch.double)
        assert quantize.standardize(weight)[0, 0].item() == pytest.approx(standardized, rel=1e-5)


def test_standardization_has_the_gradient_of_the_whole_formula() -> None:
    weight = torch.tensor([[1.0, 2.0, 4.0]], dtype=torch.double, requires_grad=True)
    assert gradcheck(quantize.standardize, weight)


def test_powers_of_two_nearest_to_the_mean_magnitude() -> None:
    weight = torch.tensor([[3.0, -3.0], [2.8, -2.8], [1.0, 0.0], [0.0, 0.0]])  # 2^1.5 is 2.83
    assert quantize.power_of_two_step(weight).tolist() == [[4.0], [2.0], [0.5], [1.0]]


@pytest.mark.parametrize(
    ("progress", "steepness", "height"),
    [(0.0, 0.1, 10.0), (0.25, 10**-0.5, 10**0.5), (0.5, 1.0, 1.0), (1.0, 10.0, 1.0)],
)
def test_the_annealed_sign(progress: float, steepness: float, height: float) -> None:
    assert quantize.annealing(progress) == pytest.approx((steepness, height))
    weight = torch.tensor([-0.3, 0.0, 2.0], dtype=torch.double, requires_grad=True)
    signs = quantize.annealed_sign(weight, progress)
    assert signs.tolist() == [-1.0, 1.0, 1.0]
    signs.backward(torch.tensor([1.0, 2.0, 3.0], dtype=torch.double))
    expected = [
        upstream * height * steepness / math.cosh(steepness * w) ** 2
        for upstream, w in zip((1.0, 2.0, 3.0), weight.tolist())
    ]
    assert weight.grad is not None
    assert weight.grad.tolist() == pytest.approx(expected)
