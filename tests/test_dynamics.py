"""Feedback, delays, wrapping sums and the neurons of stock NetX: an oracle of Python loops judges every engine."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import netx_export
from lava_qsnn import integer
from lava_qsnn.engines import _fast
from lava_qsnn.engines._dense_circle import DenseCircle
from lava_qsnn.engines.layerwise import NetworkEngine
from lava_qsnn.errors import ConfigurationError, DeploymentError, RangeError
from netx_export._schema import digest
from tests.helpers import oracle
from tests.helpers.dynamics import batch, circles, networks, neuron

pytestmark = pytest.mark.lava

Outputs = dict[str, NDArray[np.int64]]

CIRCLES = circles()

#: Engines and what their messages are about.
RUNS = [("reference", "sample"), ("fast", "sample"), ("lava-async", "sample"), ("lava-async", "step")]
RUNS += [("lava-fused", "sample"), ("lava-fused", "step")]


def judged(network: integer.IntegerNetwork, x: NDArray[np.int64]) -> Outputs:
    """The outputs of every layer, by the oracle: (N, *shape, T)."""
    samples = [oracle.run(network, sample) for sample in x]
    return {
        name: np.array([sample[name] for sample in samples]).reshape(len(x), *network.shapes[name], x.shape[-1])
        for name in network
    }


def mismatches(expected: Outputs, actual: Outputs) -> dict[str, int]:
    return {name: int((actual[name] != values).sum()) for name, values in expected.items()}


@pytest.fixture(scope="module")
def expected() -> Outputs:
    return judged(CIRCLES, batch(CIRCLES, 5))


@pytest.mark.parametrize(("engine", "grain"), RUNS)
def test_every_engine_computes_circles(engine: str, grain: str, expected: Outputs) -> None:
    actual = netx_export.simulate_layers(CIRCLES, batch(CIRCLES, 5), engine, grain=grain)
    assert mismatches(expected, actual) == dict.fromkeys(CIRCLES, 0)


def test_the_circles_are_no_trivial_case(expected: Outputs) -> None:
    spikes = {name: values.mean() for name, values in expected.items() if CIRCLES.layer(name).neuron.spikes}
    assert all(0.02 < rate < 0.9 for rate in spikes.values()), spikes
    assert (expected["changes"] < 0).any()
    assert (expected["changes"] > 0).any()
    without = replace(CIRCLES, layers=tuple(without_feedback(CIRCLES, layer) for layer in CIRCLES.layers))
    cut = integer.run_reference(without, batch(CIRCLES, 5))
    assert all((cut[name] != expected[name]).any() for name in ("ring", "one", "other", "rf", "out"))


def without_feedback(network: integer.IntegerNetwork, layer: integer.Layer) -> integer.Layer:
    return replace(layer, connections=tuple(each for each in layer.connections if network.is_forward(layer, each)))


@pytest.mark.parametrize("kind", ["cuba", "cuba_readout", "sigma_delta", "delta", "sigma", "rf", "rf_iz"])
@pytest.mark.parametrize("neurons", [7, 1500, 2100])
def test_populations_of_any_size(kind: str, neurons: int) -> None:
    """Few neurons are computed side by side with those of other samples, many in blocks."""
    random = np.random.default_rng(neurons)
    made = neuron(random, kind, (neurons,))
    ports = range(len(made.currents))
    links = tuple(
        integer.Connection("input", integer.Dense(random.integers(-40, 60, (neurons, 2))), port=port) for port in ports
    )
    of = integer.IntegerNetwork(integer.Input((2,)), 9, (integer.Layer("n", links, made),))
    x = batch(of, 3)
    expected = integer.run_reference(of, x)
    assert len(np.unique(expected["n"])) > 1
    assert not any(mismatches(expected, netx_export.simulate_layers(of, x, "fast")).values())
    steps = NetworkEngine(of)(np.moveaxis(x, -1, 1), True)["n"]
    assert (np.moveaxis(steps, 1, -1) == expected["n"]).all()


def test_shorter_samples_and_still_inputs() -> None:
    x = batch(CIRCLES, 3, 5)
    assert not any(mismatches(judged(CIRCLES, x), netx_export.simulate_layers(CIRCLES, x, "fast")).values())
    still = np.broadcast_to(batch(CIRCLES, 3)[..., :1], batch(CIRCLES, 3).shape)
    assert not any(mismatches(judged(CIRCLES, still), netx_export.simulate_layers(CIRCLES, still, "fast")).values())


@pytest.mark.parametrize("neurons", [3, 90])
def test_a_population_that_feeds_itself_has_a_loop_of_its_own(neurons: int) -> None:
    random = np.random.default_rng(neurons)
    shape = (neurons, neurons)
    slow = integer.DelayedDense(random.integers(-30, 31, shape), random.integers(0, 40, shape))
    links = (
        integer.Connection("input", integer.Dense(random.integers(-40, 60, (neurons, 4))), sum_bits=32),
        integer.Connection("input", integer.Dense(random.integers(-9, 9, (neurons, 4))), port=1, delay=2),
        integer.Connection("n", integer.Dense(random.integers(-9, 10, shape)), 3),
        integer.Connection("n", slow, 1, sum_bits=32, sum_shift=0),
    )
    made = neuron(random, "cuba", (neurons,))
    of = integer.IntegerNetwork(integer.Input((4,)), 60, (integer.Layer("n", links, made),))
    (stage,) = _fast._plan(of, 60, ["n"])
    assert isinstance(stage, _fast._Circle)
    assert isinstance(stage.circle, DenseCircle)
    x = batch(of, 4)
    expected = integer.run_reference(of, x)
    assert 0.1 < expected["n"].mean() < 0.9
    assert not any(mismatches(expected, netx_export.simulate_layers(of, x, "fast")).values())


@settings(max_examples=30)
@given(networks(), st.integers(0, 2**32 - 1), st.data())
def test_networks_at_random(of: integer.IntegerNetwork, seed: int, data: st.DataObject) -> None:
    x = batch(of, 3, seed=seed)
    wanted = judged(of, x)
    for name in ("reference", "fast"):
        assert not any(mismatches(wanted, netx_export.simulate_layers(of, x, name)).values()), name
    engine, parts, t = NetworkEngine(of), [], 0
    while t < of.timesteps:  # messages of any number of steps
        steps = data.draw(st.integers(1, of.timesteps - t))
        parts.append(engine(np.moveaxis(x, -1, 1)[:, t : t + steps], t == 0))
        t += steps
    messages = {name: np.moveaxis(np.concatenate([part[name] for part in parts], 1), 1, -1) for name in of}
    assert not any(mismatches(wanted, messages).values())


@settings(max_examples=20)
@given(networks(6))
def test_components_are_the_strongly_connected_ones_in_order(of: integer.IntegerNetwork) -> None:
    graph = networkx.DiGraph([(source, name) for name in of for source in of.sources(name)])
    graph.add_nodes_from(of)
    found = [{layer.name for layer in component.layers} for component in of.components]
    assert sorted(map(sorted, found)) == sorted(
        map(sorted, (c for c in networkx.strongly_connected_components(graph) if c != {"input"}))
    )
    known = {"input"}
    for component, names in zip(of.components, found):
        circle = graph.subgraph(names)
        assert component.feeds_back == (circle.number_of_edges() > 0)
        known |= names
        assert all(set(of.sources(name)) <= known for name in names)
        assert [layer.name for layer in component.layers] == [name for name in of if name in names]


def test_where_nothing_feeds_back_the_order_stays() -> None:
    layers = tuple(
        integer.Layer(str(i), (integer.Connection(s, one()),), integer.Readout((1,)) if i == 8 else free())
        for i, s in enumerate(["input", "0", "input", "2", "1", "0", "5", "6", "3"])
    )
    of = integer.IntegerNetwork(integer.Input((1,)), 3, layers)
    assert [component.layers[0].name for component in of.components] == list(of)
    assert not any(component.feeds_back for component in of.components)


def one(weight: int = 1) -> integer.Dense:
    return integer.Dense(np.array([[weight]]))


def free() -> integer.MemoryFree:
    return integer.MemoryFree((1,), np.array([1]))


def alone(neuron: integer.Neuron, *ports: Any, timesteps: int = 20) -> integer.IntegerNetwork:
    """One neuron whose ports get the input's numbers, each times a weight."""
    connections = tuple(integer.Connection("input", one(weight), port=port) for port, weight in enumerate(ports))
    return integer.IntegerNetwork(
        integer.Input((1,), 2**31 - 1, 1 - 2**31), timesteps, (integer.Layer("n", connections, neuron),)
    )


