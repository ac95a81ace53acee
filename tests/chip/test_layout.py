"""Layouts: storage by hand, mappings, placement on chips, chips of a user's own, and errors."""

from __future__ import annotations

import json
import warnings
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import netx_export
from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.integer import (
    INPUT,
    Connection,
    Conv,
    Dense,
    Input,
    IntegerNetwork,
    Layer,
    MemoryFree,
    OneToOne,
    QuantizedLIF,
    Readout,
    SumPool,
    shift_taps,
)
from netx_export import CHIPS, Chip, Population, Projection
from tests.chip import networks


def network(weight: np.ndarray[Any, Any], taps: tuple[int, ...] = (1,), maximum: int = 1) -> IntegerNetwork:
    """Two dense layers of memory-free neurons."""
    random = np.random.default_rng(0)
    first = Layer("hidden", (Connection(INPUT, Dense(weight)),), MemoryFree(taps, np.ones(len(weight), np.int64)))
    back = random.choice([-1, 1], (10, len(weight)))
    last = Layer("answer", (Connection("hidden", Dense(back)),), Readout(taps))
    return IntegerNetwork(Input((weight.shape[1],), maximum), 4, (first, last))


def signs(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).choice([-1, 1], shape)


def test_signs_take_two_bits_and_a_row_twelve_more_for_each_target() -> None:
    hidden, answer = netx_export.layout(network(signs(100, 64))).layers
    assert hidden.stored_bits == answer.stored_bits == (2,)
    assert hidden.synmem_words == 64 * -(-(100 * 14 + 10) // 64)
    assert answer.synmem_words == 100 * -(-(10 * 14 + 10) // 64)
    assert (hidden.axons_in, hidden.state_words, hidden.axons_out) == (64, 100, 100)
    assert hidden.total_words == 64 + 1 + 100 + hidden.synmem_words + 100


def test_delayed_synapses_repeat_with_six_bits_more() -> None:
    taps = shift_taps(3)
    word, delayed = (netx_export.layout(network(signs(100, 64), taps), mapping=each) for each in ("word", "delayed"))
    assert word.layers[0].synmem_words == 64 * -(-(100 * 14 + 10) // 64)
    (projection,) = delayed.layers[0].population.projections
    assert (projection.copies, projection.delay, projection.bits) == (3, 2, 4)  # 1, 2 and 4 of both signs
    assert delayed.layers[0].synmem_words == 64 * -(-(100 * 3 * (12 + 4 + 6) + 10) // 64)


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        ([-1, 1], 2),
        ([0, 1], 1),
        ([-2, 2], 2),
        ([-128, 127], 8),
        ([0, 255], 8),
        ([-256, 254], 8),
        ([-129, 1], 9),
        ([0], 1),
    ],
)
def test_bits_are_those_of_lava_dls_optimizer(values: list[int], bits: int) -> None:
    from netx_export._chip.storage import optimized_bits

    assert optimized_bits(np.array(values)) == bits


@pytest.mark.lava
@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-256, 254), min_size=2, max_size=6))
def test_bits_equal_lava_dls_own(values: list[int]) -> None:
    from lava.lib.dl.netx.utils import optimize_weight_bits

    from netx_export._chip.storage import optimized_bits

    weight = np.array(values)
    if not weight.any():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it divides by a largest weight of 0
        expected = optimize_weight_bits(weight)[1]
    assert optimized_bits(weight) == max(1, expected)


