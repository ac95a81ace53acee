"""The leaky integrate-and-fire neuron with a membrane potential of few bits, of Q-SNN (arXiv 2406.13672), in torch.

Two modes. "deployable" computes, in training as in deployment, the integers of `integer.QuantizedLIF`; gradients are
those of the real-valued neuron, straight through the rounding. "paper" squashes the potential by tanh and quantizes it
by the batch's largest value, as the paper's public code is described to do: what a sample's potential becomes depends
on the batch around it, so it trains and compares, and has no integer form. Both are this project's reconstructions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lava_qsnn import integer
from lava_qsnn._slayer import slayer
from lava_qsnn.errors import ConfigurationError, DeploymentError, InputError
from lava_qsnn.frames import from_frames, to_frames
from lava_qsnn.integer import INT32_LIMIT, LEAKS, POTENTIAL_BITS, RESETS
from lava_qsnn.neuron._deployed import Deployed, check_threshold, per_channel
from lava_qsnn.neuron._norm import BatchNorm, NormChoice, evaluation_affine, norm_maker
from lava_qsnn.surrogate import check_surrogate, spike, through

MODES = ("deployable", "paper")

#: How many thresholds a stored potential may be asked to reach.
POTENTIAL_RANGES = range(1, 65)

#: Bits after the binary point of U, in units of the current: at least two, so that rounding biases costs little.
FRACTION_BITS = (2, 8)

#: Thresholds and biases, in units of the current, are kept within these: a norm gain near 0 would ask for more.
LARGEST_THRESHOLD, LARGEST_BIAS = 2.0**16, 2.0**17


class Neuron(slayer.neuron.base.Neuron):
    """A leaky integrate-and-fire neuron whose potential is stored in few bits between time steps.

        u[t] = v[t-1] + norm(I[t]),   s[t] = 1 iff u[t] >= threshold,   v[t] = Q(decay reset(u[t], s[t]))

    with I the synapse's current, reset(u, s) = u (1 - s) if hard and u - threshold s if soft. Q rounds to b bits in
    steps of a power of two (in units of the integer current), the smallest that reaches `potential_range` thresholds,
    and saturates; `integer.QuantizedLIF` has the integers. The reset carries no gradient of its own.

    Args:
        threshold: in units of the normalized potential, positive; below 1 in mode "paper".
        potential_bits: b, 2 to 16; None for a potential of full precision, a baseline without integer form.
        decay: what is left of a potential after a step, 1 - 1/2^k for k = 1 to 8: 0.5, 0.75, 0.875, 0.9375, ..
        reset: "hard" or "soft".
        mode: "deployable" or "paper", see the module.
        potential_range: how many thresholds the stored potential reaches at least, to either side, 1 to 64; the wider,
            the coarser its steps. None for 2 with up to 4 bits and 8 with more, which did best on spoken digits.
        surrogate, tau_grad, scale_grad: name, width and height of the surrogate gradient, see lava_qsnn.surrogate.
        norm: None, "batch" (or True, or one of torch's batch norm classes), applied to the current of each step; blocks
            that know their channels take "batch" by default.
        channels: number of channels, needed with norm="batch"; blocks fill it in.

    Raises:
        ConfigurationError: an argument is out of its range, or a norm that no integers follow from.
    """

    def __init__(
        self,
        threshold: float,
        potential_bits: int | None = 4,
        decay: float = 0.5,
        reset: str = "hard",
        mode: str = "deployable",
        potential_range: int | None = None,
        surrogate: str = "triangle",
        tau_grad: float = 1.0,
        scale_grad: float = 1.0,
        norm: NormChoice = None,
        channels: int | None = None,
    ) -> None:
        check_surrogate(surrogate, tau_grad, scale_grad)
        _check_options(check_threshold(threshold), potential_bits, potential_range, reset, mode)
        maker = norm_maker(norm, channels)
        super().__init__(threshold, tau_grad, scale_grad, 1, 1 << 6, 1 << 6, maker, None)
        if self.norm is not None and not isinstance(self.norm, BatchNorm):
            raise ConfigurationError(
                f"a quantized potential cannot use the norm {type(self.norm).__name__}", remedy='use norm="batch"'
            )
        self._threshold = float(threshold)  # slayer's constructor rounds it
        self.surrogate, self.tau_grad = surrogate, float(tau_grad)
        self.potential_bits, self.leak, self.reset, self.mode = potential_bits, _leak(decay), reset, mode
        self.potential_range = potential_range or (2 if potential_bits is not None and potential_bits <= 4 else 8)

    def forward(self, input: Tensor) -> Tensor:
        """Integer currents (N, C, [H, W,] T), float, to spikes of the same shape."""
        frames, timesteps = to_frames(input)
        if self.not_deployable is None and not torch.equal(frames, frames.round()):
            raise InputError(
                "a quantized potential integrates integer currents, and the input is not",
                remedy="use a block, which knows the step of its weights",
            )
        self.shape = input.shape[1:-1]
        return from_frames(self.integrate(frames, torch.ones(1), timesteps), timesteps)

    @property
    def not_deployable(self) -> str | None:
        """The reason why it has no integer form, or None if it has one."""
        if self.mode == "paper":
            return "mode 'paper' scales potentials by the largest of the batch, which no deployed neuron knows"
        if self.potential_bits is None:
            return "a potential of full precision has no integer form"
        return None

    @property
    def decay(self) -> float:
        """The part of a potential that is left after a step."""
        return 1 - 0.5**self.leak

    spikes = True
    needs_float32 = True  # it computes the deployed integers in training, too, and 16 bits would round them
    early_taps = None  # it has no taps

    def integrate(self, current: Tensor, step: Tensor, timesteps: int) -> Tensor:
        """Training: currents as frames (N T, C, [H, W]) in units of `step` (channels,) or (1,), to spikes."""
        step = step.to(current)
        drive, gain, shift = self._normalized(current * per_channel(step, current))
        in_time = drive.unflatten(0, (-1, timesteps))
        if self.mode == "paper":
            return self._integrate_paper(in_time).flatten(0, 1)
        with torch.no_grad():
            numbers = None if self.potential_bits is None else self._integers(gain * step, shift)
            integer_currents = None if numbers is None else _scaled(current, numbers).unflatten(0, (-1, timesteps))
        spikes: Tensor = _Integrate.apply(in_time, integer_currents, numbers, self)
        return spikes.flatten(0, 1)

    def deploy(self, step: NDArray[np.float64], timesteps: int) -> Deployed:
        """Its integer form behind a synapse of these steps (channels,); DeploymentError if it has none."""
        if self.not_deployable is not None or self.potential_bits is None:
            raise DeploymentError(
                str(self.not_deployable), remedy='train with mode="deployable" and potential_bits from 2 to 16'
            )
        affine = evaluation_affine(self.norm, len(step))
        gain = affine.gain / np.sqrt(affine.variance)
        shift = affine.bias - affine.mean * gain
        numbers = self._integers(torch.from_numpy(gain * step), torch.from_numpy(shift))
        neuron = integer.QuantizedLIF(
            bits=self.potential_bits,
            leak=self.leak,
            reset=self.reset,
            potential_shift=_int64(numbers.potential_shift),
            current_shift=_int64(numbers.current_shift),
            bias=_int64(numbers.bias),
            threshold=_int64(numbers.threshold),
        )
        return Deployed(neuron, _int64(numbers.sign), numbers.unit.double().numpy())

    def evaluate(self, deployed: integer.Neuron, current: Tensor, timesteps: int) -> Tensor:
        """Spikes as deployed, bool, from integer currents: float32 frames (N T, C, [H, W])."""
        assert isinstance(deployed, integer.QuantizedLIF)
        numbers = Numbers.of(deployed, current.device)
        currents = _scaled(current, numbers).unflatten(0, (-1, timesteps))
        potentials = _integer_potentials(currents, numbers, _Rule.of(deployed))
        return (potentials >= _broadcast(numbers.threshold, potentials)[None]).flatten(0, 1)

    def _normalized(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """norm(x), and the gain and shift, float64 (channels,), that it consists of: of this batch in training."""
        if self.norm is None:
            return x, x.new_ones(1, dtype=torch.double), x.new_zeros(1, dtype=torch.double)
        norm = self.norm
        normed, mean, deviation = torch.native_batch_norm(
            x, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.training, norm.momentum, norm.eps
        )
        gain, bias = norm.weight.detach().double(), norm.bias.detach().double()
        if norm.training:
            gain = gain * deviation.double()
        else:  # as deploy does, to the last bit
            mean, gain = norm.running_mean, gain / (norm.running_var.double() + norm.eps).sqrt()
        return normed, gain, bias - mean.detach().double() * gain

    @torch.no_grad()
    def _integers(self, gain: Tensor, shift: Tensor) -> Numbers:
        """The integers of a norm that maps the integer current J to gain J + shift; tensors (channels,)."""
        assert self.potential_bits is not None
        gain, shift = torch.broadcast_tensors(gain.double(), shift.double())
        size = gain.abs().clamp(min=self.threshold / LARGEST_THRESHOLD)
        threshold = self.threshold / size
        mantissa, exponent = torch.frexp(threshold * self.potential_range)
        exponent = exponent - (mantissa == 0.5).to(exponent.dtype) - (self.potential_bits - 1)
        fraction = (-exponent).clamp(*FRACTION_BITS)
        units = torch.ldexp(torch.ones_like(size), fraction)
        bias = (shift / size).clamp(-LARGEST_BIAS, LARGEST_BIAS)
        return Numbers(
            sign=torch.where(gain < 0, -1, 1).int(),
            potential_shift=(exponent + fraction).clamp(min=0).int(),
            current_shift=fraction.int(),
            bias=(bias * units).round().int(),
            threshold=(threshold * units).round().int(),
            unit=(size / units).float(),
        )

    def _integrate_paper(self, drive: Tensor) -> Tensor:
        """v = Q(tanh(decay reset(v) + norm(I))), s = 1 iff v >= threshold; (N, T, ..) to spikes."""
        levels = None if self.potential_bits is None else 2 ** (self.potential_bits - 1) - 1
        kept, spikes = torch.zeros_like(drive[:, 0]), []
        for current in drive.unbind(1):
            potential = quantize_by_batch(torch.tanh(kept + current), levels)
            fired = spike(potential, self.threshold, self.surrogate, self.tau_grad, float(self.scale_rho))
            held = fired.detach()
            kept = self.decay * (potential * (1 - held) if self.reset == "hard" else potential - self.threshold * held)
            spikes.append(fired)
        return torch.stack(spikes, 1)


def quantize_by_batch(values: Tensor, levels: int | None) -> Tensor:
    """Round to -levels .. levels steps of the batch's largest magnitude, straight-through gradient; None: unchanged."""
    if levels is None:
        return values
    step = values.detach().abs().amax().clamp(min=1e-12) / levels
    return values + ((values / step).round() * step - values).detach()


@dataclass(frozen=True)
class Numbers:
    """The integers of a layer of neurons as int32 tensors (channels,), and `unit`: the real size of 1 in U."""

    sign: Tensor
    potential_shift: Tensor
    current_shift: Tensor
    bias: Tensor
    threshold: Tensor
    unit: Tensor

    @classmethod
    def of(cls, deployed: integer.QuantizedLIF, device: torch.device) -> Numbers:
        """Those of a deployed neuron, whose weights have the signs already."""
        names = ("potential_shift", "current_shift", "bias", "threshold")
        arrays: Mapping[str, Tensor] = {
            name: torch.tensor(getattr(deployed, name).clip(-INT32_LIMIT, INT32_LIMIT), dtype=torch.int32)
            for name in names
        }
        one = torch.ones(len(deployed.threshold))
        moved = {name: array.to(device) for name, array in arrays.items()}
        return cls(sign=one.int().to(device), unit=one.to(device), **moved)


@dataclass(frozen=True)
class _Rule:
    """The rule by which a stored potential follows from the one before."""

    bits: int
    leak: int
    hard: bool

    @classmethod
    def of(cls, deployed: integer.QuantizedLIF) -> _Rule:
        return cls(deployed.bits, deployed.leak, deployed.reset == "hard")

    def leaked(self, after: Tensor, shift: Tensor) -> Tensor:
        """(2^k - 1) V / 2^(k + p), rounded half up, before saturation; int32."""
        total = shift + self.leak
        half = torch.bitwise_left_shift(torch.ones_like(total), total - 1)
        return torch.bitwise_right_shift(after * (2**self.leak - 1) + half, total)

    @property
    def stored_range(self) -> tuple[int, int]:
        return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1


def _scaled(current: Tensor, numbers: Numbers) -> Tensor:
    """2^c J + B of all steps at once, int32: frames (N T, C, [H, W]), the sign of each channel taken in."""
    factor = numbers.sign * torch.bitwise_left_shift(torch.ones_like(numbers.sign), numbers.current_shift)
    scaled = current.to(torch.int32) * per_channel(factor, current)
    return scaled.add_(per_channel(numbers.bias, current))


def _integer_potentials(currents: Tensor, numbers: Numbers, rule: _Rule) -> Tensor:
    """U of all steps, before reset, from 2^c J + B: int32 (N, T, C, [H, W]); the currents are overwritten."""
    shift, threshold = _broadcast(numbers.potential_shift, currents), _broadcast(numbers.threshold, currents)
    stored = torch.zeros_like(currents[:, 0])
    for t in range(currents.shape[1]):
        potential = currents[:, t]  # a view: what is added stays
        potential += torch.bitwise_left_shift(stored, shift)
        stored = rule.leaked(_after(potential, threshold, rule.hard), shift).clamp_(*rule.stored_range)
    return currents


def _after(potential: Tensor, threshold: Tensor | float, hard: bool) -> Tensor:
    """The potential after reset."""
    fired = potential >= threshold
    return potential.masked_fill(fired, 0) if hard else potential - threshold * fired


def _real_potentials(drive: Tensor, threshold: float, decay: float, hard: bool) -> Tensor:
    """u of all steps at full precision: (N, T, C, [H, W])."""
    potentials = drive.clone()
    kept = torch.zeros_like(drive[:, 0])
    for t in range(drive.shape[1]):
        potential = potentials[:, t]
        potential += kept
        kept = decay * _after(potential, threshold, hard)
    return potentials


def _broadcast(values: Tensor, in_time: Tensor) -> Tensor:
    """Values (C,) or (1,) in a shape that broadcasts over one step (N, C, [H, W])."""
    return values.reshape(-1, *[1] * (in_time.dim() - 3))


class _Integrate(torch.autograd.Function):
    """All steps of a layer: integers (or real numbers, at full precision) forward, backward through time by hand."""

    @staticmethod
    def forward(ctx: Any, drive: Tensor, currents: Tensor | None, numbers: Numbers | None, neuron: Neuron) -> Tensor:
        hard = neuron.reset == "hard"
        ctx.neuron, ctx.numbers = neuron, numbers
        if numbers is None or currents is None:
            potentials = _real_potentials(drive, neuron.threshold, neuron.decay, hard)
            fired = potentials >= neuron.threshold
        else:
            assert neuron.potential_bits is not None
            rule = _Rule(neuron.potential_bits, neuron.leak, hard)
            potentials = _integer_potentials(currents, numbers, rule)
            fired = potentials >= _broadcast(numbers.threshold, potentials)[None]
        ctx.save_for_backward(potentials)
        return fired.to(drive.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (potentials,) = ctx.saved_tensors
        neuron, (upstream,) = ctx.neuron, gradients
        result, kept = _slopes(potentials, upstream, neuron, ctx.numbers)
        for t in range(upstream.shape[1] - 2, -1, -1):
            result[:, t].addcmul_(result[:, t + 1], kept[:, t])
        return result, None, None, None


def _slopes(potentials: Tensor, upstream: Tensor, neuron: Neuron, numbers: Numbers | None) -> tuple[Tensor, Tensor]:
    """The gradient through each step's spikes, and that of the next step's potential, both by u; (N, T, ..)."""
    hard = neuron.reset == "hard"
    if numbers is None:
        real, fired = potentials, potentials >= neuron.threshold
        inside = torch.ones_like(fired)
    else:
        assert neuron.potential_bits is not None
        rule = _Rule(neuron.potential_bits, neuron.leak, hard)
        threshold, unit, shift = (
            _broadcast(values, potentials) for values in (numbers.threshold, numbers.unit, numbers.potential_shift)
        )
        real, fired = potentials * unit, potentials >= threshold
        stored = rule.leaked(_after(potentials, threshold, hard), shift)
        inside = (stored >= rule.stored_range[0]).logical_and_(stored <= rule.stored_range[1])
    slope = through(real, upstream, neuron.threshold, neuron.surrogate, neuron.tau_grad, float(neuron.scale_rho))
    passes = inside.logical_and_(~fired) if hard else inside
    return slope, passes.to(slope.dtype).mul_(neuron.decay)


def _check_options(
    threshold: float, potential_bits: int | None, potential_range: int | None, reset: str, mode: str
) -> None:
    if threshold <= 0:
        raise ConfigurationError(
            f"threshold must be positive, not {threshold!r}", remedy="the step of a quantized potential follows from it"
        )
    if mode not in MODES:
        raise ConfigurationError(f"there is no mode '{mode}'", remedy=f"choose one of {', '.join(MODES)}")
    if mode == "paper" and threshold >= 1:
        raise ConfigurationError(
            "tanh never reaches a threshold of 1", remedy="choose a threshold below 1, such as 0.5"
        )
    if reset not in RESETS:
        raise ConfigurationError(f"there is no reset '{reset}'", remedy=f"choose one of {', '.join(RESETS)}")
    if potential_bits is not None and (isinstance(potential_bits, bool) or potential_bits not in POTENTIAL_BITS):
        raise ConfigurationError(
            f"potential_bits must be an integer from {POTENTIAL_BITS[0]} to {POTENTIAL_BITS[-1]}, or None, "
            f"not {potential_bits!r}"
        )
    if potential_range is not None and (isinstance(potential_range, bool) or potential_range not in POTENTIAL_RANGES):
        raise ConfigurationError(
            f"potential_range must be an integer from {POTENTIAL_RANGES[0]} to {POTENTIAL_RANGES[-1]}, "
            f"not {potential_range!r}"
        )


def _leak(decay: float) -> int:
    """k of a decay 1 - 1/2^k."""
    for leak in LEAKS:
        if decay == 1 - 0.5**leak:
            return leak
    raise ConfigurationError(
        f"decay must be 1 - 1/2^k for k = {LEAKS[0]} to {LEAKS[-1]}, not {decay!r}",
        remedy="it is what is left of a potential after a step: 0.5, 0.75, 0.875, 0.9375, ..",
    )


def _int64(values: Tensor) -> NDArray[np.int64]:
    return values.cpu().numpy().astype(np.int64)


__all__ = ["MODES", "Neuron", "quantize_by_batch"]
