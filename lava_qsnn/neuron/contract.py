"""The contract between blocks, their neurons, and deployment.

A block computes the currents of its synapses and hands them to its neuron: in training to `integrate`, in evaluation,
as integers, to `evaluate`, with what `deploy` made of the neuron. A neuron that has no integer form trains alike; it
has neither `deploy` nor `evaluate`, and may say why in `not_deployed`. Neurons are torch modules; block.family makes
the blocks of a kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lava_qsnn import integer
from lava_qsnn.errors import DeploymentError


@dataclass(frozen=True)
class Deployed:
    """A neuron as integers.

    `sign` int64 (channels,) is -1 where the weights of a channel change their sign (a negative norm gain); `scale`
    float64 (channels,) is training's real potential per unit of the integer one.
    """

    neuron: integer.Neuron
    sign: NDArray[np.int64]
    scale: NDArray[np.float64]


class TorchNeuron(Protocol):
    """A neuron that trains in a block."""

    shape: torch.Size | None  # of its last output, without samples and time; blocks set it

    @property
    def spikes(self) -> bool:
        """True if it puts out 0 and 1, False if potentials."""

    @property
    def needs_float32(self) -> bool:
        """True if its currents must not be rounded to 16 bits, as they are under autocast."""

    @property
    def needs_integers(self) -> bool:
        """True if its currents must be integers times `step`, in training, too: weights that are real cannot be."""

    @property
    def early_taps(self) -> tuple[int, ...] | None:
        """Integer taps that may filter its sources' outputs instead of its currents, where that costs less."""

    def integrate(self, current: Tensor, step: Tensor, timesteps: int, filtered: bool = False) -> Tensor:
        """Compute its output in training, with gradient.

        Args:
            current: frames (N T, C, [H, W]) in units of `step`; the output may overwrite them.
            step: float (C,) or (1,), without gradient.
            timesteps: T.
            filtered: the currents come of sources that `early_taps` filtered already.

        Returns:
            Spikes or real potentials, shaped like `current`.
        """


class DeployableNeuron(TorchNeuron, Protocol):
    """A neuron that trains in a block and has an integer form."""

    @property
    def channels(self) -> int | None:
        """The number of channels that its norm is made for; None for any."""

    def deploy(self, step: NDArray[np.float64], timesteps: int) -> Deployed:
        """Make its integer form behind a synapse of these steps (channels,), for samples of T steps.

        Raises:
            DeploymentError: its norm or its taps cannot be folded, or hold numbers that are not finite.
        """

    def evaluate(self, deployed: integer.Neuron, current: Tensor, timesteps: int) -> Tensor:
        """Compute the deployed neuron's output from integer currents: float32 frames (N T, C, [H, W]).

        Returns:
            Spikes, bool, or integer potentials, float32, shaped like `current`.
        """


def is_deployable(neuron: TorchNeuron | None) -> TypeGuard[DeployableNeuron]:
    """True if a neuron has an integer form."""
    return hasattr(type(neuron), "deploy")


def deployable(neuron: TorchNeuron | None) -> DeployableNeuron:
    """Return a neuron that has an integer form; DeploymentError, with its own reason, for one that has none."""
    if is_deployable(neuron):
        return neuron
    reason = getattr(neuron, "not_deployed", f"a neuron of type {type(neuron).__name__} has no integer form")
    raise DeploymentError(reason, remedy="train with memory_free or quantized_lif neurons, which have one")
