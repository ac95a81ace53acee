"""The leaky integrate-and-fire neuron with a membrane potential of few bits, of Q-SNN (arXiv 2406.13672), in torch.

It computes, in training as in deployment, the integers of `integer.QuantizedLIF`; gradients are those of the
real-valued neuron, straight through the rounding. It is this project's reconstruction: only the paper's abstract was at
hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lava_qsnn import integer, parameters
from lava_qsnn.errors import InputError
from lava_qsnn.frames import check_tensor, per_channel
from lava_qsnn.neuron._lif import LeakyNeuron, per_step, reset, through_time
from lava_qsnn.neuron._lif_integers import Numbers, Rule, integer_potentials, integers_of, scaled
from lava_qsnn.neuron._norm import BatchNorm, evaluation_affine
from lava_qsnn.neuron.contract import Deployed
from lava_qsnn.surrogate import through


class Neuron(LeakyNeuron[parameters.QuantizedLIF]):
    """A leaky integrate-and-fire neuron whose potential is stored in few bits between time steps.

        u[t] = v[t-1] + norm(I[t]),   s[t] = 1 iff u[t] >= threshold,   v[t] = Q(decay reset(u[t], s[t]))

    with I the synapse's current, reset(u, s) = u (1 - s) if hard and u - threshold s if soft. Q rounds to b bits in
    steps of a power of two (in units of the integer current), the smallest that reaches `potential_range` thresholds,
    and saturates; `integer.QuantizedLIF` has the integers. The reset carries no gradient of its own. The norm, None or
    "batch", is applied to the current of each step.

    Args:
        values, options: the parameters of parameters.QuantizedLIF, in their order, by their names, or as one dataclass.
        channels: number of channels, needed with norm="batch"; blocks fill it in.

    Raises:
        ConfigurationError: an argument is out of its range, or a norm that no integers follow from.
    """

    kind = parameters.QuantizedLIF
    norms = BatchNorm
    needs_integers = True

    def forward(self, input: Tensor) -> Tensor:
        """Integer currents (N, C, [H, W,] T), float, to spikes of the same shape."""
        if not torch.equal(check_tensor(input), input.round()):
            raise InputError(
                "a quantized potential integrates integer currents, and the input is not",
                remedy="use a block, which knows the step of its weights",
            )
        return super().forward(input)

    @property
    def leak(self) -> int:
        """k of its decay 1 - 1/2^k."""
        return parameters.DECAYS.index(self.settings.decay) + 1

    def integrate(self, current: Tensor, step: Tensor, timesteps: int, filtered: bool = False) -> Tensor:
        step = step.to(current)
        drive, gain, shift = self._normalized(current * per_channel(step, current))
        numbers = integers_of(gain * step, shift, self.settings)
        with torch.no_grad():
            integer_currents = scaled(current, numbers).unflatten(0, (-1, timesteps))
        spikes: Tensor = _Integrate.apply(drive.unflatten(0, (-1, timesteps)), integer_currents, numbers, self)
        return spikes.flatten(0, 1)

    def deploy(self, step: NDArray[np.float64], timesteps: int) -> Deployed:
        """Its integer form behind a synapse of these steps (channels,); DeploymentError if it has none."""
        affine = evaluation_affine(self.norm, len(step))
        gain = affine.gain / np.sqrt(affine.variance)
        shift = affine.bias - affine.mean * gain
        numbers = integers_of(torch.from_numpy(gain * step), torch.from_numpy(shift), self.settings)
        neuron = integer.QuantizedLIF(
            bits=self.settings.potential_bits,
            leak=self.leak,
            reset=self.settings.reset,
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
        currents = scaled(current, numbers).unflatten(0, (-1, timesteps))
        potentials = integer_potentials(currents, numbers, Rule.of(deployed))
        return (potentials >= per_step(numbers.threshold, potentials)[None]).flatten(0, 1)

    def _normalized(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """norm(x), and the gain and shift, float64 (channels,), that it consists of: of this batch in training."""
        if self.norm is None:
            return x, x.new_ones(1, dtype=torch.double), x.new_zeros(1, dtype=torch.double)
        norm = self.norm
        normed, mean, deviation = norm.with_statistics(x)
        gain, bias = norm.weight.detach().double(), norm.bias.detach().double()
        if norm.training:
            gain = gain * deviation.double()
        else:  # as deploy does, to the last bit
            mean, gain = norm.running_mean, gain / (norm.running_var.double() + norm.eps).sqrt()
        return normed, gain, bias - mean.detach().double() * gain

    @property
    def rule(self) -> Rule:
        """The rule by which its stored potential follows from the one before."""
        return Rule(self.settings.potential_bits, self.leak, self.settings.reset == "hard")


class _Integrate(torch.autograd.Function):
    """All steps of a layer: integers forward, backward through time by hand."""

    @staticmethod
    def forward(ctx: Any, drive: Tensor, currents: Tensor, numbers: Numbers, neuron: Neuron) -> Tensor:
        ctx.neuron, ctx.numbers = neuron, numbers
        potentials = integer_potentials(currents, numbers, neuron.rule)
        ctx.save_for_backward(potentials)
        threshold = per_step(numbers.threshold, potentials)[None]
        return torch.ge(potentials, threshold, out=torch.empty_like(potentials)).to(drive.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        slope, kept = _slopes(ctx.saved_tensors[0], gradients[0], ctx.neuron, ctx.numbers)
        return through_time(slope, kept), None, None, None


def _slopes(potentials: Tensor, upstream: Tensor, neuron: Neuron, numbers: Numbers) -> tuple[Tensor, Tensor]:
    """The gradient through each step's spikes, (N, T, ..), and that of the next step's potential, (N, T - 1, ..)."""
    rule, before = neuron.rule, potentials[:, :-1]
    threshold, unit, shift = (
        per_step(values, potentials) for values in (numbers.threshold, numbers.unit, numbers.potential_shift)
    )
    stored = rule.leaked(reset(before, threshold, rule.hard), shift)
    passes = torch.ge(stored, rule.stored_range[0], out=torch.empty_like(stored))
    passes.mul_(torch.le(stored, rule.stored_range[1], out=stored))
    if rule.hard:
        passes.mul_(torch.lt(before, threshold, out=stored))
    slope = through(potentials * unit, upstream, *neuron.firing)
    return slope, passes.to(slope.dtype).mul_(neuron.settings.decay)


def _int64(values: Tensor) -> NDArray[np.int64]:
    return values.cpu().numpy().astype(np.int64)


__all__ = ["Neuron"]
