"""Messages between the processes of one layer each: the frames of some samples over some time steps, packed into bytes.

A message holds up to `batch` samples, each over the same `steps` time steps: spikes as bits, other integers in the
narrowest type that holds them. Its head tells how many samples there are and which time step the first one is, so a
receiver needs no clock, and knows by itself where samples begin.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lava_qsnn import integer

#: Populations that a process of one layer receives messages from, at most: Lava's models declare ports one by one.
MOST_SOURCES = 16

#: Bytes at the start of a message: the number of samples and the first time step, uint32 each.
HEAD = 8


class Format:
    """The layout of a population's frames in a message.

    Args:
        shape: of the population, (C,) or (C, H, W).
        low, high: the range of its values.
        batch: samples per message, at most.
        steps: time steps per message.

    Attributes:
        size: bytes of a message.
        dtype: of the frames that `read` returns; bool for spikes.
    """

    def __init__(self, shape: integer.Shape, low: int, high: int, batch: int, steps: int) -> None:
        self.shape = shape
        self.batch = batch
        self.steps = steps
        self.dtype = np.dtype(bool) if low >= 0 and high <= 1 else integer.integer_dtype(low, high)
        self.size = HEAD + self._bytes(batch)

    def write(self, frames: np.ndarray, first_step: int) -> np.ndarray:
        """Pack frames (samples, steps, *shape), at most `batch` samples; uint8 (bytes,), as long as it needs to be."""
        if frames.shape[1:] != (self.steps, *self.shape) or len(frames) > self.batch:
            raise ValueError(f"{frames.shape} are no frames of {self.steps} steps of {self.shape}")
        head = np.array([len(frames), first_step], np.uint32).view(np.uint8)
        if self.dtype == bool:
            body = np.packbits(frames)
        else:
            body = np.ascontiguousarray(frames, self.dtype).reshape(-1).view(np.uint8)
        return np.concatenate([head, body])

    def read(self, message: np.ndarray) -> tuple[np.ndarray, int]:
        """Frames (samples, steps, *shape), a copy, and the time step of the first; from a whole channel slot."""
        samples, first_step = message[:HEAD].view(np.uint32).tolist()
        body = message[HEAD : HEAD + self._bytes(samples)]
        shape = (samples, self.steps, *self.shape)
        if self.dtype == bool:
            return np.unpackbits(body, count=math.prod(shape)).view(bool).reshape(shape), first_step
        return np.frombuffer(body.tobytes(), self.dtype).reshape(shape), first_step

    def _bytes(self, samples: int) -> int:
        numbers = samples * self.steps * math.prod(self.shape)
        return -(-numbers // 8) if self.dtype == bool else numbers * self.dtype.itemsize


class Bundle:
    """The layout of a message about several populations: that of one after that of the other, each in its place.

    Args:
        formats: of the populations, by name.

    Attributes:
        size: bytes of a message.
    """

    def __init__(self, formats: dict[str, Format]) -> None:
        self.formats = formats
        self.size = sum(form.size for form in formats.values())

    def write(self, frames: Mapping[str, np.ndarray], first_step: int) -> np.ndarray:
        """Pack the frames of each population, (samples, steps, *shape), at most `batch` samples."""
        parts = [form.write(frames[name], first_step) for name, form in self.formats.items()]
        for index, form in enumerate(list(self.formats.values())[:-1]):
            parts[index] = np.pad(parts[index], (0, form.size - len(parts[index])))
        return np.concatenate(parts)

    def read(self, message: np.ndarray) -> tuple[dict[str, np.ndarray], int]:
        """Frames of each population, a copy, and the time step of the first; from a whole channel slot."""
        frames, step, start = {}, 0, 0
        for name, form in self.formats.items():
            frames[name], step = form.read(message[start : start + form.size])
            start += form.size
        return frames, step


@dataclass(frozen=True)
class Messages:
    """The contents of a network's messages.

    Args:
        batch: samples per message, at most.
        steps: time steps per message: T of a sample, or 1 for an answer as soon as it is known.
        slots: messages that a channel from or to the parent holds.
    """

    batch: int
    steps: int
    slots: int = 8

    def format(self, network: integer.IntegerNetwork, name: str) -> Format:
        """The format of a layer's output, or of the network's input."""
        return Format(network.shapes[name], *network.output_ranges[name], self.batch, self.steps)

    def about(self, network: integer.IntegerNetwork, names: Sequence[str]) -> Bundle:
        """The layout of messages about some layers' outputs, or the network's input."""
        return Bundle({name: self.format(network, name) for name in names})


def senders(network: integer.IntegerNetwork, component: integer.Component) -> list[tuple[str, ...]]:
    """The messages that the process of a component receives, each by the names of the populations that it is about.

    They come from the processes of the components that it needs. The last layer's also listens to those that nobody
    needs, so that all processes hang together, by which Lava finds them, and none runs ahead.
    """
    groups = {
        layer.name: tuple(each.name for each in found.layers) for found in network.components for layer in found.layers
    }
    names = [source for layer in component.layers for source in network.sources(layer.name)]
    if network.output in component.layers:
        order = [layer.name for each in network.components for layer in each.layers]
        names += [name for name in network.dead_ends if order.index(name) < order.index(component.layers[0].name)]
    found = dict.fromkeys(groups.get(name, (name,)) for name in names)
    return [names for names in found if component.layers[0].name not in names]
