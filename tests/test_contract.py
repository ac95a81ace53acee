"""The contract of a neuron and of a synapse: what is defined out here runs on every engine, exactly, and fits in files.

A resonator with two currents, a state, parameters per neuron, per step and per channel, and signed outputs; and a
synapse whose every weight has a delay of its own. Neither is known to any engine, so each computes them by their own
step; an oracle of plain Python loops judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import netx_export
from lava_qsnn import integer
from lava_qsnn.engines.layerwise import NetworkEngine
from lava_qsnn.errors import ConfigurationError, DeploymentError, FileFormatError
from tests.helpers import oracle

Integers = NDArray[np.int64]

#: All but stock NetX, which has no such neurons.
ON_LAVA = [pytest.param(name, marks=pytest.mark.lava) for name in ("lava", "lava-async", "lava-fused")]
ENGINES = ("reference", "fast", *ON_LAVA)


@integer.register
@dataclass(frozen=True, eq=False)
class Resonator(integer.Neuron):
    """re' = re - (im >> turn) + current,  im' = im + (re' >> turn) + other,  both clipped to +-limit.

    Puts out re' where |im'| >= threshold of the neuron plus offset of the step, and 0 elsewhere.
    """

    kind: ClassVar[str] = "test_resonator"
    currents: ClassVar[tuple[str, ...]] = ("real", "imaginary")
    spikes: ClassVar[bool] = False
    threshold: integer.PerNeuron
    turn: integer.PerChannel
    offset: integer.PerStep
    limit: Annotated[int, integer.Number(1, 2**15)] = 500

    def start(self, shape: integer.Shape) -> integer.State:
        return np.zeros(shape, np.int64), np.zeros(shape, np.int64)

    def step(self, state: integer.State, currents: Sequence[Integers], t: int) -> integer.Step:
        turn = self.along("turn", currents[0].ndim - 1)
        real = (state[0] - (state[1] >> turn) + currents[0]).clip(-self.limit, self.limit)
        imaginary = (state[1] + (real >> turn) + currents[1]).clip(-self.limit, self.limit)
        fires = abs(imaginary) >= self.along("threshold", currents[0].ndim - 1) + self.offset[t]
        return integer.Step(np.where(fires, real, 0), imaginary, (real, imaginary))

    def potential_range(self, currents: Sequence[integer.Bounds]) -> integer.Bounds:
        bound = np.full(currents[0][0].shape, self.limit, object)
        return -bound, bound

    def reach(self, currents: Sequence[integer.Bounds]) -> int:
        return 2 * self.limit + max(int(np.maximum(abs(low), abs(high)).max()) for low, high in currents)

    @property
    def state_bits(self) -> int:
        return 2 * (self.limit.bit_length() + 1)


@integer.register
@dataclass(frozen=True, eq=False)
class DelayedDense(integer.Synapse):
    """I_i[t] = sum_j W_ij h_j[t - d_ij]."""

    kind: ClassVar[str] = "test_delayed_dense"
    weight: Annotated[Integers, integer.Array(("out", "in"), np.int32)]
    delays: Annotated[Integers, integer.Array(("out", "in"))]

    def output_shape(self, source: integer.Shape) -> integer.Shape:
        if int(np.prod(source)) != self.weight.shape[1]:
            raise DeploymentError(f"{self.weight.shape[1]} delayed inputs do not fit {source}")
        return (len(self.weight),)

    @property
    def delay(self) -> int:
        return int(self.delays.max())

    def current(self, traces: Integers) -> Integers:
        flat = traces.reshape(len(traces), -1, traces.shape[-1])
        total = np.zeros((len(flat), len(self.weight), flat.shape[-1]), np.int64)
        for delay in range(min(self.delay + 1, flat.shape[-1])):
            weight = np.where(self.delays == delay, self.weight, 0).astype(np.int64)
            total[..., delay:] += np.matmul(weight, flat[..., : flat.shape[-1] - delay])
        return total


T = 7


def network() -> integer.IntegerNetwork:
    """Signed input, both new kinds, a connection with a delay and a pooling, a recombination, a readout."""
    random = np.random.default_rng(0)

    def weights(*shape: int) -> Any:
        return random.integers(-3, 4, shape)

    resonator = Resonator(
        random.integers(1, 40, (3, 4, 5)), random.integers(0, 3, 3), random.integers(0, 9, T), limit=100
    )
    conv, other = integer.Conv(weights(3, 2, 3, 3), padding=(1, 1)), integer.Conv(weights(3, 2, 1, 1))
    connection, pool = integer.Connection, integer.SumPool((2, 2), (2, 2))
    flat = Resonator(random.integers(1, 30, 6), np.array([1] * 6), np.zeros(T, int), limit=200)
    return integer.IntegerNetwork(
        integer.Input((2, 4, 5), maximum=7, minimum=-5),
        T,
        (
            integer.Layer("ring", (connection("input", conv), connection("input", other, delay=2, port=1)), resonator),
            integer.Layer(
                "late",
                (
                    connection("ring", DelayedDense(weights(6, 60), random.integers(0, 4, (6, 60)))),
                    connection("input", integer.Dense(weights(6, 8)), port=1, poolings=(pool,), delay=1),
                ),
                flat,
            ),
            integer.Layer(
                "fires",
                (connection("late", integer.Dense(weights(5, 6))), connection("ring", integer.Dense(weights(5, 60)))),
                integer.MemoryFree((3, 1), random.integers(-40, 41, 5)),
            ),
            integer.Layer("out", (connection("fires", integer.Dense(weights(3, 5))),), integer.Readout((2, 1))),
        ),
        {"classes": ["a", "b", "c"], "data": {"name": "noise", "timesteps": T}},
    )


NETWORK = network()


def inputs(samples: int = 6, steps: int = T) -> Integers:
    x = np.random.default_rng(1).integers(-5, 8, (samples, 2, 4, 5, steps))
    x[0] = 7
    x[1] = -5
    x[2] = 0
    return x


def _resonator(neuron: Any, currents: list[list[int]], place: oracle.Place) -> list[int]:
    real = imaginary = 0
    threshold = int(neuron.threshold[place] if neuron.threshold.ndim == 3 else neuron.threshold[place[0]])
    outputs, turn = [], 2 ** int(neuron.turn[place[0]])
    for t, (one, other) in enumerate(zip(*currents)):
        real = max(-neuron.limit, min(neuron.limit, real - imaginary // turn + one))
        imaginary = max(-neuron.limit, min(neuron.limit, imaginary + real // turn + other))
        outputs.append(real if abs(imaginary) >= threshold + int(neuron.offset[t]) else 0)
    return outputs


def _delayed(synapse: Any, shape: oracle.Place, trace: oracle.Volume, target: oracle.Place, t: int) -> int:
    total = 0
    for j, place in enumerate(oracle.places(shape)):
        delay = int(synapse.delays[target[0]][j])
        total += int(synapse.weight[target[0]][j]) * (trace(*place, t - delay) if t >= delay else 0)
    return total


@pytest.fixture(autouse=True)
def rows_of_the_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(oracle.NEURONS, Resonator, _resonator)
    monkeypatch.setitem(oracle.SYNAPSES, DelayedDense, _delayed)


def judged(x: Integers, of: integer.IntegerNetwork = NETWORK) -> dict[str, Integers]:
    """The outputs of every layer, by the oracle: (N, *shape, T)."""
    samples = [oracle.run(of, sample) for sample in x]
    return {
        name: np.array([sample[name] for sample in samples]).reshape(len(x), *of.shapes[name], x.shape[-1])
        for name in of
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_new_kinds_run_on_every_engine(engine: str) -> None:
    for x in (inputs(), inputs(3, 4)):  # samples as long as the network's, and shorter ones
        expected = judged(x)
        actual = netx_export.simulate_layers(NETWORK, x, engine)
        assert {name: int((actual[name] != values).sum()) for name, values in expected.items()} == dict.fromkeys(
            NETWORK, 0
        )
    assert (expected["ring"] < 0).any()
    assert (expected["ring"] > 0).any()
    assert (expected["late"] != 0).mean() > 0.1
    assert 0.1 < expected["fires"].mean() < 0.9
    assert len(np.unique(expected["out"])) > 3


@pytest.mark.lava
@pytest.mark.parametrize("engine", ["lava-async", "lava-fused"])
def test_state_and_delays_last_from_message_to_message(engine: str) -> None:
    x = inputs()
    expected = judged(x)
    actual = netx_export.simulate_layers(NETWORK, x, engine, grain="step")
    assert all((actual[name] == values).all() for name, values in expected.items())


def test_still_inputs() -> None:
    x = np.broadcast_to(inputs()[..., :1], inputs().shape)
    expected, actual = judged(x), netx_export.simulate_layers(NETWORK, x, "fast")
    assert all((actual[name] == values).all() for name, values in expected.items())


def test_a_file_holds_them_and_the_metadata(tmp_path: Path) -> None:
    path = tmp_path / "new.net"
    netx_export.write(NETWORK, path)
    found = netx_export.load(path)
    assert found == NETWORK
    assert found.metadata == NETWORK.metadata
    assert found.metadata["classes"] == ["a", "b", "c"]
    x = inputs()
    assert (netx_export.simulate(path, x, "fast") == judged(x)["out"]).all()


def test_a_file_whose_kinds_nobody_registered_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new.net"
    netx_export.write(NETWORK, path)
    monkeypatch.delitem(integer.NEURONS, Resonator.kind)
    with pytest.raises(FileFormatError, match="no neuron 'test_resonator'.*registers it"):
        netx_export.load(path)


def test_tables_and_pictures_know_them(tmp_path: Path) -> None:
    rows = {row.name: row for row in netx_export.describe(NETWORK)}
    assert rows["ring"].thresholds is not None
    # Its own state, and its outputs of the present and three more steps, -100 to 100 in 8 bits.
    assert rows["ring"].state_bits == NETWORK.layer("ring").neuron.state_bits + 4 * 8
    assert "pool 2x2" in rows["late"].kind
    assert not NETWORK.stock_exact
    netx_export.plot_sample(NETWORK, inputs()[3], tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_parameters_are_checked_by_their_roles() -> None:
    with pytest.raises(DeploymentError, match="the limit of a test resonator neuron must be an integer from 1"):
        Resonator(np.ones(3, int), np.ones(3, int), np.ones(3, int), limit=0)
    with pytest.raises(DeploymentError, match="must be integers, not float64"):
        Resonator(np.ones(3), np.ones(3, int), np.ones(3, int))  # type: ignore[arg-type]
    short = Resonator(np.ones((3, 4, 5), int), np.ones(3, int), np.ones(T - 1, int))
    ring = NETWORK.layers[0]
    with pytest.raises(DeploymentError, match=r"layer 'ring': its offset values \(6,\) do not fit \(7,\)"):
        integer.IntegerNetwork(NETWORK.input, T, (integer.Layer("ring", ring.connections, short),))
    with pytest.raises(DeploymentError, match=r"layer 'a': port 2 .*real, imaginary"):
        integer.Layer("a", (integer.Connection("input", integer.Dense(np.array([[1]])), port=2),), ring.neuron)


def test_a_kind_needs_a_name_of_its_own() -> None:
    @dataclass(frozen=True, eq=False)
    class Another(integer.Neuron):
        kind: ClassVar[str] = "memory_free"

    with pytest.raises(ConfigurationError, match="another kind 'memory_free'"):
        integer.register(Another)
    with pytest.raises(ConfigurationError, match="neither a Neuron nor a Synapse"):
        integer.register(integer.Input)


def test_a_kind_is_a_dataclass() -> None:
    class Plain(integer.Neuron):
        kind: ClassVar[str] = "plain"

    class Below(integer.Readout):
        kind: ClassVar[str] = "below"

    for kind in (Plain, Below):
        with pytest.raises(ConfigurationError, match=f"{kind.__name__} is no dataclass.*decorate"):
            integer.register(kind)


@st.composite
def wired_networks(draw: st.DrawFn) -> integer.IntegerNetwork:
    """Delays, ports, poolings and signed numbers at random, around neurons of every kind."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    timesteps = draw(st.integers(1, 9))
    poolings = draw(st.lists(pools(), max_size=2))

    def dense(out: int, source: integer.Shape) -> Any:
        weight = random.integers(-9, 10, (out, int(np.prod(source))))
        if draw(st.booleans()):
            return DelayedDense(weight, random.integers(0, 4, weight.shape))
        return integer.Dense(weight)

    def delayed(source: str, synapse: integer.Synapse, **more: Any) -> integer.Connection:
        return integer.Connection(source, synapse, delay=draw(st.integers(0, 4)), **more)

    shape: integer.Shape = (2, 6, 7)
    for pooling in poolings:
        shape = pooling.output_shape(shape)
    free = integer.MemoryFree(draw(st.sampled_from([(1,), (2, 1), (9, 5, 3, 1)])), random.integers(-60, 60, 5))
    ring = Resonator(random.integers(1, 99, 4), random.integers(0, 3, 4), random.integers(0, 9, timesteps))
    zero = np.zeros(5, int)
    lif = integer.QuantizedLIF(4, 2, "soft", np.array([1] * 5), zero, zero, random.integers(1, 90, 5))
    layers = (
        integer.Layer("free", (delayed("input", dense(5, shape), poolings=tuple(poolings)),), free),
        integer.Layer("ring", (delayed("free", dense(4, (5,)), port=draw(st.integers(0, 1))),), ring),
        integer.Layer("lif", (delayed("ring", dense(5, (4,))), delayed("free", integer.OneToOne(np.full(5, 3)))), lif),
        integer.Layer("out", (delayed("lif", dense(3, (5,))),), integer.Readout((2, 1))),
    )
    return integer.IntegerNetwork(integer.Input((2, 6, 7), 9, draw(st.sampled_from([0, -4]))), timesteps, layers)


@st.composite
def pools(draw: st.DrawFn) -> integer.SumPool:
    pair = st.tuples(st.integers(1, 2), st.integers(1, 2))
    padding = draw(st.tuples(st.integers(0, 1), st.integers(0, 1)))
    return integer.SumPool(draw(pair), draw(pair), padding, draw(pair))


@settings(max_examples=40)
@given(wired_networks(), st.integers(0, 2**32 - 1), st.booleans())
def test_delays_ports_poolings_and_signs(of: integer.IntegerNetwork, seed: int, still: bool) -> None:
    x = np.random.default_rng(seed).integers(of.input.minimum, of.input.maximum + 1, (3, 2, 6, 7, of.timesteps))
    x = np.broadcast_to(x[..., :1], x.shape) if still else x
    expected = judged(x, of)
    for name, values in netx_export.simulate_layers(of, x, "reference").items():
        assert (values == expected[name]).all(), name
    for name, values in netx_export.simulate_layers(of, x, "fast").items():
        assert (values == expected[name]).all(), name
    engine = NetworkEngine(of)
    steps = [engine(np.moveaxis(x, -1, 1)[:, t : t + 1], t == 0) for t in range(of.timesteps)]
    for name, values in expected.items():
        assert (np.concatenate([step[name] for step in steps], 1) == np.moveaxis(values, -1, 1)).all(), name
