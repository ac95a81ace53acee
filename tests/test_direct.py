"""Networks built by hand, of extreme numbers, on inputs of every layout: judged by plain loops, not by an engine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netx_export
from lava_qsnn import engines, integer
from lava_qsnn.block import memory_free
from lava_qsnn.engines import _packed, _tiled
from lava_qsnn.errors import DeploymentError, QsnnError, RangeError
from tests.helpers import oracle
from tests.helpers import tiles as plain_tiles
from tests.helpers.direct import Direct, direct_cases

many = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
few = settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow])

Outputs = dict[str, np.ndarray]


def judged(case: Direct) -> Outputs:
    """The outputs by plain loops: every layer, int64 (N, *shape, T)."""
    samples = [oracle.run(case.network, sample) for sample in np.array(case.x).astype(np.int64)]
    steps = case.x.shape[-1]
    return {
        name: np.array([sample[name] for sample in samples], np.int64).reshape(
            len(samples), *case.network.shapes[name], steps
        )
        for name in case.network
    }


def assert_right(case: Direct, actual: Outputs) -> None:
    expected = judged(case)
    for name in case.network:
        assert actual[name].dtype == np.int64
        assert actual[name].shape == expected[name].shape
        wrong = np.argwhere(actual[name] != expected[name])
        assert not len(wrong), (name, wrong[:5], case.network)


@many
@given(direct_cases())
def test_the_reference_is_right(case: Direct) -> None:
    assert_right(case, integer.run_reference(case.network, case.x))


@pytest.mark.parametrize("loops", ["all", "plain tiles", "numpy alone"])
@many
@given(direct_cases(), st.sampled_from([1, 97, 2**20]))
def test_fast_is_right(loops: str, case: Direct, chunk: int) -> None:
    tiles = {"all": _tiled.compiled, "plain tiles": lambda: plain_tiles, "numpy alone": lambda: None}[loops]
    packed = (lambda: None) if loops == "numpy alone" else _packed.compiled
    with patch.object(_tiled, "compiled", tiles), patch.object(_packed, "compiled", packed):
        assert_right(case, engines.run_fast(case.network, case.x, chunk=chunk))


@pytest.mark.lava
@many
@given(direct_cases(), st.booleans())
def test_message_engines_are_right(case: Direct, single_steps: bool) -> None:
    """The engines of lava-async and lava-fused, without Lava around them."""
    from lava_qsnn.engines.layerwise import NetworkEngine
    from lava_qsnn.engines.message_format import Messages

    engine = NetworkEngine(case.network)
    length = 1 if single_steps else case.x.shape[-1]
    form = Messages(len(case.x), length).format(case.network, integer.INPUT)
    frames = np.moveaxis(integer.check_input(case.network, case.x), -1, 1)
    parts = [
        engine(form.read(form.write(frames[:, start : start + length], start))[0], start == 0)
        for start in range(0, case.x.shape[-1], length)
    ]
    outputs = {name: np.concatenate([part[name] for part in parts], 1) for name in case.network}
    for name, values in outputs.items():
        sent = Messages(len(case.x), case.x.shape[-1]).format(case.network, name)
        outputs[name] = np.moveaxis(sent.read(sent.write(values, 0))[0], 1, -1).astype(np.int64)
    assert_right(case, outputs)


@many
@given(direct_cases())
def test_whatever_can_be_built_can_be_written_and_read(case: Direct) -> None:
    with tempfile.TemporaryDirectory() as folder:
        netx_export.write(case.network, Path(folder) / "network.net")
        assert netx_export.load(Path(folder) / "network.net") == case.network


@pytest.mark.lava
@few
@given(direct_cases(tame=True))
def test_backends_are_right_or_refuse(case: Direct) -> None:
    for name, backend in netx_export.BACKENDS.items():
        if backend.refusal(case.network) is None:
            assert_right(case, netx_export.simulate_layers(case.network, case.x, name))


def on(source: str, synapse: integer.Synapse | None = None) -> tuple[integer.Connection, ...]:
    return (integer.Connection(source, synapse or integer.Dense([[1]])),)


def one_layer(synapse: integer.Synapse, neuron: integer.Neuron, timesteps: int = 4, maximum: int = 1) -> Any:
    """A network of one layer."""
    shape = (synapse.weight.shape[1],) if isinstance(synapse, integer.Dense) else (synapse.weight.shape[1], 3, 3)
    layer = integer.Layer("a", on("input", synapse), neuron)
    return integer.IntegerNetwork(integer.Input(shape, maximum), timesteps, (layer,))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("offset", [0, 1, 2])
def test_a_sample_shorter_than_the_history_meets_the_same_thresholds(packed: bool, offset: int) -> None:
    """Its currents fit int16, the thresholds of neurons that never fire do not."""
    network = one_layer(integer.Dense(np.ones((8, 700), int)), integer.MemoryFree((3, 5, 200, 300), [0] * 8))
    high = int(network.current_ranges["a"][1][0])
    thresholds = [high + offset, 700, 2100, 5600, -1, 0, 1, 2**62]
    network = one_layer(network.layers[0].connections[0].synapse, integer.MemoryFree((3, 5, 200, 300), thresholds))
    with (
        patch.object(_tiled, "compiled", lambda: None),
        patch.object(_packed, "compiled", _packed.compiled if packed else lambda: None),
    ):
        for steps in range(1, 5):
            case = Direct(network, np.ones((1, 700, steps), np.uint8))
            assert_right(case, engines.run_fast(network, case.x))
    assert 0 < integer.run_reference(network, case.x)["a"].mean() < 1


@pytest.mark.parametrize("threshold", [2**24 - 1, 2**24, 2**24 + 1, 2**24 + 2])
def test_two_to_the_24_is_reached_and_one_more_is_not(threshold: int) -> None:
    """float32 holds the one and not the other."""
    network = one_layer(integer.Dense([[1]]), integer.MemoryFree((1,), [threshold]), 1, 2**24)
    for x in (2**24, 2**24 - 1):
        case = Direct(network, np.full((1, 1, 1), x))
        assert_right(case, engines.run_fast(network, case.x))
        assert integer.run_reference(network, case.x)["a"].item() == (x >= threshold)


@pytest.mark.parametrize("threshold", [(2**24 + 1) / 256, 1e9, 2**24 / 256])
def test_torch_at_two_to_the_24(threshold: float) -> None:
    block = memory_free.Dense(
        {"threshold": threshold, "norm": None, "history": 2, "taps": "learned", "tap_bits": 8}, 65536, 2
    )
    with torch.no_grad():
        block.synapse.weight.fill_(1.0)
        block.neuron.taps.value.copy_(torch.tensor([255.0, 1.0]))
    net = torch.nn.Sequential(block).eval()
    network = netx_export.fold(net, (65536,), 2)
    assert network.current_ranges["dense1"][1].tolist() == [2**24] * 2
    report = netx_export.verify(network, np.ones((1, 65536, 2), int), backends=["fast"], net=net)
    assert report.exact
    assert bool(report.rows[0].spikes) == (threshold == 2**24 / 256)


LARGE = 2**40


@pytest.mark.lava
def test_thresholds_beyond_int32_are_kept_by_lava() -> None:
    layers = [
        integer.Layer("never", on("input"), integer.MemoryFree((1,), [2**32])),
        integer.Layer("always", on("input"), integer.MemoryFree((1,), [-(2**63)])),
        integer.Layer("never stored", on("input"), integer.QuantizedLIF(4, 1, "soft", [0], [0], [0], [2**32])),
        integer.Layer("always stored", on("input"), integer.QuantizedLIF(4, 1, "hard", [0], [0], [0], [-(2**32)])),
    ]
    case = Direct(integer.IntegerNetwork(integer.Input((1,)), 4, tuple(layers)), np.array([[[0, 1, 0, 1]]]))
    assert_right(case, netx_export.simulate_layers(case.network, case.x, "lava"))
    assert [values.mean() for values in judged(case).values()] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("neuron", "maximum"),
    [
        (integer.QuantizedLIF(4, 2, "soft", [10], [12], [0], [-500_000_000]), 131_000),  # a low threshold is added
        (integer.QuantizedLIF(2, 8, "soft", [20], [6], [0], [2**18]), 114_687),  # half a step is added
        (integer.QuantizedLIF(4, 1, "hard", [0], [0], [2**31], [1]), 131_000),
    ],
)
@pytest.mark.lava
def test_what_leaves_int32_is_refused_where_int32_computes(neuron: integer.QuantizedLIF, maximum: int) -> None:
    """Torch does; Lava's processes take int64 where they have to."""
    network = one_layer(integer.Dense([[1]]), neuron, maximum=maximum)
    with pytest.raises(RangeError, match="layer 'a'.*beyond int32"):
        integer.refuse_violations(network, integer.TORCH_RULES, "int32")
    case = Direct(network, np.array([[[maximum, maximum, 0, 1]]]))
    assert_right(case, engines.run_fast(network, case.x))
    assert_right(case, netx_export.simulate_layers(network, case.x, "lava"))


