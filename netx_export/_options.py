"""The wishes that a caller may have of an engine besides the answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.integer import LARGEST_COUNT, Conv, IntegerNetwork, Layer, whole

#: What a message between processes can be about: all time steps of a sample, or one.
GRAINS = ("sample", "step")

#: Seconds, generous ones, that Lava takes for a step of a layer, for a product of a weight, and for a weight of a
#: kernel, poolings merged: its Conv turns all of these round at each step.
PER_LAYER, PER_PRODUCT, PER_KERNEL_WEIGHT = 0.05, 5e-9, 5e-7


@dataclass(frozen=True)
class Options:
    """Options of one run.

    Args:
        every_layer: return the outputs of all layers instead of the last one's only.
        time_limit: seconds after which a Lava run is ended; None for a generous estimate from its size.
        progress: called now and then with the fraction done, 0 to 1; or None.
        grain: what a message between layers is about: "sample", all its time steps, or "step", one of them.
        batch: samples per message; None for a good number.
        threads: of `fast`, at most; None for as many as pay.
    """

    every_layer: bool = False
    time_limit: float | None = None
    progress: Callable[[float], None] | None = None
    grain: str = "sample"
    batch: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.grain not in GRAINS:
            raise ConfigurationError(f"there is no grain {self.grain!r}", remedy=f"choose one of {', '.join(GRAINS)}")
        if self.batch is not None:
            whole(self.batch, "batch", 1, LARGEST_COUNT, ConfigurationError)
        if self.threads is not None:
            whole(self.threads, "threads", 1, LARGEST_COUNT, ConfigurationError)

    def chosen(self, network: IntegerNetwork) -> list[str]:
        """The names of the layers whose outputs are wanted."""
        return list(network) if self.every_layer else [network.output.name]

    def of_part(self, start: int, stop: int, samples: int | None) -> Options:
        """The same for samples start to stop - 1 of so many, or of nobody knows how many, with progress of them all."""
        told = self.progress
        if told is None or samples is None:
            return replace(self, progress=None)
        return replace(self, progress=lambda fraction: told((start + fraction * (stop - start)) / samples))

    def limit(self, network: IntegerNetwork, steps: int) -> float:
        """The time limit in seconds: given, or a minute and what steps of its layers take at most, see `_seconds`."""
        if self.time_limit is not None:
            return self.time_limit
        return 60.0 + steps * sum(_seconds(network, layer) for layer in network.layers)


def _seconds(network: IntegerNetwork, layer: Layer) -> float:
    """Seconds in which even a busy machine has computed a step of a layer: many times what it takes on a free one."""
    total = PER_LAYER
    for connection in layer.connections:
        weights = connection.synapse.weight.size * math.prod(math.prod(each.kernel) for each in connection.poolings)
        is_kernel = isinstance(connection.synapse, Conv)
        positions = math.prod(network.shapes[layer.name][1:]) if is_kernel else 1
        total += PER_PRODUCT * weights * positions + PER_KERNEL_WEIGHT * weights * is_kernel
    return total