def run(of: integer.IntegerNetwork, *values: int) -> list[int]:
    return integer.run_reference(of, np.array(values).reshape(1, 1, -1))["n"].ravel().tolist()


class TestCUBA:
    def test_an_impulse_decays_in_whole_numbers(self) -> None:
        half = integer.CUBAReadout([2048], [4096], [2**17], [0])
        assert run(alone(half, 1), 5, 0, 0, 0, 0, 0, 0, 0, 0, 0) == [320, 160, 80, 40, 20, 10, 5, 2, 1, 0]
        assert run(alone(half, -1), 5, 0, 0, 0, 0, 0, 0, 0, 0) == [-320, -160, -80, -40, -20, -10, -5, -2, -1]

    def test_it_fires_above_its_threshold_and_starts_anew(self) -> None:
        integrator = integer.CUBA([4096], [0], [10], [0])
        assert run(alone(integrator, 1), 10, 1, 10, 11, 4, 4, 4) == [0, 1, 0, 1, 0, 0, 1]

    def test_the_current_wraps_once_and_the_voltage_is_clipped(self) -> None:
        current = integer.CUBAReadout([0], [4096], [2**25 - 1], [0])
        assert run(alone(current, 1), 2**17, 1, 0) == [2**23 - 1, -(2**23) + 64, -(2**23) + 64]
        assert run(alone(current, 1), -(2**17)) == [2**23 - 1]
        assert run(alone(current, 1), 2**18 + 3) == [192]
        assert run(alone(current, 1), 2**19 - 1) == [2**23 - 1]  # 2^25 - 64, wrapped once to 2^24 - 64, and clipped

    def test_a_bias_of_a_port_wraps_with_its_own(self) -> None:
        biased = integer.CUBAReadout([4096], [4096], [2**25 - 1], [2**15 - 1])
        assert run(alone(biased, 0, 1), 0, 1, -5) == [64 * (2**15 - 1), -64 * 2**15, 64 * (2**15 - 6)]

    def test_neurons_without_dynamics_add_up(self) -> None:
        affine = integer.CUBAReadout.affine(1)
        assert run(alone(affine, 1), 3, -5, 2**16, 2**16) == [192, -128, 2**22 - 128, 2**23 - 128]
        assert affine.never_fires([]).tolist() == [True]

    def test_which_never_fire(self) -> None:
        per_neuron = np.array([[[131072, 131072]], [[131072, 131071]]])
        flat = np.zeros(2, np.int64)
        assert integer.CUBA(flat, flat, per_neuron, flat).never_fires([]).tolist() == [True, False]

    @pytest.mark.parametrize(
        ("name", "low", "high"),
        [
            ("current_decay", 0, 4096),
            ("voltage_decay", 0, 4096),
            ("threshold", -(2**25), 2**25 - 1),
            ("bias", -(2**15), 2**15 - 1),
        ],
    )
    def test_its_numbers_have_ranges(self, name: str, low: int, high: int) -> None:
        plain = integer.CUBA([0], [0], [0], [0])
        for value in (low, high):
            assert getattr(replace(plain, **{name: [value]}), name) == value
        for value in (low - 1, high + 1):
            with pytest.raises(
                DeploymentError, match=f"the {name.replace('_', ' ')} values of a cuba neuron must be from"
            ):
                replace(plain, **{name: [value]})

    def test_no_current_is_too_large(self) -> None:
        of = alone(integer.CUBA([0], [0], [5], [0]), 2**31 - 1)
        assert of.output_ranges["n"] == (0, 1)
        assert [str(v) for v in integer.currents_fit_loihi(of)] == []
        assert [str(v) for v in integer.potentials_fit_int32(of)] == []
        assert of.potential_ranges["n"][1].tolist() == [2**23 - 1]


