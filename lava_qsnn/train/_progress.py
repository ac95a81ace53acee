"""A training's progress: a bar on a terminal, and a line for each epoch where there is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from lava_qsnn.extras import extra

with extra("train"):
    import torch
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import ProgressBar

#: The measurements of an epoch that its line tells, if there are such, with the words and the format for each.
SHOWN = {
    "train_loss": ("training loss", "{:.4f}"),
    "val_loss": ("validation loss", "{:.4f}"),
    "val_accuracy": ("validation accuracy", "{:.2%}"),
    "val_mse": ("validation mean squared error", "{:.4g}"),
}


class EpochProgress(ProgressBar):
    """Shows epochs: as a bar on standard error if that is a terminal, and as a line each where nobody sees a bar.

    Args:
        log: of the lines; a terminal gets them only where standard error is none.
        clock: seconds.
    """

    def __init__(self, log: TextIO | None = None, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self.log_file = sys.stdout if log is None else log
        self.clock = clock
        self.begun = self.ended = clock()
        self.samples = 0
        self.enabled = True
        self._accuracy = ""
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def disable(self) -> None:
        """Show nothing: of several processes, one does."""
        self.enabled = False

    def enable(self) -> None:
        """Show what there is."""
        self.enabled = True

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let one process of all show what they do."""
        super().setup(trainer, pl_module, stage)
        self.enabled = self.enabled and trainer.is_global_zero

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show an empty bar on a terminal."""
        console = Console(stderr=True)
        if not self.enabled or not console.is_terminal or console.is_dumb_terminal:
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("", total=1.0, told="")
        self._bar.start()

    def on_train_epoch_start(self, trainer: Trainer, *_: Any) -> None:
        """Begin to count samples."""
        self.begun, self.samples = self.clock(), 0
        if self._bar is not None:  # once an epoch, for it waits for the device
            self._accuracy = _told(trainer, "val_accuracy") or _told(trainer, "val_mse")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the samples of a batch, and move the bar."""
        self.samples += len(batch[1]) * trainer.world_size
        self.ended = self.clock()
        if self._bar is not None:
            done = (batch_idx + 1) / max(1, float(self.total_train_batches))
            told = ", ".join(filter(None, (self._accuracy, self.rate())))
            self._bar.update(self._task, completed=done, description=_epoch(trainer), told=told)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the line of an epoch, where nobody sees a bar."""
        if not self.enabled or (self._bar is not None and self.log_file.isatty()):
            return
        told = [_told(trainer, name) for name in SHOWN]
        line = ", ".join(filter(None, [_epoch(trainer), *told, self.rate()]))
        print(line, file=self.log_file, flush=True)

    def on_train_end(self, *_: Any) -> None:
        """Take the bar away."""
        self.close()

    def on_exception(self, *_: Any) -> None:
        """Take the bar away."""
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def rate(self) -> str:
        """Samples per second that the epoch has trained so far, without the validation at its end, in words."""
        seconds = self.ended - self.begun
        return f"{self.samples / seconds:,.0f} samples/s" if seconds > 0 else ""


def _epoch(trainer: Trainer) -> str:
    return f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}"


def _told(trainer: Trainer, name: str) -> str:
    """A measurement of the last validation, or of the epoch, in words; empty before there is one."""
    value = trainer.callback_metrics.get(name)
    if not isinstance(value, torch.Tensor):
        return ""
    words, form = SHOWN[name]
    return f"{words} {form.format(float(value))}"
