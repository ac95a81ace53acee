"""Training: a configuration in, checkpoints, logs and accuracies out. The loop is Lightning's."""

from __future__ import annotations

import inspect
import logging
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from lava_qsnn.errors import ConfigurationError, DivergenceError, QsnnWarning
from lava_qsnn.extras import extra, require
from lava_qsnn.train import curves, data
from lava_qsnn.train._folder import replaced, reserved
from lava_qsnn.train._loggers import made_loggers
from lava_qsnn.train._progress import EpochProgress
from lava_qsnn.train.checkpoint import CheckedIO, read_checkpoint, trained_epochs
from lava_qsnn.train.config import Config, override, to_dict, to_yaml
from lava_qsnn.train.distributed import SharedNorms
from lava_qsnn.train.divergence import DivergenceWatch
from lava_qsnn.train.initial import begin
from lava_qsnn.train.memory import memory_kept
from lava_qsnn.train.module import Classifier, restore
from lava_qsnn.train.norms import NormSettling
from lava_qsnn.train.target import TargetWatch, check_before_training
from lava_qsnn.train.teacher import Teacher, check_teacher

with extra("train"):
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch import Callback, Trainer, seed_everything
    from lightning.pytorch.callbacks import ModelCheckpoint

#: Warnings that Lightning gives about what is on purpose here; nobody could do anything about them.
_NO_NEWS = (
    r".*does not have many workers which may be a bottleneck.*",  # data lie in memory
    r"Your `IterableDataset` has `__len__` defined.*",  # streams know their share
    r".*exists and is not empty.*",  # resuming goes on in its folder
    r"The number of training batches .* is smaller than the logging interval",  # logs are per epoch
    r"The dirpath has changed from .*",  # resuming in another folder starts the search for the best anew
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning 2.6 says it of itself, on torch 2.13
)


@dataclass(frozen=True)
class Result:
    """The results of a training.

    Args:
        best, last: checkpoints of the epoch with the lowest validation loss, and of the last one.
        metric: what is measured: "accuracy", a fraction; or of numbers "mse", the mean squared error in their units.
        best_metric, last_metric: theirs on the validation samples.
        test_metric: of `best` on the test samples.
        epochs: trained in this run.
        seconds: of this run's training and validation.
        curves: the PNG file.
        logs: the CSV files, one per run in this folder.
    """

    best: Path
    last: Path
    metric: str
    best_metric: float
    last_metric: float
    test_metric: float
    epochs: int
    seconds: float
    curves: Path
    logs: tuple[Path, ...]

    @property
    def best_accuracy(self) -> float:
        """The accuracy of `best` on the validation samples; ConfigurationError if numbers were learned."""
        return self._accuracy(self.best_metric)

    @property
    def last_accuracy(self) -> float:
        """The accuracy of `last` on the validation samples; ConfigurationError if numbers were learned."""
        return self._accuracy(self.last_metric)

    @property
    def test_accuracy(self) -> float:
        """The accuracy of `best` on the test samples; ConfigurationError if numbers were learned."""
        return self._accuracy(self.test_metric)

    def _accuracy(self, value: float) -> float:
        if self.metric != "accuracy":
            raise ConfigurationError("numbers have no accuracy", remedy="read test_metric, the mean squared error")
        return value

    @property
    def seconds_per_epoch(self) -> float:
        """Mean over this run."""
        return self.seconds / self.epochs


def train(
    config: Config,
    folder: str | os.PathLike[str],
    *,
    resume: str | os.PathLike[str] | None = None,
    float_weights: bool = False,
    progress: bool = True,
    log: TextIO | None = None,
) -> Result:
    """Train a network and measure it.

    With several devices, each process calls this function: `trainer.strategy: ddp` starts the running script, or the
    running command, once more per device. In a notebook, use `ddp_notebook`. Ctrl-C ends it with KeyboardInterrupt, and
    the checkpoints are those of the last epoch that was finished.

    Args:
        config: what to train; see lava_qsnn.train.config.
        folder: for checkpoints, logs and curves; refused if it holds another training, or one writes to it now.
        resume: a checkpoint to go on from, usually last.ckpt; its folder is fine. Of its configuration, only `trainer`,
            where the data are, and `data.batch_size` may have changed: with another number of devices, as many samples
            in all keep the steps what they were.
        float_weights: train the baseline with real weights, as `model.float_weights: true`.
        progress: show a bar on standard error if that is a terminal, and write a line for each epoch to `log` if that
            is none, or there is no bar: losses, accuracy, samples per second.
        log: a file for these lines; standard output by default.

    Raises:
        ConfigurationError: the configuration cannot be trained, or does not fit `resume`, or the folder is in use.
        DivergenceError: the training diverged; the text names layers, a remedy, and the best checkpoint before.
        FileNotFoundError, FileFormatError: `resume`, `model.initial` or `optimizer.teacher` is no checkpoint, or files
            of the data set are damaged.
    """
    require("train", "matplotlib")  # for the curves, at the end
    if float_weights:
        config = override(config, {"model.float_weights": True})
    folder = Path(folder)
    first = 0 if resume is None else _check_resume(config, resume)
    with _quiet(), memory_kept():
        trainer = _trainer(config, folder, EpochProgress(log) if progress else None)
        with reserved(folder) if trainer.is_global_zero else nullcontext(), _ended_with(trainer):
            if trainer.is_global_zero:
                _begin(config, folder, resume)
            return _run(trainer, config, folder, resume, first)


