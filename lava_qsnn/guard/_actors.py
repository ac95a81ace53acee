"""The parent's view of a guarded run's actors: operating-system processes, their reports, and their failures."""

from __future__ import annotations

import contextlib
import inspect
import os
import pickle
import signal
import sysconfig
import threading
from collections.abc import Iterator
from multiprocessing import get_context
from typing import Any, TypeAlias

from lava.magma.compiler.builders.py_builder import PyProcessBuilder
from lava.magma.compiler.builders.runtimeservice_builder import RuntimeServiceBuilder
from lava.magma.runtime.runtime import Runtime

from lava_qsnn.errors import RangeError, RunError
from lava_qsnn.guard._child import actor_main

Builder: TypeAlias = PyProcessBuilder | RuntimeServiceBuilder

#: Seconds for what should follow at once: a failure's cause, an exit code, a stack, a thread's end.
GRACE = 1.0

_BUILT = b"+"  # The first byte of an actor's report, once its model has been built.
_PICKLE = b"\x80"  # The first byte of every pickle: tells a reported failure from text of faulthandler.


class Actor:
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
            self.process = get_context("fork").Process(target=actor_main, args=arguments, name=name)
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
        """All that it has written since it was built: a pickled failure, text of faulthandler, or nothing yet."""
        return bytes(self._received).removeprefix(_BUILT)

    @property
    def has_stack(self) -> bool:
        """True if its report holds a whole stack: down to its own start, or cut off by faulthandler."""
        return f" in {actor_main.__name__}\n".encode() in self._received or b"\n  ...\n" in self._received

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

    def failure(self, stopping: bool) -> Failure | None:
        """Tell how it failed, if it did; while it is stopping, it may end."""
        if not self.is_closed:
            return None
        if self.report.startswith(_PICKLE) and (told := _unpickled(self.report)):
            return _reported_failure(self, *told)
        code = self.exit_code(GRACE)
        return None if stopping and code == 0 else _silent_failure(self, code)

    def ask_for_stack(self) -> None:
        """Make it add the stack of its main thread to its report."""
        if self.process.pid is not None and self.exit_code() is None:
            os.kill(self.process.pid, signal.SIGUSR1)

    def exit_code(self, timeout: float = 0.0) -> int | None:
        """Its exit code, negative for a signal; None if it has not ended within some seconds."""
        with interrupts_deferred():  # The system tells an exit code only once: it must not get lost.
            if timeout:
                self.process.join(timeout)
            return self.process.exitcode

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            self.process.kill()

    def end(self) -> None:
        """Wait for it to be gone, once killed, and free what the parent holds of it."""
        self.process.join(GRACE)
        with contextlib.suppress(ValueError):  # Raised if not even SIGKILL has ended it yet.
            self.process.close()
        os.close(self.reports)


class Failure:
    """The failure of an actor; one that is not conclusive may be a mere consequence of another."""

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

    def error(self) -> RunError | RangeError:
        """The error to raise; what a model refuses, by a RangeError, is no failed run, and is passed on as it is."""
        if isinstance(self._cause, RangeError):
            return self._cause
        error = RunError(self._problem, remedy=self._remedy)
        error.__cause__ = self._cause
        return error


def _reported_failure(actor: Actor, title: str, text: str, transported: bytes) -> Failure:
    error = _unpickled(transported)
    cause = error if isinstance(error, BaseException) else None
    problem = f"{actor.name} failed with {title}\n\nThe traceback of the failed process:\n{text}"
    return Failure(problem, conclusive=not actor.is_service, cause=cause)


def _unpickled(content: bytes) -> Any:
    """Rebuild an object; None for what is cut off, or what its own class cannot rebuild: its text is told anyway."""
    try:
        return pickle.loads(content)
    except Exception:  # its class may raise anything
        return None


def _silent_failure(actor: Actor, code: int | None) -> Failure:
    """Describe an actor that ended without a report of its own making."""
    if code is None or code >= 0:
        told = "unknown exit code" if code is None else f"exit code {code}"
        return Failure(f"{actor.name} ended with {told} before the run was over", conclusive=bool(code))
    name = next((known.name for known in signal.Signals if known == -code), "of unknown name")
    stack = stack_lines(actor.report)
    last = "\n".join(["\n\nIts last stack, innermost call first:", *stack]) if stack else ""
    remedy = "look into the system log; a common reason is a lack of memory" if name == "SIGKILL" else None
    problem = f"{actor.name} was ended by signal {name} ({-code}){last}"
    return Failure(problem, conclusive=True, remedy=remedy)


def stack_lines(report: bytes) -> list[str]:
    """The lines of a stack written by faulthandler, innermost call first, down to the start of the actor."""
    calls = [line for line in report.decode(errors="replace").splitlines() if line.startswith("  File ")]
    below = [index for index, line in enumerate(calls) if line.endswith(f" in {actor_main.__name__}")]
    return calls[: below[0]] if below else calls


def location(stack: list[str]) -> str | None:
    """The line of a model's own code at which an actor stands; None if it only waits for Lava's commands."""
    lava_folder = os.path.dirname(os.path.dirname(inspect.getfile(Runtime)))
    library_folder = sysconfig.get_paths()["stdlib"]
    for line in reversed(stack):
        path = line.split('"')[1]
        if not path.startswith(lava_folder):
            is_library = path.startswith(library_folder) and "site-packages" not in path
            return None if is_library else line.strip()
    return None


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Hold signals back where their handlers would lose the number of a new process or cut the clean-up short."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Other threads are not interrupted.
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    replaced = {number: handler for number, handler in handlers.items() if callable(handler)}
    deferred: list[int] = []
    for number in replaced:
        signal.signal(number, lambda number, frame: deferred.append(number))
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
        if deferred:  # The first one: its handler may raise, and then there is no second.
            signal.raise_signal(deferred[0])
