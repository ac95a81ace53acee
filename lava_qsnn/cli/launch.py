"""The command as one of several processes, and the batch scripts that start these."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lava_qsnn.cli.terminal import console
from lava_qsnn.errors import ConfigurationError

if TYPE_CHECKING:
    from lava_qsnn.train.config import Config

#: What torchrun, SLURM and Lightning number the processes of a training with; the first that is there counts.
RANKS = (("RANK",), ("SLURM_PROCID",), ("NODE_RANK", "LOCAL_RANK"))


def is_first_process() -> bool:
    """True in the one process of a training that shows its results; and where there is no other."""
    for names in RANKS:
        if any(name in os.environ for name in names):
            return all(os.environ.get(name, "0") == "0" for name in names)
    return True


def write_batch_script(file: Path, config: Config, folder: Path) -> None:
    """Write the SLURM batch script of this very command, and say how it is submitted.

    Raises:
        ConfigurationError: the script cannot be written, or SLURM could not run the training.
    """
    from lava_qsnn.train.distributed import batch_script

    text = batch_script(config, ["lava-qsnn", *_without(sys.argv[1:], "--slurm")], folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)  # SLURM makes no folder for what jobs print
        file.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write '{error.filename}': {error.strerror}") from None
    console.print(f"wrote {file}: submit it with sbatch, again whenever it has ended before the training", markup=False)


def _without(words: Sequence[str], option: str) -> list[str]:
    """Words of a command without an option and its value."""
    kept: list[str] = []
    for position, word in enumerate(words):
        is_value = position > 0 and words[position - 1] == option
        if word != option and not is_value and not word.startswith(f"{option}="):
            kept.append(word)
    return kept
