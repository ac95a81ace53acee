"""The integers of integer.QuantizedLIF as torch computes with them, all in int32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from lava_qsnn import integer, parameters
from lava_qsnn.frames import per_channel
from lava_qsnn.integer import INT32_LIMIT
from lava_qsnn.neuron._lif import per_step, reset

#: Bits after the binary point of U, in units of the current: at least two, so that rounding biases costs little.
FRACTION_BITS = (2, 8)

#: Thresholds and biases, in units of the current, are kept within these: a norm gain near 0 would ask for more.
LARGEST_THRESHOLD, LARGEST_BIAS = 2.0**16, 2.0**17


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


@torch.no_grad()
def integers_of(gain: Tensor, shift: Tensor, settings: parameters.QuantizedLIF) -> Numbers:
    """The integers of a norm that maps the integer current J to gain J + shift; tensors (channels,)."""
    gain, shift = torch.broadcast_tensors(gain.double(), shift.double())
    size = gain.abs().clamp(min=settings.threshold / LARGEST_THRESHOLD)
    threshold = settings.threshold / size
    mantissa, exponent = torch.frexp(threshold * settings.reached)
    exponent = exponent - (mantissa == 0.5).to(exponent.dtype) - (settings.potential_bits - 1)
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


@dataclass(frozen=True)
class Rule:
    """The rule by which a stored potential follows from the one before."""

    bits: int
    leak: int
    hard: bool

    @classmethod
    def of(cls, deployed: integer.QuantizedLIF) -> Rule:
        return cls(deployed.bits, deployed.leak, deployed.reset == "hard")

    def leaked(self, after: Tensor, shift: Tensor) -> Tensor:
        """(2^k - 1) V / 2^(k + p), rounded half up, before saturation; int32."""
        total = shift + self.leak
        half = torch.bitwise_left_shift(torch.ones_like(total), total - 1)
        multiple = after if self.leak == 1 else after * (2**self.leak - 1)
        return torch.bitwise_right_shift(multiple + half, total)

    @property
    def stored_range(self) -> tuple[int, int]:
        return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1


def scaled(current: Tensor, numbers: Numbers) -> Tensor:
    """2^c J + B of all steps at once, int32: frames (N T, C, [H, W]), the sign of each channel taken in."""
    factor = numbers.sign * torch.bitwise_left_shift(torch.ones_like(numbers.sign), numbers.current_shift)
    result = current.to(torch.int32) * per_channel(factor, current)
    return result.add_(per_channel(numbers.bias, current))


def integer_potentials(currents: Tensor, numbers: Numbers, rule: Rule) -> Tensor:
    """U of all steps, before reset, from 2^c J + B: int32 (N, T, C, [H, W]); the currents are overwritten."""
    shift, threshold = per_step(numbers.potential_shift, currents), per_step(numbers.threshold, currents)
    for before, potential in pairwise(currents.unbind(1)):  # views: what is added stays
        stored = rule.leaked(reset(before, threshold, rule.hard), shift).clamp_(*rule.stored_range)
        potential += torch.bitwise_left_shift(stored, shift)
    return currents
