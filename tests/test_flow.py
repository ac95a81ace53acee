"""Networks that take messages: layers computed a message at a time, and the processes that send them on."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netx_export
from lava_qsnn import integer
from lava_qsnn.engines import layerwise as engine
from lava_qsnn.engines.message_format import Format
from lava_qsnn.errors import ConfigurationError, DeploymentError, RunError
from tests.helpers.flows import (
    be_killed,
    break_engine,
    interrupt_parent,
    network,
    raise_error,
    samples,
    send_wrong_shape,
    sleep_for_ever,
)
from tests.helpers.guarded import footprint, late
from tests.helpers.networks import Case, conv_cases, dense_cases, lif_cases, residual_cases

pytestmark = [pytest.mark.lava, pytest.mark.usefixtures("nothing_is_left_behind")]

few = settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
some = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])

BACKENDS = ("lava-async", "lava-fused")
CASES = st.one_of(dense_cases(), conv_cases(), lif_cases(), residual_cases())


def chunked(deployed: integer.IntegerNetwork, x: np.ndarray, steps: int) -> dict[str, np.ndarray]:
    """Every layer's outputs, computed by an engine from so many time steps at a time."""
    compute, frames = engine.NetworkEngine(deployed), np.moveaxis(x, -1, 1)
    parts = [compute(frames[:, t : t + steps], t == 0) for t in range(0, frames.shape[1], steps)]
    return {name: np.moveaxis(np.concatenate([part[name] for part in parts], 1), 1, -1) for name in deployed}


@some
@given(CASES, st.integers(1, 20))
def test_any_division_of_time_gives_the_reference_s_outputs(case: Case, steps: int) -> None:
    deployed, x = netx_export.fold(case.net, **case.export_arguments), case.inputs()
    expected = integer.run_reference(deployed, x)
    for _ in range(2):  # The second time, nothing may be left of the first.
        outputs = chunked(deployed, x, steps)
        assert all((outputs[name] == values).all() for name, values in expected.items())


@few
@given(CASES, st.sampled_from(["sample", "step"]), st.integers(1, 5), st.sampled_from(BACKENDS))
def test_any_message_gives_the_reference_s_outputs(case: Case, grain: str, batch: int, backend: str) -> None:
    deployed, x = netx_export.fold(case.net, **case.export_arguments), case.inputs(3)
    outputs = netx_export.simulate_layers(deployed, x, backend, grain=grain, batch=batch)
    expected = integer.run_reference(deployed, x)
    assert all((outputs[name] == values).all() for name, values in expected.items())
    assert {values.dtype for values in outputs.values()} == {np.dtype(np.int64)}


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("frames", [1, 3, 40])
def test_adding_the_rows_of_spikes_is_multiplying(rate: float, frames: int) -> None:
    random = np.random.default_rng(frames)
    weight = random.integers(-100, 100, (300, 500))
    traces = (random.random((frames, 500)) < rate) * random.integers(1, 16, (frames, 500))
    dense = engine.synapse(integer.Dense(weight), (500,), 15)
    assert (dense(traces) == traces @ weight.T).all()
    assert (dense(traces > 0) == (traces > 0) @ weight.T).all()


@pytest.mark.parametrize("weight", [127, -128])
@pytest.mark.parametrize("sources", [64, 65, 400])
@pytest.mark.parametrize("largest_trace", [1, 4, 2**20])
def test_narrow_rows_hold_the_largest_sum(weight: int, sources: int, largest_trace: int) -> None:
    dense = engine.EventDense(integer.Dense(np.full((50, sources), weight)), largest_trace)
    traces = np.full((3, sources), largest_trace)
    for way in (dense, dense._add_to_many, dense._multiply, dense._multiply_each):
        assert (way(traces) == weight * sources * largest_trace).all()
    assert (dense._add_to_one(traces[:1]) == weight * sources * largest_trace).all()
    silent = engine.EventDense(integer.Dense(np.zeros((50, sources), int)), largest_trace)
    assert not silent(traces.astype(silent.weight.dtype)).any()


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(0, 1, bool), (0, 255, np.uint8), (-1, 1, np.int8), (0, 2**16, np.int32), (-(2**40), 2, np.int64)],
)
def test_messages_are_as_narrow_as_their_numbers(low: int, high: int, dtype: type) -> None:
    form = Format((3, 2, 2), low, high, batch=4, steps=5)
    assert form.dtype == dtype
    frames = np.random.default_rng(0).integers(low, high + 1, (3, 5, 3, 2, 2))
    slot = np.full(form.size, 255, np.uint8)
    message = form.write(frames, 7)
    slot[: len(message)] = message
    received, step = form.read(slot)
    assert step == 7
    assert (received == frames).all()


