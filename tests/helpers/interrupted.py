"""A training that ends before its last epoch, as by a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from lava_qsnn.train.config import Config
from lava_qsnn.train.module import Classifier
from lava_qsnn.train.train import train


class InterruptionError(Exception):
    """The failure that ends a training."""


def interrupted(config: Config, folder: Path, epochs: int) -> Path:
    """Train so many epochs of a configuration, and no more: the checkpoint to go on from."""

    def interrupt(self: Classifier) -> None:
        if self.current_epoch == epochs:
            raise InterruptionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Classifier, "on_train_epoch_start", interrupt)
        with pytest.raises(InterruptionError):
            train(config, folder, progress=False)
    return folder / "last.ckpt"
