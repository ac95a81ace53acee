"""Several processes, started by torchrun and by SLURM's script: killed, resumed with another number, one network."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import netx_export
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.train import curves
from lava_qsnn.train.checkpoint import read_checkpoint, trained_epochs
from lava_qsnn.train.config import load_config, override
from lava_qsnn.train.distributed import batch_script
from lava_qsnn.train.module import restore
from lava_qsnn.train.train import train
from tests.helpers.command import call

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "several-devices.md"
BIN = Path(sys.executable).parent

#: In place of SLURM's: starts the tasks that the script asks for, with the variables that SLURM gives them.
SRUN = """#!/bin/bash
tasks=$(sed -n 's/^#SBATCH --ntasks-per-node=//p' "$SCRIPT")
export SLURM_JOB_ID=4711 SLURM_JOB_NAME=training SLURM_NNODES=1 SLURM_NODELIST=localhost SLURM_JOB_NODELIST=localhost
export SLURM_NTASKS=$tasks SLURM_NTASKS_PER_NODE=$tasks SLURM_NODEID=0
for rank in $(seq 1 $((tasks - 1))); do
    SLURM_PROCID=$rank SLURM_LOCALID=$rank "$@" & others="$others $!"
done
SLURM_PROCID=0 SLURM_LOCALID=0 "$@"; status=$?
wait $others
exit $status
"""

EPOCHS = 16


def environment(**more: str) -> dict[str, str]:
    """The variables of a user's shell, with this environment's commands first, and of no training."""
    ours = ("LOCAL_RANK", "RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
    kept = {name: value for name, value in os.environ.items() if name not in ours and not name.startswith("SLURM")}
    return kept | {"PATH": f"{BIN}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"} | more


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def shell(script: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )


@pytest.mark.slow
def test_the_page_s_commands_run_as_they_stand(tmp_path: Path) -> None:
    one_machine, another_number, slurm = blocks("bash")
    done = shell(one_machine + another_number, tmp_path)
    assert done.returncode == 0, done.stderr
    assert trained_epochs(tmp_path / "runs/several/last.ckpt") == 4
    assert list(curves.read_logs(sorted(tmp_path.glob("runs/several/logs/*/metrics.csv")))["val_loss"]) == [1, 2, 3, 4]
    assert done.stdout.count("test accuracy") == 3, "each training shows its results once"
    network = netx_export.load(tmp_path / "several.net")
    x = np.random.default_rng(0).integers(0, 17, (3, 64, 4))
    assert netx_export.verify(network, x, ["fast"], restore(tmp_path / "runs/several/best.ckpt").network).exact

    assert shell(slurm, tmp_path).returncode == 0
    (tmp_path / "srun").write_text(SRUN)
    (tmp_path / "srun").chmod(0o755)
    path = f"{tmp_path}:{BIN}:{os.environ['PATH']}"
    done = shell("bash cluster.sh", tmp_path, PATH=path, SCRIPT="cluster.sh")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test accuracy") == 1
    _, weights = read_checkpoint(tmp_path / "runs/cluster/last.ckpt")
    assert weights["network.0.neuron.norm.num_batches_tracked"] == 2 * (647 // 64), "each process sees half the samples"
    again = shell("bash cluster.sh", tmp_path, PATH=path, SCRIPT="cluster.sh")
    assert again.returncode != 0
    assert "has trained 2 of 2 epochs already" in again.stderr, "it went on with what was there"


@pytest.mark.slow
def test_a_training_killed_twice_ends_as_one_that_was_not(tmp_path: Path) -> None:
    """Two processes, then one, then two: each killed without a word, at any time, and none loses more than an epoch."""
    settings = {"model.hidden": [16], "trainer.accelerator": "cpu"}
    config = override(load_config("digits"), settings | {"trainer.max_epochs": EPOCHS})
    folder, words = tmp_path / "killed", [f"--set={key}={value}" for key, value in settings.items()]
    begin(folder, words, 2, kill_after=3)
    first = trained_epochs(folder / "last.ckpt")
    begin(folder, words, 1, kill_after=first + 3)
    second = trained_epochs(folder / "last.ckpt")
    assert 3 <= first < second < EPOCHS
    begin(folder, words, 2)
    whole = train(config, tmp_path / "whole", progress=False)

    table, other = (curves.read_logs(sorted(path.glob("logs/*/metrics.csv"))) for path in (folder, tmp_path / "whole"))
    assert list(table["val_loss"]) == list(other["val_loss"]) == list(range(1, EPOCHS + 1))
    assert table["learning_rate"] == pytest.approx(other["learning_rate"], abs=1e-9), "the schedule goes on, too"
    assert table["train_loss"][1] == pytest.approx(other["train_loss"][1], rel=0.02)
    (accuracy,) = table["test_accuracy"].values()
    assert min(accuracy, whole.test_accuracy) > 0.6, "chance is 0.1"
    assert abs(accuracy - whole.test_accuracy) < 0.1
    ours, theirs = (restore(path / "last.ckpt").network for path in (folder, tmp_path / "whole"))
    x = np.random.default_rng(0).integers(0, 17, (3, 64, 4))
    for net in (ours, theirs):
        assert netx_export.verify(netx_export.fold(net, (64,), 4, 5), x, ["fast"], net).exact


def begin(folder: Path, words: list[str], processes: int, kill_after: int | None = None) -> None:
    """Train with so many processes, from where the folder's training is, until it ends or has so many epochs."""
    command = ["lava-qsnn", "train", "digits", "--output", str(folder), f"--epochs={EPOCHS}", *words]
    command += [f"--set=trainer.devices={processes}", f"--set=data.batch_size={64 // processes}"]
    if (last := folder / "last.ckpt").exists():
        command += ["--resume", str(last)]
    if processes > 1:
        command = ["torchrun", "--standalone", "--nproc-per-node", str(processes), "--no-python", *command]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while process.poll() is None and (kill_after is None or not last.exists() or trained_epochs(last) < kill_after):
            time.sleep(0.02)
        if process.poll() is None:  # one of the processes is killed, and torchrun ends the others
            one = psutil.Process(process.pid)
            os.kill([*one.children(), one][0].pid, signal.SIGKILL)
            process.communicate(timeout=300)
            assert process.returncode != 0
        elif kill_after is None or process.returncode:
            assert process.stderr is not None
            assert process.returncode == 0, process.stderr.read().decode()


