"""Slayer's synapses with quantized weights, computing on frames."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

from lava_qsnn.errors import ConfigurationError, InputError
from lava_qsnn.extras import extra
from lava_qsnn.frames import from_frames, to_frames
from lava_qsnn.quantize import (
    annealed_sign,
    channel_step,
    check_weight_bits,
    fixed_step,
    integer_weight,
    largest_level,
    power_of_two_step,
    standardize,
)

with extra("train"):
    import torch
    import torch.nn.functional as F
    from torch import Tensor, nn

    from lava_qsnn import _slayer
    from lava_qsnn._sums import gradient_dtype

    _aten: Any = torch.ops.aten  # type: ignore[attr-defined]

Pair = tuple[int, ...]  # (height, width)
Triple = tuple[int, int, int]  # (height, width, time)


class Quantized:
    """The common part of all synapses here: integer weights, the step between them, and slayer's forward on top.

    `fixed` chooses one constant power-of-two step for the layer instead of one per channel that follows the weights.
    `weight_regulation` standardizes weights before they are quantized, see lava_qsnn.regulation; `progress`, 0 to 1, is
    that of the training, and changes only the gradient of regulated 1-bit weights.
    """

    weight: Tensor
    weight_bits: int
    fixed: bool
    learns: bool = True  # whether it has real weights behind the integer ones
    weight_regulation: bool = False
    progress: float = 0.0
    targets_per_source: float = 1.0

    def real_weight(self) -> Tensor:
        """The real weights that are quantized, standardized if they are regulated: (out, ...) with gradient."""
        return standardize(self.weight) if self.weight_regulation else self.weight

    def quantized(self) -> tuple[Tensor, Tensor]:
        """Integer weights (out, ...) with gradient, and their steps (out,) without."""
        weight = self.real_weight()
        if self.weight_regulation and self.weight_bits == 1:
            return annealed_sign(weight, self.progress), power_of_two_step(weight).flatten()
        if self.fixed:
            step = torch.full_like(weight[:, :1, :1, :1, :1], fixed_step(weight[0].numel(), self.weight_bits))
        else:
            step = channel_step(weight, self.weight_bits)
        return integer_weight(weight, step, self.weight_bits), step.flatten()

    def typical_spread(self) -> float:
        """Root of the sum of a target's squared integer weights, as initialized: 1 bit +-1, more bits uniform."""
        magnitude = 1.0 if not self.learns or self.weight_bits == 1 else largest_level(self.weight_bits) / math.sqrt(3)
        return magnitude * math.sqrt(self.weight[0].numel())

    def current(self, frames: Tensor, weight: Tensor) -> Tensor:
        """Apply `weight`, shaped like the first result of `quantized`, to frames (N T, C, [H, W])."""
        raise NotImplementedError

    def forward(self, input: Tensor) -> Tensor:
        """Weighted spikes by the quantized weights: (N, C, [H, W,] T) to (N, out, [H, W,] T)."""
        frames, timesteps = to_frames(input)
        integers, step = self.quantized()
        return from_frames(self.current(frames, integers * step.reshape(-1, *[1] * (integers.dim() - 1))), timesteps)


def convolve(
    frames: Tensor, weight: Tensor, stride: Pair, padding: Pair, dilation: Pair = (1, 1), groups: int = 1
) -> Tensor:
    """torch's conv2d of frames (N, C, H, W) by a weight (out, C / groups, kH, kW, ..), on the way that is fastest.

    The kernel's channels lie last in memory, and so do the result's. Padding in which a whole window may lie is written
    out as zeros: there the convolutions of oneDNN for that layout, those of torch 2.3.1, read what is not theirs.
    Within `float32_sums`, gradients have autocast's dtype.
    """
    kernel = weight.reshape(weight.shape[:4]).contiguous(memory_format=torch.channels_last)
    _check_size(frames, tuple(kernel.shape[2:]), padding, dilation)
    if any(may_miss(*axis) for axis in zip(frames.shape[2:], kernel.shape[2:], padding, dilation)):
        frames, padding = F.pad(frames, (padding[1], padding[1], padding[0], padding[0])), (0, 0)
    geometry, dtype = (stride, padding, dilation, groups), gradient_dtype()
    if dtype is None:
        return F.conv2d(frames, kernel, None, *geometry)
    result: Tensor = _NarrowGradients.apply(frames, kernel, geometry, dtype)
    return result