class TestSigmaDelta:
    def test_it_sends_changes_of_at_least_its_threshold(self) -> None:
        changes = integer.SigmaDelta([5], [0], "delta")
        assert run(alone(changes, 1), 4, 5, 7, 9, 10, 0) == [0, 5 * 64, 0, 0, 5 * 64, -10 * 64]

    def test_the_corrected_rule_keeps_what_the_floor_cuts_off(self) -> None:
        rising = [33] * 40
        sums = {}
        for rule in ("stock", "corrected"):
            neuron = integer.SigmaDelta([0], [0], exponent=0, rule=rule)
            sums[rule] = sum(run(alone(neuron, 1, timesteps=40), *rising))
        assert sums == {"stock": 0, "corrected": 33 * 40 // 64}

    def test_a_sum_is_an_output_of_its_own(self) -> None:
        assert run(alone(integer.SigmaDelta([0], [0], "sigma"), 1), 3, -5, 2**31 - 1, 9) == [
            3,
            -2,
            2**31 - 3,
            6 - 2**31,
        ]

    def test_it_rectifies_and_biases(self) -> None:
        biased = integer.SigmaDelta([1], [2], exponent=0)
        assert run(alone(biased, 1), -64, -64, -64, 256) == [1, -1, 0, 3]

    def test_thresholds_beyond_int32_are_refused(self) -> None:
        with pytest.raises(DeploymentError, match=r"threshold values from 1 to 1048576, shifted by 12, leave int32"):
            integer.SigmaDelta([1, 2**20], [0, 0])
        with pytest.raises(DeploymentError, match="the form of a sigma delta neuron must be one of"):
            integer.SigmaDelta([1], [0], "gamma")

    def test_the_messages_of_an_encoder_are_bounded_by_its_input(self) -> None:
        of = alone(integer.SigmaDelta([5], [0], "delta"), 1)
        assert of.output_ranges["n"] == (-(2**25), 2**25 - 1)
        narrow = replace(of, input=integer.Input((1,), 9, -3))
        assert narrow.output_ranges["n"] == (-12 * 64, 12 * 64)


class TestResonators:
    def test_a_quarter_turn(self) -> None:
        quarter = integer.RF([4096], [0], [10])
        assert run(alone(quarter, 1, 0), 20, 0, 0, 0, 0, 0, 0, 0) == [0, 0, 0, 0, 1, 0, 0, 0]

    def test_a_reset_lets_it_fire_once(self) -> None:
        still = integer.RFIzhikevich([0], [4096], [10])
        assert run(alone(still, 0, 1), 20, 0, 0, 1, 0) == [1, 0, 0, 1, 0]


class TestWiring:
    def test_a_circle_needs_a_delay(self) -> None:
        with pytest.raises(
            DeploymentError, match="layer 'n': a layer cannot be its own source without delay.*delay of"
        ):
            feeding("n", "n", 0)
        with pytest.raises(DeploymentError, match="layer 'n': its source 'm' is not before it.*feeds back a delay"):
            feeding("n", "m", 0)
        with pytest.raises(DeploymentError, match="layer 'n': its source 'x' is not before it"):
            feeding("n", "x", 1)
        assert len(feeding("n", "m", 1).components) == 2
        assert feeding("n", "n", 1).components[0].feeds_back

    def test_a_layer_may_know_its_shape_from_a_later_one(self) -> None:
        wide = integer.Dense(np.ones((3, 1), int))
        layers = (
            integer.Layer(
                "x",
                (integer.Connection("y", integer.Dense(np.ones((2, 3), int)), 1),),
                integer.MemoryFree((1,), [1, 1]),
            ),
            integer.Layer(
                "y",
                (integer.Connection("input", wide), integer.Connection("x", integer.Dense(np.ones((3, 2), int)))),
                integer.MemoryFree((1,), [1, 1, 1]),
            ),
        )
        of = integer.IntegerNetwork(integer.Input((1,)), 4, layers)
        assert of.shapes == {"input": (1,), "x": (2,), "y": (3,)}
        with pytest.raises(DeploymentError, match="layer 'x': no connection leads to it from the input"):
            integer.IntegerNetwork(
                integer.Input((1,)), 4, (integer.Layer("x", (integer.Connection("x", one(), 1),), free()),)
            )

    def test_shapes_around_a_circle_must_agree(self) -> None:
        with pytest.raises(DeploymentError, match="layer 'n': its connections give different shapes"):
            integer.IntegerNetwork(
                integer.Input((1,)),
                4,
                (
                    integer.Layer(
                        "n",
                        (
                            integer.Connection("input", one()),
                            integer.Connection("n", integer.Dense(np.ones((2, 1), int)), 1),
                        ),
                        free(),
                    ),
                ),
            )

    def test_dead_ends_are_those_that_lead_nowhere(self) -> None:
        assert CIRCLES.dead_ends == ("aside",)
        assert feeding("n", "n", 1).dead_ends == ()

    def test_outputs_that_grow_around_a_circle_are_refused(self) -> None:
        changes = integer.SigmaDelta([1], [0], "delta")
        link = integer.Connection
        grows = integer.Layer("n", (link("input", one(2**8)), link("n", one(2**8), 1)), changes)
        unbounded = replace(grows, neuron=Growing())
        with pytest.raises(RangeError, match="layer 'n': its outputs come back to it and grow without end"):
            integer.IntegerNetwork(integer.Input((1,)), 4, (unbounded,))
        assert integer.IntegerNetwork(integer.Input((1,)), 4, (grows,)).output_ranges["n"] == (-(2**25), 2**25 - 1)

    def test_delays_have_a_shape_and_a_range(self) -> None:
        weight = np.ones((2, 3), int)
        for shape in ((2, 3), (1, 3), (2, 1), (1, 1)):
            assert integer.DelayedDense(weight, np.full(shape, 62)).delay == 62
        with pytest.raises(DeploymentError, match=r"delays \(3, 2\) do not fit weights \(2, 3\).*one for each weight"):
            integer.DelayedDense(weight, np.ones((3, 2), int))
        for value in (-1, 4097):
            with pytest.raises(DeploymentError, match="delays must be from 0 to 4,096 time steps"):
                integer.DelayedDense(weight, np.full((2, 3), value))

    def test_lava_s_own_layout_refuses_what_it_cannot_do(self) -> None:
        with pytest.raises(RangeError, match="leads back to it"):
            netx_export.simulate(feeding("n", "n", 1), batch(CIRCLES, 1)[:, :1, 0, 0], "lava")


class Growing(integer.Readout):
    """A readout that may feed others."""

    feeds = True

    def __init__(self) -> None:
        super().__init__((1,))


def feeding(name: str, source: str, delay: int) -> integer.IntegerNetwork:
    """Two layers, of which one takes another's output besides the input's."""
    layers = {each: integer.Layer(each, (integer.Connection("input", one()),), free()) for each in ("n", "m")}
    more = (*layers[name].connections, integer.Connection(source, one(), delay))
    layers[name] = replace(layers[name], connections=more)
    if name == source:
        layers = {"n": layers["n"], "m": replace(layers["m"], connections=(integer.Connection("n", one()),))}
    return integer.IntegerNetwork(integer.Input((1,)), 20, tuple(layers.values()))


class TestSums:
    def test_they_wrap_and_then_are_shifted(self) -> None:
        link = integer.Connection("input", one(100), sum_bits=9, sum_shift=2)
        layer = integer.Layer("n", (link,), integer.Readout((1,)))
        of = integer.IntegerNetwork(integer.Input((1,), 9, -9), 20, (layer,))
        assert run(of, 1, 2, 3, -1, -3) == [25, 200 // 4, (300 - 512) // 4, -25, (-300 + 512) // 4]
        assert of.output_ranges["n"] == (-64, 63)
        assert of.simplified.layers[0].connections[0] == link

    def test_sums_that_never_wrap_and_divide_are_plain(self) -> None:
        link = integer.Connection("input", integer.Dense(np.array([[12, -8]])), sum_bits=8, sum_shift=2)
        of = integer.IntegerNetwork(integer.Input((2,)), 20, (integer.Layer("n", (link,), integer.Readout((1,))),))
        assert of.simplified.layers[0].connections[0] == integer.Connection("input", integer.Dense(np.array([[3, -2]])))
        odd = replace(link, synapse=integer.Dense(np.array([[12, -7]])))
        assert odd.simplified((2,), 0, 1) == replace(odd, sum_bits=0)
        assert odd.simplified((2,), 0, 11) == odd

    def test_one_bit_is_refused(self) -> None:
        with pytest.raises(DeploymentError, match="the sum bits of a connection from 'input' must be 0 or from 2"):
            integer.Connection("input", one(), sum_bits=1)


class TestFiles:
    def test_they_hold_circles(self, tmp_path: Path) -> None:
        path = tmp_path / "circles.net"
        netx_export.write(CIRCLES, path)
        found = netx_export.load(path)
        assert found == CIRCLES
        x = batch(CIRCLES, 2)
        assert (netx_export.simulate(path, x, "fast") == netx_export.simulate(CIRCLES, x)).all()

    @settings(max_examples=8)
    @given(networks())
    def test_they_hold_networks_at_random(self, of: integer.IntegerNetwork) -> None:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "random.net"
            netx_export.write(of, path)
            assert netx_export.load(path) == of

    def test_a_digest_covers_every_number(self) -> None:
        digests = {digest(CIRCLES)}
        layer = CIRCLES.layer("ring")
        for name in ("current_decay", "voltage_decay", "threshold", "bias"):
            other = replace(layer.neuron, **{name: getattr(layer.neuron, name)[::-1]})  # type: ignore[type-var]
            digests.add(digest(with_layer(replace(layer, neuron=other))))
        first, back = layer.connections
        for more in ({"sum_bits": 31}, {"sum_shift": 2}, {"delay": 1}, {"port": 1}):
            digests.add(digest(with_layer(replace(layer, connections=(replace(first, **more), back)))))
        assert isinstance(back.synapse, integer.DelayedDense)
        turned = replace(back, synapse=replace(back.synapse, delays=back.synapse.delays ^ 1))
        digests.add(digest(with_layer(replace(layer, connections=(first, turned)))))
        assert len(digests) == 10

    def test_plain_sums_are_not_told(self, tmp_path: Path) -> None:
        """So that files from before there were others are read, and are the same byte for byte."""
        import h5py

        netx_export.write(CIRCLES, tmp_path / "circles.net")
        with h5py.File(tmp_path / "circles.net") as file:
            attributes = [set(file[f"lava_qsnn/layer/1/connection/{index}"].attrs) for index in (0, 1)]
        assert {"sum_bits", "sum_shift"} <= attributes[0]
        assert not {"sum_bits", "sum_shift"} & attributes[1]


def with_layer(layer: integer.Layer) -> integer.IntegerNetwork:
    return replace(CIRCLES, layers=tuple(layer if each.name == layer.name else each for each in CIRCLES.layers))


class TestStreams:
    def test_one_of_unknown_length_keeps_its_state(self) -> None:
        endless = replace(CIRCLES, timesteps=integer.ENDLESS)
        assert endless.is_endless
        x = batch(CIRCLES, 1, 40)
        expected = integer.run_reference(endless, x)["out"]
        assert expected.any()
        with netx_export.Stream(endless, grain="step") as stream:
            stream.feed(np.moveaxis(x[0], -1, 0))
            answers = list(stream)
        assert (np.stack(answers, -1) == expected[0]).all()

    def test_its_samples_need_a_length(self) -> None:
        endless = replace(CIRCLES, timesteps=integer.ENDLESS)
        with pytest.raises(ConfigurationError, match="nobody knows how many time steps.*timesteps"):
            netx_export.Stream(endless)


def test_every_field_of_the_new_kinds_has_a_role() -> None:
    for kind in (integer.CUBA, integer.CUBAReadout, integer.SigmaDelta, integer.RF, integer.RFIzhikevich):
        assert set(integer.roles(kind)) == {entry.name for entry in fields(kind)}  # type: ignore[arg-type]
