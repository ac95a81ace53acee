"""Samples as images, where a network's metadata or its input tell their shape; and the names of classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import IntegerNetwork, Shape

#: Time steps of a sample that are drawn beside each other, at equal distances.
MOST_FRAMES = 8

#: Pixels between two of them.
GAP = 1


@dataclass(frozen=True)
class Frames:
    """A sample's images in a row.

    Args:
        picture: (H, W') of numbers, or (H, W', 3) of colours from 0 to 1; nan between the images.
        colors: matplotlib's name of the colours of numbers.
        low, high: the numbers of the first and the last colour.
        ticks: the middle of each image, in pixels.
        steps: the time step of each; none for a still image.
        words: what is drawn.
    """

    picture: NDArray[np.float64]
    colors: str
    low: float
    high: float
    ticks: list[float]
    steps: list[str]
    words: str


def class_names(network: IntegerNetwork, count: int, of: str = "classes") -> list[str]:
    """The names of so many "classes", or "numbers", from a network's metadata; 0, 1, .. if these lack them."""
    told = network.metadata.get(of)
    if isinstance(told, list) and len(told) == count and all(isinstance(name, str) for name in told):
        return told
    return [str(number) for number in range(count)]


def image_shape(network: IntegerNetwork) -> Shape | None:
    """The shape (C, H, W) of a time step of the input, also of one that was flattened; None if it is no image."""
    shape = network.input.shape
    if len(shape) == 3:
        return shape
    told = network.metadata.get("shape")
    if not isinstance(told, list) or len(told) != 3 or not all(type(size) is int and size > 0 for size in told):
        return None
    return tuple(told) if math.prod(told) == math.prod(shape) else None


def frames(network: IntegerNetwork, sample: NDArray[np.integer[Any]]) -> Frames | None:
    """A sample, int (*input shape, T), as images in a row; None if it is none."""
    shape = image_shape(network)
    if shape is None:
        return None
    images = np.moveaxis(sample.reshape(*shape, -1), -1, 0)
    is_still = bool((images == images[:1]).all())
    last = len(images) - 1
    chosen = [0] if is_still else sorted({round(step) for step in np.linspace(0, last, min(MOST_FRAMES, last + 1))})
    pictures = [_picture(images[step]) for step in chosen]
    colors, low, high = _colors(shape[0], images)
    width = shape[2] + GAP
    return Frames(
        _row([_scaled(picture, low, high) if picture.ndim == 3 else picture for picture in pictures]),
        colors,
        low,
        high,
        [] if is_still else [index * width + (shape[2] - 1) / 2 for index in range(len(chosen))],
        [] if is_still else [f"step {step}" if not index else str(step) for index, step in enumerate(chosen)],
        _words(shape, is_still, len(images)),
    )


def _picture(image: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """An image (C, H, W) as numbers: three channels are colours, of two the second counts against the first."""
    values = image.astype(np.float64)
    if len(values) == 3:
        return np.moveaxis(values, 0, -1)
    return values[0] - values[1] if len(values) == 2 else values.sum(0)


def _colors(channels: int, images: NDArray[np.integer[Any]]) -> tuple[str, float, float]:
    """The name of colours for such images, and the least and the greatest number that they show."""
    low, high = float(min(0, images.min())), float(max(1, images.max()))
    if channels == 2 or low < 0:
        largest = max(-low, high)
        return "RdBu", -largest, largest
    return "Greys", low, float(high if channels in (1, 3) else max(1, images.sum(1).max()))


def _scaled(picture: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    return (picture - low) / (high - low)


def _row(pictures: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Images beside each other, with a gap between them that is white."""
    gap = np.full((len(pictures[0]), GAP, *pictures[0].shape[2:]), 1.0 if pictures[0].ndim == 3 else np.nan)
    parts = [part for picture in pictures for part in (picture, gap)]
    return np.concatenate(parts[:-1], axis=1)


def _words(shape: Shape, is_still: bool, steps: int) -> str:
    size = "x".join(map(str, shape[1:]))
    kind = {1: "", 2: ", channel 0 blue, 1 red", 3: ", in colours"}.get(shape[0], f", {shape[0]} channels added")
    return f"{size}{kind}" + (f", the same at all {steps} steps" if is_still and steps > 1 else "")
