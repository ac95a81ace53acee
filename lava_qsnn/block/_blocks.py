"""Slayer's blocks with quantized weights, for any family of neurons; the modules beside this one name the family.

A block computes in two ways. In training mode it works on real numbers with gradients. In evaluation mode it computes
with the very integers that will be deployed, compared with the folded integer thresholds, and carries no gradient: what
evaluation reports is what Lava will do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import h5py
import numpy as np
import torch
from torch import Tensor, nn

from lava_qsnn import _slayer, integer, synapse
from lava_qsnn.block._bytes import largest_byte, mark_bytes, saved_as_bytes
from lava_qsnn.block._input import layer_named, take
from lava_qsnn.block._synaptic import IntegerParameters, Synaptic
from lava_qsnn.checked import Checked, shown
from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.frames import check_tensor, delayed, from_frames, to_frames
from lava_qsnn.integer.stock import flatten_arrays, input_arrays, write_arrays
from lava_qsnn.neuron.contract import TorchNeuron
from lava_qsnn.neuron.memory_free import Readout

#: Parameters of a neuron by their names, or as the dataclass that lava_qsnn.parameters has for it.
NeuronParameters = Mapping[str, Any] | Checked


def make_neuron(
    kind: Callable[..., TorchNeuron], neuron_params: NeuronParameters | None, channels: int | None
) -> TorchNeuron:
    """A neuron of a family from a block's neuron_params; ConfigurationError, naming all problems, if they do not fit.

    The block's number of channels is the neuron's, unless its parameters have another.
    """
    if isinstance(neuron_params, Checked):
        return kind(neuron_params, channels=channels)
    return kind(**{"channels": channels, **by_name(neuron_params)})


def by_name(neuron_params: Any) -> Mapping[str, Any]:
    """The neuron_params of a block, none if they are None; ConfigurationError if they are no names with values."""
    given = {} if neuron_params is None else neuron_params
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise ConfigurationError(
            f"neuron_params must be names with values, not {shown(given)}",
            remedy="they come first, as slayer's do: Dense({'threshold': 1.0}, in_neurons, out_neurons)",
        )
    return given


def _refuse_delay(delay: bool) -> None:
    if delay:
        raise ConfigurationError(
            "these blocks have no learnable axonal delay", remedy='use memory-free neurons with taps="learned"'
        )


class Dense(Synaptic, _slayer.AbstractDense):
    """slayer.block.cuba.Dense with quantized weights and this family's neurons: N C T to N out T.

    Args:
        neuron_params: parameters of the family's Neuron; only `threshold` has no default, and `norm` is "batch" here.
        in_neurons, out_neurons, weight_scale, count_log: as slayer's.
        weight_norm, pre_hook_fx, delay: slayer's; refused, each with its reason.
        delay_shift: slayer's step of delay, for training beside slayer's blocks; not deployable.
        mask: bool (out, in) of the synapses that exist, or None for all.
        weight_bits: 1, 2, 4 or 8.
        weight_regulation: standardize the weights before they are quantized; see lava_qsnn.regulation.
    """

    neuron_type: ClassVar[Callable[..., TorchNeuron]]

    def __init__(
        self,
        neuron_params: NeuronParameters,
        in_neurons: int | tuple[int, ...],
        out_neurons: int,
        weight_scale: float = 1,
        weight_norm: bool = False,
        pre_hook_fx: Any = None,
        delay: bool = False,
        delay_shift: bool = False,
        mask: Tensor | None = None,
        count_log: bool = False,
        *,
        weight_bits: int = 1,
        weight_regulation: bool = False,
    ) -> None:
        _refuse_delay(delay)
        weights = synapse.Dense(
            in_neurons,
            out_neurons,
            weight_scale,
            weight_norm,
            pre_hook_fx,
            weight_bits=weight_bits,
            weight_regulation=weight_regulation,
        )
        neuron = make_neuron(type(self).neuron_type, neuron_params, out_neurons)
        super().__init__(weights, neuron, mask, delay_shift, count_log)


class Output(Synaptic, _slayer.AbstractAffine):
    """The last block: potentials instead of spikes, N C T to N out T; their sum over time are the logits.

    In evaluation, the result is the deployed integer potentials times one positive constant.

    Args:
        in_neurons, out_neurons, weight_scale, mask, count_log: as slayer's Affine's.
        weight_bits: 1, 2, 4 or 8.
        neuron_params: `history`, `taps`, `decay`, `tap_bits` of the potentials; one time step by default.
    """

    def __init__(
        self,
        in_neurons: int | tuple[int, ...],
        out_neurons: int,
        weight_scale: float = 1,
        mask: Tensor | None = None,
        count_log: bool = False,
        *,
        weight_bits: int = 8,
        neuron_params: NeuronParameters | None = None,
    ) -> None:
        weights = synapse.Dense(in_neurons, out_neurons, weight_scale, weight_bits=weight_bits, fixed=True)
        given = isinstance(neuron_params, Checked)
        neuron = Readout(neuron_params) if given else Readout(**by_name(neuron_params))
        super().__init__(weights, neuron, mask, count_log=count_log)


class Conv(Synaptic, _slayer.AbstractConv):
    """slayer.block.cuba.Conv with quantized weights and this family's neurons: N C H W T to N out H' W' T.

    Args:
        neuron_params: parameters of the family's Neuron; only `threshold` has no default, and `norm` is "batch" here.
        in_features, out_features, kernel_size, stride, padding, dilation, groups, weight_scale, count_log: as slayer's;
            pairs are (height, width).
        weight_norm, pre_hook_fx, delay: slayer's; refused, each with its reason.
        delay_shift: slayer's step of delay, for training beside slayer's blocks; not deployable.
        weight_bits: 1, 2, 4 or 8.
        weight_regulation: standardize the weights before they are quantized; see lava_qsnn.regulation.
    """

    neuron_type: ClassVar[Callable[..., TorchNeuron]]

    def __init__(
        self,
        neuron_params: NeuronParameters,
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
        delay: bool = False,
        delay_shift: bool = False,
        count_log: bool = False,
        *,
        weight_bits: int = 1,
        weight_regulation: bool = False,
    ) -> None:
        _refuse_delay(delay)
        geometry = (in_features, out_features, kernel_size, stride, padding, dilation, groups)
        weights = synapse.Conv(
            *geometry,
            weight_scale,
            weight_norm,
            pre_hook_fx,
            weight_bits=weight_bits,
            weight_regulation=weight_regulation,
        )
        neuron = make_neuron(type(self).neuron_type, neuron_params, out_features)
        super().__init__(weights, neuron, None, delay_shift, count_log)


class Pool(Synaptic, _slayer.AbstractPool):
    """Sum pooling: N C H W T to N C H' W' T.

    Without neuron_params it passes the sums on, integers from 0 to the size of a window, and merges into the block
    after it when deployed (its scale vanishes there). With neuron_params, neurons fire on the mean of each
    window, and it is a layer of its own.

    Args:
        neuron_params: None, or parameters of the family's Neuron (with `channels` among them, `norm` is "batch").
        kernel_size, stride, padding, dilation, count_log: as slayer's; pairs are (height, width); stride defaults to
            the kernel's size. Unlike slayer's, windows that the border cuts are left out.
        weight_scale, weight_norm, pre_hook_fx, delay: slayer's; refused, each with its reason.
        delay_shift: slayer's step of delay, for training beside slayer's blocks; not deployable.
    """

    neuron_type: ClassVar[Callable[..., TorchNeuron]]

    def __init__(
        self,
        neuron_params: NeuronParameters | None,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        weight_scale: float = 1,
        weight_norm: bool = False,
        pre_hook_fx: Any = None,
        delay: bool = False,
        delay_shift: bool = False,
        count_log: bool = False,
    ) -> None:
        _refuse_delay(delay)
        weights = synapse.Pool(kernel_size, stride, padding, dilation, weight_scale, weight_norm, pre_hook_fx)
        neuron = None if neuron_params is None else make_neuron(type(self).neuron_type, neuron_params, None)
        super().__init__(weights, neuron, None, delay_shift, count_log)
        self._shape: torch.Size | None = None

    def forward(self, x: Tensor, skip: None = None) -> Any:  # type: ignore[override]
        """(N, C, H, W, T) to (N, C, H', W', T): sums or spikes; with count_log, and their rate (None for sums)."""
        if self.neuron is not None:
            return super().forward(x)
        with layer_named("Pool"):
            x = take(x, "Pool", self.training)
            frames, timesteps = to_frames(x)
            with saved_as_bytes(x):
                y = from_frames(self.synapse.sums(frames), timesteps)
        self._shape = y.shape[1:-1]
        if self.delay_shift:
            y = delayed(y)
        largest = largest_byte(x)
        mark_bytes(y, None if largest is None else largest * self.synapse.weight.numel())
        return (y, None) if self.count_log else y

    @property
    def shape(self) -> torch.Size | None:
        """Shape (C, H', W') of the last forward pass's output."""
        return self._shape if self.neuron is None else self.neuron.shape

    def deployed_synapse(self, deployed: IntegerParameters, source_shape: tuple[int, ...]) -> integer.Synapse:
        sums = self.sum_pool().as_convolution(source_shape[0])
        return replace(sums, weight=sums.weight * np.sign(deployed.weight[:, :1, :1, :1]))

    def sum_pool(self) -> integer.SumPool:
        """The sums over windows that this block computes before its neurons, if it has any."""
        of = self.synapse
        return integer.SumPool(of.kernel_size[:2], of.stride[:2], of.padding[:2], of.dilation[:2])

    def export_hdf5(self, handle: h5py.Group) -> None:
        """Write a pooling with neurons as a stock NetX layer; DeploymentError without, see netx_export.export."""
        if self.neuron is None:
            raise DeploymentError(
                "pooling without neurons is no layer of its own",
                remedy="netx_export.export merges it into the next one",
            )
        super().export_hdf5(handle)


