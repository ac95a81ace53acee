"""Networks at the limits of their sizes, names and ranges, and which are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lava_qsnn import integer
from lava_qsnn.errors import DeploymentError, InputError, RangeError
from tests.helpers.chains import chain, layer, stored


class TestNetworks:
    @pytest.mark.parametrize("shape", [(), (2, 2), (0,), (1, 0, 1), (1, 1, 1, 1)])
    def test_inputs_have_one_axis_or_three(self, shape: integer.Shape) -> None:
        with pytest.raises(DeploymentError, match="the input shape must be|each of the shape of the input must be"):
            integer.Input(shape)

    @pytest.mark.parametrize("shape", [(2**28,), (2**14, 2**14, 1)])
    def test_the_size_of_an_input(self, shape: integer.Shape) -> None:
        assert integer.Input(shape).shape == shape
        with pytest.raises(DeploymentError):
            integer.Input((*shape[:-1], shape[-1] + 1))

    @pytest.mark.parametrize(("maximum", "bits"), [(1, 1), (2, 2), (2**31 - 1, 31)])
    def test_the_largest_input(self, maximum: int, bits: int) -> None:
        assert integer.Input((1,), maximum).bits == bits
        assert integer.Input((1, 1, 1)).maximum == 1

    @pytest.mark.parametrize("maximum", [0, 2**31])
    def test_an_input_beyond_is_refused(self, maximum: int) -> None:
        with pytest.raises(
            DeploymentError, match="the maximum of the input must be an integer from 1 to 2,147,483,647"
        ):
            integer.Input((1,), maximum)

    @pytest.mark.parametrize(
        ("minimum", "maximum", "bits"),
        [(-1, 1, 2), (-2, 1, 2), (-2, 2, 3), (-3, 1, 3), (-4, 3, 3), (-5, 1, 4), (-(2**31) + 1, 1, 32)],
    )
    def test_inputs_below_0_take_a_sign(self, minimum: int, maximum: int, bits: int) -> None:
        assert integer.Input((1,), maximum, minimum).bits == bits
        for beyond in (1, -(2**31)):
            with pytest.raises(
                DeploymentError, match="the minimum of the input must be an integer from -2,147,483,647"
            ):
                integer.Input((1,), maximum, beyond)

    @pytest.mark.parametrize("timesteps", [1, 2**31 - 1])
    def test_time_steps(self, timesteps: int) -> None:
        assert chain(layer("a", [[1]]), timesteps=timesteps).timesteps == timesteps

    @pytest.mark.parametrize("timesteps", [0, True, 2**31])
    def test_time_steps_beyond_are_refused(self, timesteps: int) -> None:
        with pytest.raises(DeploymentError, match="the timesteps of the network must be an integer from 1 to"):
            chain(layer("a", [[1]]), timesteps=timesteps)

    @pytest.mark.parametrize("name", ["", "input", "a/b", "a\n", "x" * 257, "\xe9" * 129, 5])
    def test_names_of_layers(self, name: Any) -> None:
        with pytest.raises(DeploymentError, match="is no valid layer name"):
            layer(name, [[1]])

    @pytest.mark.parametrize("name", ["x", "x" * 256, "\xe9" * 128, "an input"])
    def test_names_that_may_be(self, name: str) -> None:
        assert layer(name, [[1]]).name == name

    @pytest.mark.parametrize(("name", "most"), [("delay", 4096), ("port", 255)])
    def test_numbers_of_connections(self, name: str, most: int) -> None:
        for number in (0, most):
            assert getattr(integer.Connection("a", integer.Dense([[1]]), **{name: number}), name) == number
        for number in (-1, most + 1):
            with pytest.raises(DeploymentError, match=f"the {name} of a connection from 'a' must be an integer from 0"):
                integer.Connection("a", integer.Dense([[1]]), **{name: number})

    def test_a_connection_has_up_to_8_poolings(self) -> None:
        pooling = integer.SumPool((1, 1), (1, 1))
        assert len(integer.Connection("a", integer.Dense([[1]]), poolings=[pooling] * 8).poolings) == 8
        with pytest.raises(DeploymentError, match="the number of poolings of a connection from 'a' must be"):
            integer.Connection("a", integer.Dense([[1]]), poolings=[pooling] * 9)

    def test_a_connection_goes_to_a_port_that_is_there(self) -> None:
        one = integer.Connection("input", integer.Dense([[1]]), port=1)
        with pytest.raises(DeploymentError, match="layer 'a': port 1 of the connection from 'input' does not exist"):
            integer.Layer("a", (one,), integer.Readout((1,)))

    def test_layers_and_connections_are_up_to_4096(self) -> None:
        one = layer("0", [[1]], integer.MemoryFree((1,), [1]))
        with pytest.raises(DeploymentError, match="the number of layers must be an integer from 1 to 4,096, not 4097"):
            chain(*[one] * 4097)
        assert len(integer.Layer("a", one.connections * 4096, one.neuron).connections) == 4096
        with pytest.raises(DeploymentError, match="layer 'a': the number of connections must be .* 4,096, not 4097"):
            integer.Layer("a", one.connections * 4097, one.neuron)

    def test_a_frame_has_up_to_2_to_the_28_numbers(self) -> None:
        """2^14 by 2^14, of one channel, and of two."""
        for channels in (1, 2):
            conv = integer.Conv(np.ones((channels, 1, 1, 1), int), padding=(2**13 - 1, 2**13 - 1))
            wide = integer.Layer("wide", (integer.Connection("input", conv),), integer.Readout((1,)))
            if channels == 1:
                network = integer.IntegerNetwork(integer.Input((1, 2, 2)), 1, (wide,))
                assert network.shapes["wide"] == (1, 2**14, 2**14)
                continue
            with pytest.raises(DeploymentError, match="layer 'wide': its shape .* has more than 268,435,456 numbers"):
                integer.IntegerNetwork(integer.Input((1, 2, 2)), 1, (wide,))

    def test_metadata_are_plain_and_short(self) -> None:
        def about(**metadata: Any) -> integer.IntegerNetwork:
            return integer.IntegerNetwork(integer.Input((1,)), 1, (layer("a", [[1]]),), metadata)

        known = {"names": ["a", "b"], "size": [1, 2.5, None, True], "more": {"x": 1}}
        assert dict(about(**known).metadata) == known
        assert about(**known) == about()
        with pytest.raises(TypeError):
            about(**known).metadata["names"] = []  # type: ignore[index]
        for value in ({1}, b"x", float("nan"), np.arange(2)):
            with pytest.raises(DeploymentError, match="metadata cannot be stored"):
                about(x=value)
        longest = "x" * (2**16 - len('{"x": ""}'))
        assert about(x=longest).metadata["x"] == longest
        with pytest.raises(DeploymentError, match="metadata of 65,537 characters exceed 65,536"):
            about(x=longest + "x")

    def test_readouts_feed_nothing(self) -> None:
        with pytest.raises(
            DeploymentError, match="layer 'b': its source 'a' is a readout, whose potentials are no spikes"
        ):
            chain(layer("a", [[1]]), layer("b", [[1]], source="a"))

    def test_sources_come_before(self) -> None:
        fires = integer.MemoryFree((1,), [1])
        with pytest.raises(DeploymentError, match="layer 'a': a layer cannot be its own source"):
            chain(layer("a", [[1]], fires, source="a"))
        with pytest.raises(DeploymentError, match="layer 'a': its source 'b' is not before it"):
            chain(layer("a", [[1]], fires, source="b"), layer("b", [[1]], fires))

    def test_what_makes_no_network(self) -> None:
        with pytest.raises(DeploymentError, match="the number of layers must be an integer from 1 to 4,096, not 0"):
            chain()
        with pytest.raises(DeploymentError, match="layer 'a': the number of connections must be .*, not 0"):
            integer.Layer("a", (), integer.Readout((1,)))
        with pytest.raises(DeploymentError, match="two layers have the same name"):
            chain(layer("a", [[1]]), layer("a", [[1]]))
        one_and_two = layer("b", np.ones((2, 2), int), source="a", input=integer.Dense(np.ones((1, 1), int)))
        with pytest.raises(DeploymentError, match="layer 'b': its connections give different shapes"):
            chain(layer("a", [[1], [1]], integer.MemoryFree((1,), [1, 1])), one_and_two)
        with pytest.raises(DeploymentError, match=r"layer 'a': its threshold values \(2,\) do not fit \(1,\)"):
            chain(layer("a", [[1]], integer.MemoryFree((1,), [1, 2])))

    def test_the_int64_reference_has_a_limit(self) -> None:
        """2^62: sums, and the number above them, which stands for thresholds that are never reached, stay below."""
        assert chain(layer("a", [[2]], integer.Readout((2**61 - 1,)))).reach("a") == 2**62 - 1
        assert chain(layer("a", [[-1]], integer.Readout((2**62 - 1,)))).reach("a") == 2**62 - 1
        for weight, taps in ((1, (2**62 - 1,)), (-1, (2**62,)), (0, (2**62,))):
            with pytest.raises(RangeError, match=r"layer 'a': potentials may exceed 2\^62"):
                chain(layer("a", [[weight]], integer.Readout(taps)))
        soft = stored(threshold=[-(2**60)], reset="soft")
        assert chain(layer("a", [[1]], soft)).reach("a") == 3 * (2**60 + 8) + 2
        with pytest.raises(RangeError, match="layer 'a': potentials may exceed"):
            chain(layer("a", [[1]], stored(threshold=[-(2**62)], reset="soft")))

    def test_ranges_of_currents_and_potentials(self) -> None:
        first = layer("a", [[1, -2], [3, 4]], integer.MemoryFree((4, 1), [1, 1]))
        network = chain(
            first,
            layer("b", [[5, -6]], stored(leak=3, bias=[7]), source="a"),
            layer("c", [[-9]], source="b"),
            inputs=2,
            maximum=10,
            timesteps=2,
        )
        ranges = {name: (low.tolist(), high.tolist()) for name, (low, high) in network.potential_ranges.items()}
        assert ranges == {"a": ([-100, 0], [50, 350]), "b": ([-8 - 6 + 7], [7 + 5 + 7]), "c": ([-9], [0])}
        assert network.current_ranges["b"][0].tolist() == [-6]
        assert [network.reach(name) for name in network] == [351, 7 * 19 + 4, 9]
        assert network.trace_range("input", (4, 1)) == (0, 50)
        assert network.trace_range("a", (4, 1)) == (0, 5)
        assert network.output_ranges == {"input": (0, 10), "a": (0, 1), "b": (0, 1), "c": (-9, 0)}
        assert network.thresholds("a").tolist() == [1, 1]

    def test_ranges_of_what_may_be_negative_delayed_and_pooled(self) -> None:
        """Windows of 2 x 1; traces of the past two steps are from -3 x 6 to 5 x 6, the third is never reached."""
        pooling = integer.SumPool((2, 1), (2, 1))
        way = integer.Connection("input", integer.Dense([[2, -1]]), 1, poolings=(pooling,))
        only = integer.Layer("a", (way,), integer.Readout((4, 2, 7)))
        network = integer.IntegerNetwork(integer.Input((1, 2, 2), 5, -3), 3, (only,))
        assert network.layers[0].taps(way) == (0, 4, 2, 7)
        assert network.trace_range("input", (4, 2)) == (-18, 30)
        low, high = network.current_ranges["a"]
        assert (low.tolist(), high.tolist()) == ([2 * (-18 * 2 - 30)], [2 * (30 * 2 + 18)])
        assert way.amplification == 2
        assert network.shortened(2).current_ranges["a"][1].tolist() == [2 * (20 * 2 + 12)]
        assert network.shortened(1).current_ranges["a"][1].tolist() == [0]
        assert network.shortened(2).timesteps == 2

    def test_ranges_of_several_connections_add_up(self) -> None:
        skip = integer.OneToOne(np.array([2, -3]))
        network = chain(
            layer("a", [[1, 1], [1, 1]], integer.MemoryFree((1,), [1, 1])),
            layer("b", [[1, -1], [-1, 1]], integer.Readout((2,)), source="a", input=skip),
            inputs=2,
            maximum=5,
        )
        low, high = network.potential_ranges["b"]
        assert (low.tolist(), high.tolist()) == ([-2, -32], [22, 2])
        assert not network.is_chain
        assert network.sources("b") == ("a", "input")

    def test_chains_and_dead_ends(self) -> None:
        fires = integer.MemoryFree((1,), [1])
        straight = chain(layer("a", [[1]], fires), layer("b", [[1]], fires, source="a"), layer("c", [[1]], source="b"))
        assert straight.is_chain
        assert straight.dead_ends == ()
        assert straight.output.name == "c"
        assert (len(straight), list(straight)) == (3, ["a", "b", "c"])
        fork = chain(layer("a", [[1]], fires), layer("b", [[1]], fires, source="a"), layer("c", [[1]], source="a"))
        assert not fork.is_chain
        branched = chain(layer("a", [[1]], fires), layer("b", [[1]], fires), layer("c", [[1]], source="a"))
        assert not branched.is_chain
        assert branched.dead_ends == ("b",)
        one_to_one = integer.Connection("input", integer.OneToOne(np.ones(1, int)))
        assert not chain(integer.Layer("a", (one_to_one,), fires)).is_chain
        with pytest.raises(InputError, match="there is no layer 'd'.*layers are a, b, c"):
            straight.layer("d")
