"""The common part of every block with a synapse and a neuron: two ways of computing, and one way of being deployed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lava_qsnn import integer
from lava_qsnn import synapse as synapses
from lava_qsnn._sums import exact_sums, float32_sums
from lava_qsnn.block._bytes import largest_byte, mark_bytes, saved_as_bytes
from lava_qsnn.block._input import layer_named, take
from lava_qsnn.errors import ConfigurationError, DeploymentError, InputError, RangeError
from lava_qsnn.frames import delayed, from_frames, laid_out, per_channel, repeated, to_frames
from lava_qsnn.integer import torch_violations, weight_range
from lava_qsnn.integer.stock import layer_arrays, write_arrays
from lava_qsnn.neuron._history import filter_history
from lava_qsnn.neuron.contract import TorchNeuron, deployable, is_deployable

#: The smallest step of weights that float64 still divides by when it is divided itself, by taps and norms.
SMALLEST_STEP = 1e-200


@dataclass(frozen=True)
class IntegerParameters:
    """The integers that a block deploys for samples of T steps.

    `weight` int64, (out, in), (out, in / groups, kH, kW) or, one to one, (out,), already negated where a negative norm
    gain turns the comparison round; `skip` the same of a skip connection, None without; `neuron` for one channel or for
    all; `scale` float64 (out,) is training's real potential per unit of the integer one.
    """

    weight: NDArray[np.int64]
    skip: NDArray[np.int64] | None
    neuron: integer.Neuron
    scale: NDArray[np.float64]


class Synaptic(nn.Module):
    """A block with a synapse and a neuron: the two ways of computing, and how it is deployed.

    Args:
        synapse: what computes its currents.
        neuron: what makes its output of them; None in a Pool or an Input that only passes on.
        mask: bool (out, in) of the synapses that exist, or None for all.
        delay_shift, count_log: slayer's.
    """

    mask: Tensor | None
    skip_strength: int = 1  # the integer that multiplies the skip's integer weights
    real_weights: bool = False  # compute with the real weights: a baseline for comparison, not deployable
    timesteps: int | None = None  # T of the last forward pass, as `shape` is its shape
    source_shape: tuple[int, ...] | None = None

    def __init__(
        self,
        synapse: synapses.Dense | synapses.Conv | synapses.Pool | synapses.OneToOne,
        neuron: TorchNeuron | None,
        mask: Tensor | None = None,
        delay_shift: bool = False,
        count_log: bool = False,
    ) -> None:
        nn.Module.__init__(self)  # not slayer's constructors: all that they set is here
        self.synapse, self.neuron = synapse, neuron
        self.neuron_params = self.synapse_params = self.delay = None
        self.register_buffer("mask", None if mask is None else mask.reshape(*mask.shape[:2], 1, 1, 1))
        self.delay_shift, self.count_log = delay_shift, count_log

    @property
    def shape(self) -> torch.Size | None:
        """Shape (C,) or (C, H, W) of the last output."""
        return None if self.neuron is None else self.neuron.shape

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Any:
        """(N, C, [H, W,] T) to (N, out, [H, W,] T): spikes, or a readout's potentials; with count_log, and their rate.

        `skip` is what its skip connection carries, if it has one; see Residual.
        """
        assert self.neuron is not None, "blocks without a neuron compute otherwise"
        if (skip is None) != (self.skip is None):
            raise ConfigurationError("a block with a skip connection takes two tensors, others one")
        trains = self.training or self.real_weights or not is_deployable(self.neuron)
        with layer_named(type(self).__name__):
            x = take(x, type(self).__name__, self.training)
            skip = None if skip is None else take(skip, type(self).__name__, self.training)
            self.timesteps = x.shape[-1]
            self.source_shape = tuple(x.shape[1:-1])
            frames = self._train(x, skip) if trains else self._evaluate(x, skip).to(x.dtype)
        y = from_frames(frames, self.timesteps)
        self.neuron.shape = y.shape[1:-1]
        if self.delay_shift:
            y = delayed(y)
        mark_bytes(y, 1 if self.neuron.spikes else None)
        return (y, (y > 0).float().mean()) if self.count_log else y

    @property
    def skip(self) -> Any:
        """The synapse of its skip connection, or None."""
        return self._modules.get("shortcut")

    def add_skip(self, skip: synapses.Dense | synapses.Conv | synapses.OneToOne, strength: int | None = None) -> None:
        """Let a second synapse add its current, `strength` times its integer weights, before the norm.

        Args:
            skip: one to one, dense or convolutional.
            strength: a positive integer; by default the power of two that makes the two currents' spread most alike,
                at most 64.
        """
        if self.skip is not None:
            raise ConfigurationError("the block has a skip connection already")
        self.add_module("shortcut", skip)
        self.skip_strength = _balance(self.synapse, skip) if strength is None else strength
        if isinstance(self.skip_strength, bool) or not isinstance(self.skip_strength, int) or self.skip_strength < 1:
            raise ConfigurationError(f"the strength of a skip must be a positive integer, not {strength!r}")

    def _train(self, x: Tensor, skip: Tensor | None) -> Tensor:
        """Currents in units of the weights' step, which the neuron takes in: integers, unless `real_weights`.

        So they are exact in float32; under autocast, weights and spikes are exact in 16 bits, and currents are rounded.
        """
        assert self.neuron is not None
        weight, step = self._weights(self.synapse)
        taps = self._early_taps(x) if skip is None else None
        parts = [(self.synapse, weight, x if taps is None else _traces(x, taps))]
        if skip is not None:
            parts.append((self.skip, self._weights(self.skip)[0] * self.skip_strength, skip))
        with float32_sums(x.device) if self.neuron.needs_float32 else nullcontext():
            total = _total(parts, self.neuron.needs_float32)
            return self.neuron.integrate(total, step, x.shape[-1], filtered=taps is not None)

    def _early_taps(self, x: Tensor) -> tuple[int, ...] | None:
        """The neuron's taps, if filtering what comes in costs less than filtering currents, and can be done."""
        assert self.neuron is not None
        return self.neuron.early_taps if self.synapse.targets_per_source > 1 and not _is_still(x) else None

    def _weights(self, of: synapses.Quantized) -> tuple[Tensor, Tensor]:
        """Weights in units of their steps (integers unless `real_weights`), and the steps; the mask taken in."""
        weight, step = of.quantized()
        if self.real_weights and of.learns:
            weight = of.real_weight() / _per_row(step.to(weight), weight)
        return (weight * self.mask if self.mask is not None and of is self.synapse else weight), step

    @torch.no_grad()
    def _evaluate(self, x: Tensor, skip: Tensor | None) -> Tensor:
        assert self.timesteps is not None
        neuron, deployed = deployable(self.neuron), self.integer_parameters(self.timesteps)
        parts = [(self.synapse, deployed.weight, x)]
        if skip is not None and deployed.skip is not None:
            parts.append((self.skip, deployed.skip, skip))
        _refuse_inexact([(weight, source) for _, weight, source in parts], deployed.neuron, type(self).__name__)
        with torch.autocast(x.device.type, enabled=False), exact_sums(x.device):
            tensors = [(of, torch.as_tensor(weight, device=x.device), source) for of, weight, source in parts]
            result = neuron.evaluate(deployed.neuron, _total(tensors, float32=True), self.timesteps)
        if deployed.neuron.spikes:
            return result
        return result * per_channel(torch.as_tensor(deployed.scale).to(result), result)

    def integer_parameters(self, timesteps: int) -> IntegerParameters:
        """The integers this block deploys for samples of `timesteps` steps.

        Raises:
            DeploymentError: weights, taps or norm are not finite, the norm cannot be folded, the neuron has no integer
                form, or the block has a delay or real weights.
        """
        if self.delay_shift:
            raise DeploymentError("delay_shift is a training option", remedy="build the block with delay_shift=False")
        if self.real_weights:
            raise DeploymentError("its weights are real, for comparison only", remedy="train without float weights")
        neuron = deployable(self.neuron)
        weight, step = self._integer_weight(self.synapse)
        # A pooling or an input has one weight for all channels, and its norm may have one gain for each.
        channels = max(len(weight), neuron.channels or 1)
        weight = np.broadcast_to(weight, (channels, *weight.shape[1:]))
        deployed = neuron.deploy(np.broadcast_to(step, channels), timesteps)
        skip = None
        if self.skip is not None:
            skip = self._integer_weight(self.skip)[0] * self.skip_strength
            skip = np.broadcast_to(skip, (channels, *skip.shape[1:]))
            skip = skip * _per_row(deployed.sign, skip)
        return IntegerParameters(weight * _per_row(deployed.sign, weight), skip, deployed.neuron, deployed.scale)

    @torch.no_grad()
    def _integer_weight(self, of: synapses.Quantized) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        if not torch.isfinite(of.weight).all():
            raise DeploymentError("its weights are not finite", remedy="training diverged: lower the learning rate")
        weight, step = self._weights(of)
        steps = step.double().cpu().numpy()
        if not (np.isfinite(steps) & (steps >= SMALLEST_STEP)).all():
            raise DeploymentError(
                f"its weights have steps from {steps.min():.3g} to {steps.max():.3g}, which arithmetic does not hold",
                remedy="rescale its weights; they may have diverged",
            )
        weight = weight.squeeze(-1) if weight.dim() == 5 else weight
        weight = weight.flatten(1) if isinstance(of, synapses.Dense) else weight
        return weight.double().cpu().numpy().astype(np.int64), steps

    def deployed_synapse(self, deployed: IntegerParameters, source_shape: tuple[int, ...]) -> integer.Synapse:
        """The integer synapse of this block for a source of shape (C,) or (C, H, W)."""
        return integer_synapse(self.synapse, deployed.weight)

    def deployed_skip(self, deployed: IntegerParameters) -> integer.Synapse | None:
        """The integer synapse of its skip connection, if it has one."""
        return None if self.skip is None or deployed.skip is None else integer_synapse(self.skip, deployed.skip)

    def export_hdf5(self, handle: h5py.Group) -> None:
        """Write this block alone as a stock NetX layer, in slayer's way, after a forward pass on binary spikes.

        `netx_export.export` writes whole networks, merges pooling and checks more; prefer it.

        Raises:
            DeploymentError: no forward pass was made, or stock NetX would not compute the block exactly.
        """
        if self.timesteps is None or self.source_shape is None:
            raise DeploymentError("its shapes are not known yet", layer=type(self).__name__, remedy="run it once")
        if self.skip is not None:
            raise DeploymentError("stock NetX has no skip connections", remedy="netx_export.export writes them")
        deployed = self.integer_parameters(self.timesteps)
        connection = integer.Connection(integer.INPUT, self.deployed_synapse(deployed, self.source_shape))
        neuron = deployed.neuron.broadcast(connection.synapse.output_shape(self.source_shape)[0])
        layer = integer.Layer(type(self).__name__, (connection,), neuron)
        network = integer.IntegerNetwork(integer.Input(self.source_shape), self.timesteps, (layer,))
        if not network.stock_exact:
            raise DeploymentError(
                network.stock_obstacles[0], remedy="netx_export.export writes such networks, with what stock NetX lacks"
            )
        write_arrays(handle, layer_arrays(network, layer))


