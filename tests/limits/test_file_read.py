"""The file as it is read: taken at each limit, and refused one beyond."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.helpers.stored import CONNECTION, LAYER, array, attribute, loaded, network, newer, small

GEOMETRY = ("stride", "padding", "dilation")


FOREIGN = "stored in a way this project never writes"


class TestWhatIsRead:
    """The limits of numbers are the constructors' own; the reader asks for their kind, and that no more is said."""

    @pytest.mark.parametrize("version", [-1, 0, 3, 2**31 + 1])
    def test_another_version_is_named(self, tmp_path: Path, version: int) -> None:
        text = loaded(tmp_path, small(), attribute("version", version))
        assert f"its format is version {version}, this release reads versions 1 and 2" in text

    def test_a_version_does_not_pass_for_another(self, tmp_path: Path) -> None:
        assert "digest" in loaded(tmp_path, small(), attribute("version", 1))

    @pytest.mark.parametrize("name", ["version", "timesteps", "input_maximum", "input_minimum"])
    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (np.array([1]), "is [1], not an integer"),
            (np.bytes_(b"1"), "is b'1', not an integer"),
            (True, "is True, not an integer"),
            (np.ones((2, 1), int), "is int64 of shape (2, 1), not an integer"),
            (1.0, FOREIGN),
        ],
    )
    def test_integers_are_of_their_kind(self, tmp_path: Path, name: str, value: Any, said: str) -> None:
        text = loaded(tmp_path, small(), attribute(name, value))
        assert said in text
        assert said == FOREIGN or f"its attribute '{name}' of 'lava_qsnn'" in text

    @pytest.mark.parametrize(
        ("name", "said", "low", "high"),
        [
            ("timesteps", "the timesteps of the network", 1, 2**31 - 1),
            ("input_maximum", "the maximum of the input", 1, 2**31 - 1),
            ("input_minimum", "the minimum of the input", -(2**31) + 1, 0),
        ],
    )
    def test_the_network_itself_decides_on_their_range(
        self, tmp_path: Path, name: str, said: str, low: int, high: int
    ) -> None:
        for value in (low - 1, high + 1, np.uint64(2**64 - 1)):
            text = loaded(tmp_path, small(taps=(1,)), attribute(name, value))
            assert f"holds no valid network: {said} must be an integer from {low:,} to {high:,}, not {value}" in text
        for value in {low, high} - {0}:
            assert "digest" in loaded(tmp_path, small(taps=(1,)), attribute(name, value))

    @pytest.mark.parametrize(
        ("shape", "said"),
        [
            ([0], "each of the shape of the input must be an integer from 1 to 268,435,456, not 0"),
            ([2**28 + 1], "each of the shape of the input must be an integer from 1 to 268,435,456, not"),
            ([2, 0, 2], "each of the shape of the input must be an integer from 1 to 268,435,456, not 0"),
            ([2, 2], "the input shape must be (C,) or (C, H, W), not (2, 2)"),
            ([1] * 5, "the shape of the input must be 0 to 4 integers, not 5"),
            ([2, 2**14, 2**14], "the input's size must be an integer from 1 to 268,435,456, not 536870912"),
        ],
    )
    def test_and_on_shapes(self, tmp_path: Path, shape: list[int], said: str) -> None:
        text = loaded(tmp_path, small(), attribute("input_shape", np.array(shape)))
        assert f"holds no valid network: {said}" in text

    @pytest.mark.parametrize(
        ("taps", "said"),
        [
            (np.ones(65, int), "the taps of a memory free neuron must be 1 to 64 integers, not 65"),
            (np.array([2**62 + 1], np.uint64), "neuron must be an integer from 1 to 4,611,686,018,427,387,904, not"),
            (np.array([1, 0]), "neuron must be an integer from 1 to 4,611,686,018,427,387,904, not 0"),
            (np.array([2**62]), "potentials may exceed 2^62"),
            (np.array([8, 4, 2, 1], np.uint64), "at lava_qsnn/layer/0/@taps"),  # that was version 1
            (np.ones(64, int), "digest"),
            (2, "'taps' of 'lava_qsnn/layer/0' is 2, not a list of integers"),
            (np.ones((1, 1), int), "'taps' of 'lava_qsnn/layer/0' is [[1]], not a list of integers"),
            (np.zeros(0, int), FOREIGN),
            (np.array([1.0]), FOREIGN),
        ],
    )
    def test_lists_of_taps(self, tmp_path: Path, taps: Any, said: str) -> None:
        assert said in loaded(tmp_path, small(), attribute("taps", taps, LAYER))

    @pytest.mark.parametrize(("length", "said"), [(1, "digest"), (256, "digest"), (257, "is no valid layer name")])
    def test_names_have_1_to_256_bytes(self, tmp_path: Path, length: int, said: str) -> None:
        assert said in loaded(tmp_path, small(), attribute("name", np.bytes_(b"x" * length), LAYER))
        assert "'' is no valid layer name" in loaded(tmp_path, small(), attribute("name", np.bytes_(b""), LAYER))
        assert "'name' of 'lava_qsnn/layer/0' is 5, not a text" in loaded(
            tmp_path, small(), attribute("name", 5, LAYER)
        )
        several = np.array([b"a", b"b"])
        assert "is |S1 of shape (2,), not a text" in loaded(tmp_path, small(), attribute("name", several, LAYER))

    @pytest.mark.parametrize(("shift", "possible"), [(0, True), (31, True), (-1, False), (32, False)])
    def test_shifts_of_weights(self, tmp_path: Path, shift: int, possible: bool) -> None:
        """Weights of 0 are what they are under every shift, but the file says the one that was written."""
        zero = small(((0, 0),))
        text = loaded(tmp_path, zero, attribute("weight_shift", shift, CONNECTION))
        written = f"what it says at {CONNECTION}/@weight_shift is not what the file of its network says"
        beyond = f"its attribute 'weight_shift' of '{CONNECTION}' is {shift}, not from 0 to 31"
        assert (written if possible else beyond) in text

    def test_weights_that_are_no_multiples_are_refused(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, small(), attribute("weight_shift", 3, CONNECTION)) == small()
        text = loaded(tmp_path, small(), attribute("weight_shift", 4, CONNECTION))
        assert f"its weights in '{CONNECTION}' are no multiples of 2^4" in text
        assert "digest" in loaded(tmp_path, small(), attribute("weight_shift", 2, CONNECTION))

    @pytest.mark.parametrize(
        ("name", "value", "text"),
        [
            *(
                ("bits", value, "the bits of a quantized lif neuron must be an integer from 2 to 16, not")
                for value in (-1, 1, 17)
            ),
            *(
                ("leak", value, "the leak of a quantized lif neuron must be an integer from 1 to 8, not")
                for value in (-1, 0, 9)
            ),
            ("bits", 4, "digest"),
            ("leak", 8, "digest"),
            ("bits", np.array([4]), "not an integer"),
            ("leak", np.bytes_(b"2"), "not an integer"),
            (
                "reset",
                np.bytes_(b"never"),
                "the reset of a quantized lif neuron must be one of hard, soft, not 'never'",
            ),
            ("reset", 1, "not a text"),
            ("neuron", np.bytes_(b"neuroid"), "there is no neuron 'neuroid'"),
            ("neuron", np.bytes_(b"memory_free"), "it lacks the attribute 'taps' of 'lava_qsnn/layer/1'"),
            ("neuron", np.bytes_(b"readout"), "it lacks the attribute 'taps' of 'lava_qsnn/layer/1'"),
        ],
    )
    def test_options_of_neurons(self, tmp_path: Path, name: str, value: Any, text: str) -> None:
        assert text in loaded(tmp_path, network(), attribute(name, value, "lava_qsnn/layer/1"))

    @pytest.mark.parametrize(
        ("name", "value", "text"),
        [
            *(
                (name, np.array([1, -1]), f"each of the {name} of a conv synapse must be an integer from")
                for name in GEOMETRY
            ),
            *(
                (name, np.array([2**16, 1]), f"each of the {name} of a conv synapse must be an integer from")
                for name in GEOMETRY
            ),
            *(
                (name, np.array([1, 1, 1]), f"the {name} of a conv synapse must be 2 integers, not 3")
                for name in GEOMETRY
            ),
            *((name, 1, "not a list of integers") for name in GEOMETRY),
            ("stride", np.array([0, 1]), "each of the stride of a conv synapse must be an integer from 1"),
            ("stride", np.array([2**16 - 1, 1]), "digest"),
            *(
                ("groups", value, "the groups of a conv synapse must be an integer from 1 to 65,535")
                for value in (0, 2**16)
            ),
            ("groups", 2**16 - 1, "do not divide into 65535 groups"),
            ("groups", 1, "a convolution of 1 channels"),
            ("groups", np.array([2]), "not an integer"),
            ("synapse", np.bytes_(b"sparse"), "there is no synapse 'sparse'"),
            ("source", np.bytes_(b"elsewhere"), "its source 'elsewhere' is not before it"),
            ("source", np.bytes_(b"first"), "a layer cannot be its own source"),
            *(("delay", value, "the delay of a connection from 'input' must be") for value in (-1, 4097)),
            *(("delay", value, "digest") for value in (1, 4096)),
            *(("port", value, "the port of a connection from 'input' must be") for value in (-1, 256)),
            *(("port", value, f"port {value} of the connection from 'input' does not exist") for value in (1, 255)),
        ],
    )
    def test_options_of_connections(self, tmp_path: Path, name: str, value: Any, text: str) -> None:
        single = network(layers=network().layers[:1])
        assert text in loaded(tmp_path, single, attribute(name, value, CONNECTION))

    @pytest.mark.parametrize(
        ("name", "value", "text"),
        [
            *((name, [0, 1], f"each of the {name} of a pooling must be") for name in ("kernel", "stride", "dilation")),
            ("padding", [-1, 0], "each of the padding of a pooling must be an integer from 0"),
            ("padding", [2**16 - 1, 2**16 - 1], "numbers, more than"),
            ("kernel", [2**16 - 1, 1], "is larger than its source"),
            ("kernel", [1, 1], "digest"),
        ],
    )
    def test_poolings(self, tmp_path: Path, name: str, value: list[int], text: str) -> None:
        change = attribute(name, np.array(value), f"{CONNECTION}/pooling/0")
        assert text in loaded(tmp_path, replace(newer(), layers=newer().layers[:1]), change)

    @pytest.mark.parametrize(("count", "text"), [(8, "digest"), (9, "the number of poolings of a connection")])
    def test_the_number_of_poolings(self, tmp_path: Path, count: int, text: str) -> None:
        def change(file: h5py.File) -> None:
            for index in range(1, count):
                group = file.require_group(f"{CONNECTION}/pooling/{index}")
                group.attrs.update({"kernel": [1, 1], "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1]})

        assert text in loaded(tmp_path, replace(newer(), layers=newer().layers[:1]), change)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (b"{", "its metadata are no JSON"),
            (b"\\xff", "its metadata are no JSON"),
            (b"[" * 10**5, "its metadata are no JSON"),
            (b"[1]", "its metadata are no mapping"),
            (b'{"a": NaN}', "metadata cannot be stored"),
            (b'{"a":1}', "at lava_qsnn/metadata"),
            (b'{"b": 1, "a": 1}', "at lava_qsnn/metadata"),
            (b'{"a": "' + b"x" * 2**16 + b'"}', "metadata of 65,545 characters exceed 65,536"),
            (b'{"a": 1, "b": [null]}', None),
        ],
    )
    def test_metadata(self, tmp_path: Path, text: bytes, said: str | None) -> None:
        written = replace(small(), metadata={"names": ["a", "b"]})
        found = loaded(tmp_path, written, array("lava_qsnn/metadata", np.frombuffer(text, np.int8)))
        if said is not None:
            assert said in found
            return
        assert found == small()
        assert dict(found.metadata) == {"a": 1, "b": [None]}

    def test_what_it_says_of_stock_netx_is_checked(self, tmp_path: Path) -> None:
        assert small().stock_exact
        for value in (False, 1, 2, -1):
            text = loaded(tmp_path, small(), attribute("stock_exact", value))
            assert "what it says at lava_qsnn/@stock_exact is not what the file of its network says" in text
        assert loaded(tmp_path, small(), attribute("stock_exact", True)) == small()
        assert "stock part differs from its network at layer/1/bias" in loaded(
            tmp_path, small(), array("layer/1/bias", np.array([5]))
        )
        assert FOREIGN in loaded(tmp_path, small(), array("layer/1/neuron/type", 1.5))

    @pytest.mark.parametrize("timesteps", [4, 8])
    @pytest.mark.parametrize("words", ["", "other words"])
    def test_other_releases_may_put_obstacles_into_other_words(
        self, tmp_path: Path, timesteps: int, words: str
    ) -> None:
        """Only that there are some counts: stock NetX computes 4 steps exactly, and 8 not."""
        expected = small(timesteps=timesteps)
        assert bool(expected.stock_obstacles) == (timesteps == 8)
        found = loaded(tmp_path, expected, attribute("stock_obstacles", np.bytes_(words)))
        if bool(words) == bool(expected.stock_obstacles):
            assert found == expected
        else:
            assert "what it says at lava_qsnn/@stock_obstacles" in found

    @pytest.mark.parametrize("count", [2, 4097])
    def test_members_are_numbered(self, tmp_path: Path, count: int) -> None:
        def change(file: h5py.File) -> None:
            group = file["lava_qsnn/layer"]
            for index in range(len(group), count):
                group.create_group(f"other {index}")

        assert "it has no group 'lava_qsnn/layer/1'" in loaded(tmp_path, small(), change)

    def test_a_network_has_layers_and_layers_have_connections(self, tmp_path: Path) -> None:
        def without(path: str) -> Callable[[h5py.File], None]:
            return lambda file: file.__delitem__(path)

        assert "the number of layers must be an integer from 1 to 4,096, not 0" in loaded(
            tmp_path, small(), without(LAYER)
        )
        assert "layer 'only': the number of connections must be an integer from 1" in loaded(
            tmp_path, small(), without(CONNECTION)
        )

    @pytest.mark.parametrize(("times", "claims"), [(1100, False), (1101, True)])
    def test_an_array_claims_no_more_than_deflate_can_hold(self, tmp_path: Path, times: int, claims: bool) -> None:
        """A chunk of one byte is stored, which is no compressed array."""

        def change(file: h5py.File) -> None:
            del file[f"{LAYER}/threshold"]
            dataset = file.create_dataset(f"{LAYER}/threshold", (times,), "i1", chunks=(times,), compression="gzip")
            dataset.id.write_direct_chunk((0,), b"\0")

        text = loaded(tmp_path, small(), change)
        assert (
            f"claims {times:,} bytes out of 1 stored" if claims else "an array is longer or shorter than it says"
        ) in text

    def test_an_array_of_which_nothing_is_stored_is_refused(self, tmp_path: Path) -> None:
        def change(file: h5py.File) -> None:
            del file[f"{LAYER}/threshold"]
            file.create_dataset(f"{LAYER}/threshold", (1,), "i1", chunks=(1,), compression="gzip")

        assert "claims 1 bytes out of 0 stored" in loaded(tmp_path, small(), change)

    @pytest.mark.parametrize(
        ("way", "said"),
        [
            ("virtual", "the kind of a place is 3"),
            ("external", "is neither a group nor an array"),
            ("lzf", "the filter is 32000"),
        ],
    )
    def test_other_ways_of_storing_are_refused(self, tmp_path: Path, way: str, said: str) -> None:
        def change(file: h5py.File) -> None:
            path = f"{LAYER}/threshold"
            del file[path]
            if way == "virtual":
                layout = h5py.VirtualLayout((1,), "i1")
                layout[0] = h5py.VirtualSource("other.net", "x", (1,))[0]
                file.create_virtual_dataset(path, layout)
            elif way == "external":
                file.create_dataset(path, (1,), "i1", external=[(str(tmp_path / "raw"), 0, 1)])
            else:
                file.create_dataset(path, data=np.array([2]), chunks=(1,), compression="lzf")

        text = loaded(tmp_path, small(), change)
        assert FOREIGN in text
        assert said in text
