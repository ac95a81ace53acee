"""Traffic beside counts by brute force, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netx_export
from lava_qsnn.errors import ConfigurationError, InputError
from lava_qsnn.integer import (
    CUBA,
    INPUT,
    Connection,
    Conv,
    DelayedDense,
    Dense,
    Input,
    IntegerNetwork,
    Layer,
    MemoryFree,
    Neuron,
    OneToOne,
    Readout,
    SigmaDelta,
)
from tests.chip import networks
from tests.chip.brute import BruteForce


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    networks.networks(), st.sampled_from(["word", "delayed", "stock"]), st.integers(3, 24), st.integers(0, 2**32 - 1)
)
def test_every_count_equals_brute_force(network: IntegerNetwork, mapping: str, words: int, seed: int) -> None:
    x = networks.samples(network, seed)
    found = netx_export.layout(network, networks.chip(networks.TINY, words), mapping, activity=x)
    truth, traffic = BruteForce(found, network, x), found.traffic
    assert traffic is not None
    assert int(traffic.synops.sum()) == sum(truth.synops.values()) > 0
    for layer in found.layers:
        moved = traffic.layers[layer.name]
        for sample in range(len(x)):
            for core in range(layer.cores):
                assert moved.synops[sample, core] == truth.synops[layer.name, sample, core]
                assert moved.words_read[sample, core] == truth.words[layer.name, sample, core]
            assert moved.multiplications[sample] == truth.multiplications[layer.name, sample]
            assert moved.idle_updates[sample] == truth.idle[layer.name, sample]
    pairs = {(a, b): counts.copy() for (a, b), counts in traffic.flows.items()}
    for (source, target, _, here, there), number in truth.messages.items():
        pairs[source, target][here, there] -= number
    assert not any(counts.any() for counts in pairs.values())
    for name in (INPUT, *network):
        of_sample = [
            sum(n for key, n in truth.messages.items() if key[0] == name and key[2] == s) for s in range(len(x))
        ]
        assert traffic.layers[name].messages.tolist() == of_sample
    assert int(traffic.chip_pairs.sum()) == sum(truth.messages.values())
    assert (traffic.chip_pairs.sum((1, 2)) == traffic.messages).all()


def feedback(neuron: Neuron, back: int) -> IntegerNetwork:
    """Two layers of a kind, of which the second feeds the first one back, and itself."""
    random = np.random.default_rng(5)
    weight = random.integers(-2, 3, (6, 6)) * (1 if neuron.spikes else 40)  # of deltas, 6 bits stay behind
    given = Dense(random.integers(-1, 4, (6, 5)) * (1 if neuron.spikes else 40))
    first = (Connection(INPUT, given), Connection("b", Dense(weight), delay=back))
    second = (Connection("a", Dense(np.abs(weight) + 1)), Connection("b", OneToOne(np.ones(6, np.int64)), delay=1))
    return IntegerNetwork(Input((5,), 3), 6, (Layer("a", first, neuron), Layer("b", second, neuron)))


_ZERO = np.zeros(6, np.int64)


@pytest.mark.parametrize(
    "neuron",
    [
        MemoryFree((2, 1), np.arange(1, 7)),
        CUBA(_ZERO + 2048, _ZERO + 1024, _ZERO + 4, _ZERO),
        SigmaDelta(_ZERO + 1, _ZERO, exponent=0),
    ],
    ids=lambda neuron: str(neuron.kind),
)
def test_feedback_and_other_neurons_are_counted_as_by_brute_force(neuron: Neuron) -> None:
    network = feedback(neuron, 2)
    x = np.random.default_rng(6).integers(0, 4, (2, 5, 6))
    found = netx_export.layout(network, networks.chip(networks.TINY, 3), activity=x)
    truth, traffic = BruteForce(found, network, x), found.traffic
    assert traffic is not None
    assert int(traffic.synops.sum()) == sum(truth.synops.values()) > 0
    assert int(traffic.words_read.sum()) == sum(truth.words.values())
    assert int(traffic.messages.sum()) == sum(truth.messages.values())
    assert int(traffic.idle_updates.sum()) == sum(truth.idle.values())
    assert traffic.flows["b", "a"].sum() > 0
    assert traffic.flows["b", "b"].sum() > 0


def dense(
    weight: list[list[int]], neuron: MemoryFree | Readout, maximum: int = 1, timesteps: int = 1
) -> IntegerNetwork:
    synapse = Dense(np.array(weight))
    layer = Layer("only", (Connection(INPUT, synapse),), neuron)
    return IntegerNetwork(Input((synapse.weight.shape[1],), maximum), timesteps, (layer,))


def test_neurobenchs_example_of_nine_synapses_has_four_effective_operations() -> None:
    """Two of three inputs are 1, and of the six weights behind them two are 0."""
    network = dense([[1, 0, 2], [0, 3, 4], [5, 6, 0]], Readout((1,)))
    x = np.array([1, 0, 1]).reshape(1, 3, 1)
    only = netx_export.layout(network, activity=x).traffic.layers["only"]
    assert (int(only.synops.sum()), only.dense_synops) == (4, 9)
    assert int(only.multiplications.sum()) == 0


def test_graded_input_multiplies() -> None:
    network = dense([[1, 0, 2], [0, 3, 4], [5, 6, 0]], Readout((1,)), maximum=3)
    x = np.array([3, 0, 1]).reshape(1, 3, 1)
    only = netx_export.layout(network, activity=x).traffic.layers["only"]
    assert int(only.multiplications.sum()) == int(only.synops.sum()) == 4


def test_a_convolution_with_borders_and_stride_counted_by_hand() -> None:
    """3 x 3 kernels, stride 2, padding 1, over 4 x 4: windows start at rows and columns -1 and 1.

    All 16 pixels fire once. The window at (-1, -1) sees 2 x 2 of them, those at (-1, 1) and (1, -1) 2 x 3, that at
    (1, 1) 3 x 3: 4 + 6 + 6 + 9 = 25 for each channel; one weight of the second channel, its center, is 0, and the
    center of each of the four windows lies inside: 25 + 21.
    """
    weight = np.ones((2, 1, 3, 3), np.int64)
    weight[1, 0, 1, 1] = 0
    conv = Conv(weight, stride=(2, 2), padding=(1, 1))
    layer = Layer("only", (Connection(INPUT, conv),), MemoryFree((1,), np.array([1, 1])))
    network = IntegerNetwork(Input((1, 4, 4)), 1, (layer,))
    found = netx_export.layout(network, activity=np.ones((1, 1, 4, 4, 1), np.int64))
    only = found.traffic.layers["only"]
    assert (int(only.synops.sum()), only.dense_synops) == (46, 50)
    assert found.traffic.layers[INPUT].messages.tolist() == [16]
    assert int(only.words_read.sum()) == 25  # two channels of 3 + 1 bits and 20 more fit a word


def test_words_delayed_spikes_and_stock_spikes_of_one_source_spike() -> None:
    """One spike at the first of four steps, K = 3: words in three steps, a spike with three synapses, one with one."""
    network = dense([[1, -1]], Readout((4, 2, 1)), timesteps=4)
    x = np.zeros((1, 2, 4), np.int64)
    x[0, 0, 0] = 1
    moved = {
        mapping: netx_export.layout(network, mapping=mapping, activity=x).traffic for mapping in netx_export.MAPPINGS
    }
    assert {mapping: int(each.messages.sum()) for mapping, each in moved.items()} == {
        "word": 3,
        "delayed": 1,
        "stock": 1,
    }
    assert {mapping: int(each.synops.sum()) for mapping, each in moved.items()} == {"word": 3, "delayed": 3, "stock": 1}
    assert {mapping: int(each.payload_bits.sum()) for mapping, each in moved.items()} == {
        "word": 24,
        "delayed": 0,
        "stock": 0,
    }
    assert moved["word"].idle_updates.tolist() == [1]


@settings(max_examples=10, deadline=None)
@given(networks.networks(), st.integers(0, 2**32 - 1))
def test_words_are_sent_at_least_as_often_as_spikes_and_at_most_k_times(network: IntegerNetwork, seed: int) -> None:
    x = networks.samples(network, seed)
    word, delayed = (
        netx_export.layout(network, networks.TINY, mapping, activity=x).traffic for mapping in ("word", "delayed")
    )
    words, spikes = word.layers[INPUT].messages, delayed.layers[INPUT].messages
    assert (spikes <= words).all()
    assert (words <= len(network.layer("conv").neuron.taps) * spikes).all()
    assert (word.synops <= delayed.synops).all()


def test_samples_in_parts_count_as_together(monkeypatch: pytest.MonkeyPatch) -> None:
    from netx_export._chip import traffic

    network = _fixed()
    x = networks.samples(network, 5, number=6)
    together = netx_export.layout(network, networks.TINY, activity=x).traffic
    monkeypatch.setattr(traffic, "PART", 1)
    apart = netx_export.layout(network, networks.TINY, activity=x).traffic
    assert together.as_dict() == apart.as_dict()
    assert together.synops.max() > 0


def _fixed() -> IntegerNetwork:
    random = np.random.default_rng(3)
    conv = Conv(networks.weights(random, 4, 2, 3, 3), padding=(1, 1))
    first = Layer("conv", (Connection(INPUT, conv),), networks.memory_free(random, 4, (2, 1)))
    answer = Connection("conv", Dense(networks.weights(random, 3, 80)))
    return IntegerNetwork(Input((2, 5, 4)), 4, (first, Layer("answer", (answer,), Readout((1,)))))


def test_synapses_with_delays_of_their_own_count_when_their_spike_arrives() -> None:
    """One spike at the first of three steps: a synapse without delay, one of weight 0, one of 2 steps, one of 3."""
    synapse = DelayedDense(np.array([[1], [0], [1], [1]]), np.array([[0], [1], [2], [3]]))
    layer = Layer("only", (Connection(INPUT, synapse),), Readout((1,)))
    x = np.zeros((1, 1, 3), np.int64)
    x[0, 0, 0] = 1
    found = netx_export.layout(IntegerNetwork(Input((1,)), 3, (layer,)), activity=x)
    assert int(found.traffic.synops.sum()) == 2
    assert found.layers[0].population.projections[0].delay == 3
    assert found.layers[0].synmem_words == -(-(4 * (12 + 1 + 6) + 10) // 64)


def test_data_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="must have shape"):
        netx_export.layout(_fixed(), activity=np.zeros((1, 3, 5, 4, 4), np.int64))
    with pytest.raises(ConfigurationError, match="shapes alone have no activity"):
        netx_export.layout(netx_export.chain((4,), [{"channels": 2}]), activity=np.zeros((1, 4, 1), np.int64))