@given(direct_cases(tame=True))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_accepted_for_int32_stays_there(case: Direct) -> None:
    """All that neurons with a stored potential compute, in Python integers, step by step."""
    for layer in case.network.layers:
        if isinstance(layer.neuron, integer.QuantizedLIF):
            outputs = {integer.INPUT: np.array(case.x).astype(np.int64), **integer.run_reference(case.network, case.x)}
            (currents,) = integer.currents(layer, outputs)
            fired, potentials = layer.neuron.run([currents])
            threshold = integer.per_channel(layer.neuron.threshold, currents.ndim - 2)[..., None].astype(object)
            after = potentials.astype(object) - threshold * fired if layer.neuron.reset == "soft" else potentials
            shift = integer.per_channel(layer.neuron.potential_shift, currents.ndim - 2)[..., None].astype(object)
            leaking = (2**layer.neuron.leak - 1) * after + 2 ** (shift + layer.neuron.leak - 1)
            assert max(abs(leaking).max(), abs(potentials).max()) <= case.network.reach(layer.name)


@pytest.mark.lava
def test_a_dead_end_deeper_than_the_output_has_all_its_steps() -> None:
    fires = integer.MemoryFree((1,), [1])
    layers = [integer.Layer(name, on(source), fires) for name, source in (("a", "input"), ("b", "a"), ("c", "b"))]
    layers.append(integer.Layer("out", on("input"), integer.Readout((1,))))
    case = Direct(integer.IntegerNetwork(integer.Input((1,)), 3, tuple(layers)), np.ones((2, 1, 3), int))
    assert_right(case, netx_export.simulate_layers(case.network, case.x, "lava"))


