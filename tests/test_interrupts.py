"""Ctrl-C and SIGTERM, sent to the command as it is installed: one line, the signal's status, nothing left behind."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

import netx_export
from lava_qsnn.train.checkpoint import trained_epochs
from lava_qsnn.train.module import restore
from tests.helpers import programs
from tests.helpers.files import network

COMMAND = Path(sys.executable).parent / "lava-qsnn"
PATIENCE = 300.0  # Seconds after which a test is taken to hang, on however busy a machine.
SIGNALS = {signal.SIGINT: (130, "interrupted\n"), signal.SIGTERM: (143, "terminated\n")}
started = partial(programs.started, environment={"OMP_NUM_THREADS": "1"})
EACH_SIGNAL = pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)


def until(happened: Callable[[], object], child: subprocess.Popen[str]) -> None:
    """Wait for an event in the life of a program."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def end_by(child: subprocess.Popen[str], number: signal.Signals, delay: float = 0.0) -> None:
    """Send a signal, and look at how the program ends: with its status, one line, and all that it has started."""
    time.sleep(delay)
    others = psutil.Process(child.pid).children(recursive=True)
    child.send_signal(number)
    _, errors = child.communicate(timeout=PATIENCE)
    assert (child.returncode, errors) == SIGNALS[number]
    _, alive = psutil.wait_procs(others, timeout=PATIENCE)
    assert not alive


def has_loaded(child: subprocess.Popen[str], library: str) -> bool:
    return library in Path(f"/proc/{child.pid}/maps").read_text()


def children(child: subprocess.Popen[str]) -> int:
    return len(psutil.Process(child.pid).children())


@pytest.fixture
def slow_run(tmp_path: Path) -> list[object]:
    """Arguments of a run that takes long."""
    netx_export.write(network(), tmp_path / "some.net")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 4, (20_000, 2, 4, 4, 4)))
    return ["run", tmp_path / "some.net", "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy"]


@EACH_SIGNAL
def test_while_libraries_are_imported(number: signal.Signals, tmp_path: Path) -> None:
    with started(COMMAND, "train", "digits", "--output", tmp_path / "run") as child:
        until(lambda: has_loaded(child, "libtorch_cpu"), child)
        end_by(child, number)


@pytest.mark.lava
@EACH_SIGNAL
def test_while_lava_runs(number: signal.Signals, slow_run: list[object], tmp_path: Path) -> None:
    with started(COMMAND, *slow_run, "--backend", "lava") as child:
        until(lambda: children(child) >= 3, child)
        end_by(child, number)
    answered = len(np.load(tmp_path / "y.npy")) if (tmp_path / "y.npy").exists() else 0
    if answered:  # what was answered before stays, whole answers all
        answers = np.load(tmp_path / "y.npy")
        x = np.load(tmp_path / "x.npy")[: len(answers)]
        assert len(answers) < 20_000
        assert np.array_equal(answers, netx_export.simulate(tmp_path / "some.net", x, "fast"))


@pytest.mark.parametrize("rounds", [2, pytest.param(12, marks=pytest.mark.long)])
def test_while_it_trains_and_goes_on_from_there(rounds: int, tmp_path: Path) -> None:
    folder, moments = tmp_path / "run", random.Random(0)
    best, last = folder / "best.ckpt", folder / "last.ckpt"
    arguments: list[object] = ["train", "digits", "--epochs", 10**6, "--output", folder]
    epochs = 0
    for _ in range(rounds):
        resume = ["--resume", last] if epochs else []
        written = last.stat().st_mtime_ns if epochs else 0
        with started(COMMAND, *arguments, *resume) as child:
            until(lambda: last.exists() and last.stat().st_mtime_ns > written, child)  # noqa: B023 - it is called at once
            end_by(child, signal.SIGINT, moments.uniform(0.0, 0.4))
        assert trained_epochs(last) > epochs
        assert restore(best).network is not None
        assert sorted(path.name for path in folder.iterdir()) == [
            ".lock",
            "best.ckpt",
            "config.yaml",
            "last.ckpt",
            "logs",
        ]
        epochs = trained_epochs(last)


LOST = """
import time
from lava_qsnn import cli, main

class Callback:
    def __del__(self):
        print("begun", flush=True)
        time.sleep(1000)

def work():
    Callback()
    print("goes on", flush=True)
    time.sleep(1000)

cli.main = work
main.main()
"""


def test_an_interruption_that_a_callback_loses_ends_it_all_the_same() -> None:
    with started(sys.executable, "-c", LOST) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "goes on\n"
        _, errors = child.communicate(timeout=PATIENCE)
    assert (child.returncode, errors) == SIGNALS[signal.SIGINT]


def test_a_signal_that_was_to_be_ignored_is() -> None:
    text = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from lava_qsnn import cli, main;"
    text += "cli.main = lambda: (print('begun', flush=True), input(), print('done')); main.main()"
    child = subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate("\n", timeout=PATIENCE)
    assert (child.returncode, output) == (0, "done\n")


@pytest.mark.long
@pytest.mark.lava
@pytest.mark.parametrize("moment", range(8))
@pytest.mark.parametrize("verb", ["demo", "export", "verify", "bench", "run on two devices"])
def test_any_verb_at_any_moment(verb: str, moment: int, trained: Path, tmp_path: Path) -> None:
    """Moments from the first library to some seconds after: imports, data, training, runs in Lava, writing."""
    ddp = ["accelerator=cpu", "devices=2", "strategy=ddp", "max_epochs=1000000"]
    arguments: dict[str, list[object]] = {
        "demo": ["demo", "--folder", tmp_path / "demo"],
        "export": ["export", trained, tmp_path / "some.net"],
        "verify": ["verify", trained.with_name("digits.net"), "--checkpoint", trained, "--samples", 300],
        "bench": ["bench", "lava", "--output", tmp_path],
        "run on two devices": ["train", "digits", "--output", tmp_path / "ddp", *(f"--set=trainer.{s}" for s in ddp)],
    }
    longest = {"export": 1.0, "verify": 8.0}.get(verb, 15.0)
    with started(COMMAND, *arguments[verb]) as child:
        until(lambda: has_loaded(child, "_multiarray_umath"), child)
        end_by(child, signal.SIGINT, random.Random(moment).uniform(0.0, longest))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    subprocess.run([COMMAND, "train", "digits", "--epochs", "1", "--output", folder], check=True, capture_output=True)
    export = [COMMAND, "export", folder / "best.ckpt", folder / "digits.net"]
    subprocess.run(export, check=True, capture_output=True)
    return folder / "best.ckpt"
