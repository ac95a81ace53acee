"""A training that goes wrong, noticed while it runs: numbers that are none, and layers that fire never or always.

What is watched stays on its device, and is looked at every CHECK_EVERY steps and in each epoch, so that no step waits
for it: the sum of the losses, which stays without a value once one of them has none, and the lowest and the highest
firing rate of each layer. Weights and statistics are looked at before each validation, hence before any checkpoint.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn

from lava_qsnn.errors import DivergenceError, QsnnWarning
from lava_qsnn.train.models import layer_blocks

#: Steps between two looks at the loss.
CHECK_EVERY = 50

#: A layer fires always where its rate is at least this: less than one neuron in a million is silent in a step.
ALWAYS = 1 - 2.0**-20

SMALLER_STEPS = (
    "lower optimizer.learning_rate or optimizer.weight_decay, raise optimizer.warmup, "
    "or set trainer.options.gradient_clip_val to 1"
)

#: What is told of a layer that is dead, and the remedy.
DEAD = {
    "never": ("none of its neurons fired", "lower model.neuron.threshold, or let model.neuron.norm be batch"),
    "always": ("all of its neurons always fired", "raise model.neuron.threshold, or let model.neuron.norm be batch"),
}


class FiringRange:
    """The lowest and the highest firing rate of each layer over batches, kept where they are computed."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._highest: Tensor | None = None  # of the rates, and of the rates with a minus

    def note(self, rates: Mapping[str, Tensor]) -> None:
        """Take the firing rates of one batch, scalars by layer, each time of the same layers."""
        if not rates:
            return
        stacked = torch.stack([rate.detach() for rate in rates.values()])
        both = torch.stack([stacked, -stacked])
        self._names = tuple(rates)
        self._highest = both if self._highest is None else torch.maximum(self._highest, both)

    def take(self, trainer: Trainer) -> dict[str, tuple[float, float]]:
        """The lowest and the highest rate of each layer since the last call, over all processes."""
        if self._highest is None:
            return {}
        highest, lowest = trainer.strategy.reduce(self._highest, reduce_op="max").tolist()  # type: ignore[union-attr]
        self._highest = None
        return {name: (-low, high) for name, low, high in zip(self._names, lowest, highest)}


class DivergenceWatch(Callback):
    """Ends the training of a Classifier that diverged, and warns of a layer's first epoch in which it was dead.

    Args:
        patience: epochs in a row in which a layer may fire never, or always, before the training has diverged.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self._losses: Any = 0.0
        self._dead: dict[tuple[str, str], int] = {}
        self._told: set[tuple[str, str]] = set()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:
        self._losses = self._losses + outputs["loss"].detach()
        if (trainer.fit_loop.total_batch_idx + 1) % CHECK_EVERY == 0:
            self._check_loss(trainer, pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            self._check_numbers(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        value = trainer.callback_metrics.get("val_loss", torch.zeros(()))
        if trainer.state.fn == TrainerFn.FITTING and not bool(value.isfinite()):
            raise _diverged(trainer, "the validation loss is no finite number", _without_value(pl_module))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._check_numbers(trainer, pl_module)
        self._check_firing(trainer, pl_module.firing.take(trainer))  # type: ignore[operator, union-attr]

    def _check_loss(self, trainer: Trainer, pl_module: LightningModule) -> None:
        total = trainer.strategy.reduce(torch.as_tensor(self._losses), reduce_op="sum")
        self._losses = 0.0
        if not bool(total.isfinite()):  # type: ignore[union-attr]
            raise _diverged(trainer, "the loss is no finite number", _without_value(pl_module))

    def _check_numbers(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._check_loss(trainer, pl_module)
        names = _without_value(pl_module)
        if trainer.strategy.reduce_boolean_decision(bool(names), all=False):
            raise _diverged(trainer, "the network holds numbers that are not finite", names)

    def _check_firing(self, trainer: Trainer, rates: Mapping[str, tuple[float, float]]) -> None:
        found = {(name, "never") for name, (_, high) in rates.items() if high == 0}
        found |= {(name, "always") for name, (low, _) in rates.items() if low >= ALWAYS}
        self._dead = {key: self._dead.get(key, 0) + 1 for key in sorted(found)}
        for (name, kind), epochs in self._dead.items():
            what, remedy = DEAD[kind]
            if epochs >= self.patience:
                problem = f"{_place(trainer)}: {what} in {epochs} epochs in a row"
                raise DivergenceError(problem, layer=name, remedy=f"{remedy}; or set trainer.dead_epochs higher")
            if (name, kind) not in self._told and trainer.is_global_zero:
                warnings.warn(QsnnWarning(f"layer '{name}': {what} in a whole epoch. Remedy: {remedy}"), stacklevel=1)
            self._told.add((name, kind))


def _diverged(trainer: Trainer, problem: str, names: list[str]) -> DivergenceError:
    where = f"; not finite are the numbers of {', '.join(names)}" if names else ""
    return DivergenceError(f"{_place(trainer)}: {problem}{where}", remedy=SMALLER_STEPS)


def _place(trainer: Trainer) -> str:
    return f"the training diverged in epoch {trainer.current_epoch + 1}, at step {trainer.global_step}"


def _without_value(module: LightningModule) -> list[str]:
    """The layers some of whose weights or statistics are not finite, by the names that they have when deployed."""
    return [name for name, block in layer_blocks(module.network).items() if not _is_finite(block)]  # type: ignore[arg-type]


def _is_finite(block: nn.Module) -> bool:
    values = [value for value in (*block.parameters(), *block.buffers()) if value.is_floating_point()]
    return bool(torch.stack([value.detach().isfinite().all() for value in values]).all()) if values else True
