"""The file as it is written, number by number, and files of version 1."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import netx_export
from lava_qsnn import integer
from netx_export import _write
from netx_export._encode import encode
from netx_export._schema import digest
from tests.data import version_1
from tests.helpers.stored import CONNECTION, LAYER, READOUT, connection, loaded, network, newer, small

FILES = Path(__file__).parent.parent / "data"


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
