"""The logs of a training: a CSV file, of which curves are drawn, and one of Lightning's other loggers."""

from __future__ import annotations

import inspect
from pathlib import Path

from lava_qsnn.errors import ConfigurationError, choices
from lava_qsnn.extras import extra
from lava_qsnn.train.config import Trainer

with extra("train"):
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch import loggers
    from lightning.pytorch.loggers import CSVLogger, Logger

#: The module whose classes a configuration may name, and no other: nothing else is imported on its word.
MODULE = "lightning.pytorch.loggers."


def known() -> dict[str, type[Logger]]:
    """Lightning's loggers by name."""
    found = {name: getattr(loggers, name) for name in dir(loggers)}
    kinds = {name: kind for name, kind in found.items() if isinstance(kind, type) and issubclass(kind, Logger)}
    return {name: kind for name, kind in kinds.items() if kind is not Logger}


def made_loggers(part: Trainer, folder: Path) -> list[Logger]:
    """The CSV log, and the one that a configuration names.

    Raises:
        ConfigurationError: Lightning has no such logger, it does not take these options, or its package is missing.
    """
    # Every value that is logged is an epoch's, so that the file is up to date after each.
    csv = CSVLogger(folder, name="logs", flush_logs_every_n_steps=1)
    if part.logger is None:
        if part.logger_options:
            raise ConfigurationError("trainer.logger_options are of no logger", remedy="name one in trainer.logger")
        return [csv]
    name = part.logger.removeprefix(MODULE)
    kinds = known()
    if name not in kinds:
        raise ConfigurationError(f"trainer.logger: there is no '{part.logger}'", remedy=choices(name, kinds))
    takes_folder = "save_dir" in inspect.signature(kinds[name]).parameters
    options = {**({"save_dir": str(folder)} if takes_folder else {}), **part.logger_options}
    try:
        return [csv, kinds[name](**options)]
    except (ImportError, MisconfigurationException, TypeError, ValueError) as error:
        raise ConfigurationError(f"trainer.logger {name}: {error}") from None