@settings(max_examples=25, deadline=None)
@given(networks.networks(), st.sampled_from(netx_export.MAPPINGS), st.integers(2, 40))
def test_every_core_holds_its_part_and_parts_hold_all(found: IntegerNetwork, mapping: str, words: int) -> None:
    chip = networks.chip(networks.TINY, words)
    laid = netx_export.layout(found, chip, mapping)
    assert [layer.name for layer in laid.layers] == list(found)
    for part in laid.parts:
        boxes = part.cut.boxes
        assert int(boxes.neurons.sum()) == part.population.neurons
        assert len(part.chips) == part.cores >= part.tight_cores >= 1
        for name in ("axons_in", "synmem_words", "state_words", "axons_out", "total_words"):
            assert (getattr(part.needs, name) <= getattr(part.fullest, name)).all()
            assert int(getattr(part.fullest, name)) <= getattr(chip, name)
        cores = part.cut.cores_of_neurons
        assert (np.bincount(cores.ravel(), minlength=part.cores) == boxes.neurons).all()
    used = np.bincount(np.concatenate([part.chips for part in laid.parts]))
    assert used.max() <= chip.cores
    assert len(used) == laid.chips


def test_more_room_never_takes_more_cores_at_the_least() -> None:
    shapes = netx_export.chain((3, 32, 32), [{"channels": 64, "kernel": 3, "padding": 1}, {"channels": 100}])
    cores = [
        netx_export.layout(shapes, replace(CHIPS["loihi2"], synmem_words=words, total_words=10**6, axons_in=10**6))
        for words in (70_000, 140_000, 1_000_000)
    ]
    tight = [each.tight_cores for each in cores]
    assert tight == sorted(tight, reverse=True)
    assert tight[0] > tight[-1]


def test_a_convolution_starts_on_a_new_chip_where_it_would_span_two() -> None:
    dense, conv, _ = (layer for layer in netx_export.layout(_mixed(), replace(CHIPS["loihi2"], cores=40)).layers)
    assert dense.cores % 40 != 0
    assert len(set(conv.chips.tolist())) == 1
    assert int(conv.chips[0]) == int(dense.chips[-1]) + 1


def _mixed() -> tuple[Population, ...]:
    (flat,) = netx_export.chain((784,), [{"name": "flat", "channels": 1200, "bits": 8}])
    maps = netx_export.chain((4, 64, 64), [{"name": "maps", "channels": 16, "kernel": 3, "padding": 1}])
    last = Population("last", (5,), (Projection("flat", (1200,)), Projection("maps", (16, 64, 64), bits=1)))
    return flat, *maps, replace(last, projections=last.projections[:1])


def test_a_network_too_large_for_every_board_is_an_answer() -> None:
    rows = [{"channels": 256, "kernel": 3, "padding": 1} for _ in range(30)]
    found = netx_export.layout(netx_export.chain((3, 1024, 1024), rows))
    assert found.board is None
    assert found.chips > 1_152
    assert [each.severity for each in found.findings if each.rule == "boards"] == ["error"]


@pytest.mark.parametrize(
    ("rows", "limit"),
    [([{"channels": 2}], "incoming axons"), ([{"channels": 2, "bits": 8, "state_words": 5000}], "neuron state")],
)
def test_a_layer_that_fits_no_core_names_the_limit_and_the_split(rows: list[dict[str, Any]], limit: str) -> None:
    size = 40_000 if "state_words" not in rows[0] else 4
    with pytest.raises(DeploymentError, match=rf"layer '0': it fits no core of loihi2 .*{limit}.*Remedy") as raised:
        netx_export.layout(netx_export.chain((size,), rows))
    assert raised.value.layer == "0"


def pooled(size: int, taps: tuple[int, ...] = (2, 1)) -> IntegerNetwork:
    """A convolution, and dense neurons behind a pooling of its whole map."""
    conv = Conv(signs(64, 1, 3, 3), padding=(1, 1))
    maps = Layer("maps", (Connection(INPUT, conv),), MemoryFree(taps, np.ones(64, np.int64)))
    pool = SumPool((size, size), (size, size))
    answer = Layer("answer", (Connection("maps", Dense(signs(10, 64)), poolings=(pool,)),), Readout(taps))
    return IntegerNetwork(Input((1, size, size)), 4, (maps, answer))


