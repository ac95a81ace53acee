"""Runs Lava so that every run ends: with its result, or with the traceback of the process that failed.

In stock Lava nearly every failure of a process model leaves the parent waiting for ever. Here each system
process of a run (an *actor*: a process model or a runtime service) holds one end of a pipe, through which it
reports, and every wait of the parent listens to these pipes and to the clock. Nothing of a run outlives it.

Two decisions carry this module:

* Private parts of Lava's `Runtime` are overridden. Lava is archived and its version pinned, so they cannot
  change; the alternative would be a copy of the whole runtime.
* Actors are forked, and channels use anonymous shared memory, which forks inherit. It has no name in /dev/shm
  and needs no server process; the kernel frees it with its last user, however that ends. On Linux the actors of
  a parent that is killed are killed too.

Lava executes this file again whenever it compiles a process of this folder: importing it changes nothing, and
it stays free of dataclasses, which cannot be defined in a module outside `sys.modules`.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import inspect
import mmap
import operator
import os
import pickle
import selectors
import signal
import socket
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from multiprocessing import get_context, util
from types import TracebackType
from typing import Any, NoReturn, TypeAlias

import numpy as np
from lava.magma.compiler.builders.interfaces import AbstractProcessBuilder
from lava.magma.compiler.builders.py_builder import PyProcessBuilder
from lava.magma.compiler.builders.runtimeservice_builder import RuntimeServiceBuilder
from lava.magma.compiler.channels.pypychannel import CspRecvPort, CspSendPort
from lava.magma.compiler.exceptions import ProcessAlreadyCompiled
from lava.magma.compiler.executable import Executable
from lava.magma.core.process.message_interface_enum import ActorType
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunContinuous, RunSteps
from lava.magma.core.run_configs import RunConfig
from lava.magma.runtime.message_infrastructure.multiprocessing import MultiProcessing
from lava.magma.runtime.mgmt_token_enums import MGMT_COMMAND, MGMT_RESPONSE, enum_equal
from lava.magma.runtime.runtime import Runtime
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, RunError, TimeLimitError

Builder: TypeAlias = PyProcessBuilder | RuntimeServiceBuilder
Progress: TypeAlias = Callable[[float], None]

_BUILT = b"+"  # The first byte of an actor's report, once its model has been built.
_PICKLE = b"\x80"  # The first byte of every pickle: tells a reported failure from text of faulthandler.
_PERIOD = 0.1  # Seconds between calls of the progress callback, and between looks for silent deaths.
_GRACE = 1.0  # Seconds for what should follow at once: a failure's cause, an exit code, a stack, a thread's end.


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
        self._watch: _Watch | None = None
        self._runtime: _Runtime | None = None

    def __enter__(self) -> GuardedRuntime:
        if self._watch is not None:
            raise ConfigurationError("a guarded runtime was entered twice", remedy="create a new one")
        self._watch = _Watch(self._time_limit, self._progress)
        try:
            executable = _compile(self._process, self._run_config, self._compile_config)
            self._watch.check_clock("the compiler")
            self._runtime = _Runtime(self._process, executable, self._watch)
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

    def _living_runtime(self) -> _Runtime:
        if self._runtime is None:
            raise ConfigurationError("a guarded runtime was used outside its with block")
        if self._runtime.is_stopped:
            raise RunError("a model has stopped the network", remedy="build new processes for a new run")
        return self._runtime

    def _end(self) -> None:
        with _interrupts_deferred():
            if self._watch is not None:
                self._watch.end()
            if self._runtime is not None:
                self._runtime.end()
                self._runtime = None


# --- Arguments and compiler ---------------------------------------------------------------------------------


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


# --- In the child: one actor --------------------------------------------------------------------------------


def _actor_main(builder: Builder, reports: int, parent: int) -> None:
    """Build and run an actor; report to the pipe when it is built and, if so, how it failed."""
    try:
        _prepare_child(reports, parent)
        actor = builder.build()
        os.write(reports, _BUILT)
        actor.start()
    except BaseException as error:  # Also sys.exit(): the other actors would wait for this one for ever.
        _report_failure(error, reports)


def _prepare_child(reports: int, parent: int) -> None:
    _die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; it is the parent that acts on it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # The program's own handler, if any, is not meant for us.
    # A crash, or the parent by a signal, makes the actor write its stack into its report.
    faulthandler.enable(file=reports, all_threads=False)
    faulthandler.register(signal.SIGUSR1, file=reports, all_threads=False)


def _die_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:  # It died before we could ask.
        os._exit(1)


def _report_failure(error: BaseException, reports: int) -> NoReturn:
    """Send the report and exit without the interpreter's teardown, which might wait for other threads."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    report = _failure_report(error)
    with contextlib.suppress(OSError):
        while report:
            report = report[os.write(reports, report) :]
    os._exit(1)


