"""The engines that take messages of whole samples: a Lava process per layer, and one for the whole network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.engines.message_format import layer_format
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
        samples, steps: of a message.
        stores: shared arrays (N, T, *shape) for the outputs of layers before the last one, where they are wanted.
    """

    def __init__(self, network: IntegerNetwork, x: Numbers, options: Options, shares: int) -> None:
        self.network, self.x, self.options = network, x, options
        self.samples, self.steps = _message(network, x, options, shares)
        names = [name for name in options.chosen(network) if name != network.output.name]
        self.stores = {name: self._store(name) for name in names}

    def through(self, make: Callable[..., Flow]) -> dict[str, Integers]:
        """Run all; outputs by layer, (N, *shape, T)."""
        slots = SLOTS[self.options.grain]
        flow = make(self.network, self.samples, self.steps, slots, self.stores)
        count = math.ceil(len(self.x) / self.samples) * (self.x.shape[-1] // self.steps)
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
        unsent, expected = self._places(x.shape), self._places(x.shape)
        for received in range(count):
            # A full channel has work for longer than the first answer takes, so it is enough to wait for answers.
            while flow.has_room() and (place := next(unsent, None)):
                flow.send(x[place], place[1].start)
            runtime.take(flow.answers, "the next answer")
            answers[next(expected)] = flow.receive()[0]
            if self.options.progress is not None:
                self.options.progress((received + 1) / count)
        return answers

    def _store(self, name: str) -> NDArray[Any]:
        dtype = layer_format(self.network, name, self.samples, self.steps).dtype
        return shared_array((len(self.x), self.x.shape[-1], *self.network.shapes[name]), dtype)

    def _places(self, shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
        """The places of the messages in a batch (N, T, ..), in their order."""
        for sample in range(0, shape[0], self.samples):
            for step in range(0, shape[1], self.steps):
                yield slice(sample, sample + self.samples), slice(step, step + self.steps)


def _message(network: IntegerNetwork, x: Numbers, options: Options, shares: int) -> tuple[int, int]:
    """Samples and time steps of a message."""
    if options.grain == "step":
        return options.batch or 1, 1
    largest = max(math.prod(shape) for shape in network.shapes.values()) * x.shape[-1]
    return options.batch or max(1, min(MESSAGE // largest, math.ceil(len(x) / shares))), x.shape[-1]
