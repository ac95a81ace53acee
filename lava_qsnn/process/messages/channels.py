"""Lava's channels without their threads, for models of the asynchronous protocol.

Lava gives each end of a channel a thread that moves tokens from a semaphore to a queue; a message wakes that thread
first and the model after it, and a token that moves between a model's look and its wait wakes nobody. Here a model
waits for the semaphore itself, and a command of the runtime service releases the very semaphore it waits for. On
the other side of a channel there may be an end of either kind: memory and semaphores are used as Lava's ends do.
"""

import threading
from multiprocessing.synchronize import Semaphore

import numpy as np
from lava.magma.compiler.channels.pypychannel import CspRecvPort, CspSendPort
from lava.magma.core.model.py.ports import AbstractPyPort

#: Seconds of sleep after which a model looks whether a command came while it fell asleep.
LOOK = 1.0


class Waiting:
    """A model's waiting: for a channel or for a command, whichever is first.

    Args:
        commands: the model's port from its runtime service, started.
    """

    def __init__(self, commands: CspRecvPort) -> None:
        self._commands = commands
        self._lock = threading.Lock()
        self._awaited: Semaphore | None = None
        self._is_called = self._is_surplus = False

    def __enter__(self) -> "Waiting":
        self._is_called = self._is_surplus = False
        self._commands.observer = self._call
        if self._commands.probe():
            self._is_called = True
        return self

    def __exit__(self, *_: object) -> None:
        self._commands.observer = None

    def until(self, semaphore: Semaphore) -> bool:
        """Take a token; False if a command has come instead."""
        with self._lock:
            if self._is_called:
                return False
            self._awaited = semaphore
        while not semaphore.acquire(True, LOOK):
            if self._commands.probe():
                self._call()
        with self._lock:
            self._awaited = None
            taken, self._is_surplus = not self._is_surplus, False
        return taken

    def _call(self) -> None:
        """Called by the port's thread, when a command comes: one token too many is what ends the wait."""
        with self._lock:
            self._is_called = True
            if self._awaited is not None and not self._is_surplus:
                self._is_surplus = True
                self._awaited.release()


class Inlet:
    """The receiving end of a channel. `tokens` counts the messages in it: take a token, read `message`, then `free`."""

    def __init__(self, port: CspRecvPort) -> None:
        self.tokens, self._acknowledged = port._req, port._ack
        self._slots = _slots(port)
        self._next = 0

    @property
    def message(self) -> np.ndarray:
        """The oldest message, in place."""
        return self._slots[self._next]

    def free(self) -> None:
        """Give the slot of the oldest message back to the sender."""
        self._next = (self._next + 1) % len(self._slots)
        self._acknowledged.release()


class Outlet:
    """The sending end of a channel. If there is no room, take a token of `acknowledged`, then call `made_room`."""

    def __init__(self, port: CspSendPort) -> None:
        self._tokens, self.acknowledged = port._req, port._ack
        self._slots = _slots(port)
        self._next = 0
        self._free = len(self._slots)

    def has_room(self) -> bool:
        """True if a slot is free."""
        if not self._free and self.acknowledged.acquire(False):
            self.made_room()
        return bool(self._free)

    def made_room(self) -> None:
        """Note that the receiver has given a slot back."""
        self._free += 1

    def send(self, message: np.ndarray) -> None:
        """Send bytes, at most as many as a slot holds; there must be room."""
        self._slots[self._next][: len(message)] = message
        self._next = (self._next + 1) % len(self._slots)
        self._free -= 1
        self._tokens.release()


def inlets(port: AbstractPyPort) -> list[Inlet]:
    """An end for each channel of an InPort."""
    return [Inlet(channel) for channel in port.csp_ports]


def outlets(port: AbstractPyPort) -> list[Outlet]:
    """An end for each channel of an OutPort."""
    return [Outlet(channel) for channel in port.csp_ports]


def _slots(port: CspRecvPort | CspSendPort) -> list[np.ndarray]:
    size, kind = int(port._nbytes), np.dtype(port._dtype)
    return [np.ndarray(port._shape, kind, port._shm.buf, size * index) for index in range(port._size)]