def _failure_report(error: BaseException) -> bytes:
    """Pickle what can always be pickled: title, traceback, and the exception's own pickle, if it has one."""
    title = "".join(traceback.format_exception_only(type(error), error)).strip()
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__)).strip()
    try:
        transported = pickle.dumps(error)
    except Exception:
        transported = b""
    return pickle.dumps((title, text, transported))


# --- In the parent: what is known of an actor ---------------------------------------------------------------


class _Actor:
    """A system process of a run and the pipe through which it reports; `name` is for error texts."""

    def __init__(self, name: str, builder: Builder) -> None:
        self.name = name
        self.is_service = isinstance(builder, RuntimeServiceBuilder)
        self.is_closed = False  # Whether it can report no more, because it has ended.
        self._received = bytearray()
        self.reports, writing_end = os.pipe()
        os.set_blocking(self.reports, False)
        arguments = (builder, writing_end, os.getpid())
        try:
            # Fork is asked for by name: the program may have set another start method.
            self.process = get_context("fork").Process(target=_actor_main, args=arguments, name=name)
            self.process.start()
        except BaseException:
            os.close(self.reports)
            raise
        finally:
            os.close(writing_end)  # Now only the actor holds it, so the pipe closes when the actor ends.

    @property
    def is_built(self) -> bool:
        return self._received.startswith(_BUILT)

    @property
    def report(self) -> bytes:
        """What it has written since it was built: a pickled failure, text of faulthandler, or nothing yet."""
        return bytes(self._received).removeprefix(_BUILT)

    @property
    def has_stack(self) -> bool:
        """Whether its report holds a whole stack: down to its own start, or cut off by faulthandler."""
        return f" in {_actor_main.__name__}\n".encode() in self._received or b"\n  ...\n" in self._received

    def read(self) -> None:
        """Take what it has written, and notice whether it has ended."""
        with contextlib.suppress(BlockingIOError):
            while received := os.read(self.reports, 65536):
                self._received += received
            self.is_closed = True

    def look(self) -> None:
        """Notice its end even if a process that it started itself keeps the pipe open."""
        if not self.is_closed and self.exit_code() is not None:
            self.read()
            self.is_closed = True

    def failure(self, stopping: bool) -> _Failure | None:
        """Tell how it failed, if it did; while it is stopping, it may end."""
        if not self.is_closed:
            return None
        if self.report.startswith(_PICKLE) and (told := _unpickled(self.report)):
            return _reported_failure(self, *told)
        code = self.exit_code(_GRACE)
        return None if stopping and code == 0 else _silent_failure(self, code)

    def ask_for_stack(self) -> None:
        """Make it add the stack of its main thread to its report."""
        if self.process.pid is not None and self.exit_code() is None:
            os.kill(self.process.pid, signal.SIGUSR1)

    def exit_code(self, timeout: float = 0.0) -> int | None:
        """Its exit code, negative for a signal; None if it has not ended within some seconds."""
        with _interrupts_deferred():  # The system tells an exit code only once: it must not get lost.
            if timeout:
                self.process.join(timeout)
            return self.process.exitcode

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            self.process.kill()

    def end(self) -> None:
        """Wait for it to be gone, once killed, and free what the parent holds of it."""
        self.process.join(_GRACE)
        with contextlib.suppress(ValueError):  # Raised if not even SIGKILL has ended it yet.
            self.process.close()
        os.close(self.reports)