def test_a_pooling_merges_where_it_fits_and_is_neurons_of_its_own_where_not() -> None:
    merged, apart = (netx_export.layout(pooled(size)) for size in (4, 24))
    assert len(merged.parts) == 2
    assert merged.layers[1].axons_in == 64 * 16
    assert [part.name for part in apart.parts] == ["maps", "answer pool 0", "answer"]
    assert [layer.name for layer in apart.layers] == ["maps", "answer"]
    assert apart.layers[1].axons_in == 64
    assert apart.cores == sum(part.cores for part in apart.parts) > sum(layer.cores for layer in apart.layers)


def test_what_relays_pool_is_what_the_pooling_sums() -> None:
    found, x = pooled(24), np.random.default_rng(2).integers(0, 2, (2, 1, 24, 24, 4))
    laid = netx_export.layout(found, activity=x)
    assert laid.mapped is not None
    assert (netx_export.simulate(laid.mapped.network, x) == netx_export.simulate(found, x)).all()
    assert laid.traffic is not None
    assert laid.traffic.layers["answer pool 0"].messages.sum() > 0


def test_words_wait_in_registers_and_delayed_spikes_on_synapses() -> None:
    weight = signs(8, 8)
    neuron = MemoryFree((2, 1), np.ones(8, np.int64))
    layers = (
        Layer("a", (Connection(INPUT, Dense(weight)),), neuron),
        Layer("b", (Connection("a", Dense(weight)),), neuron),
        Layer("c", (Connection("b", Dense(weight)), Connection("a", OneToOne(np.ones(8, np.int64)), delay=1)), neuron),
    )
    skip = IntegerNetwork(Input((8,)), 4, layers)
    word, delayed = (netx_export.layout(skip, mapping=mapping) for mapping in ("word", "delayed"))
    assert word.mapped is not None
    assert word.mapped.waits["c", 1] == 2  # one layer is passed by, and one step of delay
    assert word.layers[0].population.register_bits == 4  # two taps and two steps of waiting
    assert {message.taps for message in word.mapped.messages if message.source == "a"} == {(2, 1), (0, 0, 2, 1)}
    assert [each.delay for each in word.layers[2].population.projections] == [0, 0]
    assert [each.delay for each in delayed.layers[2].population.projections] == [1, 3]
    assert any(each.rule == "skips" for each in word.findings)


def test_a_loop_takes_as_many_chip_steps_as_it_has_layers() -> None:
    weight, neuron = signs(4, 4), MemoryFree((1,), np.ones(4, np.int64))

    def looped(delay: int) -> IntegerNetwork:
        first = Layer("a", (Connection(INPUT, Dense(weight)), Connection("b", Dense(weight), delay=delay)), neuron)
        return IntegerNetwork(Input((4,)), 4, (first, Layer("b", (Connection("a", Dense(weight)),), neuron)))

    laid = netx_export.layout(looped(2))
    assert laid.mapped is not None
    assert laid.mapped.waits["a", 1] == 0
    with pytest.raises(DeploymentError, match="less delay than layers"):
        netx_export.layout(looped(1))


