"""Networks as a list of layers in a configuration, such as [conv 64 kernel 5 stride 2, conv 128, pool 2, dense 256].

A layer is its kind, its number, and options by name: `conv` and `dense` have channels or neurons, and `pool` the side
of its windows. A convolution has `kernel` (3) and `stride` (1), and is padded by half of its kernel. The output layer
follows by itself. This module needs no torch, so that a command line can check its arguments at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, cast, get_args

from lava_qsnn.checked import LONGEST_LIST, shown
from lava_qsnn.errors import ConfigurationError

Kind = Literal["conv", "pool", "dense"]

#: The options of each kind, with their defaults.
OPTIONS: Mapping[Kind, Mapping[str, int]] = {"conv": {"kernel": 3, "stride": 1}, "pool": {}, "dense": {}}

#: The largest number of channels, neurons and pixels along a side.
LARGEST = 2**16


@dataclass(frozen=True)
class LayerText:
    """One layer of a list.

    Args:
        kind: "conv", "pool" or "dense".
        number: channels of a convolution, neurons of a dense layer, the side of a pooling's windows.
        kernel, stride: of a convolution; the side of its kernel is odd.
    """

    kind: Kind
    number: int
    kernel: int = 1
    stride: int = 1

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape after it, from (C, H, W) or (C,); ConfigurationError if it does not fit."""
        if self.kind == "dense":
            return (self.number,)
        if len(shape) != 3:
            raise ConfigurationError(f"'{self.kind}' takes maps, and what comes in has none", remedy=_MAPS)
        side = self.number if self.kind == "pool" else 1
        height, width = (_halved(size, self) // side for size in shape[1:])
        if min(height, width) < 1:
            raise ConfigurationError(f"a 'pool {side}' does not fit maps of {shape[1]} x {shape[2]}", remedy=_POOLS)
        return (shape[0] if self.kind == "pool" else self.number, height, width)


_MAPS = "set data.flatten to false, and put dense layers after all others"
_POOLS = "pool less, or with smaller windows"


def parse_layer(text: str) -> LayerText:
    """One layer from its text, such as "conv 64 kernel 5 stride 2".

    Raises:
        ConfigurationError: the kind or an option is unknown, or a number lacks or is out of range.
    """
    words = text.split()
    kind = _one_of(words[0] if words else "", get_args(Kind), text)
    names, numbers = words[2::2], words[1::2]
    if len(words) % 2 or not all(word.isdecimal() and 0 < int(word) <= LARGEST for word in numbers):
        raise ConfigurationError(
            f"the layer '{text}' does not consist of names with a number from 1 to {LARGEST} each",
            remedy="write for example conv 64 kernel 5 stride 2",
        )
    options = dict(OPTIONS[cast(Kind, kind)])
    for name, number in zip(names, numbers[1:]):
        options[_one_of(name, tuple(options), text)] = int(number)
    if options.get("kernel", 1) % 2 == 0:
        raise ConfigurationError(f"the layer '{text}' has an even kernel", remedy="use 1, 3, 5 or 7")
    return LayerText(cast(Kind, kind), int(numbers[0]), **options)


def read_layers(key: str, content: Any) -> tuple[str, ...]:
    """Check a configuration's list of layers, and return it as it is written."""
    if not isinstance(content, Sequence) or isinstance(content, str) or not all(isinstance(x, str) for x in content):
        raise ConfigurationError(f"{key} must be a list of layers such as conv 64, not {shown(content)}")
    if len(content) > LONGEST_LIST:
        raise ConfigurationError(f"{key} must have at most {LONGEST_LIST} entries, not {len(content):,}")
    for text in content:
        try:
            parse_layer(text)
        except ConfigurationError as error:
            raise ConfigurationError(f"{key}: {error.problem}", remedy=error.remedy) from None
    return tuple(content)


def _one_of(word: str, choices: Sequence[str], text: str) -> str:
    if word in choices:
        return word
    near = get_close_matches(word, choices, 1)
    remedy = f"did you mean '{near[0]}'?" if near else f"choose one of {', '.join(choices)}" if choices else None
    raise ConfigurationError(f"the layer '{text}' has no '{word}'", remedy=remedy or "leave it out")


def _halved(size: int, layer: LayerText) -> int:
    """The side of a map after a convolution that is padded by half of its kernel; as it is after others."""
    return math.ceil(size / layer.stride)
