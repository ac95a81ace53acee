"""The memory-free neuron in torch: a filter over the last K steps, a norm, a threshold; no state, no recurrence."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lava_qsnn import integer, parameters
from lava_qsnn.errors import ConfigurationError, DeploymentError, InputError, QsnnError
from lava_qsnn.frames import from_frames, in_time, join_steps, per_channel, split_steps, to_frames
from lava_qsnn.integer import FLOAT32_LIMIT, geometric_taps, integer_threshold, reduce_taps, shift_taps, tap_scale
from lava_qsnn.neuron._fused import Chain, fused_spike
from lava_qsnn.neuron._history import filter_history
from lava_qsnn.neuron._norm import evaluation_affine, normalize
from lava_qsnn.neuron._spiking import SpikingNeuron, settings_of
from lava_qsnn.neuron._step_norm import StepNorm
from lava_qsnn.neuron.contract import Deployed
from lava_qsnn.quantize import integer_taps
from lava_qsnn.surrogate import spike


class Taps(nn.Module):
    """The weights of the last K time steps, integers when deployed.

    Args:
        settings: K, the taps' family, its decay and its bits; see parameters.Taps.
    """

    def __init__(self, settings: parameters.Taps) -> None:
        super().__init__()
        self.history, self.family = settings.history, settings.taps
        self.decay, self.bits = settings.decay, settings.tap_bits
        if self.family == "learned":
            initial = torch.arange(self.history).double()
            initial = ((2**self.bits - 1) * self.decay**initial).clamp(min=1)
            self.value = nn.Parameter(initial.float())

    @property
    def scale(self) -> int:
        """The power of two that training divides the integers by, so that the first tap is near 1."""
        return tap_scale(self.family, self.history, self.bits)

    def integers(self) -> tuple[int, ...]:
        """The deployed taps L_0 .. L_{K-1}, positive integers."""
        if self.family == "shift":
            return shift_taps(self.history)
        if self.family == "geometric":
            return geometric_taps(self.history, self.decay, self.bits)
        if not torch.isfinite(self.value).all():
            raise DeploymentError(
                "its learned taps are not finite", remedy="training diverged: lower the learning rate"
            )
        return tuple(int(tap) for tap in integer_taps(self.value.detach(), self.bits))

    def forward(self) -> Tensor:
        """The taps divided by `scale`: float (K,), with gradient if they are learned."""
        if self.family == "learned":
            return integer_taps(self.value, self.bits) / self.scale
        return torch.tensor([tap / self.scale for tap in self.integers()])

    def extra_repr(self) -> str:
        return f"history={self.history}, family={self.family}, decay={self.decay}, bits={self.bits}"


class Neuron(SpikingNeuron[parameters.MemoryFree]):
    """The memory-free neuron: spikes where the normalized, history-filtered current reaches the threshold.

        z_i[t] = sum_{k<K} L_k / S  I_i[t-k],   s_i[t] = 1 iff norm_t(z)_i[t] >= threshold

    with I the synapse's current and S the taps' power-of-two scale. There is no reset, so all T steps are computed at
    once. (This project's reconstruction of the memory-free quantization of MFP-QSNN, arXiv 2503.00040.) Its norm is
    applied to the potential, the same at all steps t or, with `step_norms`, each step's own, and folds into integer
    thresholds.

    Args:
        values, options: the parameters of parameters.MemoryFree, in their order, by their names, or as one dataclass.
        channels: number of channels, needed with norm="batch"; blocks fill it in.
        dropout: a module applied to the potential during training, such as slayer.neuron.Dropout, or None.
    """

    kind = parameters.MemoryFree
    needs_float32 = False  # under autocast, its currents may have 16 bits
    needs_integers = False

    def __init__(
        self, *values: Any, channels: int | None = None, dropout: nn.Module | None = None, **options: Any
    ) -> None:
        super().__init__(*values, channels=channels, **options)
        self.drop = dropout
        self.taps = Taps(self.settings)
        if self.settings.step_norms:
            if channels is None:
                raise ConfigurationError(
                    "step_norms need the number of channels", remedy="pass `channels`, or use a block"
                )
            self.norm = StepNorm(self.settings.step_norms, channels, self.settings.threshold_spread)

    def forward(self, input: Tensor) -> Tensor:
        """Currents (N, C, [H, W,] T), float, to spikes of the same shape."""
        frames, timesteps = to_frames(input)
        self.shape = input.shape[1:-1]
        return from_frames(self._fire(frames, torch.ones(1, device=input.device), timesteps, self.taps()), timesteps)

    @property
    def early_taps(self) -> tuple[int, ...] | None:
        """Integer taps that may filter its sources instead of its currents: fixed ones, of traces within a byte."""
        taps = () if self.settings.taps == "learned" else self.taps.integers()
        return taps if len(taps) > 1 and sum(taps) < 256 else None

    def integrate(self, current: Tensor, step: Tensor, timesteps: int, filtered: bool = False) -> Tensor:
        if filtered:
            return self._fire(current, step / self.taps.scale, timesteps, torch.ones(1), overwrite=True)
        return self._fire(current, step, timesteps, self.taps(), overwrite=True)

    def _fire(self, current: Tensor, step: Tensor, timesteps: int, taps: Tensor, overwrite: bool = False) -> Tensor:
        """Filter, norm, dropout, threshold; each step apart if it has a norm of its own."""
        if not isinstance(self.norm, StepNorm):
            return self._spikes(self.norm, current, step, timesteps, taps, overwrite)
        self._check_steps(timesteps, InputError)
        steps = split_steps(filter_history(current, timesteps, taps), timesteps)
        one = torch.ones(1, device=current.device)
        return join_steps([self._spikes(norm, each, step, 1, one, False) for norm, each in zip(self.norm.steps, steps)])

    def _spikes(
        self, norm: Any, current: Tensor, step: Tensor, timesteps: int, taps: Tensor, overwrite: bool
    ) -> Tensor:
        """Filter, norm, dropout, threshold; fused where it can be, and else one after the other."""
        chain = Chain(taps, norm, *self.firing)
        if self.drop is None and chain.fits(current):
            return fused_spike(current, timesteps, step, chain, overwrite)
        potential = filter_history(current, timesteps, taps) * per_channel(step, current)
        if norm is not None:
            potential = normalize(norm, potential)
        if self.drop is not None:
            potential = to_frames(self.drop(from_frames(potential, timesteps)))[0]
        return spike(potential, *self.firing)

    def deploy(self, step: NDArray[np.float64], timesteps: int) -> Deployed:
        """Its integer form behind a synapse of these steps (channels,), for samples of T steps."""
        taps, divisor = reduce_taps(self.taps.integers(), timesteps)
        ratio = Fraction(divisor, self.taps.scale)
        norms = [self.norm]
        if isinstance(self.norm, StepNorm):
            self._check_steps(timesteps, DeploymentError)
            norms = list(self.norm.steps)[:timesteps]
        affines = [evaluation_affine(norm, len(step)) for norm in norms]
        signs, thetas = zip(*(integer_threshold(affine, step, ratio, self.threshold) for affine in affines))
        timed = isinstance(self.norm, StepNorm)
        neuron = integer.TimedMemoryFree(taps, np.stack(thetas)) if timed else integer.MemoryFree(taps, thetas[0])
        return Deployed(neuron, signs[0], signs[0] * step * float(ratio))

    def evaluate(self, deployed: integer.Neuron, current: Tensor, timesteps: int) -> Tensor:
        """Spikes as deployed, bool, from integer currents: float32 frames (N T, C, [H, W])."""
        assert isinstance(deployed, (integer.MemoryFree, integer.TimedMemoryFree))
        thresholds = deployed.threshold if isinstance(deployed, integer.MemoryFree) else deployed.thresholds
        potential = filter_history(current, timesteps, torch.tensor(deployed.taps, dtype=torch.float32))
        # Potentials end at 2^24, and float32 holds no 2^24 + 1: what they never reach is infinite instead.
        limit = FLOAT32_LIMIT
        theta = torch.as_tensor(np.where(thresholds > limit, np.inf, thresholds.clip(-limit, limit))).to(potential)
        steps = in_time(potential, timesteps)
        return (steps >= theta.reshape(*theta.shape, *[1] * (potential.dim() - 2))).flatten(0, 1)

    def _check_steps(self, timesteps: int, error: type[QsnnError]) -> None:
        if timesteps > self.settings.step_norms:
            raise error(
                f"its neurons have norms of {self.settings.step_norms} time steps, and there are {timesteps}",
                remedy="set step_norms to the number of time steps",
            )


class Readout(nn.Module):
    """A neuron that does not spike: its output is the history-filtered current itself.

    Args:
        values, options: the parameters of parameters.Readout, in their order, by their names, or as one dataclass.
    """

    kind = parameters.Readout
    spikes = False
    needs_float32 = True  # its potentials are what the loss sees
    needs_integers = False
    early_taps = None
    channels = None  # it has no norm

    def __init__(self, *values: Any, **options: Any) -> None:
        super().__init__()
        self.settings = settings_of(self.kind, values, options)
        self.taps = Taps(self.settings)
        self.shape: torch.Size | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Currents (N, C, [H, W,] T), float, to potentials of the same shape."""
        frames, timesteps = to_frames(input)
        self.shape = input.shape[1:-1]
        return from_frames(filter_history(frames, timesteps, self.taps()), timesteps)

    def integrate(self, current: Tensor, step: Tensor, timesteps: int, filtered: bool = False) -> Tensor:
        return filter_history(current, timesteps, self.taps()) * per_channel(step, current)

    def deploy(self, step: NDArray[np.float64], timesteps: int) -> Deployed:
        """Its integer form behind a synapse of these steps (channels,), for samples of T steps."""
        taps, divisor = reduce_taps(self.taps.integers(), timesteps)
        sign = np.ones(len(step), np.int64)
        return Deployed(integer.Readout(taps), sign, step * float(Fraction(divisor, self.taps.scale)))

    def evaluate(self, deployed: integer.Neuron, current: Tensor, timesteps: int) -> Tensor:
        """Integer potentials as deployed, from integer currents: float32 frames (N T, C, [H, W])."""
        return filter_history(current, timesteps, torch.tensor(deployed.taps, dtype=torch.float32))