def test_traces_beyond_a_message_are_refused_by_lava_even_if_nothing_weights_them() -> None:
    network = one_layer(integer.Dense([[0]]), integer.MemoryFree((LARGE, 1), [1]))
    assert "traces of 'input' may reach 1,099,511,627,777" in str(netx_export.BACKENDS["lava"].refusal(network))


def test_a_readout_is_no_source() -> None:
    readout = integer.Layer("a", on("input"), integer.Readout((2, 1)))
    with pytest.raises(DeploymentError, match="layer 'b': its source 'a' is a readout"):
        integer.IntegerNetwork(
            integer.Input((1,)), 4, (readout, integer.Layer("b", on("a"), integer.MemoryFree((1,), [1])))
        )


ONES = np.ones((4, 3), int)
FIRES = integer.MemoryFree((1,), [1, 2, 0, -1])

IMPOSSIBLE: dict[str, Callable[[], object]] = {
    "a name with NUL": lambda: integer.Layer("a\0", on("input"), FIRES),
    "a name of two lines": lambda: integer.Layer("a\nb", on("input"), FIRES),
    "a lone surrogate": lambda: integer.Layer("\ud800", on("input"), FIRES),
    "a name of 300 letters": lambda: integer.Layer("n" * 300, on("input"), FIRES),
    "a name of 257 bytes": lambda: integer.Layer("ä" * 128 + "n", on("input"), FIRES),
    "a name that is none": lambda: integer.Layer(5, on("input"), FIRES),  # type: ignore[arg-type]
    "no connections": lambda: integer.Layer("a", (), FIRES),
    "4097 connections": lambda: integer.Layer("a", on("input") * 4097, FIRES),
    "65 taps": lambda: integer.MemoryFree((1,) * 65, [1]),
    "no taps": lambda: integer.Readout(()),
    "a tap of 2^64": lambda: integer.Readout((2**64,)),
    "a tap of 1.5": lambda: integer.Readout((1.5,)),  # type: ignore[arg-type]
    "traces of 2^63": lambda: one_layer(integer.Dense(0 * ONES), integer.MemoryFree((2**61,) * 4, [1] * 4)),
    "a soft reset by 2^62": lambda: one_layer(
        integer.Dense([[1]]), integer.QuantizedLIF(2, 1, "soft", [0], [0], [0], [-(2**62)])
    ),
    "a stride of 2^40": lambda: integer.Conv(np.ones((1, 1, 1, 1), int), stride=(2**40, 1)),
    "a stride of 1.5": lambda: integer.Conv(np.ones((1, 1, 1, 1), int), stride=(1.5, 1)),  # type: ignore[arg-type]
    "three strides": lambda: integer.Conv(np.ones((1, 1, 1, 1), int), stride=(1, 1, 1)),  # type: ignore[arg-type]
    "groups of 1.0": lambda: integer.Conv(np.ones((1, 1, 1, 1), int), groups=1.0),  # type: ignore[arg-type]
    "a padding that no memory holds": lambda: integer.Conv(
        np.ones((1, 1, 1, 1), int), padding=(2**15, 2**15)
    ).output_shape((1, 1, 1)),
    "an input that no memory holds": lambda: integer.Input((2**20, 2**10, 2**10)),
    "half a channel": lambda: integer.Input((2.5,)),  # type: ignore[arg-type]
    "half a maximum": lambda: integer.Input((2,), 1.5),  # type: ignore[arg-type]
    "ragged weights": lambda: integer.Dense([[1, 2], [3]]),
    "bits of 4.0": lambda: integer.QuantizedLIF(4.0, 1, "soft", [0], [0], [0], [1]),  # type: ignore[arg-type]
    "timesteps of 2.0": lambda: one_layer(integer.Dense(ONES), FIRES, timesteps=2.0),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_what_cannot_be_computed_or_written_cannot_be_built(what: str) -> None:
    with pytest.raises(QsnnError) as raised:
        IMPOSSIBLE[what]()
    assert len(str(raised.value)) < 300
    assert str(raised.value).isprintable()


LARGEST: dict[str, Callable[[], integer.IntegerNetwork]] = {
    "a name of 256 bytes": lambda: integer.IntegerNetwork(
        integer.Input((3,)), 4, (integer.Layer("ä" * 128, on("input", integer.Dense(ONES)), FIRES),)
    ),
    "64 taps": lambda: one_layer(integer.Dense(0 * ONES), integer.MemoryFree(tuple(range(1, 65)), [1] * 4), 64),
    "taps of 2^60": lambda: one_layer(integer.Dense(0 * ONES), integer.MemoryFree((2**60, 2**60), [1] * 4)),
    "every limit of int64": lambda: one_layer(
        integer.Dense(ONES), integer.MemoryFree((2**59,), [2**63 - 1, -(2**63), 2**59 * 3, 0]), 2**31 - 1
    ),
    "the largest input": lambda: one_layer(integer.Dense(ONES), FIRES, 2, 2**31 - 1),
    "the least weight": lambda: one_layer(integer.Dense([[-(2**31)]]), integer.MemoryFree((1,), [-(2**31)])),
    "the largest stride": lambda: one_layer(
        integer.Conv(np.ones((4, 1, 2, 2), int), (2**16 - 1, 2**16 - 1), (1, 1), (2, 4)), FIRES
    ),
    "a far dilation": lambda: one_layer(
        integer.Conv(np.ones((4, 1, 2, 1), int), (1, 2**16 - 1), (2**15, 0), (2**16 - 1, 2**16 - 1)), FIRES
    ),
    "numpy's own integers": lambda: integer.IntegerNetwork(
        integer.Input(np.array([1, 3, 3]), np.int32(5)),  # type: ignore[arg-type]
        np.int8(4),  # type: ignore[arg-type]
        (
            integer.Layer(
                np.str_("a"),
                on(np.str_("input"), integer.Conv(np.ones((4, 1, 1, 1), ">i4"), groups=np.int64(1))),  # type: ignore[arg-type]
                integer.MemoryFree(np.array([2, 1]), np.array([1, 2, 0, -1], np.int8)),  # type: ignore[arg-type]
            ),
        ),
    ),
}


@pytest.mark.parametrize("what", LARGEST)
def test_what_can_be_built_is_computed_and_written(what: str, tmp_path: Path) -> None:
    network = LARGEST[what]()
    netx_export.write(network, tmp_path / "network.net")
    assert netx_export.load(tmp_path / "network.net") == network
    shape = (2, *network.input.shape, min(network.timesteps, 5))
    x = np.random.default_rng(0).integers(0, network.input.maximum + 1, shape)
    assert_right(Direct(network, x), integer.run_reference(network, x))
    assert_right(Direct(network, x), engines.run_fast(network, x))


def test_the_number_of_layers_has_a_limit() -> None:
    layer = integer.Layer("a", on("input"), integer.Readout((1,)))
    with pytest.raises(DeploymentError, match="number of layers must be an integer from 1 to 4,096, not 4097"):
        integer.IntegerNetwork(integer.Input((1,)), 4, (layer,) * 4097)