def test_the_batch_script_asks_for_what_the_configuration_says(tmp_path: Path, capsys, monkeypatch) -> None:
    arguments = ["train", "digits", "--output", tmp_path / "run", "--set", "trainer.devices=4"]
    chosen = ["--set", "trainer.num_nodes=3", "--slurm", tmp_path / "job.sh", "--epochs", "7"]
    code, out, _ = call(capsys, monkeypatch, *arguments, *chosen)
    assert code == 0
    assert "sbatch" in out
    text = (tmp_path / "job.sh").read_text()
    for line in ("--nodes=3", "--ntasks-per-node=4", "--gpus-per-node=4", "--requeue"):
        assert f"#SBATCH {line}\n" in text
    assert f"srun lava-qsnn train digits --output {tmp_path}/run" in text
    assert "--epochs 7" in text
    assert "--slurm" not in text
    assert not list(tmp_path.glob("run/*.ckpt"))
    assert subprocess.run(["bash", "-n", str(tmp_path / "job.sh")], check=False).returncode == 0


def test_a_batch_script_needs_numbers(tmp_path: Path) -> None:
    config = load_config("digits")
    with pytest.raises(ConfigurationError, match="SLURM needs to know their number. Remedy: set trainer.devices"):
        batch_script(override(config, {"trainer.devices": "auto"}), ["lava-qsnn"], tmp_path)
    with pytest.raises(ConfigurationError, match="resumes by itself"):
        batch_script(config, ["lava-qsnn", "--resume", "x"], tmp_path)
    assert "gpus" not in batch_script(override(config, {"trainer.accelerator": "cpu"}), ["a b"], tmp_path)
    assert "srun 'a b' " in batch_script(config, ["a b"], tmp_path)
