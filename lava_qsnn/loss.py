"""Losses of slayer's that also take potentials, which slayer's own would turn into nan."""

from __future__ import annotations

from typing import Any, Literal, get_args

from lava_qsnn.errors import ConfigurationError, InputError
from lava_qsnn.extras import extra

with extra("train"):
    import torch.nn.functional as F
    from torch import Tensor, nn

Mode = Literal["probability", "softmax", "logsoftmax"]
Reduction = Literal["sum", "mean", "none"]


class SpikeMax(nn.Module):
    """Slayer's loss.SpikeMax: the negative log likelihood of the true class by rates, or by an Output's potentials.

    With r the mean over time, the probability of a class is r_i / sum_j r_j in the mode "probability", slayer's
    default, and softmax(r)_i in the others. Potentials may be negative, and then are no rates: slayer takes logarithms
    of them and returns nan, and here they are refused.

    Args:
        moving_window: slayer's; refused.
        mode: "probability" for spikes; "softmax" or "logsoftmax", which are the same, for potentials, too.
        reduction: of the batch, "sum", "mean" or "none".

    Raises:
        ConfigurationError: there is no such mode or reduction, or a window is asked for.
    """

    def __init__(self, moving_window: Any = None, mode: Mode = "probability", reduction: Reduction = "sum") -> None:
        super().__init__()
        if moving_window is not None:
            raise ConfigurationError("there are no moving windows here", remedy="use slayer.loss.SpikeMax, on spikes")
        for name, value, known in (("mode", mode, get_args(Mode)), ("reduction", reduction, get_args(Reduction))):
            if value not in known:
                raise ConfigurationError(f"{name} must be one of {', '.join(known)}, not {value!r}")
        self.mode, self.reduction = mode, reduction

    def forward(self, input: Tensor, label: Tensor) -> Tensor:
        """The loss of (N, C, [H, W,] T) for labels, int64 (N,).

        Raises:
            InputError: the mode is "probability", and the mean of an output over time is negative.
        """
        rate = input.reshape(input.shape[0], -1, input.shape[-1]).mean(-1)
        if self.mode != "probability":
            return F.nll_loss(F.log_softmax(rate, 1), label, reduction=self.reduction)
        if bool((rate.detach() < 0).any()):
            raise InputError(
                'potentials below 0 are no rates, whose logarithms the mode "probability" takes',
                remedy='write SpikeMax(mode="logsoftmax") behind an Output',
            )
        return F.nll_loss((rate / rate.sum(1, keepdim=True)).log(), label, reduction=self.reduction)
