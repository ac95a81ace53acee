"""Quantizers: levels, steps and gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd.gradcheck import gradcheck

from lava_qsnn import integer, parameters, quantize, surrogate
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.neuron._fused import Chain, _round_up, fused_spike
from lava_qsnn.neuron._history import filter_history, filtered
from lava_qsnn.neuron._norm import BatchNorm
from lava_qsnn.neuron.memory_free import Taps
from lava_qsnn.surrogate import BUMPS, spike


def random_weight(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("bits", "levels"), [(1, {-1, 1}), (2, {-1, 0, 1}), (4, set(range(-7, 8)))])
def test_weights_use_their_levels_and_no_others(bits: int, levels: set[int]) -> None:
    weight = random_weight(0, 64, 100)
    integers = quantize.integer_weight(weight, quantize.channel_step(weight, bits), bits)
    assert set(integers.int().flatten().tolist()) == levels


def test_eight_bits_stay_symmetric() -> None:
    weight = random_weight(0, 8, 100)
    integers = quantize.integer_weight(weight, quantize.channel_step(weight, 8), 8)
    assert integers.abs().max() == 127
    assert len(integers.unique()) > 100


def test_the_sign_of_zero_is_positive() -> None:
    assert quantize.integer_weight(torch.tensor([0.0, -0.0, -1e-30]), 1.0, 1).tolist() == [1.0, 1.0, -1.0]


def test_a_channel_of_zeros_has_a_step() -> None:
    for bits in quantize.WEIGHT_BITS:
        assert quantize.channel_step(torch.zeros(2, 5), bits).tolist() == [[1.0], [1.0]]


@given(st.sampled_from(quantize.WEIGHT_BITS), st.integers(0, 2**31), st.floats(0.01, 10))
def test_the_gradient_is_that_of_the_real_weight_within_range_and_zero_beyond(
    bits: int, seed: int, size: float
) -> None:
    weight = (size * random_weight(seed, 4, 30)).requires_grad_()
    step = quantize.channel_step(weight, bits)
    upstream = random_weight(seed + 1, 4, 30)
    (quantize.integer_weight(weight, step, bits) * step * upstream).sum().backward()
    # The step makes some largest weight the largest level, up to rounding: it counts as within.
    within = weight.abs() <= 1 if bits == 1 else (weight / step).abs() <= quantize.largest_level(bits) * (1 + 1e-6)
    assert weight.grad is not None
    assert torch.allclose(weight.grad, upstream * within, atol=1e-6)


@given(st.integers(1, 4096), st.sampled_from(quantize.WEIGHT_BITS))
def test_a_fixed_step_is_a_power_of_two(inputs: int, bits: int) -> None:
    mantissa, _ = torch.frexp(torch.tensor(quantize.fixed_step(inputs, bits)))
    assert mantissa == 0.5


def test_unknown_widths_are_refused() -> None:
    for bits in (0, 3, 16, True, 1.0 + 0.5):
        with pytest.raises(ConfigurationError, match="weight_bits must be one of"):
            quantize.check_weight_bits(bits)  # type: ignore[arg-type]


def test_families_of_taps() -> None:
    assert integer.shift_taps(4) == (8, 4, 2, 1)
    assert integer.geometric_taps(5, 0.5, 3) == (7, 4, 2, 1)  # 7/16 rounds to 0: a tap less
    assert integer.geometric_taps(3, 1.0, 2) == (3, 3, 3)
    assert Taps(parameters.Taps(3, "learned", decay=0.5, tap_bits=3)).integers() == (7, 4, 2)
    assert len(integer.shift_taps(64)) == 64


@given(st.lists(st.integers(1, 255), min_size=1, max_size=20), st.integers(1, 30), st.integers(0, 2**31))
def test_reduced_taps_are_the_same_filter_divided(taps: list[int], timesteps: int, seed: int) -> None:
    reduced, divisor = integer.reduce_taps(taps, timesteps)
    spikes = random_weight(seed, timesteps).gt(0).long().numpy()
    full = integer.traces(spikes, tuple(taps))
    assert (full == divisor * integer.traces(spikes, reduced)).all()


@given(st.integers(1, 12), st.integers(1, 20), st.integers(0, 2**31))
def test_the_filter_over_time_is_the_sum_over_taps(history: int, timesteps: int, seed: int) -> None:
    taps, frames = random_weight(seed, history).abs() + 0.1, random_weight(seed + 1, 3 * timesteps, 2, 4)
    by_sample = frames.reshape(3, timesteps, 2, 4)
    expected = torch.zeros_like(by_sample)
    for t in range(timesteps):
        for k in range(min(t + 1, history)):
            expected[:, t] += taps[k] * by_sample[:, t - k]
    assert torch.allclose(filter_history(frames, timesteps, taps), expected.reshape(frames.shape), atol=1e-5)


def test_learned_taps_receive_gradients_within_their_range() -> None:
    taps = Taps(parameters.Taps(4, "learned", decay=0.5, tap_bits=3))
    taps.value.data[3] = 0.2  # below 1: clamped, no gradient
    frames = torch.ones(2 * 6, 3)
    filter_history(frames, 6, taps()).sum().backward()
    assert taps.value.grad is not None
    assert (taps.value.grad[:3] > 0).all()
    assert taps.value.grad[3] == 0


@pytest.mark.parametrize(
    "arguments", [(0,), (65,), (True,), (4, "cubic"), (4, "geometric", 0.0), (4, "learned", 0.9, 9)]
)
def test_impossible_taps_are_refused(arguments: tuple[object, ...]) -> None:
    with pytest.raises(ConfigurationError):
        parameters.Taps(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", surrogate.BUMPS)
def test_surrogates_peak_at_the_threshold_and_scale_with_width(name: str) -> None:
    z = torch.linspace(-3, 5, 81, requires_grad=True)
    spikes = surrogate.spike(z, 1.0, name, width=0.5, scale=2.0)
    assert torch.equal(spikes, (z >= 1.0).float())
    spikes.sum().backward()
    gradient = z.grad
    assert gradient is not None
    assert gradient.argmax() == 40  # z = 1, the threshold
    assert torch.isclose(gradient[40], torch.tensor(2.0))
    assert torch.allclose(gradient[40:], gradient[:41].flip(0), atol=1e-5)
    assert gradient[0] < 0.2


def test_unknown_surrogates_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no surrogate gradient 'square'"):
        surrogate.check_surrogate("square", 1.0, 1.0)
    with pytest.raises(ConfigurationError, match="must be positive"):
        surrogate.check_surrogate("triangle", 0.0, 1.0)


@pytest.mark.parametrize(("overwrite", "lowest_gain"), [(False, -1.0), (True, 0.1)])
@pytest.mark.parametrize("history", [1, 3, 9])
@pytest.mark.parametrize("name", BUMPS)
@pytest.mark.parametrize("shape", [(36, 6), (24, 3, 5, 4)])
def test_the_fused_chain_is_filter_norm_and_spike(
    shape: tuple[int, ...], name: str, history: int, overwrite: bool, lowest_gain: float
) -> None:
    torch.manual_seed(0)
    norms = [BatchNorm(shape[1]) for _ in "ab"]
    for norm in norms:
        norm.weight.data = torch.linspace(lowest_gain, 2, shape[1])
        norm.bias.data = torch.linspace(0.5, -0.5, shape[1])
    inputs = [torch.randn(shape, generator=torch.Generator().manual_seed(1)).requires_grad_() for _ in "ab"]
    upstream, step, taps = torch.randn(shape), torch.linspace(0.01, 2, shape[1]), 0.8 ** torch.arange(history)
    chain = Chain(taps, norms[0], 0.3, name, 0.7, 1.3)
    current = 1.0 * inputs[0]
    one = fused_spike(current, 12, step, chain, overwrite)
    per_channel = step.reshape(1, -1, *[1] * (len(shape) - 2))
    two = spike(norms[1](filter_history(inputs[1], 12, taps) * per_channel), 0.3, name, 0.7, 1.3)
    assert torch.equal(one, two)
    assert 0 < one.mean() < 1
    assert (one.data_ptr() == current.data_ptr()) == (overwrite and history > 1)
    for result in (one, two):
        result.backward(upstream)
    learned = [[tensor, *norm.parameters()] for tensor, norm in zip(inputs, norms)]
    for first, second in zip(*learned):
        assert first.grad is not None
        assert second.grad is not None
        assert torch.allclose(first.grad, second.grad, rtol=1e-4, atol=1e-5)
    for one, two in zip(norms[0].buffers(), norms[1].buffers()):
        assert torch.allclose(one, two)


def test_a_threshold_rounded_up_divides_16_bit_numbers_as_it_did() -> None:
    random = torch.Generator().manual_seed(0)
    values = torch.randn(1000, generator=random)
    numbers = torch.randn(1000, generator=random).bfloat16()
    rounded = _round_up(values, torch.bfloat16)
    assert rounded.dtype == torch.bfloat16
    nearest = values.bfloat16()  # an adversary: the numbers that rounding to nearest would get wrong
    for those in (numbers, nearest, -nearest):
        assert torch.equal(those >= rounded, those.float() >= values)
    assert not torch.equal(nearest >= nearest, nearest.float() >= values)


def test_what_somebody_else_holds_is_not_overwritten() -> None:
    chain = Chain(torch.ones(2), BatchNorm(4), 0.3, "triangle", 1.0, 1.0)
    leaf = torch.randn(6, 4).requires_grad_()
    whole = torch.randn(6, 5)
    for mine in (leaf, whole[:, :4]):
        before = mine.detach().clone()
        assert 0 < fused_spike(mine, 3, torch.ones(1), chain, overwrite=True).mean() < 1
        assert torch.equal(mine, before)


@pytest.mark.parametrize("timesteps", [5, 64, 160])
@pytest.mark.parametrize("shape", [(7,), (3, 2, 5)])
def test_both_ways_of_filtering_agree_and_have_their_adjoint(timesteps: int, shape: tuple[int, ...]) -> None:
    """For all x and y, <filter(x), y> = <x, adjoint(y)>; the shifted sum starts at T > 64, and only in float32."""
    random = torch.Generator().manual_seed(timesteps)
    taps = torch.rand(5, generator=random)
    x, y = (torch.randn(2 * timesteps, *shape, generator=random) for _ in "xy")
    if len(shape) == 3:
        x, y = (values.contiguous(memory_format=torch.channels_last) for values in (x, y))
    result, adjoint = filtered(x, timesteps, taps), filtered(y, timesteps, taps, adjoint=True)
    assert torch.allclose(result, filtered(x.double(), timesteps, taps.double()).float(), atol=1e-5)
    assert torch.isclose((result * y).sum(), (x * adjoint).sum(), rtol=1e-4)
    assert torch.equal(filtered(x, timesteps, taps, out=torch.empty_like(x)), result)


@given(st.integers(2, 8), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_taps_added_one_by_one_have_the_gradients_of_the_product(taps: int, timesteps: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(2 * timesteps, 3, generator=random, dtype=torch.double, requires_grad=True)
    weights = torch.randn(taps, generator=random, dtype=torch.double, requires_grad=True)
    assert gradcheck(lambda x, w: filter_history(x, timesteps, w), (x, weights))
