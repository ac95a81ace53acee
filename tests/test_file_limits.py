"""The file at its limits: what is written number by number, what is read at each limit, and refused one beyond."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import FileFormatError
from netx_export._schema import digest


def connection(source: str, synapse: integer.Synapse) -> integer.Connection:
    return integer.Connection(source, synapse)


def network(**more: Any) -> integer.IntegerNetwork:
    """Every kind of neuron and synapse, and a skip."""
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


GEOMETRY = ("stride", "padding", "dilation")
LAYER = "lava_qsnn/layer/0"
CONNECTION = f"{LAYER}/connection/0"


class TestWhatIsWritten:
    def test_networks_of_all_kinds_come_back(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, network()) == network()
        assert loaded(tmp_path, small()) == small()
        assert loaded(tmp_path, small(taps=(1,), timesteps=40)) == small(taps=(1,), timesteps=40)

    def test_the_largest_numbers_come_back(self, tmp_path: Path) -> None:
        for large in (
            small(((2**31 - 1, -(2**31)),), threshold=[2**63 - 1], taps=(1,), maximum=2**30),
            small(taps=(2**61 - 1,), maximum=1),
            small(threshold=[-(2**63)], timesteps=2**31 - 1, taps=(1,) * 64, maximum=2**31 - 1),
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
        assert said.pop("stock_obstacles").decode().startswith("it has skip connections")
        assert said == {
            "version": 1,
            "timesteps": 6,
            "input_shape": [2, 5, 6],
            "input_maximum": 7,
            "stock_exact": False,
            "input_message_bits": 3,
            "reset_interval": 6,
            "reset_offset": 1,
            "digest": digest(network()).encode(),
        }
        assert neuron == {"name": b"first", "neuron": b"memory_free", "taps": [5, 2]}
        geometry = {"stride": [1, 2], "padding": [2, 1], "dilation": [2, 1], "groups": 2}
        assert synapse == {"source": b"input", "synapse": b"conv", "weight_shift": 0, **geometry}
        assert {"layer/1/connection/1/weight", "layer/1/potential_shift"} <= set(parts)

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
        found = [digest(each) for each in (network(), *others)]
        assert len(set(found)) == len(found)
        assert all(len(text) == 64 and set(text) <= set("0123456789abcdef") for text in found)

    def test_the_digest_is_the_same_in_every_release(self) -> None:
        assert digest(small()) == SMALL_DIGEST


SMALL_DIGEST = "bf5b9afbfdd2607c914798b114cab31461a1a425375aa9540c737b31428342b3"


FOREIGN = "stored in a way this project never writes"


class TestWhatIsRead:
    """The limits of numbers are the constructors' own; the reader asks for their kind, and that no more is said."""

    @pytest.mark.parametrize("version", [-1, 0, 2, 2**31 + 1])
    def test_another_version_is_named(self, tmp_path: Path, version: int) -> None:
        assert f"its format is version {version}, " in loaded(tmp_path, small(), attribute("version", version))

    @pytest.mark.parametrize("name", ["version", "timesteps", "input_maximum"])
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

    @pytest.mark.parametrize(("name", "said"), [("timesteps", "timesteps"), ("input_maximum", "the input maximum")])
    @pytest.mark.parametrize("value", [-1, 0, 2**31, np.uint64(2**64 - 1)])
    def test_the_network_itself_decides_on_their_range(self, tmp_path: Path, name: str, said: str, value: Any) -> None:
        text = loaded(tmp_path, small(), attribute(name, value))
        assert f"holds no valid network: {said} must be an integer from 1 to 2,147,483,647, not {value}" in text
        assert "digest" in loaded(tmp_path, small(taps=(1,)), attribute(name, 1))

    @pytest.mark.parametrize("shape", [np.array([0]), np.array([2**28 + 1]), np.array([2, 0, 2])])
    def test_and_on_shapes(self, tmp_path: Path, shape: Any) -> None:
        text = loaded(tmp_path, small(), attribute("input_shape", shape))
        assert "the input shape must be an integer from 1 to 268,435,456, not" in text

    @pytest.mark.parametrize(
        ("taps", "said"),
        [
            (np.ones(65, int), "the number of taps must be an integer from 1 to 64, not 65"),
            (np.array([2**62 + 1], np.uint64), "taps must be an integer from 1 to 4,611,686,018,427,387,904, not"),
            (np.array([1, 0]), "taps must be an integer from 1 to 4,611,686,018,427,387,904, not 0"),
            (np.array([2**62], np.uint64), "potentials may exceed 2^62"),
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
            *(("bits", value, "quantized potential must be an integer from 2 to 16, not") for value in (-1, 1, 17)),
            *(("leak", value, "quantized potential must be an integer from 1 to 8, not") for value in (-1, 0, 9)),
            ("bits", 4, "digest"),
            ("leak", 8, "digest"),
            ("bits", np.array([4]), "not an integer"),
            ("leak", np.bytes_(b"2"), "not an integer"),
            ("reset", np.bytes_(b"never"), "quantized potential cannot be 'never'"),
            ("reset", 1, "not a text"),
            ("neuron", np.bytes_(b"cuba"), "there is no neuron 'cuba'"),
            ("neuron", np.bytes_(b"memory_free"), "digest"),
            ("neuron", np.bytes_(b"readout"), "its source 'second' is a readout"),
        ],
    )
    def test_options_of_neurons(self, tmp_path: Path, name: str, value: Any, text: str) -> None:
        assert text in loaded(tmp_path, network(), attribute(name, value, "lava_qsnn/layer/1"))

    @pytest.mark.parametrize(
        ("name", "value", "text"),
        [
            *((name, np.array([1, -1]), f"{name} must be an integer from") for name in GEOMETRY),
            *((name, np.array([2**16, 1]), f"{name} must be an integer from") for name in GEOMETRY),
            *((name, np.array([1, 1, 1]), f"{name} must be two integers") for name in GEOMETRY),
            *((name, 1, "not a list of integers") for name in GEOMETRY),
            ("stride", np.array([0, 1]), "stride must be an integer from 1"),
            ("stride", np.array([2**16 - 1, 1]), "digest"),
            *(("groups", value, "groups must be an integer from 1 to 65,535") for value in (0, 2**16)),
            ("groups", 2**16 - 1, "do not divide into 65535 groups"),
            ("groups", 1, "a convolution of 1 channels"),
            ("groups", np.array([2]), "not an integer"),
            ("synapse", np.bytes_(b"sparse"), "there is no synapse 'sparse'"),
        ],
    )
    def test_options_of_synapses(self, tmp_path: Path, name: str, value: Any, text: str) -> None:
        single = network(layers=network().layers[:1])
        assert text in loaded(tmp_path, single, attribute(name, value, CONNECTION))

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