def wide_network(sources: int) -> integer.IntegerNetwork:
    """Layers beside each other, some of which nobody needs, and thresholds and potentials beyond float32."""
    random = np.random.default_rng(0)

    def beside(index: int) -> integer.Layer:
        synapse = integer.Dense(random.integers(-(2**20), 2**20, (4, 3)))
        return integer.Layer(
            f"l{index}",
            (integer.Connection("input", synapse),),
            integer.MemoryFree((2, 1), np.array([-(2**40), 0, 2**20 + 1, 2**62])),
        )

    layers = tuple(beside(index) for index in range(sources))
    weight = random.integers(-(2**20), 2**20, (2, 4))
    connections = tuple(integer.Connection(layer.name, integer.Dense(weight)) for layer in layers[::2])
    last = integer.Layer("last", connections, integer.Readout((2**10, 1)))
    return integer.IntegerNetwork(integer.Input((3,), 2**31 - 1), 4, (*layers, last))


@pytest.mark.parametrize("backend", BACKENDS)
def test_they_are_exact_beyond_loihi_s_range(backend: str) -> None:
    deployed = wide_network(3)
    x = np.random.default_rng(0).integers(0, 2**31, (5, 3, 4))
    outputs = netx_export.simulate_layers(deployed, x, backend, batch=2)
    assert netx_export.BACKENDS["lava"].refusal(deployed)
    assert all((outputs[name] == values).all() for name, values in integer.run_reference(deployed, x).items())


def test_a_layer_listens_to_so_many_others_and_no_more() -> None:
    x = np.random.default_rng(0).integers(0, 9, (3, 3, 4))
    assert netx_export.verify(wide_network(16), x, backends=["lava-async"]).exact
    with pytest.raises(DeploymentError, match="layer 'last': 17 sources exceed 16.*lava-fused"):
        netx_export.simulate(wide_network(17), np.zeros((1, 3, 4), int), "lava-async")
    assert netx_export.BACKENDS["lava-fused"].refusal(wide_network(17)) is None


@pytest.mark.parametrize(
    ("option", "problem"), [({"grain": "layer"}, "grain 'layer'"), ({"batch": 0}, "batch must be an integer from 1")]
)
def test_options_that_make_no_sense_are_refused(option: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        netx_export.simulate(network(), samples(1), "lava-async", **option)


def test_progress_is_told_in_fractions() -> None:
    told: list[float] = []
    netx_export.simulate(network(), samples(30), "lava-async", progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1


# --- Faults ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("promptness")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("grain", ["sample", "step"])
class TestFaults:
    @pytest.mark.parametrize("call", [1, 7])
    def test_a_process_that_raises(self, backend: str, grain: str, call: int, monkeypatch: pytest.MonkeyPatch) -> None:
        break_engine(monkeypatch, raise_error, call)
        with pytest.raises(RunError, match=r"(PyLayer|PyFused)Model of process[\s\S]*upside down") as caught:
            netx_export.simulate(network(), samples(20), backend, grain=grain, batch=1)
        assert isinstance(caught.value.__cause__, ValueError)

    def test_a_process_that_is_killed(self, backend: str, grain: str, monkeypatch: pytest.MonkeyPatch) -> None:
        break_engine(monkeypatch, be_killed, 3)
        with pytest.raises(RunError, match="SIGKILL"):
            netx_export.simulate(network(), samples(20), backend, grain=grain, batch=1)

    def test_a_message_of_the_wrong_shape(self, backend: str, grain: str, monkeypatch: pytest.MonkeyPatch) -> None:
        break_engine(monkeypatch, send_wrong_shape, 1)
        with pytest.raises(RunError, match="ValueError"):
            netx_export.simulate(network(), samples(20), backend, grain=grain, batch=1)

    def test_a_model_that_cannot_be_built(self, backend: str, grain: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine.LayerEngine, "__init__", raise_error)
        with pytest.raises(RunError, match="upside down"):
            netx_export.simulate(network(), samples(3), backend, grain=grain)

    def test_a_run_that_takes_too_long(self, backend: str, grain: str, monkeypatch: pytest.MonkeyPatch) -> None:
        break_engine(monkeypatch, sleep_for_ever, 3)

        def start(limit: float) -> None:
            netx_export.simulate(network(), samples(20), backend, grain=grain, batch=1, time_limit=limit)

        late(start, "in run_(async|spk)")

    def test_an_interrupt_from_the_keyboard(self, backend: str, grain: str, monkeypatch: pytest.MonkeyPatch) -> None:
        break_engine(monkeypatch, interrupt_parent, 3)
        with pytest.raises(KeyboardInterrupt):
            netx_export.simulate(network(), samples(20), backend, grain=grain, batch=1)

    def test_an_error_in_progress(self, backend: str, grain: str) -> None:
        def fail(fraction: float) -> None:
            raise LookupError("no screen to draw on")

        with pytest.raises(LookupError, match="no screen"):
            netx_export.simulate(network(), samples(20), backend, grain=grain, progress=fail)


def test_many_runs_leave_no_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    footprints = []
    break_engine(monkeypatch, raise_error, 5)
    for round_number in range(24):
        options: dict[str, Any] = {"grain": ["sample", "step"][round_number % 2], "batch": 1}
        count = 2 if round_number % 3 and not round_number % 2 else 20
        try:
            netx_export.simulate(network(), samples(count), BACKENDS[round_number // 2 % 2], **options)
        except RunError:
            assert count == 20
        if round_number % 6 == 0:
            gc.collect()
            footprints.append(footprint())
    assert all(later == footprints[0] for later in footprints)
