"""The Lightning module: what a training step is, and what is measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from training import data
from training.config import Config, from_dict, to_dict
from training.data import Batch
from training.models import build, spiking_blocks


class Classifier(LightningModule):
    """A network that classifies by the sum of its potentials over time, and learns by the cross entropy of their mean.

    Training computes with real numbers. Validation and test compute with the integers that will be deployed, so their
    accuracy is the deployed network's (unless `model.float_weights` asks for real weights).

    Metrics: train_loss, train_accuracy, val_loss, val_accuracy, test_loss, test_accuracy, learning_rate, and in
    validation the mean firing rate of each spiking layer, rate_dense1 and so on, in spikes per neuron and time step.

    Args:
        config: the whole configuration, or its dictionary; the dictionary goes into every checkpoint.
    """

    def __init__(self, config: Config | Mapping[str, Any]) -> None:
        super().__init__()
        self.config = config if isinstance(config, Config) else from_dict(config)
        self.save_hyperparameters(to_dict(self.config), logger=False)
        self.network = build(self.config.model, data.make(self.config.data).properties)

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *_: Any, **__: Any) -> Classifier:
        """training.checkpoint.restore: Lightning's own way may execute what is in the file."""
        from training.checkpoint import restore

        return restore(Path(checkpoint_path))

    def forward(self, x: Tensor) -> Tensor:
        """Logits: float (N, C, [H, W,] T) to (N, classes)."""
        logits: Tensor = self.network(x).sum(-1)
        return logits

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of one batch."""
        logits = self._measure("train", batch)
        return cross_entropy(logits, batch, self.config.optimizer.label_smoothing)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Measure one batch, and how often each layer spikes."""
        with firing_rates(self.network) as rates:
            self._measure("val", batch)
        self._log_means({f"rate_{name}": rate for name, rate in rates.items()}, len(batch[1]))

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """Measure one batch."""
        self._measure("test", batch)

    def on_train_epoch_end(self) -> None:
        """Log the learning rate that the epoch ended with."""
        self.log("learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"], sync_dist=True)

    def configure_optimizers(self) -> Any:
        """AdamW, its learning rate set anew at each step."""
        options = self.config.optimizer
        optimizer = torch.optim.AdamW(self.parameters(), options.learning_rate, weight_decay=options.weight_decay)
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
            shown = name == "val_accuracy"  # one number leaves the progress bar its line
            self.log(name, value, prog_bar=shown, on_step=False, on_epoch=True, sync_dist=True, batch_size=samples)


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


@contextmanager
def firing_rates(net: nn.Sequential) -> Iterator[dict[str, Tensor]]:
    """Collects each spiking layer's mean firing rate, spikes per neuron and step, while the network runs once."""
    rates: dict[str, Tensor] = {}

    def note(name: str, _: nn.Module, __: Any, spikes: Tensor) -> None:
        rates[name] = spikes.mean()

    hooks = [block.register_forward_hook(partial(note, name)) for name, block in spiking_blocks(net).items()]
    try:
        yield rates
    finally:
        for hook in hooks:
            hook.remove()
