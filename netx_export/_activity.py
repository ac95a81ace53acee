"""Samples to try a network on, and how active its layers are on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netx_export._open import NetworkOrPath, opened, sample_steps

#: Of random samples, the fraction of numbers that are not 0: in one half of the samples, and in the other.
DENSE, SPARSE = 0.9, 0.2

#: Time steps of random samples for networks that have no longest one.
STEPS = 32

#: Magnitude of the largest random number.
LARGEST = 255


@dataclass(frozen=True)
class Activity:
    """The activity of a layer on some samples.

    `rate` is the fraction of its values that are not 0; `silent` and `constant` are the neurons that never put out
    anything but 0, and those that put out the same number, not 0, at every step of every sample; `per_step` is the
    rate of each time step; `least` and `greatest` are those of all its values.
    """

    layer: str
    neurons: int
    rate: float
    silent: int
    constant: int
    per_step: tuple[float, ...]
    least: int
    greatest: int


def random_samples(network: NetworkOrPath, samples: int, seed: int = 0) -> NDArray[np.int64]:
    """Random inputs of a network's range, int64 (samples, *input shape, T), by turns dense and sparse.

    `network` is a deployed network, or the path of its file. Of a wide range, such as the 16 bits of an input block,
    numbers up to LARGEST are taken.
    """
    network = opened(network)
    random = np.random.default_rng(seed)
    shape = (samples, *network.input.shape, sample_steps(network, STEPS))
    low, high = max(network.input.minimum, -LARGEST), min(network.input.maximum, LARGEST)
    x = random.integers(low, high + 1, shape)
    x[::2] *= random.random(x[::2].shape) < DENSE
    x[1::2] *= random.random(x[1::2].shape) < SPARSE
    return x


def measure(outputs: Mapping[str, NDArray[np.int64]]) -> tuple[Activity, ...]:
    """The activity of each layer from its outputs, (N, *shape, T) by name."""
    return tuple(_activity(name, values) for name, values in outputs.items())


def _activity(name: str, values: NDArray[np.int64]) -> Activity:
    rows = np.moveaxis(values.reshape(len(values), -1, values.shape[-1]), 1, 0)  # neuron, sample, step
    active = rows != 0
    low, high = rows.min((1, 2)), rows.max((1, 2))
    return Activity(
        name,
        len(rows),
        float(active.mean()),
        int((~active.any((1, 2))).sum()),
        int(((low == high) & (low != 0)).sum()),
        tuple(float(rate) for rate in active.mean((0, 1))),
        int(low.min()),
        int(high.max()),
    )
