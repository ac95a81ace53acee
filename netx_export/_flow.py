"""The engines that take messages of whole samples: a Lava process per layer, and one for the whole network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.engines.message_format import Messages
from lava_qsnn.guard import GuardedRuntime
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.integer.layouts import from_sequences, to_sequences
from lava_qsnn.process.loihi.recording import shared_array
from lava_qsnn.process.messages.flow import Flow, through_layers, through_one
from netx_export._options import Options

Numbers = NDArray[np.integer[Any]]
Integers = NDArray[np.int64]

#: Numbers in a message of the largest population, about: more would leave the caches, fewer cost more messages.
MESSAGE = 2**16

#: Messages that a channel holds, of whole samples and of single steps.
SLOTS = {"sample": 8, "step": 32}


def run_asynchronous(network: IntegerNetwork, x: Numbers, options: Options) -> dict[str, Integers]:
    """Run a batch with one process per layer on the asynchronous protocol; outputs by layer, (N, *shape, T)."""
    return _Run(network, x, options, shares=2 * len(network)).through(through_layers)


def run_fused(network: IntegerNetwork, x: Numbers, options: Options) -> dict[str, Integers]:
    """Run a batch with one process for the whole network; outputs by layer, (N, *shape, T)."""
    return _Run(network, x, options, shares=4).through(through_one)


class _Run:
    """A batch on its way through a network.

    Args:
        shares: messages into which it should be divided, if it is as large, to keep all processes busy.

    Attributes:
        messages: into which it is divided.
        stores: shared arrays (N, T, *shape) for the outputs of layers before the last one, where they are wanted.
    """

    def __init__(self, network: IntegerNetwork, x: Numbers, options: Options, shares: int) -> None:
        self.network, self.x, self.options = network, x, options
        self.messages = _messages(network, x, options, shares)
        names = [name for name in options.chosen(network) if name != network.output.name]
        self.stores = {name: self._store(name) for name in names}

    def through(self, make: Callable[..., Flow]) -> dict[str, Integers]:
        """Run all; outputs by layer, (N, *shape, T)."""
        flow = make(self.network, self.messages, self.stores)
        count = math.ceil(len(self.x) / self.messages.batch) * (self.x.shape[-1] // self.messages.steps)
        limit = self.options.limit(self.network, len(self.x) * self.x.shape[-1])
        with flow.runtime(limit) as runtime, flow:
            runtime.start(count)
            answers = self._exchange(runtime, flow, count)
            runtime.wait()
        outputs = {**self.stores, self.network.output.name: answers}
        return {name: from_sequences(values).astype(np.int64) for name, values in outputs.items()}

    def _exchange(self, runtime: GuardedRuntime, flow: Flow, count: int) -> Integers:
        """Send all messages and take all answers, each as soon as there is room, or one has come."""
        x = to_sequences(self.x)
        answers = np.empty((len(x), x.shape[1], *self.network.shapes[self.network.output.name]), np.int64)
        unsent, expected = self._parts(x.shape), self._parts(x.shape)
        for received in range(count):
            # A full channel has work for longer than the first answer takes, so it is enough to wait for answers.
            while flow.has_room() and (part := next(unsent, None)):
                flow.send(x[part], part[1].start)
            runtime.take(flow.answers, "the next answer")
            answers[next(expected)] = flow.receive()[0]
            if self.options.progress is not None:
                self.options.progress((received + 1) / count)
        return answers

    def _store(self, name: str) -> NDArray[Any]:
        dtype = self.messages.format(self.network, name).dtype
        return shared_array((len(self.x), self.x.shape[-1], *self.network.shapes[name]), dtype)

    def _parts(self, shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
        """The parts of a batch (N, T, ..) that messages hold, in their order."""
        batch, steps = self.messages.batch, self.messages.steps
        for sample in range(0, shape[0], batch):
            for step in range(0, shape[1], steps):
                yield slice(sample, sample + batch), slice(step, step + steps)


def _messages(network: IntegerNetwork, x: Numbers, options: Options, shares: int) -> Messages:
    """The messages that a batch is divided into."""
    slots = SLOTS[options.grain]
    if options.grain == "step":
        return Messages(options.batch or 1, 1, slots)
    largest = max(math.prod(shape) for shape in network.shapes.values()) * x.shape[-1]
    batch = options.batch or max(1, min(MESSAGE // largest, math.ceil(len(x) / shares)))
    return Messages(batch, x.shape[-1], slots)