class Input(Synaptic, _slayer.AbstractInput):
    """The first block: integers into the network.

    Without neuron_params it passes its input on (evaluation refuses what is not an integer). With neuron_params it
    encodes graded input as spikes: one neuron per input.

    Args:
        neuron_params: None, or parameters of the family's Neuron (with `channels` among them, `norm` is "batch");
            the threshold is in units of the input.
        weight, bias: slayer's; refused, as a norm does the same and folds.
        delay_shift: slayer's step of delay, for training beside slayer's blocks; not deployable.
        count_log: as slayer's.
    """

    neuron_type: ClassVar[Callable[..., TorchNeuron]]

    def __init__(
        self,
        neuron_params: NeuronParameters | None = None,
        weight: float | None = None,
        bias: float | None = None,
        delay_shift: bool = False,
        count_log: bool = False,
    ) -> None:
        if weight is not None or bias is not None:
            raise ConfigurationError(
                "an input here has no weight or bias of its own", remedy="use `norm` in neuron_params"
            )
        neuron = None if neuron_params is None else make_neuron(type(self).neuron_type, neuron_params, None)
        super().__init__(synapse.OneToOne(), neuron, None, delay_shift, count_log)
        self.input_shape: torch.Size | None = None

    def forward(self, x: Tensor, skip: None = None) -> Any:  # type: ignore[override]
        """(N, C, [H, W,] T), integers as floats, to the same or to spikes; with count_log, and their rate."""
        with layer_named("Input"):
            self.input_shape = check_tensor(x).shape[1:-1]
        if self.neuron is not None:
            return super().forward(x)
        x = take(x, "Input", self.training)
        y = delayed(x) if self.delay_shift else x
        return (y, (y > 0).float().mean()) if self.count_log else y

    def deployed_synapse(self, deployed: IntegerParameters, source_shape: tuple[int, ...]) -> integer.Synapse:
        sign = np.broadcast_to(deployed.weight.reshape(-1), source_shape[:1])
        if len(source_shape) == 1:
            return integer.Dense(np.diag(sign))
        return integer.Conv(sign.reshape(-1, 1, 1, 1), groups=source_shape[0])

    def export_hdf5(self, handle: h5py.Group) -> None:
        """Write an input with neurons as a stock NetX layer; without, as the shape stock NetX starts from."""
        if self.neuron is not None:
            super().export_hdf5(handle)
        elif self.input_shape is None:
            raise DeploymentError("its shape is not known yet", layer="Input", remedy="run it once")
        else:
            write_arrays(handle, input_arrays(tuple(self.input_shape)))