class _Failure:
    """How an actor failed; one that is not conclusive may be a mere consequence of another."""

    def __init__(
        self,
        problem: str,
        *,
        conclusive: bool,
        remedy: str | None = None,
        cause: BaseException | None = None,
    ) -> None:
        self.conclusive = conclusive
        self._problem = problem
        self._remedy = remedy
        self._cause = cause

    def error(self) -> RunError:
        error = RunError(self._problem, remedy=self._remedy)
        error.__cause__ = self._cause
        return error


def _reported_failure(actor: _Actor, title: str, text: str, transported: bytes) -> _Failure:
    error = _unpickled(transported)
    cause = error if isinstance(error, BaseException) else None
    problem = f"{actor.name} failed with {title}\n\nThe traceback of the failed process:\n{text}"
    return _Failure(problem, conclusive=not actor.is_service, cause=cause)


def _unpickled(content: bytes) -> Any:
    """Rebuild an object; None for what is cut off, or what its own class cannot rebuild."""
    try:
        return pickle.loads(content)
    except Exception:
        return None


def _silent_failure(actor: _Actor, code: int | None) -> _Failure:
    """Describe an actor that ended without a report of its own making."""
    if code is None or code >= 0:
        told = "unknown exit code" if code is None else f"exit code {code}"
        return _Failure(f"{actor.name} ended with {told} before the run was over", conclusive=bool(code))
    name = next((known.name for known in signal.Signals if known == -code), "of unknown name")
    stack = _stack(actor.report)
    last = "\n".join(["\n\nIts last stack, innermost call first:", *stack]) if stack else ""
    remedy = "look into the system log; a common reason is a lack of memory" if name == "SIGKILL" else None
    problem = f"{actor.name} was ended by signal {name} ({-code}){last}"
    return _Failure(problem, conclusive=True, remedy=remedy)


def _stack(report: bytes) -> list[str]:
    """The lines of a stack written by faulthandler, innermost call first, down to the start of the actor."""
    calls = [line for line in report.decode(errors="replace").splitlines() if line.startswith("  File ")]
    below = [index for index, line in enumerate(calls) if line.endswith(f" in {_actor_main.__name__}")]
    return calls[: below[0]] if below else calls


def _place(stack: list[str]) -> str | None:
    """The line of a model's own code at which an actor stands; None if it only waits for Lava's commands."""
    lava_folder = os.path.dirname(os.path.dirname(inspect.getfile(Runtime)))
    library_folder = sysconfig.get_paths()["stdlib"]
    for line in reversed(stack):
        path = line.split('"')[1]
        if not path.startswith(lava_folder):
            is_library = path.startswith(library_folder) and "site-packages" not in path
            return None if is_library else line.strip()
    return None


# --- In the parent: waiting ---------------------------------------------------------------------------------


