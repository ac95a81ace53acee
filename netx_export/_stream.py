"""An endless run: samples or single steps go in as they come, and answers come out as they are known."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.engines.message_format import Messages
from lava_qsnn.errors import ConfigurationError, InputError, RunError, TimeLimitError
from lava_qsnn.guard import GuardedRuntime
from lava_qsnn.integer import ENDLESS, IntegerNetwork, check_input, whole
from lava_qsnn.integer.layouts import from_sequences, to_sequences
from lava_qsnn.process.messages.flow import Flow, through_layers
from netx_export._backends import BACKENDS
from netx_export._flow import SLOTS
from netx_export._options import Options
from netx_export._read import load

Integers = NDArray[np.int64]
Numbers = NDArray[np.integer[Any]]

#: Seconds between looks at what no semaphore tells: that a source has ended, or a stream is left.
LOOK = 0.1

#: Seconds for the processes to end when a stream is left, and for the thread that feeds them.
END_LIMIT, FEEDER_LIMIT = 10.0, 1.0


class Stream:
    """A network that runs until you leave its `with` block, one process per layer, on what you feed it.

        with netx_export.Stream("digits.net") as stream:
            stream.feed(samples)  # any iterable, read as far as there is room: a list, a file, a live generator
            for potentials in stream:
                ...

    In place of `feed`, `put` takes one sample; in place of the loop, `get` gives one answer. Putting in and taking out
    may be done by different threads, one each. Answers come in the order of what was put in. Memory is bounded: when
    the channels are full because nobody takes answers, whoever puts in waits.

    Args:
        network: a deployed network, or the path of its file.
        timesteps: T, time steps per sample, at most the network's; its own by default. Of a network whose timesteps are
            unknown, frames make one sample that never ends, and its state is kept, until `begin_sample`.
        grain: "sample", to put in whole samples (*input shape, T) and take (*output shape, T); or "step", to put in
            frames (*input shape), T for each sample, and take (*output shape) for each as soon as it is known.
        time_limit: seconds that one `put` or `get` may take, and in the loop an answer to what was put in.
        slots: messages that a channel holds; None for a good number.

    Raises:
        DeploymentError: a layer has too many sources.
        ConfigurationError: an argument makes no sense.
        RunError: inside the block, or when it is left: a process failed.
        RangeError: the same, for input whose sums the network does not compute exactly.
    """

    def __init__(
        self,
        network: IntegerNetwork | str | os.PathLike[str],
        timesteps: int | None = None,
        *,
        grain: str = "sample",
        time_limit: float = 60.0,
        slots: int | None = None,
    ) -> None:
        Options(grain=grain)  # refuses what is no grain
        self.network = network if isinstance(network, IntegerNetwork) else load(network)
        BACKENDS["lava-async"].check(self.network)
        self.grain, self.time_limit = grain, time_limit
        most = self.network.timesteps
        if self.network.is_endless and timesteps is None and grain == "sample":
            raise ConfigurationError(
                "nobody knows how many time steps a sample of this network has",
                remedy='give the stream its timesteps, or use grain="step"',
            )
        self.timesteps = whole(most if timesteps is None else timesteps, "timesteps", 1, most, ConfigurationError)
        self._slots = whole(SLOTS[grain] if slots is None else slots, "slots", 1, 2**16, ConfigurationError)
        self._open: tuple[GuardedRuntime, Flow] | None = None
        self._stack = ExitStack()
        self._feeder: threading.Thread | None = None
        self._feeder_error: BaseException | None = None
        self._is_left = False
        self._step = self._put = self._taken = 0

    def __enter__(self) -> Stream:
        if self._open is not None or self._is_left:
            raise ConfigurationError("a stream was entered twice", remedy="create a new one")
        flow = through_layers(self.network, Messages(1, self.timesteps if self.grain == "sample" else 1, self._slots))
        runtime = flow.runtime(math.inf)
        with ExitStack() as stack:
            stack.enter_context(runtime)
            stack.enter_context(flow)
            runtime.start()
            self._stack = stack.pop_all()
        self._open = runtime, flow
        return self

    def put(self, values: Any, time_limit: float | None = None) -> None:
        """Put in a sample, or the frame of one time step; wait while there is no room.

        Args:
            values: int (*input shape, T) or, of steps, (*input shape), from 0 to the network's input maximum.
            time_limit: seconds, in place of the stream's.

        Raises:
            InputError: wrong dtype, shape or range.
            TimeLimitError: there was no room in time.
            RunError: a process failed.
        """
        frames = self._checked(values)
        runtime, flow = self._opened()
        end = time.monotonic() + (self.time_limit if time_limit is None else time_limit)
        while not flow.wait_for_room(runtime, LOOK):
            self._opened()  # It may be left meanwhile.
            if time.monotonic() >= end:
                raise TimeLimitError("there was no room for more input in time", remedy="take answers, or wait longer")
        flow.send(frames, self._step)
        self._put += 1
        self._step = self._next_step() if self.grain == "step" else 0

    def _next_step(self) -> int:
        """The step after this one: the first of the next sample after the last; of an endless one, there is none."""
        if self.timesteps == ENDLESS:
            return min(self._step + 1, ENDLESS - 1)
        return (self._step + 1) % self.timesteps

    def begin_sample(self) -> None:
        """Let the next frame be the first of a new sample, though the last one has not had all its steps."""
        self._step = 0

    def get(self, time_limit: float | None = None) -> Integers:
        """Take the next answer, int64 (*output shape, T) or, of steps, (*output shape).

        Raises:
            TimeLimitError: it did not come in time.
            RunError: a process failed.
        """
        runtime, flow = self._opened()
        seconds = self.time_limit if time_limit is None else time_limit
        if not runtime.take(flow.answers, "an answer", seconds):
            raise TimeLimitError(
                f"no answer came within {seconds:g} s; {self._put - self._taken} are due",
                remedy="put something in, or wait longer",
            )
        return self._received(flow)

    def feed(self, values: Iterable[Any]) -> None:
        """Put in what an iterable gives, in a thread of its own, and return at once; the loop ends with its answers.

        An error of the iterable is raised by the loop. When the block is left, nothing more is asked of the iterable;
        if it is just being asked, its thread ends with its next value.
        """
        if self._feeder is not None and self._feeder.is_alive():
            raise ConfigurationError("the stream is being fed already", remedy="wait for the end of its loop")
        self._opened()
        self._feeder = threading.Thread(target=self._feed, args=(values,), name="lava-qsnn feed", daemon=True)
        self._feeder.start()

    def __iter__(self) -> Iterator[Integers]:
        runtime, flow = self._opened()
        since = time.monotonic()
        while self._is_fed() or self._taken < self._put:
            if runtime.take(flow.answers, "an answer", LOOK):
                yield self._received(flow)
                since = time.monotonic()
            elif self._taken == self._put:
                since = time.monotonic()  # It is the source that takes its time.
            elif time.monotonic() - since > self.time_limit:
                raise TimeLimitError(f"no answer came within {self.time_limit:g} s", remedy="raise time_limit")
        if self._feeder_error is not None:
            error, self._feeder_error = self._feeder_error, None
            raise error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is None:
            return
        runtime, _ = self._open
        self._is_left, self._open = True, None
        if self._feeder is not None:
            self._feeder.join(FEEDER_LIMIT)
        if kind is None:
            with self._stack:
                runtime.limit_from_now(END_LIMIT)
        else:
            self._stack.__exit__(kind, error, trace)

    def _feed(self, values: Iterable[Any]) -> None:
        try:
            for value in values:
                self.put(value, math.inf)
        except BaseException as error:
            if not self._is_left:
                self._feeder_error = error

    def _is_fed(self) -> bool:
        return self._feeder is not None and self._feeder.is_alive()

    def _received(self, flow: Flow) -> Integers:
        sequences = flow.receive()[0].astype(np.int64)
        self._taken += 1
        return from_sequences(sequences)[0] if self.grain == "sample" else sequences[0, 0]

    def _checked(self, values: Any) -> Numbers:
        """Values as sequences (1, steps, *input shape)."""
        array = np.asarray(values)
        batch = array[None] if self.grain == "sample" else array[None, ..., None]
        if self.grain == "sample" and array.ndim and array.shape[-1] != self.timesteps:
            raise InputError(f"a sample has {array.shape[-1]} time steps, not {self.timesteps}")
        return to_sequences(check_input(self.network, batch))

    def _opened(self) -> tuple[GuardedRuntime, Flow]:
        if self._open is None:
            raise RunError("a stream was used outside its with block", remedy="keep what uses it inside")
        return self._open