class Flatten(_slayer.AbstractFlatten):
    """N C H W T to N (C H W) T, in that order; N C T passes unchanged. `count_log` as slayer's."""

    def __init__(self, count_log: bool = False) -> None:
        nn.Module.__init__(self)
        self.count_log = count_log
        self.shape: torch.Size | None = None

    def forward(self, x: Tensor) -> Any:
        frames, timesteps = to_frames(x)
        y = from_frames(frames.flatten(1), timesteps)
        mark_bytes(y, largest_byte(x))
        self.shape = y.shape[1:-1]
        return (y, None) if self.count_log else y

    def export_hdf5(self, handle: h5py.Group) -> None:
        """Write it as stock NetX's flatten; DeploymentError before a forward pass."""
        if self.shape is None:
            raise DeploymentError("its shape is not known yet", layer="Flatten", remedy="run it once")
        write_arrays(handle, flatten_arrays(self.shape))


class Residual(nn.Module):
    """Blocks in a row, and a shortcut from the input of the first to the currents of the last.

    The last block adds the currents of its own synapse and of the shortcut, as integers, before its norm: a ResNet
    block whose sum is exact. N C [H W] T to the last block's shape.

    Args:
        blocks: the last one a Dense or a Conv; the others take one tensor and give one.
        shortcut: a synapse of lava_qsnn.synapse, such as Conv(64, 128, 1, stride=2) where shapes change; by default
            one to one.
        strength: what the shortcut's integer weights are multiplied by; by default the power of two up to 64 that
            makes the two currents' spread most alike.
    """

    def __init__(
        self,
        *blocks: nn.Module,
        shortcut: synapse.Dense | synapse.Conv | synapse.OneToOne | None = None,
        strength: int | None = None,
    ) -> None:
        super().__init__()
        if not blocks or not isinstance(blocks[-1], (Dense, Conv)):
            raise ConfigurationError(
                "a shortcut ends at a Dense or a Conv", remedy="let one of these be the last block"
            )
        if any(getattr(block, "count_log", False) for block in blocks):
            raise ConfigurationError("count_log has no place inside a Residual", remedy="leave it at False")
        blocks[-1].add_skip(shortcut if shortcut is not None else synapse.OneToOne(), strength)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for block in self.blocks[:-1]:
            y = block(y)
        result: Tensor = self.blocks[-1](y, x)
        return result
