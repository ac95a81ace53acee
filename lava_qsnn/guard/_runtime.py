"""Lava's runtime with every wait guarded, and without shared memory that could outlive it."""

from __future__ import annotations

import contextlib
import mmap
import time
from collections.abc import Iterator
from typing import Any, NoReturn

from lava.magma.compiler.builders.interfaces import AbstractProcessBuilder
from lava.magma.compiler.builders.py_builder import PyProcessBuilder
from lava.magma.compiler.channels.pypychannel import CspRecvPort, CspSendPort
from lava.magma.compiler.executable import Executable
from lava.magma.core.process.message_interface_enum import ActorType
from lava.magma.core.process.process import AbstractProcess, ProcessServer
from lava.magma.core.process.variable import VarServer
from lava.magma.runtime.message_infrastructure.multiprocessing import MultiProcessing
from lava.magma.runtime.mgmt_token_enums import MGMT_COMMAND, MGMT_RESPONSE, enum_equal
from lava.magma.runtime.runtime import Runtime
from numpy.typing import NDArray

from lava_qsnn.errors import RunError
from lava_qsnn.guard._actors import GRACE
from lava_qsnn.guard._waiting import Watch, run_has_ended

_STEP = 2.0  # Seconds after which a time step that needs data from the parent, or room, is taken to wait for it.


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

    def __init__(self, port: CspSendPort | CspRecvPort, watch: Watch) -> None:
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

    @property
    def holds_up(self) -> bool:
        """True if the channel is at its end: empty of what the parent sends, or full of what it has not received."""
        if self._port._done:  # It is in other hands.
            return False
        if isinstance(self._port, CspSendPort):
            return bool(self._port._semaphore._value == self._port.size)
        return bool(self._port._queue.qsize() == self._port.size)


class GuardedLava(Runtime):
    """Lava's runtime with guarded waits, actors of our own, and a full clean-up."""

    _is_running: bool
    runtime_to_service: list[_GuardedPort]
    service_to_runtime: list[_GuardedPort]

    def __init__(self, process: AbstractProcess, executable: Executable, watch: Watch) -> None:
        super().__init__(executable, ActorType.MultiProcessing, loglevel=process._log_config.level)
        self.is_stopped = False
        self.watch = watch
        self._processes = [process, *executable.process_list]
        self._external_pipes: list[tuple[object, str]] = []

    def __del__(self) -> None:
        """Do nothing: unmodified Lava would stop a started runtime here, perhaps for ever."""

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
        """Pause all actors at the end of their current step; RunError if it does not end because it waits for us."""
        if self._is_running:
            if not self._command(MGMT_COMMAND.PAUSE, MGMT_RESPONSE.PAUSED):
                raise RunError(
                    "the network cannot pause: it waits in the midst of a time step for data from its caller, or for "
                    "room to send it some",
                    remedy="send or receive what the step needs before the pause",
                )
            self._is_running = False

    def stop(self) -> None:
        """Stop all actors, running or not, and wait until they have ended; what waits for us is ended from outside."""
        if not self.is_stopped:
            self.watch.stopping = True
            if self._command(MGMT_COMMAND.STOP, MGMT_RESPONSE.TERMINATED):
                self.watch.until_ended()
            else:
                self.watch.end()
            self._is_running = self._is_started = False
            self.is_stopped = True

    def end(self) -> None:
        """Free what the parent holds: threads, channels, and the processes' way to this runtime."""
        ports = list(self._open_ports)
        self.join()
        for port in ports:
            if port.thread is not None:
                port.thread.join(GRACE)
            port._array = []  # Arrays do not keep the memory they lie in: from now on their use would crash.
        if self._messaging_infrastructure is not None:
            self._messaging_infrastructure.stop()
        for port, attribute in self._external_pipes:
            delattr(port, attribute)
        for process in self._processes:
            process.runtime = _ENDED
        _forget(self._processes)

    def _command(self, command: NDArray[Any], answer: NDArray[Any]) -> bool:
        """Send a command to all runtime services and wait for their answers.

        Lava's models on the Loihi protocol listen between time steps only: False if they seem to wait for the parent.
        """
        for port in self.runtime_to_service:
            port.send(command)
        pending, end = list(self.service_to_runtime), time.monotonic() + _STEP
        while pending:
            self.watch.until(
                lambda: pending[0].probe() or (time.monotonic() > end and self._waits_for_parent()),
                f"data from channel '{pending[0].name}'",
            )
            if not pending[0].probe():
                return False
            received = pending[0].recv()
            if enum_equal(received, MGMT_RESPONSE.ERROR):
                self.watch.expect_failure()
            if enum_equal(received, answer):  # It may be an earlier one that nobody waited for.
                pending.pop(0)
        return True

    def _waits_for_parent(self) -> bool:
        return any(getattr(port, attribute).holds_up for port, attribute in self._external_pipes)

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
        # No queue enters exception_q, on which Lava's own initialize() would wait without end.
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
        """Guard the parent's channel ends, and remember them: unmodified Lava never ends their threads."""
        super()._create_external_channels(proc, proc_builder)
        for port in (getattr(proc, name) for name in proc_builder.py_ports):
            for attribute in ("external_pipe_csp_send_port", "external_pipe_csp_recv_port"):
                if hasattr(port, attribute):
                    channel_end = getattr(port, attribute)
                    setattr(port, attribute, _GuardedPort(channel_end, self.watch))
                    self._open_ports.append(channel_end)
                    self._external_pipes.append((port, attribute))


def _forget(processes: list[AbstractProcess]) -> None:
    """Take processes off the lists of all that were ever made, by which Lava would keep them, and their data, alive."""
    gone = {id(one) for process in processes for one in _with_outer(process)}
    register, variables = ProcessServer(), VarServer()
    register.processes = [process for process in register.processes if id(process) not in gone]
    variables.vars = [var for var in variables.vars if id(var.process) not in gone]


def _with_outer(process: AbstractProcess | None) -> Iterator[AbstractProcess]:
    """A process, and those of which it is an inner one."""
    while process is not None:
        yield process
        process = process.parent_proc


def _model_name(process: AbstractProcess, builder: PyProcessBuilder) -> str:
    model, kind = builder.proc_model.__name__, type(process).__name__
    return f"the process model {model} of process '{process.name}' ({kind})"


class _EndedRuntime:
    """Takes the place of a runtime that has ended: unmodified Lava would crash, a Var would tell its first value."""

    def stop(self) -> None:
        """Do nothing: processes call this when they are deleted."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise run_has_ended()

    start = wait = pause = get_var = set_var = _refuse


_ENDED = _EndedRuntime()