def _begin(config: Config, folder: Path, resume: Any) -> None:
    """Write the configuration, unless the folder holds a training that this one does not go on from."""
    if resume is None and any((folder / name).exists() for name in ("best.ckpt", "last.ckpt")):
        raise ConfigurationError(
            f"the folder '{folder}' holds a training already", remedy="choose another one, or resume its last.ckpt"
        )
    with replaced(folder / "config.yaml") as file:
        file.write_text(to_yaml(config), "utf-8")


@contextmanager
def _ended_with(trainer: Trainer) -> Iterator[None]:
    """If the block fails, end the processes that Lightning has started with it; Ctrl-C is no exit, as Lightning's."""
    try:
        yield
    except BaseException as error:
        for process in getattr(trainer.strategy.launcher, "procs", []):
            process.kill()
        if isinstance(error, SystemExit) and trainer.interrupted:
            raise KeyboardInterrupt from None
        raise


def _run(trainer: Trainer, config: Config, folder: Path, resume: Any, first: int) -> Result:
    seed_everything(config.seed, verbose=False)
    samples = data.make(config.data, config.seed)
    classifier = Classifier(config, samples.description)
    if config.model.initial is not None and resume is None:
        begin(config.model.initial, classifier, samples)
    if config.optimizer.teacher is not None:
        _take_lessons(classifier, Path(config.optimizer.teacher).expanduser())
    check_before_training(config.model, classifier.network, samples.properties)
    start = time.perf_counter()
    try:
        trainer.fit(classifier, samples, ckpt_path=resume, weights_only=True)
    except DivergenceError as error:
        _draw(trainer, config, folder)
        _diverged(trainer, config, folder, error)
    except Exception:  # an interruption waits for no picture
        _draw(trainer, config, folder)
        raise
    seconds = time.perf_counter() - start
    _draw(trainer, config, folder)
    best, last = folder / "best.ckpt", folder / "last.ckpt"
    if not best.exists():
        raise ConfigurationError("no epoch was validated", remedy="let trainer.options leave room for validation")
    (measured,) = trainer.test(classifier, samples, ckpt_path=best, weights_only=True, verbose=False)
    _meet(trainer)
    table = curves.read_logs(_logs(folder))
    metric = classifier.task.metric
    values = table[f"val_{metric}"]
    return Result(
        best=best,
        last=last,
        metric=metric,
        best_metric=values[curves.best_epoch(table)],
        last_metric=values[max(values)],
        test_metric=measured[f"test_{metric}"],
        epochs=max(values) - first,
        seconds=seconds,
        curves=folder / "curves.png",
        logs=_logs(folder),
    )


def _take_lessons(classifier: Classifier, path: Path) -> None:
    """Give a classifier the teacher of a checkpoint."""
    teacher = restore(path)
    check_teacher(path, teacher, classifier)
    classifier.teacher = Teacher(teacher)


def _diverged(trainer: Trainer, config: Config, folder: Path, error: DivergenceError) -> None:
    """Raise the error of a training that diverged, or warn of it; either names the best network so far, if any is."""
    best = folder / "best.ckpt"
    kept = f"the best network so far is kept in '{best}'" if best.exists() else "no epoch before was validated"
    told = DivergenceError(f"{error.problem}; {kept}", layer=error.layer, remedy=error.remedy)
    if config.trainer.diverged == "error" or not best.exists():
        raise told from None
    if trainer.is_global_zero:
        warnings.warn(QsnnWarning(str(told)), stacklevel=1)