class _Watch:
    """Starts actors, waits while it watches actors and clock, and ends the actors."""

    def __init__(self, time_limit: float, progress: Progress | None) -> None:
        self.stopping = False
        self._is_ended = False
        self._time_limit = time_limit
        self._progress = progress
        self._start = time.monotonic()
        self._next_look = self._start + _PERIOD
        self._actors: list[_Actor] = []
        self._bell, self._bell_button = socket.socketpair()
        self._bell.setblocking(False)
        self._bell_button.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._bell, selectors.EVENT_READ)
        # For a runtime that is never left: at exit the interpreter joins all children, after calling this.
        self._at_exit = util.Finalize(self, _kill_all, args=(self._actors,), exitpriority=0)

    def start_actor(self, name: str, builder: Builder) -> None:
        with _interrupts_deferred():
            actor = _Actor(name, builder)
            self._actors.append(actor)
            self._selector.register(actor.reports, selectors.EVENT_READ, actor)

    def wake(self) -> None:
        """End the sleep of the waiting thread; may be called by any thread at any time."""
        with contextlib.suppress(OSError):  # Full: it wakes anyway. Closed: there is no one to wake.
            self._bell_button.send(b"\0")

    def until(self, ready: Callable[[], bool], purpose: str) -> None:
        """Wait until `ready`, which is asked after each event; `purpose` is for the error's text.

        Raises:
            RunError: an actor failed before.
            TimeLimitError: the time limit passed before.
        """
        if self._is_ended:
            raise _run_has_ended()
        while not ready():
            self.check_failures()
            self._sleep(self.check_clock(purpose))

    def until_built(self) -> None:
        self.until(lambda: all(actor.is_built for actor in self._actors), "the process models to be built")

    def until_ended(self) -> None:
        self.until(lambda: all(actor.is_closed for actor in self._actors), "the processes to end")
        self.check_failures()

    def check(self) -> None:
        """Raise what `until` would raise, without waiting."""
        self._sleep(0.0)
        self.check_failures()
        self.check_clock("its caller")

    def check_clock(self, purpose: str) -> float:
        """Return the seconds left; TimeLimitError if there are none."""
        left = self._start + self._time_limit - time.monotonic()
        if left > 0:
            return left
        places = "".join(f"\n  {name}: {place}" for name, place in self._places())
        raise TimeLimitError(
            f"the run did not end within its time limit of {self._time_limit:g} s; it waited for {purpose}"
            + (f"; where the processes stood:{places}" if places else ""),
            remedy="raise time_limit, or find out what keeps the run from going on",
        )

    def check_failures(self) -> None:
        """Raise the error of a failed actor, if there is one; preferably of one with a reason of its own."""
        end = time.monotonic() + _GRACE
        failures = self._failures()
        while failures and not any(failure.conclusive for failure in failures) and time.monotonic() < end:
            self._sleep(_PERIOD)
            failures = self._failures()
        for failure in sorted(failures, key=lambda failure: not failure.conclusive):
            raise failure.error()  # Not kept here: its traceback would keep all of us alive.

    def expect_failure(self) -> NoReturn:
        """Wait for the report of a failure of which Lava has told already, and raise its error."""
        end = time.monotonic() + _GRACE
        self.until(lambda: time.monotonic() > end, "the report of a failed process")
        raise RunError("Lava told of an error, but no process has reported one")

    def end(self) -> None:
        """Kill all actors and free everything; harmless if done before."""
        self._is_ended = True
        _kill_all(self._actors)
        for actor in self._actors:
            actor.end()
        self._actors.clear()
        self._at_exit.cancel()
        for resource in (self._selector, self._bell, self._bell_button):
            resource.close()

    def _failures(self) -> list[_Failure]:
        found = (actor.failure(self.stopping) for actor in self._actors)
        return [failure for failure in found if failure is not None]

    def _sleep(self, seconds: float) -> None:
        """Wait for an event, for some seconds at most."""
        for key, _ in self._selector.select(min(seconds, _PERIOD)):
            if key.data is None:
                self._bell.recv(4096)
                continue
            key.data.read()
            if key.data.is_closed:
                self._selector.unregister(key.fd)
        if time.monotonic() >= self._next_look:
            self._look_around()

    def _look_around(self) -> None:
        now = time.monotonic()
        self._next_look = now + _PERIOD
        for actor in self._actors:
            actor.look()
        if self._progress is not None:
            self._progress(now - self._start)

    def _places(self) -> list[tuple[str, str]]:
        """Name each actor that has ended or is inside its model's own code, with the line at which it stands."""
        living = [actor for actor in self._actors if not actor.is_closed]
        for actor in living:
            actor.ask_for_stack()
        end = time.monotonic() + _GRACE
        while time.monotonic() < end and not all(actor.is_closed or actor.has_stack for actor in living):
            self._sleep(_PERIOD)
        places = [_place(_stack(actor.report)) if actor in living else "ended" for actor in self._actors]
        return [(actor.name, place) for actor, place in zip(self._actors, places, strict=True) if place]


