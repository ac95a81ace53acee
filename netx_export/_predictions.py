"""The meaning of a network's answers: classes, or numbers in their own units, by what its file tells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import FileFormatError
from lava_qsnn.integer import IntegerNetwork


def tells_numbers(network: IntegerNetwork) -> bool:
    """True if a network was trained to tell numbers, by its metadata; otherwise it tells classes."""
    return "scale" in network.metadata


def predictions(network: IntegerNetwork, answers: NDArray[np.integer[Any]]) -> NDArray[Any]:
    """The classes, or the numbers, that a network's answers stand for.

    A class is the output with the largest sum over time. Numbers are linear in the outputs' means over time: offset +
    scale x mean, with the scale and the offset that training has put into the network's metadata.

    Args:
        network: a deployed network.
        answers: of `simulate`, int (N, *shape, T).

    Returns:
        Classes, int64 (N,); or numbers in their own units, float64 (N, numbers).

    Raises:
        FileFormatError: the metadata's scale or offset do not fit the network.
    """
    rows = answers.reshape(len(answers), -1, answers.shape[-1])
    if not tells_numbers(network):
        return rows.sum(-1).argmax(1)
    scale, offset = (_line(network, name, rows.shape[1]) for name in ("scale", "offset"))
    return offset + scale * rows.mean(-1)


def _line(network: IntegerNetwork, name: str, count: int) -> NDArray[np.float64]:
    told = network.metadata.get(name)
    if isinstance(told, list) and len(told) == count and all(type(each) in (int, float) for each in told):
        return np.array(told, np.float64)
    raise FileFormatError(f"the metadata's '{name}' is no list of {count} numbers", remedy="export the network anew")