class _NarrowGradients(torch.autograd.Function):
    """torch's conv2d of frames (N, C, H, W) by a kernel (out, C / groups, kH, kW), its gradients computed in 16 bits.

    Result and gradients have the frames' own dtype.
    """

    @staticmethod
    def forward(ctx: Any, frames: Tensor, kernel: Tensor, geometry: tuple[Any, ...], dtype: torch.dtype) -> Tensor:
        ctx.save_for_backward(frames, kernel)
        ctx.geometry, ctx.dtype = geometry, dtype
        return F.conv2d(frames, kernel, None, *geometry)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (stride, padding, dilation, groups), like = ctx.geometry, gradients[0].dtype
        gradient, *saved = (each.to(ctx.dtype) for each in (gradients[0], *ctx.saved_tensors))
        arguments = gradient, *saved, None, stride, padding, dilation, False, (0, 0), groups
        of_frames, of_kernel, _ = _aten.convolution_backward(*arguments, (*ctx.needs_input_grad[:2], False))
        return *(each if each is None else each.to(like) for each in (of_frames, of_kernel)), None, None


def may_miss(extent: int, kernel: int, padding: int, dilation: int) -> bool:
    """True if a window may lie outside of a map, or have it between two of its taps, along one axis."""
    return padding > dilation * (kernel - 1) or (padding > 0 and dilation > extent)


def _check_source(frames: Tensor, fits: bool, expected: str) -> None:
    if not fits:
        raise InputError(
            f"the weights are made for {expected}, and the input has shape {tuple(frames.shape[1:])} at each step",
            remedy="tensors are N C T or N C H W T, with time last; check the sizes of neighbouring blocks",
        )


def _check_size(frames: Tensor, kernel: Pair, padding: Pair, dilation: Pair) -> None:
    for extent, size, pad, step in zip(frames.shape[2:], kernel, padding, dilation):
        if extent + 2 * pad < step * (size - 1) + 1:
            raise InputError(
                f"a kernel of {kernel} with dilation {dilation} is larger than maps of {tuple(frames.shape[2:])}",
                remedy="pad more, pool less, or use a smaller kernel",
            )


def _refuse(weight_norm: bool, pre_hook_fx: Any) -> None:
    if weight_norm:
        raise ConfigurationError(
            "weight_norm has no meaning for weights quantized per channel", remedy="use `norm` in neuron_params"
        )
    if pre_hook_fx is not None:
        raise ConfigurationError("pre_hook_fx would replace the quantizer", remedy="choose `weight_bits` instead")


def _refuse_fixed(fixed: bool, weight_regulation: bool) -> None:
    if fixed and weight_regulation:
        raise ConfigurationError(
            "a fixed step is made for weights as they are initialized, and regulation standardizes them",
            remedy="regulate the hidden layers only",
        )


def _construct(synapse: Any, arguments: tuple[Any, ...], weight_scale: float) -> None:
    """Make a synapse the three-dimensional convolution that slayer's are, over height, width and time."""
    try:
        nn.Conv3d.__init__(synapse, *arguments, bias=False)  # type: ignore[misc]  # no arguments beyond groups
    except (ValueError, RuntimeError) as error:  # groups that do not divide channels, weights that no memory holds
        raise ConfigurationError(f"there is no such synapse: {error}") from None
    if weight_scale != 1:
        synapse.weight = nn.Parameter(weight_scale * synapse.weight)
    synapse._pre_hook_fx = None  # of slayer's property


def _of_sources(in_neurons: int | tuple[int, ...]) -> tuple[int, Triple]:
    """Channels and kernel of dense weights, for a number of sources or for maps (width, height[, channels])."""
    if not isinstance(in_neurons, (tuple, list)):
        return _size("in_neurons", in_neurons), (1, 1, 1)
    if len(in_neurons) not in (2, 3):
        raise ConfigurationError(f"in_neurons must be a number, (width, height) or (.., channels), not {in_neurons!r}")
    width, height, channels = (_size("in_neurons", size) for size in (*in_neurons, 1)[:3])
    return channels, (height, width, 1)


def _geometry(kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Triple, ...]:
    """Kernel, stride, padding and dilation over height, width and time; without a stride, it is the kernel."""
    kernel = _triple("kernel_size", kernel_size, 1, 1)
    steps = kernel if stride is None else _triple("stride", stride, 1, 1)
    return kernel, steps, _triple("padding", padding, 0, 0), _triple("dilation", dilation, 1, 1)


def _triple(name: str, value: Any, least: int, in_time: int) -> Triple:
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise ConfigurationError(f"{name} must be a number or a pair (height, width), not {value!r}")
    height, width = (_size(name, size, least) for size in pair)
    return height, width, in_time


