"""The Lightning module: what a training step is, and what is measured."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lava_qsnn.extras import extra
from lava_qsnn.regulation import anneal, entropy, firing_rates, spike_regulation
from lava_qsnn.train import data
from lava_qsnn.train.checkpoint import rebuild
from lava_qsnn.train.config import Config, from_dict, to_dict
from lava_qsnn.train.data import Batch
from lava_qsnn.train.divergence import FiringRange
from lava_qsnn.train.models import build, spiking_blocks
from lava_qsnn.train.optimizers import make_optimizer

with extra("train"):
    import torch
    import torch.nn.functional as F
    from lightning.pytorch import LightningModule
    from torch import Tensor


class Classifier(LightningModule):
    """A network that classifies by the sum of its potentials over time, and learns by the cross entropy of their mean.

    The spike regulation of its hidden layers adds to the loss if `optimizer.spike_regulation` is not 0.

    Training computes with real numbers. Validation and test compute with the integers that will be deployed, so their
    accuracy is the deployed network's (unless `model.float_weights` asks for real weights).

    Metrics: train_loss, train_accuracy, val_loss, val_accuracy, test_loss, test_accuracy, learning_rate, and in
    validation the mean firing rate of each spiking layer, rate_dense1 and so on, in spikes per neuron and time step,
    with its entropy, entropy_dense1 and so on, in bits. The losses are cross entropies alone.

    Args:
        config: the whole configuration, or its dictionary; the dictionary goes into every checkpoint.
    """

    def __init__(self, config: Config | Mapping[str, Any]) -> None:
        super().__init__()
        self.config = config if isinstance(config, Config) else from_dict(config)
        self.save_hyperparameters(to_dict(self.config), logger=False)
        self.network = build(self.config.model, data.make(self.config.data).properties)
        self.firing = FiringRange()

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *_: Any, **__: Any) -> Classifier:
        """Do as `restore`: Lightning's own way may execute what is in the file."""
        return restore(Path(checkpoint_path))

    def forward(self, x: Tensor) -> Tensor:
        """Logits: float (N, C, [H, W,] T) to (N, classes)."""
        logits: Tensor = self.network(x).sum(-1)
        return logits

    def on_train_start(self) -> None:
        """Go on at the same place of the schedule, should an epoch have another number of steps than before."""
        schedule: Any = self.lr_schedulers()
        steps = math.ceil(self.trainer.num_training_batches / self.trainer.accumulate_grad_batches)
        schedule.last_epoch = steps * self.current_epoch
        groups = schedule.optimizer.param_groups
        for group, highest, factor in zip(groups, schedule.base_lrs, schedule.lr_lambdas):
            group["lr"] = highest * factor(schedule.last_epoch)

    def on_train_batch_start(self, *_: Any) -> None:
        """Anneal the gradient of regulated weights."""
        if self.config.model.weight_regulation:
            schedule: Any = self.lr_schedulers()
            anneal(self.network, min(1.0, schedule.last_epoch / self.trainer.estimated_stepping_batches))

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of one batch."""
        options = self.config.optimizer
        with firing_rates(spiking_blocks(self.network)) as rates:
            logits = self._measure("train", batch)
        self.firing.note(rates)
        loss = cross_entropy(logits, batch, options.label_smoothing)
        if options.spike_regulation == 0:
            return loss
        return loss + spike_regulation(rates, options.spike_regulation, options.spike_regulation_kind)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Measure one batch, and how often each layer spikes."""
        with firing_rates(spiking_blocks(self.network)) as rates:
            self._measure("val", batch)
        self._log_means({f"rate_{name}": rate for name, rate in rates.items()}, len(batch[1]))
        self._log_means({f"entropy_{name}": entropy(rate) for name, rate in rates.items()}, len(batch[1]))

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """Measure one batch."""
        self._measure("test", batch)

    def on_train_epoch_end(self) -> None:
        """Log the learning rate that the epoch ended with."""
        self.log("learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"], sync_dist=True)

    def configure_optimizers(self) -> Any:
        """The configuration's optimizer, its learning rates set anew at each step."""
        options = self.config.optimizer
        optimizer = make_optimizer(self.network, options)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warm_cosine(step, steps, options.warmup))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _measure(self, stage: str, batch: Batch) -> Tensor:
        """Log loss and accuracy of a batch, and return its logits."""
        x, y = batch
        logits: Tensor = self(x)
        accuracy = (logits.argmax(1) == y).float().mean()
        loss = cross_entropy(logits.detach(), batch)
        self._log_means({f"{stage}_loss": loss, f"{stage}_accuracy": accuracy}, len(y))
        return logits

    def _log_means(self, values: dict[str, Tensor], samples: int) -> None:
        """Log means over the samples of an epoch and over all processes."""
        for name, value in values.items():
            self.log(name, value, on_step=False, on_epoch=True, sync_dist=True, batch_size=samples)


def restore(path: str | os.PathLike[str]) -> Classifier:
    """The trained classifier of a checkpoint, in evaluation mode; its `network` is what netx_export exports.

    Raises:
        FileNotFoundError, FileFormatError: as checkpoint.read_checkpoint.
    """
    return rebuild(path, Classifier)


def cross_entropy(logits: Tensor, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
    """The loss of a batch: of the potentials' mean over time, so that it does not grow with T."""
    x, y = batch
    return F.cross_entropy(logits / x.shape[-1], y, label_smoothing=label_smoothing)


def warm_cosine(step: int, steps: int, warmup: float) -> float:
    """A linear rise over the first steps, then half a cosine down to zero: factor of the learning rate, 0 to 1.

    Args:
        step: from 0 on; beyond `steps`, the factor is 0.
        steps: of the whole training.
        warmup: fraction of them that rise.
    """
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1.0, steps - rise))))
