"""Processes that fail in chosen ways, and healthy ones around them, for the tests of the guard."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyAsyncProcessModel, PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.model.sub.model import AbstractSubProcessModel
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.async_protocol import AsyncProtocol
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

#: The process that `leave_a_child_and_die` has left, for whoever has to end it.
ORPHAN = multiprocessing.Value("i", 0, lock=False)


class Source(AbstractProcess):
    """Sends its step number at each step; fails at one step.

    Args:
        failure: name of a function below, None for a healthy source.
        step: the step at which it fails, from 1; 0 to fail while it is built, -1 when it is told to stop.
        after_send: whether it fails only after it has sent.
    """

    def __init__(
        self, failure: str | None = None, *, step: int = 2, after_send: bool = False, name: str = "source"
    ) -> None:
        super().__init__(failure=failure, step=step, after_send=after_send, name=name)
        self.output = OutPort(shape=(2,))


class Sink(AbstractProcess):
    """Receives and counts messages and adds them up."""

    def __init__(self, name: str = "sink") -> None:
        super().__init__(name=name)
        self.input = InPort(shape=(2,))
        self.total = Var(shape=(2,), init=0)
        self.count = Var(shape=(1,), init=0)


@implements(proc=Source, protocol=LoihiProtocol)
@requires(CPU)
class SourceModel(PyLoihiProcessModel):
    """Behaviour of Source under the Loihi protocol."""

    output: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self.failure, self.step = proc_params["failure"], proc_params["step"]
        self.after_send = proc_params["after_send"]
        self.fail_at(0, after_send=self.after_send)

    def run_spk(self) -> None:
        self.fail_at(self.time_step, after_send=False)
        self.output.send(np.full(2, self.time_step, dtype=np.int32))
        self.fail_at(self.time_step, after_send=True)

    def _stop(self) -> None:
        self.fail_at(-1, after_send=self.after_send)
        super()._stop()

    def fail_at(self, step: int, *, after_send: bool) -> None:
        if self.failure and step == self.step and after_send == self.after_send:
            globals()[self.failure](self)


@implements(proc=Sink, protocol=LoihiProtocol)
@requires(CPU)
class SinkModel(PyLoihiProcessModel):
    """Behaviour of Sink under the Loihi protocol."""

    input: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    total: np.ndarray = LavaPyType(np.ndarray, np.int32)
    count: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def run_spk(self) -> None:
        self.total += self.input.recv()
        self.count += 1


@implements(proc=Source, protocol=AsyncProtocol)
@requires(CPU)
class AsyncSourceModel(PyAsyncProcessModel):
    """Behaviour of Source under the asynchronous protocol."""

    output: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_async(self) -> None:
        step = 0
        while step < self.num_steps and not self.check_for_stop_cmd():
            step += 1
            if self.proc_params["failure"] and step == self.proc_params["step"]:
                globals()[self.proc_params["failure"]](self)
            while not all(port.probe() for port in self.output.csp_ports):
                if self.check_for_stop_cmd():  # A send that blocks could not look for it.
                    return
                time.sleep(0.001)
            self.output.send(np.full(2, step, dtype=np.int32))


@implements(proc=Sink, protocol=AsyncProtocol)
@requires(CPU)
class AsyncSinkModel(PyAsyncProcessModel):
    """Behaviour of Sink under the asynchronous protocol."""

    input: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    total: np.ndarray = LavaPyType(np.ndarray, np.int32)
    count: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def run_async(self) -> None:
        received = 0
        while received < self.num_steps and not self.check_for_stop_cmd():
            if self.input.probe():
                self.total += self.input.recv()
                self.count += 1
                received += 1
            else:
                time.sleep(0.001)


class Pair(AbstractProcess):
    """A healthy source and a sink in one process."""

    def __init__(self, name: str = "pair") -> None:
        super().__init__(name=name)
        self.total = Var(shape=(2,), init=0)


@implements(proc=Pair, protocol=LoihiProtocol)
class PairModel(AbstractSubProcessModel):
    """Builds the inner processes of Pair."""

    def __init__(self, process: AbstractProcess) -> None:
        self.source, self.sink = Source(), Sink()
        self.source.output.connect(self.sink.input)
        process.vars.total.alias(self.sink.total)


class Unimplemented(AbstractProcess):
    """A process for which there is no model, so that it cannot be compiled."""

    def __init__(self, name: str = "unimplemented") -> None:
        super().__init__(name=name)
        self.output = OutPort(shape=(2,))


class UnpicklableError(Exception):
    """Holds what no pickle can hold."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.function = lambda: message


class OneWayError(Exception):
    """Can be pickled, but not rebuilt."""

    def __init__(self, message: str, *, detail: str) -> None:
        super().__init__(message)
        self.detail = detail


class SlowError(Exception):
    """Takes its time to be pickled."""

    def __reduce__(self) -> str | tuple[object, ...]:
        time.sleep(0.2)
        return super().__reduce__()


# The failures: each is called by a model, in its own process.


def raise_error(model: PyLoihiProcessModel) -> None:
    raise ValueError("the weights are upside down")


def raise_unpicklable(model: PyLoihiProcessModel) -> None:
    raise UnpicklableError("no way to carry this")


def raise_one_way(model: PyLoihiProcessModel) -> None:
    raise OneWayError("only there, not back", detail="lost")


def raise_slowly(model: PyLoihiProcessModel) -> None:
    raise SlowError("better late than never")


def print_and_raise(model: PyLoihiProcessModel) -> None:
    print("last words")
    raise_error(model)


def raise_large(model: PyLoihiProcessModel) -> None:
    raise ValueError("more than a pipe holds at once", bytes(1_000_000))


def send_wrong_shape(model: PyLoihiProcessModel) -> None:
    model.output.send(np.zeros(3, dtype=np.int32))


def exit_politely(model: PyLoihiProcessModel) -> None:
    sys.exit(3)


def exit_at_once(model: PyLoihiProcessModel) -> None:
    os._exit(3)


def exit_without_error(model: PyLoihiProcessModel) -> None:
    os._exit(0)


def kill_itself(model: PyLoihiProcessModel) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash(model: PyLoihiProcessModel) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def leave_a_child_and_die(model: PyLoihiProcessModel) -> None:
    orphan = os.fork()
    if orphan == 0:  # It inherits every file descriptor, the pipe of the reports included.
        time.sleep(100.0)
        os._exit(0)
    ORPHAN.value = orphan
    kill_itself(model)


def raise_beside_a_thread(model: PyLoihiProcessModel) -> None:
    threading.Thread(target=time.sleep, args=(60.0,)).start()  # Python's own exit would wait for it.
    raise_error(model)


def never_end(model: PyLoihiProcessModel) -> None:
    while True:
        pass


def never_end_whatever_the_signal(model: PyLoihiProcessModel) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    never_end(model)


def interrupt_parent(model: PyLoihiProcessModel) -> None:
    os.kill(os.getppid(), signal.SIGINT)
    never_end(model)


# Not failures, but events in a healthy model.


def sleep_briefly(model: PyLoihiProcessModel) -> None:
    time.sleep(0.35)


def print_something(model: PyLoihiProcessModel) -> None:
    print("a word from the model")


def request_stop(model: PyLoihiProcessModel) -> None:
    model._req_stop = True


def request_pause(model: PyLoihiProcessModel) -> None:
    model._req_pause = True
