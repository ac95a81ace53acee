"""Training on several devices and nodes: norms over all processes, and the batch script that starts these with SLURM.

Processes, devices and their exchange are Lightning's: `torchrun` or SLURM's `srun` start one process per device, or
Lightning does; see `trainer` in a configuration.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.extras import extra
from lava_qsnn.neuron import synchronize
from lava_qsnn.train.config import Config

with extra("train"):
    from lightning.pytorch.plugins.layer_sync import LayerSync
    from torch.nn import Module

#: The script that SLURM runs on the first node of a job; `srun` starts a process for each device, on every node.
BATCH_SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node={devices}
{accelerators}#SBATCH --cpus-per-task={cores}
#SBATCH --time={hours}:00:00
#SBATCH --output={folder}/slurm-%j.txt
#SBATCH --open-mode=append
#SBATCH --requeue
set -euo pipefail

# A job that is started again goes on behind the last whole epoch.
resume=()
if [ -f {checkpoint} ]; then resume=(--resume {checkpoint}); fi
srun {command} "${{resume[@]}}"
"""


class SharedNorms(LayerSync):
    """Lightning's way to let batch norms take their statistics over all processes; one process is not changed by it."""

    def apply(self, model: Module) -> Module:
        synchronize(model)
        return model

    def revert(self, model: Module) -> Module:
        synchronize(model, False)
        return model


def batch_script(config: Config, command: Sequence[str], folder: Path, cores: int = 8, hours: int = 24) -> str:
    """The text of a SLURM batch script for a training: a task for each device, resumed where the job starts again.

    Args:
        config: its `trainer` says how many nodes there are, and how many devices each has.
        command: what trains, as words; without `--resume`.
        folder: of the training.
        cores: for each task.
        hours: until SLURM ends the job.

    Raises:
        ConfigurationError: the number of devices is not told, or the command resumes something already.
    """
    part = config.trainer
    devices = part.devices if isinstance(part.devices, int) else 0
    if devices < 1:
        raise ConfigurationError(
            f"trainer.devices is {part.devices!r}, and SLURM needs to know their number",
            remedy="set trainer.devices to the number of devices of each node",
        )
    if "--resume" in command:
        raise ConfigurationError("the batch script resumes by itself", remedy="leave --resume out")
    return BATCH_SCRIPT.format(
        name=shlex.quote(folder.name),
        nodes=part.num_nodes,
        devices=devices,
        accelerators="" if part.accelerator == "cpu" else f"#SBATCH --gpus-per-node={devices}\n",
        cores=cores,
        hours=hours,
        folder=folder,
        checkpoint=shlex.quote(str(folder / "last.ckpt")),
        command=shlex.join(command),
    )
