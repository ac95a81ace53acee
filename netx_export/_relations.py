"""Relations of two arrays of weights: the words for what happened to one on its way to the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import Connection

Weights = NDArray[np.integer[Any]]


def _swapped(meant: Weights, found: Weights, one: int, other: int) -> bool:
    return meant.ndim >= 2 and _same(meant.swapaxes(one, other), found)


def _is_transposed(meant: Weights, found: Weights) -> bool:
    return meant.ndim == 4 and _swapped(meant, found, 2, 3)


def _is_flipped(meant: Weights, found: Weights) -> bool:
    return meant.ndim == 4 and _same(meant[:, :, ::-1, ::-1], found)


def _is_exchanged(meant: Weights, found: Weights) -> bool:
    return _swapped(meant, found, 0, 1)


def _is_negated(meant: Weights, found: Weights) -> bool:
    return _same(-meant.astype(np.int64), found)


def _is_clipped(meant: Weights, found: Weights) -> bool:
    varied = bool(found.size) and bool(found.min() < found.max())
    return varied and _same(meant.clip(found.min(), found.max()), found)


def _is_truncated(meant: Weights, found: Weights) -> bool:
    return any(_same(meant >> cut << cut, found) for cut in range(1, 8))


def _is_scaled(meant: Weights, found: Weights) -> bool:
    if meant.shape != found.shape or not meant.any() or not found.any():
        return False
    place = np.unravel_index(np.abs(meant).argmax(), meant.shape)
    mine, its = int(meant[place]), int(found[place])
    return mine * its > 0 and bool((meant.astype(np.int64) * its == found.astype(np.int64) * mine).all())


def _same(one: Weights, other: Weights) -> bool:
    return one.shape == other.shape and bool((one == other).all())


def aligned(meant: Connection, found: Connection) -> tuple[Connection, Connection]:
    """Two connections with weights in one scale, where their sums are shifted down by different bits."""
    shift = max(meant.sum_shift, found.sum_shift)
    return _shifted(meant, shift), _shifted(found, shift)


def _shifted(connection: Connection, shift: int) -> Connection:
    by = shift - connection.sum_shift
    if not by:
        return connection
    synapse = replace(connection.synapse, weight=connection.synapse.weight.astype(np.int64) << by)  # type: ignore
    return replace(connection, synapse=synapse, sum_shift=shift)


#: The relations of weights that were meant to those that are found, in the order in which they are looked for.
RELATIONS: dict[str, tuple[str, Callable[[Weights, Weights], bool]]] = {
    "equal": ("equal", _same),
    "transposed": ("each kernel is transposed, rows for columns", _is_transposed),
    "flipped": ("each kernel is turned by 180 degrees, as between a convolution and a correlation", _is_flipped),
    "exchanged": ("sources and targets are exchanged", _is_exchanged),
    "negated": ("every weight has the other sign", _is_negated),
    "scaled": ("every weight is multiplied by one number", _is_scaled),
    "clipped": ("large weights are clipped", _is_clipped),
    "truncated": ("the lowest bits of the weights are cut off", _is_truncated),
}


def relation(meant: Weights, found: Weights) -> str | None:
    """The name of the first of RELATIONS that holds between two arrays; None if none does."""
    return next((name for name, (_, holds) in RELATIONS.items() if holds(meant, found)), None)
