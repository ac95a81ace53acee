"""The two tasks: what is made of a network's logits, how wrong it is, and how good, for classes and for numbers.

Both take the sum of the readout's potentials over time, and divide it by T, so that losses do not grow with T.
"""

from __future__ import annotations

from typing import ClassVar

from lava_qsnn.extras import extra
from lava_qsnn.train.description import Description

with extra("train"):
    import torch
    import torch.nn.functional as F
    from torch import Tensor, nn


class Task(nn.Module):
    """One of the tasks; a subclass says what a loss and a metric are."""

    metric: ClassVar[str]  # its name in the log

    def loss(self, logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """The loss of a batch, a scalar: of logits (N, outputs), means over time, and labels."""
        raise NotImplementedError

    def measure(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The metric of a batch, a scalar whose mean over samples is that of all."""
        raise NotImplementedError


class Classes(Task):
    """Classification: the class is the largest logit, the loss the cross entropy, the metric the accuracy."""

    metric = "accuracy"

    def loss(self, logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
        return F.cross_entropy(logits, labels.long(), label_smoothing=label_smoothing)

    def measure(self, logits: Tensor, labels: Tensor) -> Tensor:
        return (logits.argmax(1) == labels).float().mean()


class Numbers(Task):
    """Regression: the numbers are linear in the logits, with a gain and a bias for each, which are learned.

    The loss is the mean squared error in units of the training targets' deviations; the metric is the mean squared
    error in the targets' own units. Label smoothing means nothing here.

    Args:
        description: of the data, with the mean and the deviation of each number.
    """

    metric = "mse"

    def __init__(self, description: Description) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(len(description.names)))
        self.bias = nn.Parameter(torch.zeros(len(description.names)))
        self.mean, self.deviation = description.mean, description.deviation

    def loss(self, logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
        return (self._difference(logits, labels) ** 2).mean()

    def measure(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ((self._difference(logits, labels) * logits.new_tensor(self.deviation)) ** 2).mean()

    def _difference(self, logits: Tensor, labels: Tensor) -> Tensor:
        mean, deviation = (labels.new_tensor(each) for each in (self.mean, self.deviation))
        return self.gain * logits + self.bias - ((labels - mean) / deviation).to(logits)

    @torch.no_grad()
    def line(self, unit: Tensor) -> tuple[list[float], list[float]]:
        """The scale and the offset that make numbers of deployed potentials: offset + scale x their mean over time.

        Args:
            unit: of the potentials in training, float64 (outputs,) or (1,).
        """
        deviation = torch.tensor(self.deviation, dtype=torch.float64)
        scale = deviation * self.gain.double().cpu() * unit
        offset = torch.tensor(self.mean, dtype=torch.float64) + deviation * self.bias.double().cpu()
        return scale.tolist(), offset.tolist()


def task_of(description: Description) -> Task:
    """The task of data."""
    return Numbers(description) if description.of_numbers else Classes()
