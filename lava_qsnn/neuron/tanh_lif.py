"""The neuron that Q-SNN's public code is described to have: to compare with, it has no integer form.

The potential is squashed by tanh and quantized by the batch's largest value (arXiv 2406.13672; the description is of
its code, and this a reconstruction): what a sample's potential becomes depends on the batch around it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lava_qsnn import parameters
from lava_qsnn.frames import per_channel
from lava_qsnn.neuron._lif import LeakyNeuron
from lava_qsnn.neuron._norm import normalize
from lava_qsnn.surrogate import spike


class Neuron(LeakyNeuron[parameters.TanhLIF]):
    """A leaky integrate-and-fire neuron whose potential tanh bounds, in steps of the batch's largest potential.

        v[t] = Q(tanh(decay reset(v[t-1], s[t-1]) + norm(I[t]))),   s[t] = 1 iff v[t] >= threshold

    with I the synapse's current, Q rounding to 2^(b-1) - 1 steps to either side of 0, and the reset without a gradient
    of its own.

    Args:
        values, options: the parameters of parameters.TanhLIF, in their order, by their names, or as one dataclass.
        channels: number of channels, needed with norm="batch"; blocks fill it in.
    """

    kind = parameters.TanhLIF
    not_deployed = "its potentials are scaled by the largest of the batch, which no deployed neuron knows"

    def integrate(self, current: Tensor, step: Tensor, timesteps: int, filtered: bool = False) -> Tensor:
        drive = current * per_channel(step.to(current), current)
        if self.norm is not None:
            drive = normalize(self.norm, drive)
        return self._steps(drive.unflatten(0, (-1, timesteps))).flatten(0, 1)

    def _steps(self, drive: Tensor) -> Tensor:
        """Normalized currents (N, T, ..) to spikes."""
        own = self.settings
        levels = None if own.potential_bits is None else 2 ** (own.potential_bits - 1) - 1
        kept, spikes = torch.zeros_like(drive[:, 0]), []
        for current in drive.unbind(1):
            potential = quantize_by_batch(torch.tanh(kept + current), levels)
            fired = spike(potential, *self.firing)
            held = fired.detach()
            kept = own.decay * (potential * (1 - held) if own.reset == "hard" else potential - own.threshold * held)
            spikes.append(fired)
        return torch.stack(spikes, 1)


def quantize_by_batch(values: Tensor, levels: int | None) -> Tensor:
    """Round to -levels .. levels steps of the batch's largest magnitude, straight-through gradient; None: unchanged."""
    if levels is None:
        return values
    step = values.detach().abs().amax().clamp(min=1e-12) / levels
    return values + ((values / step).round() * step - values).detach()


__all__ = ["Neuron", "quantize_by_batch"]
