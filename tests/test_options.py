"""The time limit of a Lava run that nobody gave: it grows with the work, and never falls below a minute."""

from __future__ import annotations

import numpy as np
import pytest

from lava_qsnn import integer
from netx_export import zoo
from netx_export._options import PER_KERNEL_WEIGHT, PER_LAYER, PER_PRODUCT, Options


def limit(*layers: integer.Layer, shape: integer.Shape, steps: int = 10) -> float:
    return Options().limit(integer.IntegerNetwork(integer.Input(shape, 1), 4, layers), steps)


def spiking(name: str, source: str, synapse: integer.Synapse, *poolings: integer.SumPool) -> integer.Layer:
    connection = integer.Connection(source, synapse, poolings=poolings)
    return integer.Layer(name, (connection,), integer.MemoryFree((1,), np.ones(len(synapse.weight), np.int64)))


def readout(source: str, inputs: int) -> integer.Layer:
    connection = integer.Connection(source, integer.Dense(np.ones((2, inputs), np.int64)))
    return integer.Layer("out", (connection,), integer.Readout((1,)))


def test_it_counts_products_and_the_weights_of_kernels() -> None:
    """4 x 4 pixels, pooled to 2 x 2, a kernel of 3 x 1 x 1 x 1: merged, it has 4 weights for each of its 3."""
    conv = spiking(
        "conv", integer.INPUT, integer.Conv(np.ones((3, 1, 1, 1), np.int64)), integer.SumPool((2, 2), (2, 2))
    )
    found = limit(conv, readout("conv", 12), shape=(1, 4, 4))
    kernels, dense = 3 * 4, 2 * 12
    step = 2 * PER_LAYER + PER_PRODUCT * (kernels * 4 + dense) + PER_KERNEL_WEIGHT * kernels
    assert found == pytest.approx(60 + 10 * step)
    assert limit(conv, readout("conv", 12), shape=(1, 4, 4), steps=20) == pytest.approx(60 + 20 * step)


def test_a_limit_that_was_given_is_the_limit() -> None:
    assert Options(time_limit=0.5).limit(zoo.load("digits"), 10**6) == 0.5


def test_deep_convolutions_have_longer_than_dense_layers_of_as_many() -> None:
    deep, dense = (Options().limit(zoo.load(name), 400) for name in ("digits_cnn", "digits"))
    assert 60 < dense < deep
