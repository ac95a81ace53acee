"""The Lightning module: what a training step is, and what is measured."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lava_qsnn.checked import plain
from lava_qsnn.errors import InputError
from lava_qsnn.extras import extra
from lava_qsnn.regulation import anneal, entropy, firing_rates, spike_regulation
from lava_qsnn.train import data
from lava_qsnn.train.checkpoint import DESCRIPTION, rebuild
from lava_qsnn.train.config import Config, from_dict, to_dict
from lava_qsnn.train.data import Batch
from lava_qsnn.train.description import Description, Properties
from lava_qsnn.train.divergence import FiringRange
from lava_qsnn.train.models import build, spiking_blocks
from lava_qsnn.train.optimizers import make_optimizer
from lava_qsnn.train.provenance import about_data
from lava_qsnn.train.task import Numbers, task_of
from lava_qsnn.train.teacher import Teacher, distillation_loss

with extra("train"):
    import torch
    from lightning.pytorch import LightningModule
    from torch import Tensor


class Classifier(LightningModule):
    """A network that tells a class, or numbers, by the sum of its potentials over time; see lava_qsnn.train.task.

    The spike regulation of its hidden layers adds to the loss if `optimizer.spike_regulation` is not 0.

    Training computes with real numbers. Validation and test compute with the integers that will be deployed, so their
    accuracy is the deployed network's (unless `model.float_weights` asks for real weights).

    Metrics: train_loss, train_accuracy, val_loss, val_accuracy, test_loss, test_accuracy, learning_rate, and in
    validation the mean firing rate of each spiking layer, rate_dense1 and so on, in spikes per neuron and time step,
    with its entropy, entropy_dense1 and so on, in bits. The losses are those of the task alone. Of numbers, mse, the
    mean squared error in their own units, is in place of accuracy.

    Args:
        config: the whole configuration, or its dictionary; the dictionary goes into every checkpoint.
        description: of the data, which goes there, too; by default that of the configuration's data, which are read if
            they are one's own.
    """

    def __init__(self, config: Config | Mapping[str, Any], description: Description | None = None) -> None:
        super().__init__()
        self.config = config if isinstance(config, Config) else from_dict(config)
        self.save_hyperparameters(to_dict(self.config), logger=False)
        self.description = description or data.make(self.config.data).description
        self.network = build(self.config.model, self.properties)
        self.task = task_of(self.description)
        self.firing = FiringRange()
        self.teacher: Teacher | None = None  # of a training that has one: no part of checkpoints

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *_: Any, **__: Any) -> Classifier:
        """Do as `restore`: Lightning's own way may execute what is in the file."""
        return restore(Path(checkpoint_path))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let a checkpoint tell what its data are."""
        checkpoint[DESCRIPTION] = plain(self.description)

    @property
    def properties(self) -> Properties:
        """The properties of the data that it was made for."""
        return self.description.properties(self.config.data)

    def metadata(self, timesteps: int) -> dict[str, Any]:
        """The metadata for the file of its network, exported for T time steps; see lava_qsnn.train.provenance."""
        about = about_data(self.config.data, self.description)
        if isinstance(self.task, Numbers):
            (*_, readout) = self.network
            unit = torch.as_tensor(readout.integer_parameters(timesteps).scale)
            about["scale"], about["offset"] = self.task.line(unit)
        return about

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

    def on_train_batch_start(self, batch: Any, *_: Any) -> None:
        """Check a batch, and anneal the gradient of regulated weights."""
        self._check(batch)
        if self.config.model.weight_regulation:
            schedule: Any = self.lr_schedulers()
            anneal(self.network, min(1.0, schedule.last_epoch / self.trainer.estimated_stepping_batches))

    def on_validation_batch_start(self, batch: Any, *_: Any) -> None:
        """Check a batch."""
        self._check(batch)

    def on_test_batch_start(self, batch: Any, *_: Any) -> None:
        """Check a batch."""
        self._check(batch)

    def _check(self, batch: Any) -> None:
        """Check a batch of loaders that are not this project's: theirs hold what they say."""
        if not isinstance(getattr(self.trainer, "datamodule", None), data.SampleData):
            check_batch(batch, self.properties)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of one batch."""
        options = self.config.optimizer
        with firing_rates(spiking_blocks(self.network)) as rates:
            logits = self._measure("train", batch)
        self.firing.note(rates)
        loss = self._loss(logits, batch, options.label_smoothing)
        if self.teacher is not None:
            x, share = batch[0], options.distillation
            taught = distillation_loss(logits / x.shape[-1], self.teacher(x), options.temperature)
            loss = (1 - share) * loss + share * taught
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
        optimizer = make_optimizer(self, options)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warm_cosine(step, steps, options.warmup))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _measure(self, stage: str, batch: Batch) -> Tensor:
        """Log loss and metric of a batch, and return its logits."""
        x, y = batch
        logits: Tensor = self(x)
        with torch.no_grad():
            metric = self.task.measure(logits / x.shape[-1], y)
            loss = self._loss(logits, batch)
        self._log_means({f"{stage}_loss": loss, f"{stage}_{self.task.metric}": metric}, len(y))
        return logits

    def _loss(self, logits: Tensor, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
        x, y = batch
        return self.task.loss(logits / x.shape[-1], y, label_smoothing)

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


def check_batch(batch: Any, given: Properties) -> None:
    """Raise InputError unless a batch (x, y) is what a network of these properties learns from."""
    if not isinstance(batch, (tuple, list)) or len(batch) != 2 or not all(isinstance(each, Tensor) for each in batch):
        raise InputError("a batch must be a pair of tensors (x, y)", remedy="give one-hot or named classes numbers")
    x, most = batch[0], 2**given.input_bits - 1
    layout = f"float (N, {', '.join(map(str, given.input_shape))}, {given.timesteps}), integers from 0 to {most}"
    fits = x.dtype.is_floating_point and x.shape[1:-1] == given.input_shape
    if not fits or x.min() < 0 or x.max() > most or x.frac().any():
        found = f"{x.dtype} {tuple(x.shape)} from {float(x.min()):g} to {float(x.max()):g}"
        raise InputError(
            f"a batch's x must be {layout}, not {found}", remedy="time is the last axis; scale and round it"
        )


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
