"""The parent's side of a network that takes and gives messages: what to send and what has come, without blocking."""

import time
from collections.abc import Sequence
from multiprocessing.synchronize import Semaphore

import numpy as np
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_configs import RunConfig

from lava_qsnn import integer
from lava_qsnn.engines.message_format import Messages
from lava_qsnn.guard import GuardedRuntime
from lava_qsnn.process.configurations import asynchronous
from lava_qsnn.process.messages.asynchronous import LayerProcesses
from lava_qsnn.process.messages.channels import Inlet, Outlet
from lava_qsnn.process.messages.fused import Fused


class Flow:
    """Messages into a network and out of it.

        with flow.runtime(60) as runtime, flow:
            runtime.start()
            ...

    Args:
        network: the deployed network.
        messages: that it takes and gives.
        run_config: of its processes.
        process: one of them.
        entries: InPorts that take each message, with a pipe from here.
        exit: OutPort with a pipe to here.
        told: the names of the layers that its messages are about, the network's last one among them.
    """

    def __init__(
        self,
        network: integer.IntegerNetwork,
        messages: Messages,
        run_config: RunConfig,
        process: AbstractProcess,
        entries: list[InPort],
        exit: OutPort,
        told: Sequence[str],
    ) -> None:
        self._input = messages.format(network, integer.INPUT)
        self._output, self._last = messages.about(network, told), network.output.name
        self._slots, self._run_config, self._process = messages.slots, run_config, process
        self._entries, self._exit = entries, exit

    def runtime(self, time_limit: float) -> GuardedRuntime:
        """A guarded runtime of the network's processes."""
        channels = {"pypy_channel_size": self._slots}
        return GuardedRuntime(self._process, self._run_config, time_limit=time_limit, compile_config=channels)

    def __enter__(self) -> "Flow":
        """Take the parent's ends of the channels over from Lava, before the network starts."""
        senders = [port.external_pipe_csp_send_port for port in self._entries]
        receiver = self._exit.external_pipe_csp_recv_port
        self._senders, self._receiver = [Outlet(end) for end in senders], Inlet(receiver)
        for end in (*senders, receiver):
            end.join()  # Its thread would take our tokens, and has to be gone before there are any.
            end.thread.join()
        return self

    def __exit__(self, *_: object) -> None:
        """Let the channels' memory go."""
        del self._senders, self._receiver

    @property
    def answers(self) -> Semaphore:
        """A token for each answer that has come."""
        return self._receiver.tokens

    def has_room(self) -> bool:
        """True if there is room for a message."""
        return all(sender.has_room() for sender in self._senders)

    def wait_for_room(self, runtime: GuardedRuntime, seconds: float) -> bool:
        """Wait for room for a message; False if there is none in some seconds."""
        end = time.monotonic() + seconds
        for sender in self._senders:
            if not sender.has_room():
                if not runtime.take(sender.acknowledged, "room for a message", end - time.monotonic()):
                    return False
                sender.made_room()
        return True

    def send(self, frames: np.ndarray, step: int) -> None:
        """Send frames (samples, steps, *shape) that start at a time step of their samples; there must be room."""
        message = self._input.write(frames, step)
        for sender in self._senders:
            sender.send(message)

    def receive(self) -> tuple[np.ndarray, int]:
        """The output's frames (samples, steps, *shape) and the time step of the first; its token must be taken."""
        answers, step = self._output.read(self._receiver.message)
        self._receiver.free()
        return answers[self._last], step


def through_layers(
    network: integer.IntegerNetwork, messages: Messages, stores: dict[str, np.ndarray] | None = None
) -> Flow:
    """A flow through one asynchronous process per layer; `stores` take the outputs of layers, by name."""
    layers = LayerProcesses(network, messages, stores)
    last = layers.processes[network.output.name]
    return Flow(network, messages, asynchronous(), last, layers.entries, layers.exit, layers.told)


def through_one(
    network: integer.IntegerNetwork, messages: Messages, stores: dict[str, np.ndarray] | None = None
) -> Flow:
    """A flow through one process for the whole network; `stores` take the outputs of layers, by name."""
    process, told = Fused(network, messages, stores), [network.output.name]
    return Flow(network, messages, asynchronous(), process, [process.inp], process.out, told)
