"""A batch norm for each time step, with one gain for all of them, which gives neurons thresholds that change."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lava_qsnn.neuron._norm import BatchNorm


class StepNorm(nn.Module):
    """Batch norms of T time steps, whose biases let thresholds fall from the first step to the last.

    The gain of a channel is the same at all steps: its sign is deployed as that of the channel's weights.

    Args:
        timesteps: T.
        channels: number of channels.
        spread: the biases are from -spread at the first step to +spread at the last, in equal steps; 0 for one step.
    """

    def __init__(self, timesteps: int, channels: int, spread: float) -> None:
        super().__init__()
        self.num_features = channels
        self.steps = nn.ModuleList([BatchNorm(channels) for _ in range(timesteps)])
        biases = torch.linspace(-spread, spread, timesteps) if timesteps > 1 else torch.zeros(1)
        for norm, bias in zip(self.steps, biases.tolist()):
            norm.weight = self.steps[0].weight
            nn.init.constant_(norm.bias, bias)

    def adopted(self, weights: Mapping[str, Tensor], place: str) -> dict[str, Tensor]:
        """The state of these norms, from that of a single one, by the names that states have at a place.

        Statistics and gains become those of each step, and biases are added to what they are.
        """
        result = {}
        for name, own in self.state_dict().items():
            of_one = weights[f"{place}.{name.split('.')[-1]}"]
            result[f"{place}.{name}"] = of_one + own if name.endswith(".bias") else of_one.clone()
        return result
