"""Distillation: a trained network teaches another one how alike the classes of a sample are.

(Hinton, Vinyals and Dean, 2015, "Distilling the Knowledge in a Neural Network", arXiv 1503.02531.)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.extras import extra
from lava_qsnn.train.task import Classes

with extra("train"):
    import torch
    import torch.nn.functional as F
    from torch import Tensor

if TYPE_CHECKING:
    from lava_qsnn.train.module import Classifier


def distillation_loss(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """The divergence of what a network says from what its teacher does, both softened; its mean over samples.

        t^2 KL(softmax(taught / t) || softmax(logits / t))

    The factor keeps its gradient as large as that of the cross entropy (arXiv 1503.02531, section 2).

    Args:
        logits, taught: float (N, classes), of the network and of its teacher.
        temperature: t.

    Returns:
        A scalar, at least 0; 0 if both say the same.
    """
    said, wanted = (F.log_softmax(each.float() / temperature, 1) for each in (logits, taught))
    return temperature**2 * F.kl_div(said, wanted, reduction="batchmean", log_target=True)


class Teacher:
    """A trained classifier that says its logits, for a training whose checkpoints do not hold it.

    Args:
        classifier: in evaluation mode.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier.requires_grad_(False)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Logits: float (N, C, [H, W,] T) to (N, classes), means over time."""
        logits: Tensor = self._classifier.to(x.device)(x)
        return logits / x.shape[-1]


def check_teacher(path: str | os.PathLike[str], teacher: Classifier, pupil: Classifier) -> None:
    """Raise ConfigurationError unless a teacher sees what its pupil does, and tells the same classes."""
    seen, given = teacher.properties, pupil.properties
    for what, its, ours in (
        ("input shape", seen.input_shape, given.input_shape),
        ("input bits", seen.input_bits, given.input_bits),
        ("classes", seen.outputs, given.outputs),
    ):
        if its != ours:
            raise ConfigurationError(
                f"optimizer.teacher: '{path}' was trained for other data: its {what}: {its}, here: {ours}",
                remedy="train a teacher on the same data",
            )
    if not isinstance(pupil.task, Classes) or not isinstance(teacher.task, Classes):
        raise ConfigurationError(
            "optimizer.teacher: only classes can be taught, not numbers", remedy="leave optimizer.teacher out"
        )
