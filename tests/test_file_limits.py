"""The file at its limits: what is written number by number, what is read at each limit, and refused one beyond."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import FileFormatError
from netx_export import _write
from netx_export._encode import encode
from netx_export._schema import digest
from tests.data import version_1


def connection(source: str, synapse: integer.Synapse) -> integer.Connection:
    return integer.Connection(source, synapse)


def network(**more: Any) -> integer.IntegerNetwork:
    """Every kind of neuron and synapse, and a skip: all that version 1 of the format can say."""
    conv = integer.Conv(np.arange(-12, 12).reshape(4, 1, 2, 3), (1, 2), (2, 1), (2, 1), 2)
    lif = integer.QuantizedLIF(3, 2, "soft", [1, 0, 2, 3], [0, 1, 2, 3], [-3, 0, 5, 7], [4, 300, 9, -70000])
    layers = (
        integer.Layer("first", (connection("input", conv),), integer.MemoryFree((5, 2), [3, -1, 0, 9])),
        integer.Layer(
            "second", (connection("first", integer.OneToOne([1, -2, 3, 200])), connection("first", THROUGH)), lif
        ),
        integer.Layer("third", (connection("second", integer.Dense(np.arange(-42, 42).reshape(1, -1))),), READOUT),
    )
    values = {"input": integer.Input((2, 5, 6), 7), "timesteps": 6, "layers": layers, **more}
    return integer.IntegerNetwork(**values)


def newer() -> integer.IntegerNetwork:
    """What version 1 could not say: negative inputs, delays, poolings, metadata."""
    pools = integer.SumPool((2, 1), (1, 2), (1, 0), (1, 3)), integer.SumPool((1, 2), (2, 1))
    first = integer.Connection("input", integer.Conv(np.arange(1, 5).reshape(2, 2, 1, 1)), 3, 0, pools)
    size = int(np.prod(first.output_shape((2, 5, 7))))
    second = integer.Connection("first", integer.Dense([range(size)]), 4096)
    layers = integer.Layer("first", (first,), integer.MemoryFree((1,), [2, 3])), integer.Layer("b", (second,), READOUT)
    about = {"name": "d\u00e9j\u00e0 vu", "classes": ["a", "b"], "rate": 0.5}
    return integer.IntegerNetwork(integer.Input((2, 5, 7), 7, -5), 6, layers, about)


THROUGH = integer.Conv(np.eye(4, dtype=int)[:, :, None, None])
READOUT = integer.Readout((9, 4, 1))


def small(weight: Any = ((1, -1),), timesteps: int = 4, maximum: int = 3, **options: Any) -> integer.IntegerNetwork:
    weight = np.asarray(weight)
    neuron = integer.MemoryFree(**{"taps": integer.shift_taps(4), "threshold": [2] * len(weight), **options})
    layer = integer.Layer("only", (connection("input", integer.Dense(weight)),), neuron)
    return integer.IntegerNetwork(integer.Input(weight.shape[1:], maximum), timesteps, (layer,))


def loaded(tmp_path: Path, network: integer.IntegerNetwork, change: Callable[[h5py.File], None] | None = None) -> Any:
    """The network of a changed file, or the text with which it is refused."""
    path = tmp_path / "network.net"
    netx_export.write(network, path)
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        if change is not None:
            change(file)
    try:
        return netx_export.load(path)
    except FileFormatError as error:
        return str(error)


def attribute(name: str, value: Any, group: str = "lava_qsnn") -> Callable[[h5py.File], None]:
    return lambda file: file[group].attrs.__setitem__(name, value)


def array(path: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[path]
        file[path] = value

    return change


FILES = Path(__file__).parent / "data"
GEOMETRY = ("stride", "padding", "dilation")
LAYER = "lava_qsnn/layer/0"
CONNECTION = f"{LAYER}/connection/0"


class TestWhatIsWritten:
    def test_networks_of_all_kinds_come_back(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, network()) == network()
        assert loaded(tmp_path, small()) == small()
        assert loaded(tmp_path, small(taps=(1,), timesteps=40)) == small(taps=(1,), timesteps=40)
        assert loaded(tmp_path, newer()) == newer()
        assert loaded(tmp_path, newer()).metadata == newer().metadata

    def test_the_largest_numbers_come_back(self, tmp_path: Path) -> None:
        for large in (
            small(((2**31 - 1, -(2**31)),), threshold=[2**63 - 1], taps=(1,), maximum=2**30),
            small(taps=(2**61 - 1,), maximum=1),
            small(threshold=[-(2**63)], timesteps=2**31 - 1, taps=(1,) * 64, maximum=2**31 - 1),
            small(threshold=[-(2**63) + 1], taps=(2, 1)),
        ):
            assert loaded(tmp_path, large) == large

    def test_attributes(self, tmp_path: Path) -> None:
        netx_export.write(network(), tmp_path / "a.net")
        with h5py.File(tmp_path / "a.net", "r") as file:
            said = {name: np.asarray(value).tolist() for name, value in file["lava_qsnn"].attrs.items()}
            parts: list[str] = []
            file["lava_qsnn"].visit(parts.append)
            neuron = {name: np.asarray(value).tolist() for name, value in file[f"{LAYER}"].attrs.items()}
            synapse = {name: np.asarray(value).tolist() for name, value in file[CONNECTION].attrs.items()}
            other = {name: np.asarray(value).tolist() for name, value in file["lava_qsnn/layer/1"].attrs.items()}
        assert said.pop("stock_obstacles").decode().startswith("it has skip connections")
        assert said == {
            "version": 2,
            "timesteps": 6,
            "input_shape": [2, 5, 6],
            "input_maximum": 7,
            "input_minimum": 0,
            "stock_exact": False,
            "input_message_bits": 3,
            "reset_interval": 6,
            "reset_offset": 1,
            "digest": digest(network()).encode(),
        }
        assert neuron == {"name": b"first", "neuron": b"memory_free", "taps": [5, 2]}
        assert other == {"name": b"second", "neuron": b"quantized_lif", "bits": 3, "leak": 2, "reset": b"soft"}
        geometry = {"stride": [1, 2], "padding": [2, 1], "dilation": [2, 1], "groups": 2}
        of = {"source": b"input", "synapse": b"conv", "weight_shift": 0, "delay": 0, "port": 0}
        assert synapse == {**of, **geometry}
        arrays = {"layer/1/connection/1/weight", "layer/1/potential_shift", "layer/1/threshold", "layer/0/threshold"}
        assert arrays <= set(parts)
        assert not any("pooling" in part or "metadata" in part for part in parts)

    def test_poolings_delays_and_metadata(self, tmp_path: Path) -> None:
        netx_export.write(newer(), tmp_path / "a.net")
        with h5py.File(tmp_path / "a.net", "r") as file:
            pools = [dict(file[f"{CONNECTION}/pooling/{index}"].attrs) for index in "01"]
            found = [{name: value.tolist() for name, value in pool.items()} for pool in pools]
            assert sorted(file[f"{CONNECTION}/pooling"]) == ["0", "1"]
            delays = [file[f"lava_qsnn/layer/{index}/connection/0"].attrs["delay"] for index in "01"]
            minimum = file["lava_qsnn"].attrs["input_minimum"]
            text = file["lava_qsnn/metadata"][()].tobytes()
        assert found == [
            {"kernel": [2, 1], "stride": [1, 2], "padding": [1, 0], "dilation": [1, 3]},
            {"kernel": [1, 2], "stride": [2, 1], "padding": [0, 0], "dilation": [1, 1]},
        ]
        assert (delays, minimum) == ([3, 4096], -5)
        assert text == b'{"classes": ["a", "b"], "name": "d\\u00e9j\\u00e0 vu", "rate": 0.5}'

    def test_weights_of_a_chain_are_stored_once_and_shifted(self, tmp_path: Path) -> None:
        netx_export.write(small(), tmp_path / "a.net")
        with h5py.File(tmp_path / "a.net", "r") as file:
            assert file["layer/1/weight"] == file[f"{CONNECTION}/weight"]
            assert file["layer/1/weight"][()].tolist() == [[8, -8]]
            assert file[CONNECTION].attrs["weight_shift"] == 3
            assert [file[LAYER]["threshold"].dtype, file["layer/1/weight"].dtype] == [np.int8, np.int8]

    @pytest.mark.parametrize(
        ("weight", "compression", "shuffle"),
        [
            ([1] * 255, None, False),
            ([1] * 256, "gzip", False),
            ([300] * 127, None, False),
            ([300] * 128, "gzip", True),  # numbers of two bytes, each kind of byte together
        ],
    )
    def test_arrays_of_256_bytes_are_compressed(
        self, tmp_path: Path, weight: list[int], compression: str | None, shuffle: bool
    ) -> None:
        written = small([weight], taps=(1,))
        netx_export.write(written, tmp_path / "a.net")
        with h5py.File(tmp_path / "a.net", "r") as file:
            dataset = file["layer/1/weight"]
            assert (dataset.compression, dataset.shuffle) == (compression, shuffle)
            assert dataset.compression_opts == (9 if compression else None)
        assert netx_export.load(tmp_path / "a.net") == written

    @pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
    @pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o000, 0o666)])
    def test_the_file_has_the_permissions_that_are_usual_here(self, tmp_path: Path, mask: int, mode: int) -> None:
        before = os.umask(mask)
        try:
            netx_export.write(small(), tmp_path / "a.net")
            assert os.umask(mask) == mask  # writing leaves it as it was
        finally:
            os.umask(before)
        assert (tmp_path / "a.net").stat().st_mode & 0o777 == mode

    def test_every_number_and_name_counts_in_the_digest(self) -> None:
        """Two networks that differ anywhere differ in their digest."""
        first, second, third = network().layers
        thinner = integer.Conv(first.connections[0].synapse.weight, (1, 2), (2, 1), (2, 1), 4)
        others = [
            network(timesteps=5),
            network(input=integer.Input((2, 5, 6), 8)),
            network(layers=(first, second)),
            network(layers=(first, second, integer.Layer("renamed", third.connections, READOUT))),
            network(layers=(first, second, integer.Layer("third", third.connections, integer.Readout((9, 4, 2))))),
            network(
                layers=(integer.Layer("first", first.connections, integer.MemoryFree((5, 2), [3, -1, 0, 8])), second)
            ),
            network(
                input=integer.Input((4, 5, 6), 7),
                layers=(integer.Layer("first", (connection("input", thinner),), first.neuron),),
            ),
        ]
        way, pool = third.connections[0], integer.SumPool((1, 1), (1, 1))
        for ways in (
            (replace(way, delay=1),),
            *((replace(way, poolings=(pool,) * count),) for count in (1, 2)),
            (replace(way, poolings=(replace(pool, dilation=(1, 2)),)),),
            (way, way),
        ):
            others.append(network(layers=(first, second, integer.Layer("third", ways, READOUT))))
        others.append(network(input=integer.Input((2, 5, 6), 7, -1)))
        found = [digest(each) for each in (network(), *others)]
        assert len(set(found)) == len(found)
        assert all(len(text) == 64 and set(text) <= set("0123456789abcdef") for text in found)

    def test_metadata_do_not_count_in_it(self) -> None:
        assert digest(newer()) == digest(replace(newer(), metadata={}))

    def test_the_digest_is_the_same_in_every_release(self) -> None:
        assert (digest(small()), digest(small(), 1)) == (SMALL_DIGEST, SMALL_DIGEST_1)


SMALL_DIGEST = "b452f12781630d24d7f49c948c33f7b3d4ff6e08e37606a7cee292355d15a512"
SMALL_DIGEST_1 = "bf5b9afbfdd2607c914798b114cab31461a1a425375aa9540c737b31428342b3"


class TestVersion1:
    """Files of the release before: the same without negative inputs, delays, ports, poolings and metadata."""

    @pytest.mark.parametrize("make", [network, lambda: small(), lambda: small(taps=(1,), timesteps=40)])
    def test_what_it_can_say_is_read_as_the_same_network(
        self, tmp_path: Path, make: Callable[[], integer.IntegerNetwork]
    ) -> None:
        written = encode(make(), 1)
        with h5py.File(tmp_path / "a.net", "w", libver=("v110", "v110")) as file:
            _write._write_contents(file, written)
        with h5py.File(tmp_path / "a.net", "r") as file:
            group = file["lava_qsnn"]
            assert group.attrs["version"] == 1
            assert "input_minimum" not in group.attrs
            assert {"delay", "port"}.isdisjoint(group["layer/0/connection/0"].attrs)
            assert group["layer/0"].attrs["taps"].dtype == np.uint64
        assert netx_export.load(tmp_path / "a.net") == make()

    @pytest.mark.parametrize("name", ["all_kinds", "exact_chain", "other_chain", "many_obstacles"])
    def test_files_of_that_release_are_read(self, name: str) -> None:
        """Commit 3f14d1f wrote them from the same networks, by running `tests/data/version_1.py` itself."""
        found = netx_export.load(FILES / f"version_1_{name}.net")
        assert found == getattr(version_1, name)()


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
            ("neuron", np.bytes_(b"cuba"), "there is no neuron 'cuba'"),
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
