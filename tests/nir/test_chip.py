"""CUBA against hardware: one neuron's trace that was recorded on a Loihi 2 chip, and is public."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest

import netx_export
from lava_qsnn import integer

TRACE = Path(__file__).parent.parent / "data" / "nir" / "lif_on_loihi2.csv"

#: What the paper's conversion makes of the neuron: tau 2.5 ms, threshold 0.1, in steps of 0.1 ms.
DT, TAU, THRESHOLD = 1e-4, 2.5e-3, 0.1

#: What the chip's probe shows where the neuron fires, and v, by the equations, is 0.
AT_SPIKES = 128


def recorded() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Input spikes, v and output spikes, (1000,) each."""
    given, potential, fired = np.loadtxt(TRACE, delimiter=",").astype(np.int64).T
    assert len(given) == 1000
    assert given.sum() > 30
    return given, potential, fired


def neuron() -> integer.IntegerNetwork:
    """The neuron as the paper's conversion to Lava has it; on the chip, a synapse acts one step late."""
    decay, threshold = int(DT / TAU * 4095), int(THRESHOLD * 131071) >> 9
    weight = np.array([[int(DT / TAU * 256)]])
    cuba = integer.CUBA(np.array([4095]), np.array([decay]), np.array([threshold]), np.array([0]))
    connection = integer.Connection(integer.INPUT, integer.Dense(weight), delay=1)
    return integer.IntegerNetwork(integer.Input((1,)), 1000, (integer.Layer("lif", (connection,), cuba),))


def test_the_equations_equal_the_chip_in_all_1000_steps() -> None:
    given, potential, fired = recorded()
    network = neuron()
    spikes, before_reset = integer.compute(network.layers[0], {integer.INPUT: given[None, None]})
    assert np.flatnonzero(fired).tolist() == [461, 511, 711, 761]
    assert np.array_equal(spikes[0, 0], fired)
    v = before_reset[0, 0] * (1 - spikes[0, 0])
    at_spikes = fired.astype(bool)
    assert (potential[at_spikes] == AT_SPIKES).all()
    assert (v[at_spikes] == 0).all()
    assert np.array_equal(v[~at_spikes], potential[~at_spikes])
    assert len(np.unique(v)) > 100


ON_LAVA = [pytest.param(name, marks=pytest.mark.lava) for name in ("lava", "lava-async", "lava-fused")]


@pytest.mark.parametrize("backend", ["reference", "fast", *ON_LAVA])
def test_every_backend_fires_when_the_chip_does(backend: str) -> None:
    given, _, fired = recorded()
    answers = netx_export.simulate(neuron(), given[None, None], backend)
    assert np.array_equal(answers[0, 0], fired)


def test_the_graph_imported_fires_when_the_chip_does_without_its_step_of_latency() -> None:
    given, _, fired = recorded()
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    graph = nir.NIRGraph.from_list(
        nir.Affine(np.ones((1, 1), np.float32), zero),
        nir.LIF(np.float32(TAU) * one, one, zero, np.float32(THRESHOLD) * one),
    )
    network, report = netx_export.from_nir(graph, 1000, dt=DT, samples=given[None, None])
    answers = netx_export.simulate(network, given[None, None])
    assert np.array_equal(answers[0, 0, :-1], fired[1:])
    (row,) = report.rows
    assert (row.float_spikes, row.common_spikes, row.agreement) == (4, 4, 1.0)