def _per_row(values: Any, like: Any) -> Any:
    """Values (out,), a tensor or an array, in a shape that broadcasts over weights (out, ..)."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


def _total(parts: Sequence[tuple[synapses.Quantized, Tensor, Tensor]], float32: bool) -> Tensor:
    """The currents of all synapses, each with its weight and its source, added."""
    if float32:
        parts = [(of, weight.float(), source.float()) for of, weight, source in parts]
    first, *others = (_current(*part) for part in parts)
    for other in others:
        if other.shape != first.shape:
            raise InputError(
                f"its synapse gives currents of shape {tuple(first.shape[1:])}, its skip {tuple(other.shape[1:])}",
                remedy="give the Residual a shortcut, such as synapse.Conv, that ends in the same shape",
            )
    return sum(others, start=first)


def _current(of: synapses.Quantized, weight: Tensor, source: Tensor) -> Tensor:
    """Currents of all steps, frames (N T, ..), from (N, C, [H, W,] T); of a view that repeats one step, from one."""
    timesteps = source.shape[-1]
    if not _is_still(source):
        with saved_as_bytes(source):
            return of.current(to_frames(source)[0], weight)
    current = of.current(source[..., 0], weight)
    return repeated(laid_out(current), timesteps)


def _is_still(x: Tensor) -> bool:
    """True if it is a view that repeats one step; not if each of its steps has a gradient of its own."""
    return x.stride(-1) == 0 and x.shape[-1] > 1 and not x.requires_grad


def _traces(x: Tensor, taps: tuple[int, ...]) -> Tensor:
    """Traces, sum_k L_k x[t-k], in the shape and dtype of x (N, .., T)."""
    frames, timesteps = to_frames(x)
    traces = from_frames(filter_history(frames, timesteps, torch.tensor(taps, dtype=x.dtype)), timesteps)
    largest = largest_byte(x)
    mark_bytes(traces, None if largest is None else largest * sum(taps))
    return traces


def integer_synapse(of: synapses.Quantized, weight: NDArray[np.int64]) -> integer.Synapse:
    """A synapse with its integer weights."""
    if isinstance(of, synapses.Conv):
        return integer.Conv(weight, of.stride[:2], of.padding[:2], of.dilation[:2], of.groups)
    return integer.Dense(weight) if isinstance(of, synapses.Dense) else integer.OneToOne(weight.reshape(-1))


def _balance(main: synapses.Quantized, skip: synapses.Quantized) -> int:
    """The power of two, up to 64, nearest to the ratio of the currents that two synapses typically send a target.

    From their sizes and bits alone, not from their weights: a network made anew for its checkpoint has the same.
    """
    ratio = math.log2(main.typical_spread() / skip.typical_spread())
    return int(2 ** min(6, max(0, round(ratio))))


def _refuse_inexact(parts: list[tuple[NDArray[np.int64], Tensor]], neuron: integer.Neuron, block: str) -> None:
    """Evaluation computes in float32: exact by the rules that deployed networks keep, for what came in here."""
    low: Any = 0
    high: Any = 0
    for weight, source in parts:
        least, greatest = weight_range(weight, *_trace_range(source, sum(neuron.taps)))
        low, high = low + least, high + greatest
    for violation in torch_violations(block, neuron, [(low, high)]):
        raise RangeError(violation.problem, layer=violation.layer, remedy=violation.remedy)


def _trace_range(source: Tensor, taps: int) -> tuple[int, int]:
    """The least and the greatest trace of integers, no step before the first one included."""
    low, high = (int(value) for value in torch.aminmax(source))
    return min(low, 0) * taps, max(high, 0) * taps
