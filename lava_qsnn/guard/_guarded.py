"""Runs Lava so that every run ends: with its result, or with the traceback of the process that failed.

In unmodified Lava nearly every failure of a process model leaves the parent waiting for ever. Here each system
process of a run (an *actor*: a process model or a runtime service) holds one end of a pipe, through which it
reports, and every wait of the parent listens to these pipes and to the clock. Nothing of a run outlives it.

Two decisions carry this module:

* Private parts of Lava's `Runtime` are overridden. Lava is archived and its version pinned, so they cannot
  change; the alternative would be a copy of the whole runtime.
* Actors are forked, and channels use anonymous shared memory, which forks inherit. It has no name in /dev/shm
  and needs no server process; the kernel frees it with its last user, however that ends. On Linux the actors of
  a parent that is killed are killed too.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from multiprocessing.synchronize import Semaphore
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
from lava.magma.compiler.exceptions import ProcessAlreadyCompiled
from lava.magma.compiler.executable import Executable
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunContinuous, RunSteps
from lava.magma.core.run_configs import RunConfig

from lava_qsnn.errors import ConfigurationError, RunError
from lava_qsnn.guard._actors import interrupts_deferred
from lava_qsnn.guard._runtime import GuardedLava
from lava_qsnn.guard._waiting import Watch

Progress: TypeAlias = Callable[[float], None]


def run(
    process: AbstractProcess,
    num_steps: int,
    run_config: RunConfig,
    *,
    time_limit: float = 60.0,
    progress: Progress | None = None,
    compile_config: Mapping[str, Any] | None = None,
) -> None:
    """Compile a process with all it is connected to, run it, stop it and clean up; return when that is done.

    Its Vars live only as long as the run: to read them, use `GuardedRuntime`.

    Args:
        num_steps: time steps to run, at least 1.
        process, run_config, time_limit, progress, compile_config: see `GuardedRuntime`.

    Raises:
        RunError: an actor failed; the text has its name and traceback, the cause is its exception if that
            could be transported.
        RangeError: a model refused what it would not compute exactly, by this error.
        TimeLimitError: the time limit passed; the text says where each busy actor stood.
        ConfigurationError: an argument makes no sense, or a process was compiled before.
    """
    steps = _step_count(num_steps)
    with GuardedRuntime(
        process, run_config, time_limit=time_limit, progress=progress, compile_config=compile_config
    ) as runtime:
        runtime.run(steps)


class GuardedRuntime:
    """A Lava runtime for one `with` block: entering compiles and starts the network, leaving stops it.

    If anything fails, or an exception leaves the block, all actors are killed. Inside the block `Var.get` and
    `Var.set` are guarded too, and so are ports with an external pipe (Lava's `Injector` and `Extractor`). The
    block belongs to one thread: on Linux the actors die with the thread that entered it.

    Args:
        process: any process of the network, none of which was compiled before.
        run_config: Lava's rules for choosing process models.
        time_limit: seconds from entering the block to the end of leaving it, `math.inf` for no limit. The
            compiler is not interrupted; the limit is looked at after it.
        progress: called about every 0.1 s while actors are waited for, with the seconds since the start.
        compile_config: options of Lava's compiler, such as `pypy_channel_size`, the messages per channel.

    Raises:
        ConfigurationError: an argument makes no sense; on entering, a process was compiled before.
    """

    def __init__(
        self,
        process: AbstractProcess,
        run_config: RunConfig,
        *,
        time_limit: float = 60.0,
        progress: Progress | None = None,
        compile_config: Mapping[str, Any] | None = None,
    ) -> None:
        self._process = process
        self._run_config = run_config
        self._time_limit = _seconds(time_limit)
        self._progress = progress
        self._compile_config = _compiler_options(compile_config)
        self._watch: Watch | None = None
        self._runtime: GuardedLava | None = None

    def __enter__(self) -> GuardedRuntime:
        if self._watch is not None:
            raise ConfigurationError("a guarded runtime was entered twice", remedy="create a new one")
        self._watch = Watch(self._time_limit, self._progress)
        try:
            executable = _compile(self._process, self._run_config, self._compile_config)
            self._watch.check_clock("the compiler")
            self._runtime = GuardedLava(self._process, executable, self._watch)
            self._runtime.initialize()
        except BaseException:
            self._end()
            raise
        return self

    def run(self, num_steps: int) -> None:
        """Run time steps (at least 1) and wait for their end; a later call goes on from the state reached.

        Raises:
            RunError: an actor failed, or the network had stopped itself before.
            TimeLimitError: the time limit passed.
            ConfigurationError: `num_steps` makes no sense, or the network is still running.
        """
        self.start(num_steps)
        self.wait()

    def start(self, num_steps: int | None = None) -> None:
        """Start running time steps, for None without end, and return at once. Raises what `run` raises."""
        condition = RunContinuous() if num_steps is None else RunSteps(_step_count(num_steps), blocking=False)
        runtime = self._living_runtime()
        if runtime.is_running:
            raise ConfigurationError("the network is still running", remedy="call wait() before a new start")
        runtime.start(condition)

    def wait(self) -> None:
        """Wait until the started steps are done, or a model has made the network stop or pause.

        Raises:
            RunError: an actor failed.
            TimeLimitError: the time limit passed.
        """
        self._living_runtime().wait()

    def take(self, semaphore: Semaphore, purpose: str, seconds: float = math.inf) -> bool:
        """Wait for a token of a channel and take it, while looking after the actors.

        Args:
            semaphore: of a channel with an external pipe.
            purpose: what is waited for, for the text of an error.
            seconds: after which to give up.

        Returns:
            Whether there was a token.

        Raises:
            RunError: an actor failed before.
            TimeLimitError: the time limit of the run passed before.
        """
        return self._living_runtime().watch.take(semaphore, purpose, seconds)

    def limit_from_now(self, seconds: float) -> None:
        """Bring the end of the time limit forward to some seconds from now, for the end of an endless run."""
        self._living_runtime().watch.limit_from_now(seconds)

    def check(self) -> None:
        """Raise what `wait` would raise now, without waiting; for loops whose waits are not guarded."""
        self._living_runtime().watch.check()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._runtime is not None:
                self._runtime.stop()
        finally:
            self._end()

    def _living_runtime(self) -> GuardedLava:
        if self._runtime is None:
            raise ConfigurationError("a guarded runtime was used outside its with block")
        if self._runtime.is_stopped:
            raise RunError("a model has stopped the network", remedy="build new processes for a new run")
        return self._runtime

    def _end(self) -> None:
        with interrupts_deferred():
            if self._watch is not None:
                self._watch.end()
            if self._runtime is not None:
                self._runtime.end()
                self._runtime = None


def _step_count(num_steps: int) -> int:
    try:
        steps = 0 if isinstance(num_steps, bool) else operator.index(num_steps)
    except TypeError:
        steps = 0
    if steps < 1:
        raise ConfigurationError(f"num_steps is {num_steps!r}", remedy="pass a whole number, at least 1")
    return steps


def _seconds(time_limit: float) -> float:
    if isinstance(time_limit, (int, float, np.number)) and time_limit > 0:
        return float(time_limit)
    raise ConfigurationError(f"time_limit is {time_limit!r}", remedy="pass seconds above 0 (or math.inf)")


def _compiler_options(compile_config: Mapping[str, Any] | None) -> dict[str, Any]:
    options = dict(compile_config or {})  # A copy: Lava writes its defaults into it.
    if options.get("use_watchdog"):
        raise ConfigurationError(
            "compile_config asks for Lava's watchdog, whose own processes nobody guards",
            remedy="leave use_watchdog out: the error of time_limit tells where each process stood",
        )
    return options


def _compile(process: AbstractProcess, run_config: RunConfig, options: dict[str, Any]) -> Executable:
    try:
        return process.compile(run_config, options)
    except ProcessAlreadyCompiled as error:
        # Also after a compilation that failed: by then Lava may have connected the processes' inner parts.
        raise ConfigurationError(
            f"'{process.name}', or a process connected to it, was compiled before; Lava does that only once",
            remedy="build new processes for each run, or call run() repeatedly inside one GuardedRuntime",
        ) from error