def test_traces_are_graded_and_loihi_1_has_none() -> None:
    taps = network(signs(20, 30), shift_taps(4))
    with pytest.raises(ConfigurationError, match=r"graded messages, and loihi1 sends spikes .*'delayed'"):
        netx_export.layout(taps, "loihi1")
    delayed = netx_export.layout(taps, "loihi1", "delayed")
    assert not [each for each in delayed.findings if each.severity in ("error", "unknown")]
    assert delayed.layers[0].synmem_words == 30 * (-(-(64 * (5 + 6 + 6) + 10) // 64) - (-(16 * (5 + 6 + 6) + 10) // 64))


def test_graded_input_breaks_loihi_1() -> None:
    found = netx_export.layout(network(signs(20, 30), maximum=7), "loihi1", "delayed")
    assert [(each.rule, each.severity) for each in found.findings] == [("message_bits", "error")]


def test_memory_free_programs_are_unknown_as_words_and_known_as_stock_neurons() -> None:
    found = {mapping: netx_export.layout(network(signs(9, 9)), mapping=mapping) for mapping in netx_export.MAPPINGS}
    rules = {mapping: {(each.rule, each.severity) for each in laid.findings} for mapping, laid in found.items()}
    assert rules == {"word": {("program", "unknown")}, "delayed": set(), "stock": set()}


def rules_of(found: netx_export.Layout) -> dict[str, str]:
    return {each.rule: each.severity for each in found.findings}


def test_rules_name_what_they_forbid() -> None:
    wide = np.array([[300, -1]])
    assert rules_of(netx_export.layout(network(wide)))["weight_bits"] == "error"
    many = network(signs(4, 4), shift_taps(30)[:4], maximum=2**22 - 1)
    assert rules_of(netx_export.layout(many))["message_bits"] == "error"
    assert rules_of(netx_export.layout(many))["accumulator"] == "error"
    silent = replace(network(signs(4, 4)), layers=(replace(network(signs(4, 4)).layers[0], neuron=_threshold(0)),))
    assert rules_of(netx_export.layout(silent, mapping="delayed"))["fires_in_silence"] == "note"
    high = replace(silent, layers=(replace(silent.layers[0], neuron=_threshold(2**13)),))
    assert "threshold_bias" not in rules_of(
        netx_export.layout(high, mapping="delayed")
    )  # 5 does as well: it never fires
    wide_input = IntegerNetwork(
        Input((4,), 4095), 4, (Layer("a", (Connection(INPUT, Dense(signs(4, 4))),), _threshold(5000)),)
    )
    assert rules_of(netx_export.layout(wide_input, mapping="delayed"))["threshold_bias"] == "warning"
    shapes = netx_export.chain((2, 8, 300), [{"channels": 2, "kernel": 3, "groups": 2, "dilation": 2}])
    assert rules_of(netx_export.layout(shapes)) == {"conv_width": "warning", "conv_geometry": "warning"}
    assert netx_export.layout(shapes, "loihi1").findings == ()  # they are limits of Loihi 2's convolutions
    long = replace(network(signs(4, 4), shift_taps(6)), timesteps=6)
    assert rules_of(netx_export.layout(long, mapping="stock"))["reset_power_of_2"] == "error"
    slow = Layer("a", (Connection(INPUT, Dense(signs(4, 4)), delay=70),), _threshold(1))
    late = IntegerNetwork(Input((4,)), 80, (slow,))
    assert rules_of(netx_export.layout(late, mapping="delayed"))["delays"] == "error"


def _threshold(value: int) -> MemoryFree:
    return MemoryFree((1,), np.full(4, value))


def test_a_core_of_loihi_1_has_an_outgoing_axon_for_each_core_that_a_neuron_sends_to() -> None:
    weight = signs(900, 4)
    first = Layer("a", (Connection(INPUT, Dense(weight)),), MemoryFree((1,), np.ones(900, np.int64)))
    wide, narrow = (
        netx_export.layout(
            IntegerNetwork(
                Input((4,)), 4, (first, Layer("b", (Connection("a", Dense(signs(size, 900))),), Readout((1,))))
            ),
            "loihi1",
            "delayed",
        )
        for size in (900, 60)
    )
    (finding,) = (each for each in wide.findings if each.rule == "outgoing_axons")
    assert wide.layers[1].cores > 4
    assert finding.layer == "a"
    assert f"{900 * wide.layers[1].cores:,} outgoing axons, beyond 4,096" in finding.problem
    assert "outgoing_axons" not in rules_of(narrow)


def test_a_potential_of_few_bits_needs_a_program_and_takes_a_word() -> None:
    zero = np.zeros(4, np.int64)
    neuron = QuantizedLIF(4, 1, "hard", zero, zero, zero, zero + 1)
    found = netx_export.layout(
        IntegerNetwork(Input((4,)), 4, (Layer("a", (Connection(INPUT, Dense(signs(4, 4))),), neuron),))
    )
    assert (found.layers[0].state_words, found.layers[0].population.state_bits) == (4, 4)
    assert rules_of(found) == {"program": "unknown"}


def test_the_layout_as_data_is_json_with_a_version() -> None:
    x = np.ones((2, 8, 4), np.int64)
    data = netx_export.layout(network(signs(9, 8)), activity=x).as_dict()
    again = json.loads(json.dumps(data))
    assert again["version"] == 1
    assert [layer["name"] for layer in again["layers"]] == ["hidden", "answer"]
    assert again["layers"][0]["synmem_words"] == 8 * 3
    assert again["chip"]["sources"]["synmem_words"]
    assert again["traffic"]["per_sample"]["messages"]["mean"] > 0
    assert {finding["rule"] for finding in again["findings"]} == {"program"}


@pytest.fixture
def profile(tmp_path: Path) -> dict[str, Any]:
    """A chip of a user's own, as YAML has it."""
    chip = CHIPS["loihi2"]
    values = {
        entry.name: getattr(chip, entry.name) for entry in fields(Chip) if entry.name not in ("sources", "boards")
    }
    return values | {"name": "mine", "source": "a measurement of mine", "synmem_words": 500}


def write(path: Path, values: Any) -> Path:
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_chip_of_ones_own_comes_from_yaml(profile: dict[str, Any], tmp_path: Path) -> None:
    found = netx_export.layout(network(signs(100, 64)), write(tmp_path / "mine.yaml", profile))
    assert found.chip.name == "mine"
    assert found.layers[0].cores > 1
    assert found.layers[0].synmem_words <= 500


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"synmem_words": -1}, "synmem_words .* must be an integer from 1"),
        ({"cores": 2.5}, "cores .* must be an integer"),
        ({"color": "red"}, "unknown keys: color"),
        ({"cores": None}, "lacks cores"),
        ({"source": " "}, "source must be a text"),
        ({"storage": "loihi3"}, "storage .* is 'loihi3'"),
        ({"boards": [1]}, "boards .* must be a mapping"),
        ({"boards": {"x": 0}}, "chips of the board 'x' must be an integer from 1"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(
    profile: dict[str, Any], tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    values = {key: value for key, value in (profile | change).items() if value is not None}
    with pytest.raises(ConfigurationError, match=problem):
        netx_export.layout(network(signs(4, 4)), write(tmp_path / "mine.yaml", values))


def test_unknown_chips_mappings_and_files_are_refused(tmp_path: Path) -> None:
    some = network(signs(4, 4))
    with pytest.raises(ConfigurationError, match="there is no chip 'loihi3'"):
        netx_export.layout(some, "loihi3")
    with pytest.raises(ConfigurationError, match="there is no mapping 'words'"):
        netx_export.layout(some, mapping="words")
    with pytest.raises(FileNotFoundError):
        netx_export.layout(some, tmp_path / "none.yaml")
    with pytest.raises(ConfigurationError, match="is no mapping"):
        netx_export.layout(some, write(tmp_path / "list.yaml", [1]))


def test_shapes_come_from_yaml(tmp_path: Path) -> None:
    rows = [{"channels": channels} for channels in (128, 64, 10)]
    found = netx_export.layout(write(tmp_path / "mnist.yaml", {"input": [784], "layers": rows}))
    assert [layer.cores for layer in found.layers] == [3, 1, 1]
    with pytest.raises(ConfigurationError, match="does not hold an input's shape"):
        netx_export.layout(write(tmp_path / "bad.yaml", {"layers": rows}))
    with pytest.raises(DeploymentError, match="layer '0': it has unknown keys: colour"):
        netx_export.layout(write(tmp_path / "odd.yaml", {"input": [4], "layers": [{"channels": 2, "colour": 1}]}))


def test_the_time_of_a_layout_grows_with_layers_and_not_with_their_neurons() -> None:
    """Work is counted, not time: boxes that are weighed are few, however many neurons there are."""
    from netx_export._chip import partition

    def weighed(side: int) -> int:
        row = {"channels": 128, "kernel": 3, "padding": 1}
        (population,) = netx_export.chain((64, side, side), [row])
        boxes = partition._product(*(partition._extents(each) for each in population.extent))
        return len(boxes.channels)

    assert weighed(256) < 8 * weighed(32)