def _size(name: str, value: Any, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ConfigurationError(f"{name} must be an integer of at least {least}, not {value!r}")
    return int(value)


class Dense(Quantized, _slayer.DenseSynapse):
    """slayer.synapse.Dense with weights of 1, 2, 4 or 8 bits; same arguments and weight shape (out, in, 1, 1, 1)."""

    def __init__(
        self,
        in_neurons: int | tuple[int, ...],
        out_neurons: int,
        weight_scale: float = 1,
        weight_norm: bool = False,
        pre_hook_fx: Any = None,
        *,
        weight_bits: int = 1,
        fixed: bool = False,
        weight_regulation: bool = False,
    ) -> None:
        _refuse(weight_norm, pre_hook_fx)
        _refuse_fixed(fixed, weight_regulation)
        channels, kernel = _of_sources(in_neurons)
        _construct(self, (channels, _size("out_neurons", out_neurons), kernel), weight_scale)
        self.weight_bits, self.fixed = check_weight_bits(weight_bits), fixed
        self.weight_regulation = weight_regulation
        self.targets_per_source = len(self.weight) / self.weight[0].numel()

    def current(self, frames: Tensor, weight: Tensor) -> Tensor:
        _check_source(frames, frames.shape[1:].numel() == weight[0].numel(), f"{weight[0].numel()} inputs")
        result = F.linear(frames.flatten(1), weight.flatten(1))
        return result if frames.dim() == 2 else result[..., None, None]


class Conv(Quantized, _slayer.ConvSynapse):
    """slayer.synapse.Conv with weights of 1, 2, 4 or 8 bits; same arguments and weight shape (out, in, kH, kW, 1)."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        weight_scale: float = 1,
        weight_norm: bool = False,
        pre_hook_fx: Any = None,
        *,
        weight_bits: int = 1,
        weight_regulation: bool = False,
    ) -> None:
        _refuse(weight_norm, pre_hook_fx)
        geometry = _geometry(kernel_size, stride, padding, dilation)
        sizes = (_size("in_features", in_features), _size("out_features", out_features))
        _construct(self, (*sizes, *geometry, _size("groups", groups)), weight_scale)
        self.weight_bits, self.fixed = check_weight_bits(weight_bits), False
        self.weight_regulation = weight_regulation
        self.targets_per_source = out_features / (in_features * math.prod(self.stride[:2]))  # but for the border

    def current(self, frames: Tensor, weight: Tensor) -> Tensor:
        channels = weight.shape[1] * self.groups
        _check_source(frames, frames.dim() == 4 and frames.shape[1] == channels, f"{channels} channels of maps")
        return convolve(frames, weight, self.stride[:2], self.padding[:2], self.dilation[:2], self.groups)


class Pool(Quantized, _slayer.PoolSynapse):
    """Sum pooling: every weight is 1, the step its mean; arguments as slayer.synapse.Pool's.

    Unlike slayer's, it adds no rows or columns of its own: what does not fill a window at the border is left out.
    """

    learns = False

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        weight_scale: float = 1,
        weight_norm: bool = False,
        pre_hook_fx: Any = None,
    ) -> None:
        _refuse(weight_norm, pre_hook_fx)
        if weight_scale != 1:
            raise ConfigurationError("sum pooling has no weights to scale", remedy="leave weight_scale at 1")
        _construct(self, (1, 1, *_geometry(kernel_size, stride, padding, dilation)), 1)
        self.weight = nn.Parameter(torch.ones_like(self.weight), requires_grad=False)

    def quantized(self) -> tuple[Tensor, Tensor]:
        ones = torch.ones_like(self.weight[..., 0])
        return ones, ones.new_full((1,), 1 / ones.numel())

    def current(self, frames: Tensor, weight: Tensor) -> Tensor:
        """Sums over windows, times the sign in `weight` (channels or 1, 1, kH, kW)."""
        return self.sums(frames) * weight[:, :1, :1, :1].reshape(1, -1, 1, 1)

    def sums(self, frames: Tensor) -> Tensor:
        """Sums over windows: (N T, C, H, W) to (N T, C, H', W')."""
        if frames.dim() != 4:
            raise ConfigurationError(
                f"pooling needs tensors of shape N C H W T, but frames have {frames.dim() - 1} axes",
                remedy="pool before flattening",
            )
        kernel, stride, padding, dilation = (
            tuple(pair[:2]) for pair in (self.kernel_size, self.stride, self.padding, self.dilation)
        )
        _check_size(frames, kernel, padding, dilation)
        if dilation == (1, 1) and all(2 * p <= k for p, k in zip(padding, kernel)):
            return F.avg_pool2d(frames, kernel, stride, padding, divisor_override=1)
        ones = frames.new_ones(1, 1, *kernel)
        with torch.autocast(frames.device.type, enabled=False):  # as avg_pool2d: in the precision of what comes in
            sums = convolve(frames.flatten(0, 1)[:, None], ones, stride, padding, dilation)
        return sums.reshape(*frames.shape[:2], *sums.shape[2:])


class OneToOne(Quantized, nn.Module):
    """One synapse of weight 1 from each source neuron to its target."""

    learns = False

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(1, 1), persistent=False)

    def quantized(self) -> tuple[Tensor, Tensor]:
        return self.weight, self.weight[0]

    def current(self, frames: Tensor, weight: Tensor) -> Tensor:
        return frames * weight.to(frames).reshape(1, -1, *[1] * (frames.dim() - 2))
