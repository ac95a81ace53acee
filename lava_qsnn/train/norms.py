"""Batch norms whose statistics are those of the weights as they are, not of the steps before.

Weights of few bits change much within a few steps of training, and running statistics, means over these steps, lag
behind. A network that tells the classes in training is then far off in validation, and as it is deployed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from lava_qsnn.extras import extra

with extra("train"):
    import torch
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.trainer.states import TrainerFn
    from torch import Tensor, nn


@torch.no_grad()
def settle_norms(net: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics of a network's batch norms by their means over batches, with its weights at rest.

    ("Precise BN": Wu and Johnson, 2021, arXiv 2105.07576, section 3.) Without a batch, nothing changes.

    Args:
        net: whose torch batch norms, this project's among them, track statistics; its modes are as before afterwards.
        batches: inputs (N, C, [H, W,] T), as in training.
    """
    norms = [each for each in net.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    with _in_training(net), _momenta_kept(norms):
        for count, x in enumerate(batches, 1):
            for norm in norms:
                norm.momentum = 1 / count  # so that a running mean is the mean
            net(x)


@contextmanager
def _in_training(net: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in net.modules()}
    net.train()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _momenta_kept(norms: list[Any]) -> Iterator[None]:
    momenta = [norm.momentum for norm in norms]
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum


class NormSettling(Callback):
    """Settles the norms of a Classifier before each validation, on the training batches that came last.

    It computes in 32 bits where the training mixes precisions, too: sums of spikes are rounded in 16, and those that
    will be deployed are not, so that the layers behind them would have other statistics.

    Args:
        batches: how many.
    """

    def __init__(self, batches: int) -> None:
        self._last: deque[Tensor] = deque(maxlen=batches)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        self._last.append(batch[0])

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            settle_norms(pl_module.network, self._last)  # type: ignore[arg-type]
