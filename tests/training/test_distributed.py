"""Several processes: `strategy: ddp` over gloo, from a script, as a user would start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

import netx_export
from lava_qsnn.train import data
from lava_qsnn.train.checkpoint import read_checkpoint
from lava_qsnn.train.config import from_dict
from lava_qsnn.train.module import restore

ROOT = Path(__file__).parents[2]

CONFIG = {
    "data": {"batch_size": 32},
    "model": {"hidden": [32]},
    "optimizer": {"learning_rate": 0.01},
    "trainer": {
        "max_epochs": 2,
        "accelerator": "cpu",
        "devices": 2,
        "strategy": "ddp",
    },
}

SCRIPT = """
    import dataclasses, json, os, sys
    import torch
    from lava_qsnn.train.config import from_dict
    from lava_qsnn.train.train import train

    torch.set_num_threads(1)
    folder, config = sys.argv[1], json.loads(sys.argv[2])
    resume = sys.argv[3] if len(sys.argv) > 3 else None
    result = train(from_dict(config), folder, resume=resume)
    with open(f"{folder}/result-{os.environ['LOCAL_RANK']}.json", "w") as file:
        json.dump(dataclasses.asdict(result), file, default=str)
    """


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without an ending, as the console script of an installed package.
    script = folder.parent / "command"
    script.write_text(textwrap.dedent(SCRIPT))
    variables = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "WORLD_SIZE")}
    return subprocess.run(
        [sys.executable, str(script), str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=variables | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"},
        check=False,
    )


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    finished = run(folder, json.dumps(CONFIG))
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    lines = [line.partition(",")[0] for line in finished.stdout.splitlines()]
    assert lines == ["epoch 1 of 2", "epoch 2 of 2"], "one of the processes tells what both do"
    first, second = (json.loads((folder / f"result-{rank}.json").read_text()) for rank in range(2))
    assert {**first, "seconds": 0} == {**second, "seconds": 0}, "both processes must measure the same"
    assert first["test_metric"] > 0.6, "chance is 0.1"

    config, weights = read_checkpoint(folder / "last.ckpt")
    assert config == from_dict(CONFIG)
    assert weights["network.0.neuron.norm.num_batches_tracked"] == 2 * (647 // 32), "each process sees half the samples"

    classifier = restore(folder / "best.ckpt")
    samples = data.make(config.data)
    samples.setup()
    for loader, name in ((samples.val_dataloader(), "best_metric"), (samples.test_dataloader(), "test_metric")):
        correct = torch.cat([classifier(x).argmax(1) == y for x, y in loader])
        assert correct.float().mean() == pytest.approx(first[name], abs=1e-6), "each sample counts once, by one network"
    network = netx_export.export(classifier.network, None, (64,), 4, input_bits=5)
    assert netx_export.verify(network, samples.test_arrays(20)[0], ["reference"], net=classifier.network).exact

    longer = {**CONFIG, "trainer": {**CONFIG["trainer"], "max_epochs": 3}}  # type: ignore[dict-item]
    resumed = run(folder, json.dumps(longer), str(folder / "last.ckpt"))
    assert resumed.returncode == 0, resumed.stderr
    assert torch.load(folder / "last.ckpt", weights_only=True)["epoch"] == 2


@pytest.mark.slow
def test_an_error_in_every_process_ends_them_all(tmp_path: Path) -> None:
    broken = {**CONFIG, "data": {"name": "mnist", "folder": str(tmp_path)}}
    finished = run(tmp_path / "run", json.dumps(broken))
    assert finished.returncode != 0
    assert "put the four idx files of MNIST there" in finished.stderr
