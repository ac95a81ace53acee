"""The common part of the neurons that spike: their parameters, their norm, and slayer's attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import nn

from lava_qsnn import _slayer, parameters
from lava_qsnn.checked import Checked, read
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.neuron._norm import make_norm

Kind = TypeVar("Kind", bound=parameters.Spiking)
Options = TypeVar("Options", bound=Checked)


class SpikingNeuron(_slayer.Neuron, Generic[Kind]):
    """A neuron that spikes where its normalized potential reaches a threshold.

    Args:
        values, options: the parameters, see lava_qsnn.parameters: in their order, by their names, or as one dataclass.
        channels: number of channels, needed with norm="batch"; blocks fill it in.

    Raises:
        ConfigurationError: parameters are unknown, lacking or wrong; all of them are named.
    """

    kind: ClassVar[type[Any]]  # the class of `settings`

    #: The norms that it takes.
    norms: ClassVar[type[nn.Module]] = nn.Module

    settings: Kind
    norm: Any  # a module or None
    drop: nn.Module | None
    shape: torch.Size | None
    spikes = True

    def __init__(self, *values: Any, channels: int | None = None, **options: Any) -> None:
        nn.Module.__init__(self)
        self.settings = settings_of(self.kind, values, options)
        self.shape = self.num_neurons = self.drop = None
        self._as_slayers()
        self.norm = norm = make_norm(self.settings.norm, channels)
        if norm is not None and not isinstance(norm, self.norms):
            raise ConfigurationError(
                f"a neuron of '{self.kind.family}' cannot use the norm {type(norm).__name__}",
                remedy='use norm="batch"',
            )
        if isinstance(norm, (_slayer.MeanOnlyBatchNorm, _slayer.WgtScaleBatchNorm)):
            norm.pre_hook_fx = self.quantize_8bit

    def _as_slayers(self) -> None:
        """Set what slayer's constructor sets, for its norms and tools; its scales quantize what its norms learn."""
        self.p_scale, self.w_scale, self.s_scale = 1, 1 << 6, 1 << 6
        self.tau_rho, self.scale_rho = self.settings.tau_grad * self.threshold, self.settings.scale_grad
        self.shared_param, self.requires_grad = True, True
        self.persistent_state = self.complex = self.debug = False

    @property
    def threshold(self) -> float:
        """The threshold, in units of the normalized potential; as given, where slayer rounds."""
        return self.settings.threshold

    @property
    def firing(self) -> tuple[float, str, float, float]:
        """The threshold, and the surrogate gradient's name, width and height, as lava_qsnn.surrogate takes them."""
        own = self.settings
        return own.threshold, own.surrogate, own.tau_grad, own.scale_grad

    @property
    def channels(self) -> int | None:
        """The number of channels that its norm is made for; None for any, and before slayer's have seen an input."""
        return getattr(self.norm, "num_features", None)

    @property
    def device(self) -> torch.device:
        """The device of its parameters; the CPU if it has none."""
        return next((parameter.device for parameter in self.parameters()), torch.device("cpu"))


def settings_of(kind: type[Options], values: Sequence[Any], options: Mapping[str, Any]) -> Options:
    """The parameters of a neuron, from values in the order of its fields and options by their names.

    Raises:
        ConfigurationError: names are unknown, lacking or given twice, or values wrong; all of it at once.
    """
    if len(values) == 1 and not options and isinstance(values[0], kind):
        return values[0]
    names = [entry.name for entry in fields(kind)]
    if len(values) > len(names):
        raise ConfigurationError(f"there are {len(values)} values for the {len(names)} parameters {', '.join(names)}")
    placed = dict(zip(names, values))
    if placed.keys() & options.keys():
        raise ConfigurationError(f"{', '.join(sorted(placed.keys() & options.keys()))} is given twice")
    return read(kind, {**placed, **options}, what="neuron_params")
