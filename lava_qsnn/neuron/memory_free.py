"""The memory-free neuron in torch: a filter over the last K steps, a norm, a threshold; no state, no recurrence."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lava_qsnn import integer
from lava_qsnn._slayer import slayer
from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.frames import from_frames, to_frames
from lava_qsnn.integer import (
    FLOAT32_LIMIT,
    check_history,
    check_tap_bits,
    geometric_taps,
    integer_threshold,
    reduce_taps,
    shift_taps,
    tap_scale,
)
from lava_qsnn.neuron._deployed import Deployed, check_threshold, per_channel
from lava_qsnn.neuron._fused import Chain, fused_spike
from lava_qsnn.neuron._history import filter_history
from lava_qsnn.neuron._norm import NormChoice, evaluation_affine, norm_maker, normalize
from lava_qsnn.quantize import integer_taps
from lava_qsnn.surrogate import check_surrogate, spike

TAP_FAMILIES = ("shift", "geometric", "learned")


class Taps(nn.Module):
    """The weights of the last K time steps, integers when deployed.

    Args:
        history: K, 1 to 64 time steps.
        family: "shift", powers of two, L_k = 2^(K-1-k), a decay of one half; "geometric", round((2^bits - 1) decay^k)
            without the taps that round to 0; "learned", K integers from 1 to 2^bits - 1 with a straight-through
            gradient, which start as the geometric ones.
        decay: of the geometric family, in (0, 1].
        bits: width of a geometric or learned tap, 1 to 8.
    """

    def __init__(self, history: int = 4, family: str = "shift", decay: float = 0.9, bits: int = 4) -> None:
        super().__init__()
        if family not in TAP_FAMILIES:
            raise ConfigurationError(f"there are no taps '{family}'", remedy=f"choose one of {', '.join(TAP_FAMILIES)}")
        self.history, self.family = check_history(history), family
        self.decay, self.bits = decay, check_tap_bits(bits)
        geometric_taps(history, decay, bits)  # checks decay
        if family == "learned":
            initial = torch.arange(history).double()
            initial = ((2**bits - 1) * decay**initial).clamp(min=1)
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


class Neuron(slayer.neuron.base.Neuron):
    """The memory-free neuron: spikes where the normalized, history-filtered current reaches the threshold.

        z_i[t] = sum_{k<K} L_k / S  I_i[t-k],   s_i[t] = 1 iff norm(z)_i[t] >= threshold

    with I the synapse's current and S the taps' power-of-two scale. There is no reset, so all T steps are computed at
    once. (This project's reconstruction of the memory-free quantization of MFP-QSNN, arXiv 2503.00040.)

    Args:
        threshold: in units of the normalized potential; a number.
        history: K, time steps that take part, 1 to 64. K >= T forgets nothing.
        taps: "shift", "geometric" or "learned"; see Taps.
        decay: of geometric taps (and of learned ones at the start), in (0, 1].
        tap_bits: bits of a geometric or learned tap, 1 to 8.
        surrogate: name of the surrogate gradient, see lava_qsnn.surrogate.
        tau_grad: its width, in units of the normalized potential.
        scale_grad: its height.
        norm: None; "batch" (or True, or one of torch's batch norm classes); or a callable that makes a norm module,
            such as slayer's norms. It is applied to the potential, and folds into integer thresholds. Blocks that know
            their channels take "batch" by default.
        dropout: a module applied to the potential during training, such as slayer.neuron.Dropout, or None.
        channels: number of channels, needed with norm="batch"; blocks fill it in.
    """

    def __init__(
        self,
        threshold: float,
        history: int = 4,
        taps: str = "shift",
        decay: float = 0.9,
        tap_bits: int = 4,
        surrogate: str = "triangle",
        tau_grad: float = 1.0,
        scale_grad: float = 1.0,
        norm: NormChoice = None,
        dropout: nn.Module | None = None,
        channels: int | None = None,
    ) -> None:
        check_surrogate(surrogate, tau_grad, scale_grad)
        check_threshold(threshold)
        # Slayer's scale for quantizing its own norms; the threshold itself stays as given.
        super().__init__(threshold, tau_grad, scale_grad, 1, 1 << 6, 1 << 6, norm_maker(norm, channels), dropout)
        self._threshold = float(threshold)
        self.surrogate, self.tau_grad = surrogate, float(tau_grad)
        self.taps = Taps(history, taps, decay, tap_bits)

    def forward(self, input: Tensor) -> Tensor:
        """Currents (N, C, [H, W,] T), float, to spikes of the same shape."""
        frames, timesteps = to_frames(input)
        self.shape = input.shape[1:-1]
        return from_frames(self._fire(frames, torch.ones(1, device=input.device), timesteps, self.taps()), timesteps)

    spikes = True
    needs_float32 = False  # under autocast, its currents may have 16 bits

    def integrate(self, current: Tensor, step: Tensor, timesteps: int) -> Tensor:
        """Training: currents as frames (N T, C, [H, W]) in units of `step` (channels,) or (1,), to spikes.

        The spikes may overwrite the currents.
        """
        return self._fire(current, step, timesteps, self.taps(), overwrite=True)

    @property
    def early_taps(self) -> tuple[int, ...] | None:
        """Integer taps that may filter its sources instead of its currents: fixed ones, of traces within a byte."""
        taps = () if self.taps.family == "learned" else self.taps.integers()
        return taps if len(taps) > 1 and sum(taps) < 256 else None

    def fire(self, potential: Tensor, step: Tensor, timesteps: int) -> Tensor:
        """Training: as `integrate`, from currents of sources that were filtered already."""
        return self._fire(potential, step, timesteps, torch.ones(1), overwrite=True)

    def _fire(self, current: Tensor, step: Tensor, timesteps: int, taps: Tensor, overwrite: bool = False) -> Tensor:
        """Filter, norm, dropout, threshold; fused where it can be, and else one after the other."""
        surrogate = self.threshold, self.surrogate, self.tau_grad, float(self.scale_rho)
        chain = Chain(taps, self.norm, *surrogate)
        if self.drop is None and chain.fits(current):
            return fused_spike(current, timesteps, step, chain, overwrite)
        potential = filter_history(current, timesteps, taps) * per_channel(step, current)
        if self.norm is not None:
            potential = normalize(self.norm, potential)
        if self.drop is not None:
            potential = to_frames(self.drop(from_frames(potential, timesteps)))[0]
        return spike(potential, *surrogate)

    def deploy(self, step: NDArray[np.float64], timesteps: int) -> Deployed:
        """Its integer form behind a synapse of these steps (channels,), for samples of T steps."""
        taps, divisor = reduce_taps(self.taps.integers(), timesteps)
        ratio = Fraction(divisor, self.taps.scale)
        affine = evaluation_affine(self.norm, len(step))
        sign, theta = integer_threshold(affine, step, ratio, self.threshold)
        return Deployed(integer.MemoryFree(taps, theta), sign, sign * step * float(ratio))

    def evaluate(self, deployed: integer.Neuron, current: Tensor, timesteps: int) -> Tensor:
        """Spikes as deployed, bool, from integer currents: float32 frames (N T, C, [H, W])."""
        assert isinstance(deployed, integer.MemoryFree)
        potential = filter_history(current, timesteps, torch.tensor(deployed.taps, dtype=torch.float32))
        # Potentials end at 2^24, and float32 holds no 2^24 + 1: what they never reach is infinite instead.
        limit = FLOAT32_LIMIT
        theta = np.where(deployed.threshold > limit, np.inf, deployed.threshold.clip(-limit, limit))
        return potential >= per_channel(torch.as_tensor(theta).to(potential), potential)

    @property
    def device(self) -> torch.device:
        """The device of its parameters; the CPU if it has none."""
        return next((parameter.device for parameter in self.parameters()), torch.device("cpu"))

    @property
    def not_deployable(self) -> str | None:
        """The reason why it has no integer form; None, as it always has one."""
        return None


class Readout(nn.Module):
    """A neuron that does not spike: its output is the history-filtered current itself.

    Args:
        history, taps, decay, tap_bits: as Neuron's; one step by default.
    """

    def __init__(self, history: int = 1, taps: str = "shift", decay: float = 0.9, tap_bits: int = 4) -> None:
        super().__init__()
        self.taps = Taps(history, taps, decay, tap_bits)
        self.shape: torch.Size | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Currents (N, C, [H, W,] T), float, to potentials of the same shape."""
        frames, timesteps = to_frames(input)
        self.shape = input.shape[1:-1]
        return from_frames(filter_history(frames, timesteps, self.taps()), timesteps)

    spikes = False
    needs_float32 = True  # its potentials are what the loss sees
    early_taps = None

    def integrate(self, current: Tensor, step: Tensor, timesteps: int) -> Tensor:
        """Training: currents as frames (N T, C, [H, W]) in units of `step`, to real potentials."""
        return filter_history(current, timesteps, self.taps()) * per_channel(step, current)

    def deploy(self, step: NDArray[np.float64], timesteps: int) -> Deployed:
        """Its integer form behind a synapse of these steps (channels,), for samples of T steps."""
        taps, divisor = reduce_taps(self.taps.integers(), timesteps)
        sign = np.ones(len(step), np.int64)
        return Deployed(integer.Readout(taps), sign, step * float(Fraction(divisor, self.taps.scale)))

    def evaluate(self, deployed: integer.Neuron, current: Tensor, timesteps: int) -> Tensor:
        """Integer potentials as deployed, from integer currents: float32 frames (N T, C, [H, W])."""
        return filter_history(current, timesteps, torch.tensor(deployed.taps, dtype=torch.float32))

    @property
    def not_deployable(self) -> str | None:
        """The reason why it has no integer form; None, as it always has one."""
        return None