def _kill_all(actors: Iterable[_Actor]) -> None:
    for actor in actors:
        actor.kill()


@contextlib.contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Hold Ctrl-C back where it would lose the number of a new process or cut the clean-up short."""
    replaced = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or replaced is None:
        yield  # Other threads are not interrupted; None is a handler that Python could not put back.
        return
    deferred: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: deferred.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, replaced)
        if deferred:
            signal.raise_signal(signal.SIGINT)


# --- In the parent: Lava's runtime, guarded -----------------------------------------------------------------


class _AnonymousMemory:
    """Stands for `SharedMemory`: a buffer that forked processes share."""

    def __init__(self, size: int) -> None:
        self._mapping = mmap.mmap(-1, size)
        self.buf = memoryview(self._mapping)

    def close(self) -> None:
        with contextlib.suppress(BufferError):  # Somebody keeps a view of it: then it goes with that view.
            self.buf.release()
            self._mapping.close()


class _AnonymousMemoryManager:
    """Stands for Lava's `SharedMemoryManager`, without its server process."""

    def __init__(self) -> None:
        self._memories: list[_AnonymousMemory] = []

    def create_shared_memory(self, size: int) -> _AnonymousMemory:
        self._memories.append(_AnonymousMemory(size))
        return self._memories[-1]

    def shutdown(self) -> None:
        for memory in self._memories:
            memory.close()


class _Infrastructure(MultiProcessing):
    """Tells Lava's channels which memory to use; the watch takes care of the actors."""

    def start(self) -> None:
        self._smm = _AnonymousMemoryManager()


