"""The description of data: what training, a checkpoint and a network's file know of them, apart from samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from lava_qsnn.checked import Checked, bounded, listed
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.train.config import Data
from lava_qsnn.train.encodings import ENCODINGS

#: Channels at most that have ranges of their own, and classes at most that have names.
MOST_NAMES = 2**12


@dataclass(frozen=True)
class Properties:
    """The properties of data that a model is built for.

    Args:
        input_shape: (C,) or (C, H, W) of a time step.
        input_bits: of an input: integers from 0 to 2^input_bits - 1.
        timesteps: T.
        outputs: classes, or numbers.
    """

    input_shape: tuple[int, ...]
    input_bits: int
    timesteps: int
    outputs: int


@dataclass(frozen=True)
class Description(Checked):
    """The nature of samples, apart from their number.

    Args:
        shape: (C,) or (C, H, W) of an encoded time step, not flattened.
        names: of the classes, or of the numbers.
        low, high: of values that are scaled, what becomes 0 and 2^input_bits - 1: one for all, or one a channel. Empty
            where values are integers that stay as they are.
        mean, deviation: of each number that is learned, over the training samples, in its own unit. Empty of classes.
    """

    key: ClassVar[str] = "the description of data"

    shape: tuple[int, ...] = bounded(..., 1, 2**24)
    names: tuple[str, ...] = listed(..., MOST_NAMES)
    low: tuple[float, ...] = listed((), MOST_NAMES)
    high: tuple[float, ...] = listed((), MOST_NAMES)
    mean: tuple[float, ...] = listed((), MOST_NAMES)
    deviation: tuple[float, ...] = listed((), MOST_NAMES)

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = len(self.shape) in (1, 3) and len(self.names) > 0
        pairs = len(self.low) == len(self.high) and all(low <= high for low, high in zip(self.low, self.high))
        numbers = len(self.mean) == len(self.deviation) in (0, len(self.names)) and all(
            each > 0 for each in self.deviation
        )
        if not (fits and pairs and numbers):
            raise ConfigurationError(f"{self.key} contradicts itself")

    @property
    def of_numbers(self) -> bool:
        """True if numbers are learned, and not classes."""
        return bool(self.mean)

    def properties(self, data: Data) -> Properties:
        """The properties of these data by the configuration that they are read with."""
        shape = (math.prod(self.shape),) if data.flatten else self.shape
        bits = 1 if ENCODINGS[data.encoding].spikes else data.input_bits
        return Properties(shape, bits, data.timesteps, len(self.names))
