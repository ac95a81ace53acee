"""Shared parts of tests of guarded runs: a source that may fail, whole programs, and a look at what is left behind."""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil
import pytest
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_configs import RunConfig
from lava.magma.core.sync.protocol import AbstractSyncProtocol
from lava.magma.core.sync.protocols.async_protocol import AsyncProtocol
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from lava_qsnn.errors import RunError, TimeLimitError
from lava_qsnn.guard import GuardedRuntime, run
from tests.helpers.faulty.processes import Sink, Source
from tests.helpers.programs import started

__all__ = ["GuardedRuntime", "RunError", "run"]  # for the programs

PATIENCE = 300.0  # Seconds after which a test is taken to hang, on however busy a machine.


class ByProtocol(RunConfig):
    """Chooses the models that follow a protocol."""

    def __init__(self, protocol: type[AbstractSyncProtocol]) -> None:
        super().__init__()
        self.protocol = protocol

    def select(self, process: AbstractProcess, proc_models: list[Any]) -> Any:
        return next(model for model in proc_models if model.implements_protocol is self.protocol)


LOIHI, ASYNCHRONOUS = ByProtocol(LoihiProtocol), ByProtocol(AsyncProtocol)


def network(failure: str | None = None, **options: Any) -> tuple[Source, Sink]:
    """A source that sends its step number and a sink that adds up; the source may fail."""
    source, sink = Source(failure, **options), Sink()
    source.output.connect(sink.input)
    return source, sink


def actor(name: str) -> multiprocessing.process.BaseProcess:
    """The running actor whose name has this part."""
    return next(child for child in multiprocessing.active_children() if name in child.name)


def footprint() -> dict[str, Any]:
    """All that a run could leave behind; shared memory with a name has a test of its own."""
    mappings = Path("/proc/self/maps").read_text().splitlines()
    return {
        "children": [child.pid for child in psutil.Process().children(recursive=True)],
        "file descriptors": sorted(os.listdir("/proc/self/fd")),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "shared mappings": sum("/dev/zero" in mapping for mapping in mappings),
        "semaphores": sum("/sem." in mapping for mapping in mappings),
        "interrupt handler": signal.getsignal(signal.SIGINT),
    }


def late(start: Callable[[float], object], place: str) -> str:
    """The error of a run that never ends, given so little time that it ends at some place, and no less."""
    for exponent in range(-1, 8):
        with pytest.raises(TimeLimitError) as caught:
            start(2.0**exponent)
        if re.search(place, str(caught.value)):
            return str(caught.value)
    raise AssertionError(f"it does not reach '{place}': {caught.value}")


def until(happened: Callable[[], bool]) -> None:
    """Wait for an event."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def settle(before: dict[str, Any], seconds: float = 60.0) -> None:
    """Give threads that are ending the time that a busy machine takes for it."""
    end = time.monotonic() + seconds
    while footprint() != before and time.monotonic() < end:
        gc.collect()  # Processes know each other, and so do errors and their places: circles are not freed at once.
        time.sleep(0.05)


PROGRAM = """
import multiprocessing, os, signal, sys, time
from tests.helpers.guarded import LOIHI, GuardedRuntime, RunError, network, run

def tell(*words):
    print(*words, flush=True)

def attempt(failure, *, time_limit=60.0, **options):
    try:
        run(network(failure, **options)[0], 10, LOIHI, time_limit=time_limit)
    except RunError as error:
        tell(type(error).__name__)

def start(runtime, steps=None):
    runtime.start(steps)
    tell(*[child.pid for child in multiprocessing.active_children()])
"""


def program(text: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """A Python program that can use what this file defines, in a process group of its own."""
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    return started(sys.executable, "-c", PROGRAM + text, environment=environment)


def actors_of(child: subprocess.Popen[str]) -> list[psutil.Process]:
    """Wait until such a program has told the numbers of its actors."""
    assert child.stdout is not None
    actors = [psutil.Process(int(number)) for number in child.stdout.readline().split()]
    assert len(actors) == 3
    return actors


def all_end(processes: list[psutil.Process]) -> bool:
    """True if all end soon; a zombie has ended, and only waits for its foster parent."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and any(map(is_alive, processes)):
        time.sleep(0.01)
    return not any(map(is_alive, processes))


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