class _GuardedPort:
    """The parent's end of a channel, with guarded waits in place of blocking ones."""

    def __init__(self, port: CspSendPort | CspRecvPort, watch: _Watch) -> None:
        self._port = port
        self._watch = watch
        port.observer = watch.wake  # Called by the port's thread when the state of the channel has changed.

    def send(self, data: NDArray[Any]) -> None:
        self._watch.until(self._port.probe, f"room in channel '{self._port.name}'")
        self._port.send(data)

    def recv(self) -> NDArray[Any]:
        self._watch.until(self._port.probe, f"data from channel '{self._port.name}'")
        return self._port.recv()

    def peek(self) -> NDArray[Any]:
        self._watch.until(self._port.probe, f"data from channel '{self._port.name}'")
        return self._port.peek()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class _Runtime(Runtime):
    """Lava's runtime with guarded waits, actors of our own, and a full clean-up."""

    _is_running: bool
    runtime_to_service: list[_GuardedPort]
    service_to_runtime: list[_GuardedPort]

    def __init__(self, process: AbstractProcess, executable: Executable, watch: _Watch) -> None:
        super().__init__(executable, ActorType.MultiProcessing, loglevel=process._log_config.level)
        self.is_stopped = False
        self.watch = watch
        self._processes = [process, *executable.process_list]
        self._external_pipes: list[tuple[object, str]] = []

    def __del__(self) -> None:
        """Do nothing: stock Lava would stop a started runtime here, perhaps for ever."""

    @property
    def is_running(self) -> bool:
        return self._is_running

    def initialize(self, node_cfg_idx: int = 0) -> None:
        """Start the actors and wait until all are built."""
        for process in self._processes:
            process.runtime = self
        super().initialize(node_cfg_idx)
        self.watch.until_built()

    def pause(self) -> None:
        """Pause all actors at the end of their current step."""
        if self._is_running:
            self._command(MGMT_COMMAND.PAUSE, MGMT_RESPONSE.PAUSED)
            self._is_running = False

    def stop(self) -> None:
        """Stop all actors, running or not, and wait until they have ended."""
        if not self.is_stopped:
            self.watch.stopping = True
            self._command(MGMT_COMMAND.STOP, MGMT_RESPONSE.TERMINATED)
            self.watch.until_ended()
            self._is_running = self._is_started = False
            self.is_stopped = True

    def end(self) -> None:
        """Free what the parent holds: threads, channels, and the processes' way to this runtime."""
        ports = list(self._open_ports)
        self.join()
        for port in ports:
            if port.thread is not None:
                port.thread.join(_GRACE)
            port._array = []  # Arrays do not keep the memory they lie in: from now on their use would crash.
        if self._messaging_infrastructure is not None:
            self._messaging_infrastructure.stop()
        for port, attribute in self._external_pipes:
            delattr(port, attribute)
        for process in self._processes:
            process.runtime = _ENDED

    def _command(self, command: NDArray[Any], answer: NDArray[Any]) -> None:
        """Send a command to all runtime services and wait for their answers."""
        for port in self.runtime_to_service:
            port.send(command)
        for port in self.service_to_runtime:
            received = port.recv()
            while not enum_equal(received, answer):  # It may be an earlier answer that nobody waited for.
                if enum_equal(received, MGMT_RESPONSE.ERROR):
                    self.watch.expect_failure()
                received = port.recv()

    def _get_resp_for_run(self) -> None:
        """Wait for every runtime service to be done, or for one that asks to stop or to pause all."""
        pending = list(self.service_to_runtime)
        while pending and self._is_running:
            self.watch.until(lambda: any(port.probe() for port in pending), "the steps to be run")
            port = next(port for port in pending if port.probe())
            received = port.recv()
            pending.remove(port)
            if enum_equal(received, MGMT_RESPONSE.REQ_STOP):
                self.stop()
            elif enum_equal(received, MGMT_RESPONSE.REQ_PAUSE):
                self.pause()
            elif not enum_equal(received, MGMT_RESPONSE.DONE):
                self.watch.expect_failure()
        self._is_running = False

    def _build_message_infrastructure(self) -> None:
        self._messaging_infrastructure = _Infrastructure()
        self._messaging_infrastructure.start()

    def _build_processes(self) -> None:
        # No queue enters exception_q, on which the stock initialize() would wait without end.
        for process, builder in self._executable.proc_builders.items():
            if isinstance(builder, PyProcessBuilder):
                self._create_external_channels(process, builder)
                self.watch.start_actor(_model_name(process, builder), builder)

    def _build_runtime_services(self) -> None:
        for builder in self._executable.runtime_service_builders.values():
            self.watch.start_actor(f"the runtime service {builder.rs_class.__name__}", builder)

    def _start_ports(self) -> None:
        super()._start_ports()
        self.runtime_to_service = [_GuardedPort(port, self.watch) for port in self.runtime_to_service]
        self.service_to_runtime = [_GuardedPort(port, self.watch) for port in self.service_to_runtime]

    def _create_external_channels(self, proc: AbstractProcess, proc_builder: AbstractProcessBuilder) -> None:
        """Guard the parent's channel ends, and remember them: stock Lava never ends their threads."""
        super()._create_external_channels(proc, proc_builder)
        for port in (getattr(proc, name) for name in proc_builder.py_ports):
            for attribute in ("external_pipe_csp_send_port", "external_pipe_csp_recv_port"):
                if hasattr(port, attribute):
                    channel_end = getattr(port, attribute)
                    setattr(port, attribute, _GuardedPort(channel_end, self.watch))
                    self._open_ports.append(channel_end)
                    self._external_pipes.append((port, attribute))


def _model_name(process: AbstractProcess, builder: PyProcessBuilder) -> str:
    model, kind = builder.proc_model.__name__, type(process).__name__
    return f"the process model {model} of process '{process.name}' ({kind})"


class _EndedRuntime:
    """Takes the place of a runtime that has ended: stock Lava would crash, a Var would tell its first value."""

    def stop(self) -> None:
        """Do nothing: processes call this when they are deleted."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise _run_has_ended()

    start = wait = pause = get_var = set_var = _refuse


_ENDED = _EndedRuntime()


def _run_has_ended() -> RunError:
    return RunError(
        "the run of this process has ended, and its Vars and channels with it",
        remedy="use them inside the with block of a GuardedRuntime; build new processes for a new run",
    )
