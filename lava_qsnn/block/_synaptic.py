"""What every block with a synapse and a neuron shares: two ways of computing, and one way of being deployed."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lava_qsnn import integer, synapse
from lava_qsnn._slayer import slayer
from lava_qsnn.errors import DeploymentError, InputError, RangeError
from lava_qsnn.frames import from_frames, to_frames
from lava_qsnn.integer import FLOAT32_LIMIT, integer_threshold, reduce_taps
from lava_qsnn.neuron.memory_free import Neuron, Readout, filter_history
from lava_qsnn.stock_hdf5 import write_layer

base: Any = slayer.block.base


@dataclass(frozen=True)
class IntegerParameters:
    """What a block deploys for samples of T steps: U = sum_k L_k (W s)[t-k], fired at U >= Theta.

    `weight` int64, (out, in) or (out, in / groups, kH, kW), already negated where a negative norm gain turns the
    comparison round; `taps` reduced to T steps; `threshold` int64 (out,), None for a readout; `scale` float64 (out,)
    is training's real potential per unit of U.
    """

    weight: NDArray[np.int64]
    taps: tuple[int, ...]
    threshold: NDArray[np.int64] | None
    scale: NDArray[np.float64]


class Synaptic(nn.Module):
    """A block with a synapse and a neuron: the two ways of computing, and how it is deployed."""

    synapse: synapse.Dense | synapse.Conv | synapse.Pool | synapse.OneToOne
    neuron: Any  # Neuron or Readout; None in a Pool or an Input that only passes on
    mask: Tensor | None
    delay_shift: bool = False
    count_log: bool = False
    timesteps: int | None = None  # T of the last forward pass, as `shape` is its shape
    source_shape: tuple[int, ...] | None = None

    def forward(self, x: Tensor) -> Any:
        """(N, C, [H, W,] T) to (N, out, [H, W,] T): spikes, or a readout's potentials; with count_log, their rate."""
        frames, self.timesteps = to_frames(x)
        self.source_shape = tuple(x.shape[1:-1])
        frames = self._train(frames) if self.training else self._evaluate(frames).to(x.dtype)
        y = from_frames(frames, self.timesteps)
        self.neuron.shape = y.shape[1:-1]
        if self.delay_shift:
            y = base.step_delay(self, y)
        return (y, (y > 0).float().mean()) if self.count_log else y

    def _train(self, frames: Tensor) -> Tensor:
        assert self.timesteps is not None
        weight, step = self.synapse.quantized()
        if self.mask is not None:
            weight = weight * self.mask
        potential = filter_history(self.synapse.current(frames, weight), self.timesteps, self.neuron.taps())
        potential = potential * _per_channel(step.to(potential), potential)
        return self.neuron.activate(potential, self.timesteps) if isinstance(self.neuron, Neuron) else potential

    @torch.no_grad()
    def _evaluate(self, frames: Tensor) -> Tensor:
        assert self.timesteps is not None
        deployed = self.integer_parameters(self.timesteps)
        _refuse_inexact(frames, deployed, type(self).__name__)
        with torch.autocast(frames.device.type, enabled=False):
            weight = torch.as_tensor(deployed.weight, dtype=torch.float32, device=frames.device)
            taps = torch.tensor(deployed.taps, dtype=torch.float32)
            potential = filter_history(self.synapse.current(frames.float(), weight), self.timesteps, taps)
        if deployed.threshold is None:
            return potential * _per_channel(torch.as_tensor(deployed.scale).to(potential), potential)
        # Beyond the exact range of float32, thresholds are beyond that of potentials, too: clamping changes nothing.
        theta = torch.as_tensor(deployed.threshold.clip(-2 * FLOAT32_LIMIT, 2 * FLOAT32_LIMIT))
        return potential >= _per_channel(theta.to(potential), potential)

    def integer_parameters(self, timesteps: int) -> IntegerParameters:
        """The integers this block deploys for samples of `timesteps` steps.

        Raises:
            DeploymentError: weights, taps or norm are not finite, the norm cannot be folded, or the block has a delay.
        """
        if self.delay_shift:
            raise DeploymentError("delay_shift is a training option", remedy="build the block with delay_shift=False")
        weight, step = self._integer_weight()
        taps, divisor = reduce_taps(self.neuron.taps.integers(), timesteps)
        ratio = Fraction(divisor, self.neuron.taps.scale)
        if isinstance(self.neuron, Readout):
            return IntegerParameters(weight, taps, None, step * float(ratio))
        affine = self.neuron.affine(len(weight))
        sign, theta = integer_threshold(affine, np.broadcast_to(step, len(weight)), ratio, self.neuron.threshold)
        return IntegerParameters(weight * _per_row(sign, weight), taps, theta, sign * step * float(ratio))

    @torch.no_grad()
    def _integer_weight(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        if not all(torch.isfinite(parameter).all() for parameter in self.synapse.parameters()):
            raise DeploymentError("its weights are not finite", remedy="training diverged: lower the learning rate")
        weight, step = self.synapse.quantized()
        if self.mask is not None:
            weight = weight * self.mask
        weight = weight.squeeze(-1) if weight.dim() == 5 else weight
        weight = weight.flatten(1) if isinstance(self.synapse, synapse.Dense) else weight
        return weight.cpu().numpy().astype(np.int64), step.double().cpu().numpy()

    def deployed_synapse(self, deployed: IntegerParameters, source_shape: tuple[int, ...]) -> integer.Synapse:
        """The integer synapse of this block for a source of shape (C,) or (C, H, W)."""
        raise NotImplementedError

    def deployed_neuron(self, deployed: IntegerParameters, channels: int) -> integer.Neuron:
        """The integer neuron of this block."""
        if deployed.threshold is None:
            return integer.Readout(deployed.taps)
        return integer.MemoryFree(deployed.taps, np.broadcast_to(deployed.threshold, (channels,)))

    def export_hdf5(self, handle: h5py.Group) -> None:
        """Write this block alone as a stock NetX layer, in slayer's way, after a forward pass on binary spikes.

        `netx_export.export` writes whole networks, merges pooling and checks more; prefer it.

        Raises:
            DeploymentError: no forward pass was made, or stock NetX would not compute the block exactly.
        """
        if self.timesteps is None or self.source_shape is None:
            raise DeploymentError("its shapes are not known yet", layer=type(self).__name__, remedy="run it once")
        deployed = self.integer_parameters(self.timesteps)
        connection = integer.Connection(integer.INPUT, self.deployed_synapse(deployed, self.source_shape))
        neuron = self.deployed_neuron(deployed, connection.synapse.output_shape(self.source_shape)[0])
        layer = integer.Layer(type(self).__name__, (connection,), neuron)
        network = integer.IntegerNetwork(integer.Input(self.source_shape), self.timesteps, (layer,))
        if not network.stock_exact:
            raise DeploymentError(
                network.stock_obstacles[0], remedy="netx_export.export writes such networks, with what stock NetX lacks"
            )
        write_layer(handle, network, layer)


def _per_channel(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (like.dim() - 2))


def _per_row(values: NDArray[np.int64], like: NDArray[np.int64]) -> NDArray[np.int64]:
    return values.reshape(-1, *[1] * (like.ndim - 1))


def _refuse_inexact(frames: Tensor, deployed: IntegerParameters, block: str) -> None:
    """Evaluation computes in float32, exactly: on integers, and with sums up to 2^24."""
    if not frames.dtype.is_floating_point:
        raise InputError(f"a block computes on floating-point tensors, not {frames.dtype}", remedy="call .float()")
    if not torch.equal(frames, frames.round()):
        raise InputError(
            "evaluation computes with integers, and the input is not",
            layer=block,
            remedy="scale and round the input before the network, as the data modules of `training` do",
        )
    reach = float(frames.abs().max()) * _largest_sum(deployed.weight, bool((frames < 0).any())) * sum(deployed.taps)
    if reach > FLOAT32_LIMIT:
        raise RangeError(
            f"potentials may reach {reach:,.0f}, beyond 2^24, the largest exact integer range of float32",
            layer=block,
            remedy="use a shorter history, taps of fewer bits, smaller inputs, fewer weight_bits or fewer inputs",
        )


def _largest_sum(weight: NDArray[np.int64], signed: bool) -> int:
    """The largest magnitude any partial sum of a channel's weights reaches, times inputs of one sign or of both."""
    rows = weight.reshape(len(weight), -1)
    positive, negative = rows.clip(0).sum(1), -rows.clip(None, 0).sum(1)
    return int((positive + negative if signed else np.maximum(positive, negative)).max())
