"""The how-to of clusters: its commands are executed as they stand, TLS included, in a folder of their own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import netx_export
from lava_qsnn.integer import Connection, Dense, Input, IntegerNetwork, Layer, MemoryFree, Readout

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "cluster.md"
BINARIES = Path(sys.executable).parent

pytestmark = [pytest.mark.slow, pytest.mark.lava]


def blocks() -> list[str]:
    """The indented blocks of the page, in its order."""
    lines = PAGE.read_text("utf-8").replace("\n    ", "\n\t").splitlines()
    text = "\n".join(line[1:] if line.startswith("\t") else "" for line in lines)
    return [block for block in re.split(r"\n{2,}", text) if block.strip()]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network for the digits, whatever it has learned."""
    numbers, found = np.random.default_rng(0), tmp_path_factory.mktemp("cluster")
    neuron = MemoryFree((8, 4, 2, 1), numbers.integers(-50, 400, 24))
    layers = (
        Layer("dense1", (Connection("input", Dense(numbers.choice([-1, 1], (24, 64)))),), neuron),
        Layer("output", (Connection("dense1", Dense(numbers.choice([-1, 1], (10, 24)))),), Readout((8, 4, 2, 1))),
    )
    netx_export.write(IntegerNetwork(Input((64,), 31), 4, layers), found / "digits.net")
    return found


def shell(commands: str, folder: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-ec", commands], cwd=folder, env=environment, capture_output=True, text=True)
    assert not check or done.returncode == 0, f"{commands}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done


def test_the_commands_of_one_machine(folder: Path) -> None:
    first, again = blocks()[:2]
    assert "--workers 2" in first
    assert "--resume" in again
    for commands in (first, again):
        told = shell(commands, folder).stdout
        assert "wrote (100, 10, 4) integers" in told
        assert "netx" in told
        answers = np.load(folder / "answers.npy")
        (folder / "answers.npy").unlink()
    assert np.unique(answers).size > 20


@pytest.fixture(scope="module")
def certificates(folder: Path) -> str:
    """The commands that make certificates, executed, and those that tell Dask of them."""
    make, tell = (next(block for block in blocks() if word in block) for word in ("openssl", "export"))
    shell(make, folder)
    assert (folder / "certificates" / "key.pem").stat().st_mode & 0o077 == 0
    return tell


@pytest.fixture(scope="module")
def port(folder: Path, certificates: str) -> Iterator[int]:
    """A scheduler and workers, started as the page says."""
    number = free_port()
    start = next(block for block in blocks() if "dask scheduler" in block).replace("8786", str(number))
    environment = os.environ | {"PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "-ec", f"{certificates}\n{start}\nwait"]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield number
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(60)


def test_the_commands_of_a_cluster_with_tls(folder: Path, certificates: str, port: int) -> None:
    commands = next(block for block in blocks() if "--cluster" in block and "lava-qsnn run" in block)
    shell("until (exec 3<>/dev/tcp/127.0.0.1/" + str(port) + ") 2>&-; do sleep 0.1; done", folder)
    told = shell(f"{certificates}\n{commands.replace('8786', str(port))}", folder).stdout
    assert "wrote (100, 10, 4) integers" in told
    assert "netx" in told


def test_who_has_no_certificate_is_not_let_in(folder: Path, certificates: str, port: int) -> None:
    command = f"lava-qsnn run digits.net --backend fast --samples 5 --cluster PROTOCOL://127.0.0.1:{port}"
    for protocol in ("tcp", "tls"):
        failed = shell(command.replace("PROTOCOL", protocol), folder, check=False)
        assert failed.returncode == 1
        assert "no scheduler of Dask's answers" in failed.stderr
        assert "Traceback" not in failed.stderr
    failed = shell(f"{certificates}\n{command.replace('PROTOCOL', 'tcp')}", folder, check=False)
    assert failed.returncode == 1
    assert "ncrypt" in failed.stderr
