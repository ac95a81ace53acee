"""The parent's waiting in a guarded run: one place that listens to all actors and to the clock."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable
from multiprocessing import util
from multiprocessing.synchronize import Semaphore
from typing import NoReturn, TypeAlias

from lava.magma.compiler.builders.py_builder import PyProcessBuilder
from lava.magma.compiler.builders.runtimeservice_builder import RuntimeServiceBuilder

from lava_qsnn.errors import RunError, TimeLimitError
from lava_qsnn.guard._actors import GRACE, Actor, Failure, interrupts_deferred, location, stack_lines

Builder: TypeAlias = PyProcessBuilder | RuntimeServiceBuilder
Progress: TypeAlias = Callable[[float], None]

_PERIOD = 0.1  # Seconds between calls of the progress callback, and between looks for silent deaths.


class Watch:
    """Starts actors, waits while it watches actors and clock, and ends the actors."""

    def __init__(self, time_limit: float, progress: Progress | None) -> None:
        self.stopping = False
        self._is_ended = False
        self._one_at_a_time = threading.Lock()
        self._time_limit = time_limit
        self._progress = progress
        self._start = time.monotonic()
        self._next_look = self._start + _PERIOD
        self._actors: list[Actor] = []
        self._bell, self._bell_button = socket.socketpair()
        self._bell.setblocking(False)
        self._bell_button.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._bell, selectors.EVENT_READ)
        # For a runtime that is never left: at exit the interpreter joins all children, after calling this.
        self._at_exit = util.Finalize(self, _kill_all, args=(self._actors,), exitpriority=0)

    def start_actor(self, name: str, builder: Builder) -> None:
        with interrupts_deferred():
            actor = Actor(name, builder)
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
            raise run_has_ended()
        while not ready():
            self.check_failures()
            self._sleep(self.check_clock(purpose))

    def take(self, semaphore: Semaphore, purpose: str, seconds: float) -> bool:
        """Wait for a token, for some seconds at most, and take it; False if there was none. Raises what `until` raises.

        While a token is waited for, failures are looked for now and then only.
        """
        if self._is_ended:
            raise run_has_ended()
        end = time.monotonic() + seconds
        while not semaphore.acquire(True, min(_PERIOD, max(0.0, end - time.monotonic()), self.check_clock(purpose))):
            with self._one_at_a_time:
                self._sleep(0.0)
                self.check_failures()
            if time.monotonic() >= end:
                return False
        return True

    def limit_from_now(self, seconds: float) -> None:
        """Let the time limit pass after some seconds, unless it passes before."""
        self._time_limit = min(self._time_limit, time.monotonic() - self._start + seconds)

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
        locations = "".join(f"\n  {name}: {where}" for name, where in self._locations())
        raise TimeLimitError(
            f"the run did not end within its time limit of {self._time_limit:g} s; it waited for {purpose}"
            + (f"; where the processes stood:{locations}" if locations else ""),
            remedy="raise time_limit, or find out what keeps the run from going on",
        )

    def check_failures(self) -> None:
        """Raise the error of a failed actor, if there is one; preferably of one with a reason of its own."""
        end = time.monotonic() + GRACE
        failures = self._failures()
        while failures and not any(failure.conclusive for failure in failures) and time.monotonic() < end:
            self._sleep(_PERIOD)
            failures = self._failures()
        for failure in sorted(failures, key=lambda failure: not failure.conclusive):
            raise failure.error()  # Not kept here: its traceback would keep all of us alive.

    def expect_failure(self) -> NoReturn:
        """Wait for the report of a failure of which Lava has told already, and raise its error."""
        end = time.monotonic() + GRACE
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

    def _failures(self) -> list[Failure]:
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

    def _locations(self) -> list[tuple[str, str]]:
        """Name each actor that has ended or is inside its model's own code, with the line at which it stands."""
        living = [actor for actor in self._actors if not actor.is_closed]
        for actor in living:
            actor.ask_for_stack()
        end = time.monotonic() + GRACE
        while time.monotonic() < end and not all(actor.is_closed or actor.has_stack for actor in living):
            self._sleep(_PERIOD)
        locations = [location(stack_lines(actor.report)) if actor in living else "ended" for actor in self._actors]
        return [(actor.name, where) for actor, where in zip(self._actors, locations, strict=True) if where]


def _kill_all(actors: Iterable[Actor]) -> None:
    for actor in actors:
        actor.kill()


def run_has_ended() -> RunError:
    return RunError(
        "the run of this process has ended, and its Vars and channels with it",
        remedy="use them inside the with block of a GuardedRuntime; build new processes for a new run",
    )