def _draw(trainer: Trainer, config: Config, folder: Path) -> None:
    if trainer.is_global_zero and _logs(folder):
        title = f"{config.model.name} on {config.data.name}"
        curves.draw(curves.read_logs(_logs(folder)), folder / "curves.png", title)


def _meet(trainer: Trainer) -> None:
    """Wait until the one process that writes has written what all read."""
    trainer.strategy.barrier()
    if trainer.world_size > 1:
        # gloo's threads free the last exchange's tensors under Python's lock. A process that ends before they have it
        # aborts, and one that dissolves its process group waits forever (torch 2.3).
        time.sleep(0.5)


def _logs(folder: Path) -> tuple[Path, ...]:
    """The CSV files of all runs in a folder, in their order."""
    found = folder.glob("logs/version_*/metrics.csv")
    return tuple(sorted(found, key=lambda path: int(path.parent.name.removeprefix("version_"))))


def _trainer(config: Config, folder: Path, progress: EpochProgress | None) -> Trainer:
    part = config.trainer
    ours: dict[str, Any] = {
        "max_epochs": part.max_epochs,
        "accelerator": part.accelerator,
        "devices": list(part.devices) if isinstance(part.devices, tuple) else part.devices,
        "num_nodes": part.num_nodes,
        "strategy": part.strategy,
        "precision": part.precision,
        "default_root_dir": folder,
        "logger": made_loggers(part, folder),
        "callbacks": _callbacks(config, folder, progress),
        "plugins": [CheckedIO(folder), *([SharedNorms()] if part.sync_batchnorm else [])],
        "enable_progress_bar": progress is not None,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    allowed = sorted(
        inspect.signature(Trainer).parameters.keys()
        - ours.keys()
        - {"fast_dev_run", "enable_checkpointing", "sync_batchnorm"}
    )
    for name in part.options:
        if name not in allowed:
            raise ConfigurationError(
                f"trainer.options.{name} is no argument of Lightning's Trainer, or not yours to set",
                remedy=f"choose one of {', '.join(allowed)}",
            )
    try:
        return Trainer(**ours, **part.options)
    except (MisconfigurationException, ModuleNotFoundError, TypeError, ValueError) as error:
        raise ConfigurationError(f"trainer: {error}") from None


def _callbacks(config: Config, folder: Path, progress: EpochProgress | None) -> list[Callback]:
    # Of few validation samples, the accuracy is a coarse number with many ties; the loss is not.
    best = ModelCheckpoint(folder, "best", monitor="val_loss", enable_version_counter=False)
    last = ModelCheckpoint(folder, "last", enable_version_counter=False)
    settling = [NormSettling(config.trainer.norm_batches)] if config.trainer.norm_batches else []
    watches = [DivergenceWatch(config.trainer.dead_epochs), TargetWatch()]
    return [*settling, *watches, best, last, *([] if progress is None else [progress])]


def _check_resume(config: Config, resume: str | os.PathLike[str]) -> int:
    """Compare a checkpoint's configuration with the one to go on with, and return how many epochs it has trained."""
    old, new = (_fixed(part) for part in (read_checkpoint(resume)[0], config))
    for key in new:
        if old[key] != new[key]:
            raise ConfigurationError(
                f"{key} is {new[key]!r}, but '{resume}' was trained with {old[key]!r}", remedy="start a new training"
            )
    epochs = trained_epochs(resume)
    if epochs >= config.trainer.max_epochs:
        raise ConfigurationError(
            f"'{resume}' has trained {epochs} of {config.trainer.max_epochs} epochs already",
            remedy="set trainer.max_epochs higher",
        )
    return epochs


def _fixed(config: Config) -> dict[str, Any]:
    """The settings that must not change on resuming, by dotted key."""
    content = to_dict(config)
    parts = {name: content[name] for name in ("data", "model", "optimizer")}
    # The samples of a step are those of all processes together, whose number may change.
    places = ("data.source", "data.folder", "data.download", "data.cache")
    free = (*places, "data.batch_size", "data.loaders", "model.target")
    flat = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.items()}
    return {key: value for key, value in flat.items() if key not in free} | {"seed": config.seed}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's notes on devices, its advertisements, and warnings about what is on purpose."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for message in _NO_NEWS:
            warnings.filterwarnings("ignore", message)
        try:
            for logger in loggers:
                logger.setLevel(logging.WARNING)
            yield
        finally:
            for logger, level in zip(loggers, levels):
                logger.setLevel(level)
