"""The parent's side: processes of their own that compute tasks, so that one that dies takes nothing else with it.

A task may start processes itself, as Lava does, and may run anywhere: the workers of Dask are daemonic and may have no
children by Python's `multiprocessing`, in which Lava insists on `fork`. So each of these processes is a program of its
own, which imports what it needs once and computes many tasks.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing import Pipe
from queue import Empty, SimpleQueue

from lava_qsnn.errors import RunError
from lava_qsnn.tasks._job import BROKEN, Answer, Job

#: The program: it imports from where its parent does, and from nowhere else.
PROGRAM = "import sys; sys.path[:] = sys.argv[2:]; from lava_qsnn.tasks._child import main; main(int(sys.argv[1]))"

#: Libraries that would each take all cores: as many processes as there are workers share them.
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

#: Times that a task is tried: one that breaks may have met with an accident.
TRIALS = 2


class Runner:
    """One process that computes tasks; it ends with its parent, however that ends."""

    def __init__(self) -> None:
        self._connection, theirs = Pipe()
        handle = theirs.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", PROGRAM, str(handle), *sys.path],
            stdin=subprocess.DEVNULL,
            stdout=2,  # what libraries print is not the parent's answer
            pass_fds=(handle,),
            start_new_session=True,  # Ctrl-C is its parent's to handle
            env={**dict.fromkeys(ONE_THREAD, "1"), **os.environ},
        )
        theirs.close()
        self._known = ""

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self._process.pid

    def call(self, job: Job, task: bytes) -> Answer:
        """Compute a task; if the process dies of it, the answer says so."""
        try:
            self._connection.send((job.digest, None if job.digest == self._known else job.content, task))
            self._known = job.digest
            return self._connection.recv()
        except (EOFError, OSError):
            return Answer(BROKEN, pickle.dumps(RunError(f"the process of a task {self._death()}")), 0.0)

    @property
    def is_dead(self) -> bool:
        """True if it can compute no more."""
        return self._process.poll() is not None

    def end(self) -> None:
        """End it, and what it has started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _death(self) -> str:
        code = self._process.wait()
        self._connection.close()
        if code >= 0:
            return f"ended with status {code}"
        return f"was ended by {signal.Signals(-code).name}; if nobody sent it, the memory was too small"


class Runners:
    """The processes of one parent: as many as are computing at once, each used again and again."""

    def __init__(self) -> None:
        self._idle: SimpleQueue[Runner] = SimpleQueue()
        self._all: set[Runner] = set()
        self._lock = threading.Lock()
        self._ended = False

    @property
    def pids(self) -> list[int]:
        """Numbers of the processes that live."""
        with self._lock:
            return [runner.pid for runner in self._all if not runner.is_dead]

    def compute(self, job: Job, task: bytes) -> Answer:
        """Compute a task in an idle process, or a new one; once more in another one if it breaks."""
        for _ in range(TRIALS):
            runner = self._one()
            answer = runner.call(job, task)
            self._give_back(runner, answer.kind == BROKEN)
            if answer.kind != BROKEN or self._ended:
                break
        return answer

    def end(self) -> None:
        """End all of them."""
        with self._lock:
            self._ended = True
            for runner in self._all:
                runner.end()
            self._all.clear()

    def _one(self) -> Runner:
        with suppress(Empty):
            return self._idle.get_nowait()
        with self._lock:
            if self._ended:
                raise RunError("a task came after the end of its pool")
            runner = Runner()
            self._all.add(runner)
        return runner

    def _give_back(self, runner: Runner, broken: bool) -> None:
        if not broken:
            self._idle.put(runner)
            return
        with self._lock:
            if runner in self._all:
                self._all.remove(runner)
                runner.end()
