"""The parameters of NIR nodes, checked: finite numbers, not too many, of the shape that they must have."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import DeploymentError
from lava_qsnn.integer import Shape

Floats = NDArray[np.float64]

#: Numbers of one parameter of a node, and in one frame of a population.
MOST_NUMBERS = 2**28


def numbers(node: Any, name: str, place: str) -> Floats:
    """A parameter of a node as float64.

    Raises:
        DeploymentError: it is not there, no array of numbers, empty, too large, or holds NaN or infinity.
    """
    try:
        array = np.asarray(getattr(node, name))
    except (AttributeError, ValueError, TypeError):
        raise DeploymentError(f"the {kind(node)} has no readable '{name}'", layer=place) from None
    if array.dtype.kind not in "iufb":
        raise DeploymentError(f"'{name}' of the {kind(node)} must be numbers, not {array.dtype}", layer=place)
    if not 1 <= array.size <= MOST_NUMBERS:
        raise DeploymentError(
            f"'{name}' of the {kind(node)} has {array.size:,} numbers, not 1 to {MOST_NUMBERS:,}", layer=place
        )
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise DeploymentError(
            f"'{name}' of the {kind(node)} has numbers that are not finite",
            layer=place,
            remedy="train again with a smaller step, or mend the graph: every number must be finite",
        )
    return array


def spread(values: Floats, shape: Shape, what: str, place: str) -> Floats:
    """A parameter with one number for each neuron of a population, from one for each or a single one for all."""
    if values.size == 1:
        return np.full(shape, float(values.reshape(-1)[0]))
    if values.shape != shape:
        raise DeploymentError(f"'{what}' {values.shape} does not fit its population {shape}", layer=place)
    return values


def pair(node: Any, name: str, place: str, least: int) -> tuple[int, int]:
    """A geometric parameter, (height, width), from one whole number or two; DeploymentError if it is none."""
    values = numbers(node, name, place).reshape(-1)
    whole = [int(value) for value in values if value == math.floor(value) and least <= value < 2**16]
    if len(whole) != values.size or len(whole) not in (1, 2):
        raise DeploymentError(
            f"'{name}' of the {kind(node)} must be one or two integers from {least} to {2**16 - 1}, not "
            f"{values[:4].tolist()}",
            layer=place,
        )
    return whole[0], whole[-1]


def population_shape(shape: Any, place: str) -> Shape:
    """(C,) or (C, H, W) of a population; DeploymentError for what is none."""
    try:
        extents = tuple(int(extent) for extent in np.asarray(shape).reshape(-1).tolist())
    except (TypeError, ValueError, OverflowError):
        extents = ()
    if len(extents) not in (1, 3) or min(extents) < 1 or math.prod(extents) > MOST_NUMBERS:
        raise DeploymentError(
            f"its shape {shape!r:.60} is none of a population",
            layer=place,
            remedy=f"shapes are (C,) or (C, H, W), without batch and time, of at most {MOST_NUMBERS:,} numbers",
        )
    return extents


def kind(node: Any) -> str:
    """The name of a node's kind."""
    return type(node).__name__
