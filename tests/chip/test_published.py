"""Layouts beside the tables that compilers of Loihi printed: cores and words, layer by layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import netx_export
from lava_qsnn.integer import (
    CUBA,
    INPUT,
    Connection,
    Conv,
    Dense,
    Input,
    IntegerNetwork,
    Layer,
    OneToOne,
    Synapse,
)
from netx_export import LayerLayout
from tests.chip import published
from tests.chip.published import Row


def cores(layers: tuple[LayerLayout, ...]) -> list[int]:
    return [layer.cores for layer in layers]


def test_pilotnet_of_sigma_delta_neurons_takes_61_cores() -> None:
    found = netx_export.layout(published.PILOTNET_SDNN, "loihi2-2022")
    assert cores(found.layers) == [row.cores for row in published.PILOTNET_TABLE]
    assert (found.cores, found.chips, found.board) == (61, 1, "Oheo Gulch")


@pytest.mark.parametrize(("row", "index"), [(row, index) for index, row in enumerate(published.PILOTNET_TABLE)])
def test_pilotnets_words_and_axons_are_the_compilers(row: Row, index: int) -> None:
    layer = netx_export.layout(published.PILOTNET_SDNN, "loihi2-2022").layers[index]
    assert layer.synmem_words_average == row.synmem_words
    assert layer.synmem_words >= row.synmem_words
    if row.axon_map is not None:
        assert layer.neurons_per_core == row.neurons
        assert int(layer.needs.axons_out.sum()) // layer.cores == row.axon_map


def test_pilotnet_of_lif_neurons_takes_74_cores_13_of_them_for_its_input() -> None:
    found = netx_export.layout(published.PILOTNET_LIF, "loihi2-2022")
    assert cores(found.layers) == [13, *(row.cores for row in published.PILOTNET_TABLE)]
    assert found.cores == 74
    for index, words in published.PILOTNET_LIF_WORDS.items():
        assert found.layers[1 + index].synmem_words_average == words


@pytest.mark.parametrize("bits", [3, 4, 5, 6, 8])
def test_yolo_takes_574_cores_whatever_the_bits_of_its_weights(bits: int) -> None:
    found = netx_export.layout(published.yolo(bits), "loihi2")
    assert cores(found.layers) == list(published.YOLO_CORES)
    assert found.cores == 574


def test_mnist_takes_five_cores_and_its_fullest_cores_hold_what_was_printed() -> None:
    found = netx_export.layout(published.MNIST, "loihi2")
    table = published.MNIST_TABLE
    assert [Row(each.cores, each.neurons_per_core, each.synmem_words) for each in found.layers] == list(table)
    assert found.cores == 5


def test_oxfords_cores_are_a_lower_bound_that_misses_by_one_at_most() -> None:
    found = netx_export.layout(published.OXFORD, "loihi2-2022")
    assert found.cores <= published.OXFORD_CORES <= found.cores + 1
    roomy = replace(netx_export.CHIPS["loihi2-2022"], synmem_words=100_000, total_words=100_000)
    whole = netx_export.layout(published.OXFORD, roomy)
    assert tuple(layer.synmem_words for layer in whole.layers) == published.OXFORD_WORDS


def test_s4ds_states_fill_cores_and_its_dense_layer_is_cut_at_a_power_of_two() -> None:
    found = netx_export.layout(published.S4D, "loihi2")
    states, sums, mixed = found.layers
    assert found.cores <= published.S4D_CORES <= found.cores + 1
    assert (states.cores, states.neurons_per_core, states.state_words) == (3, 2047, 4094)
    assert round(states.share, 4) == 0.9998
    assert sums.cores == 1
    assert (mixed.cores, mixed.neurons_per_core, mixed.synmem_words) == (3, 127, 8192)
    assert round(100 * mixed.synmem_words / 16_000, 2) == 51.20
    assert round(100 * mixed.total_words / 20_000, 2) == pytest.approx(43.52, abs=0.01)


@pytest.mark.parametrize("network", [published.PILOTNET_SDNN, published.MNIST, published.S4D, published.yolo(8)])
@pytest.mark.parametrize("chip", ["loihi2", "loihi2-2022"])
def test_the_tight_packing_bounds_the_compilers_from_below(network: object, chip: str) -> None:
    found = netx_export.layout(network, chip)
    assert all(layer.tight_cores <= layer.cores for layer in found.layers)
    assert found.tight_chips <= found.chips
    if network is not published.MNIST:
        assert found.tight_cores < found.cores


def cuba(channels: int) -> CUBA:
    zero = np.zeros(channels, np.int64)
    return CUBA(zero + 1024, zero + 128, zero + 64, zero)


def pilotnet_lif() -> IntegerNetwork:
    """PilotNet of CUBA neurons, its pixels biases of the first ones, with weights of the bits that its file has."""
    random = np.random.default_rng(0)
    pixels = Connection(INPUT, OneToOne(np.ones(3, np.int64)), port=1)
    layers, source = [Layer("pixels", (pixels,), cuba(3))], "pixels"
    shape: tuple[int, ...] = (3, 66, 200)
    for population in published.PILOTNET_LIF[1:]:
        (projection,) = population.projections
        low, high = -(2 ** (projection.bits - 1)), 2 ** (projection.bits - 1) - 1
        if projection.kind == "conv":
            weight = random.integers(low, high + 1, (population.shape[0], shape[0], 3, 3))
            synapse: Synapse = Conv(weight, projection.stride, projection.padding)
        else:
            weight = random.integers(low, high + 1, (population.shape[0], int(np.prod(shape))))
            weight[0, :2] = low, high
            synapse = Dense(weight)
        layers.append(Layer(population.name, (Connection(source, synapse),), cuba(population.shape[0])))
        source, shape = population.name, population.shape
    return IntegerNetwork(Input((3, 66, 200), 255), 16, tuple(layers))


def test_a_deployed_network_takes_the_same_cores_as_its_shapes() -> None:
    shapes, deployed = (netx_export.layout(each, "loihi2-2022") for each in (published.PILOTNET_LIF, pilotnet_lif()))
    assert cores(deployed.layers) == cores(shapes.layers)
    assert [each.synmem_words for each in deployed.layers] == [each.synmem_words for each in shapes.layers]
    assert deployed.findings == ()
