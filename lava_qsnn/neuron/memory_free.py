"""The memory-free neuron in torch: a filter over the last K steps, a norm, a threshold; no state, no recurrence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lava_qsnn._slayer import slayer
from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.frames import from_frames, to_frames
from lava_qsnn.integer import Affine, check_history, check_tap_bits, geometric_taps, shift_taps, tap_scale
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


def filter_history(frames: Tensor, timesteps: int, taps: Tensor) -> Tensor:
    """sum_k taps[k] frames[t-k] within each sample, all steps in one matrix product over time.

    Args:
        frames: (N T, ...), float.
        timesteps: T.
        taps: float (K,), any K >= 1; taps beyond T are not used.

    Returns:
        Shaped like `frames`. The product is T x T (Toeplitz) times T x features for each sample.
    """
    taps = taps.to(frames)[:timesteps]
    if len(taps) == 1:
        return frames * taps[0]
    step = torch.arange(timesteps, device=frames.device)
    lag = step[:, None] - step[None, :]
    reached = (lag >= 0) & (lag < len(taps))
    toeplitz = torch.where(reached, taps[lag.clamp(0, len(taps) - 1)], 0.0)
    return torch.matmul(toeplitz, frames.reshape(-1, timesteps, frames[0].numel())).reshape(frames.shape)


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over samples, time and space of frames (N T, C, [H, W]), per channel."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions from two on is fine."""


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
            such as slayer's norms. It is applied to the potential, and folds into integer thresholds.
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
        norm: Callable[[], nn.Module] | str | bool | None = None,
        dropout: nn.Module | None = None,
        channels: int | None = None,
    ) -> None:
        check_surrogate(surrogate, tau_grad, scale_grad)
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not np.isfinite(threshold):
            raise ConfigurationError(f"threshold must be a finite number, not {threshold!r}")
        # Slayer's scale for quantizing its own norms; the threshold itself stays as given.
        super().__init__(threshold, tau_grad, scale_grad, 1, 1 << 6, 1 << 6, _norm_maker(norm, channels), dropout)
        self._threshold = float(threshold)
        self.surrogate, self.tau_grad = surrogate, float(tau_grad)
        self.taps = Taps(history, taps, decay, tap_bits)

    def forward(self, input: Tensor) -> Tensor:
        """Currents (N, C, [H, W,] T), float, to spikes of the same shape."""
        frames, timesteps = to_frames(input)
        self.shape = input.shape[1:-1]
        return from_frames(self.activate(filter_history(frames, timesteps, self.taps()), timesteps), timesteps)

    def activate(self, potential: Tensor, timesteps: int) -> Tensor:
        """Norm, dropout, threshold: potentials as frames (N T, C, [H, W]) to spikes."""
        if self.norm is not None:
            potential = self.norm(potential)
        if self.drop is not None:
            potential = to_frames(self.drop(from_frames(potential, timesteps)))[0]
        return spike(potential, self.threshold, self.surrogate, self.tau_grad, float(self.scale_rho))

    def affine(self, channels: int) -> Affine:
        """The norm in evaluation as one affine map per channel; DeploymentError if it is not one, or not finite."""
        affine = _affine(self.norm, channels)
        values = (affine.gain, affine.mean, affine.variance, affine.bias)
        if not all(np.isfinite(value).all() for value in values) or not (affine.variance > 0).all():
            raise DeploymentError("its norm holds numbers that are not finite", remedy="check that training converged")
        return affine

    @property
    def device(self) -> torch.device:
        """Where its parameters are; the CPU if it has none."""
        return next((parameter.device for parameter in self.parameters()), torch.device("cpu"))


def _norm_maker(
    norm: Callable[[], nn.Module] | str | bool | None, channels: int | None
) -> Callable[[], nn.Module] | None:
    if norm is None or norm is False:
        return None
    batch = norm in (True, "batch") or (isinstance(norm, type) and issubclass(norm, nn.modules.batchnorm._BatchNorm))
    if callable(norm) and not batch:
        return norm
    if not batch:
        raise ConfigurationError(f"there is no norm '{norm}'", remedy='use None, "batch", or a callable that makes one')
    if channels is None:
        raise ConfigurationError('norm="batch" needs the number of channels', remedy="pass `channels`, or use a block")
    return lambda: BatchNorm(channels)


def _affine(norm: nn.Module | None, channels: int) -> Affine:
    if norm is None:
        return Affine.identity(channels)
    if isinstance(norm, nn.modules.batchnorm._BatchNorm):
        if norm.running_mean is None or norm.running_var is None:
            raise DeploymentError("its batch norm keeps no running statistics", remedy="use track_running_stats=True")
        one, zero = torch.ones(channels), torch.zeros(channels)
        gain = norm.weight if norm.weight is not None else one
        bias = norm.bias if norm.bias is not None else zero
        return _affine_of(channels, gain, norm.running_mean, _float64(norm.running_var, channels) + norm.eps, bias)
    if isinstance(norm, slayer.neuron.norm.WgtScaleBatchNorm):
        mean, deviation = norm.pre_hook_fx(norm.running_mean), norm.std(norm.running_var)
        return _affine_of(channels, torch.ones(1), mean, _float64(deviation, channels) ** 2, torch.zeros(1))
    if isinstance(norm, slayer.neuron.norm.MeanOnlyBatchNorm):
        mean = norm.pre_hook_fx(norm.running_mean)
        return _affine_of(channels, torch.ones(1), mean, np.ones(channels), torch.zeros(1))
    raise DeploymentError(
        f"its norm {type(norm).__name__} cannot be folded",
        remedy='use norm="batch", a torch batch norm or a slayer norm',
    )


def _affine_of(channels: int, gain: Tensor, mean: Tensor, variance: Any, bias: Tensor) -> Affine:
    return Affine(
        gain=_float64(gain, channels), mean=_float64(mean, channels), variance=variance, bias=_float64(bias, channels)
    )


def _float64(values: Tensor, channels: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    flat = values.detach().cpu().double().flatten().numpy()
    if flat.size not in (1, channels):
        raise DeploymentError(f"its norm has {flat.size} channels, its synapse {channels}")
    return np.broadcast_to(flat, (channels,)).copy()


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
