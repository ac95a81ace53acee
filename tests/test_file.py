"""The file: equal bytes for equal networks, small, readable by stock netx, and never trusted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest

import netx_export
from lava_qsnn import integer
from lava_qsnn.errors import DeploymentError, FileFormatError, QsnnError
from netx_export._schema import digest
from tests.helpers.files import RANDOM, dense, network


@pytest.fixture
def path(tmp_path: Path) -> Path:
    netx_export.write(network(), tmp_path / "network.net")
    return tmp_path / "network.net"


def test_equal_networks_give_equal_bytes(tmp_path: Path) -> None:
    one = network()
    for name in ("a", "b"):
        netx_export.write(one, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_one_bit_weights_take_less_than_one_and_a_half_bits(tmp_path: Path) -> None:
    big = integer.IntegerNetwork(
        integer.Input((784,)),
        4,
        (
            integer.Layer("a", (integer.Connection("input", dense(512, 784)),), _neurons(512)),
            integer.Layer("b", (integer.Connection("a", dense(512, 512)),), _neurons(512)),
        ),
    )
    netx_export.write(big, tmp_path / "big.net")
    weights = 512 * (784 + 512)
    assert big.stock_exact  # the harder case: stock NetX needs the weights times 2^3
    assert 8 * sum(netx_export.weight_bytes(big, tmp_path / "big.net").values()) / weights < 1.3
    assert 8 * (tmp_path / "big.net").stat().st_size / weights < 1.5


def _neurons(count: int) -> integer.MemoryFree:
    return integer.MemoryFree((8, 4, 2, 1), np.arange(count) - count // 2)


def test_the_file_says_what_stock_netx_needs(path: Path) -> None:
    with h5py.File(path, "r") as file:
        said = dict(file["lava_qsnn"].attrs)
    assert said["stock_exact"]
    assert (said["input_message_bits"], said["reset_interval"], said["reset_offset"]) == (2, 4, 1)


def test_why_stock_netx_is_not_exact_is_said() -> None:
    obstacles = network(timesteps=8).stock_obstacles
    assert any("layer 'conv1': 8 time steps exceed 7" in reason for reason in obstacles)


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("netx_export._write.write_arrays", fail)
    with pytest.raises(OSError, match="disk full"):
        netx_export.write(network(), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["network.net"]


def test_a_file_can_be_rewritten_while_a_network_was_loaded_from_it(path: Path) -> None:
    first = netx_export.load(path)
    netx_export.write(network(hidden=12), path)
    assert netx_export.load(path) != first


def test_a_missing_file_is_not_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        netx_export.load(tmp_path / "nothing.net")


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused(path: Path, kept: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(FileFormatError, match="network.net"):
        netx_export.load(path)


def test_flipped_bytes_are_refused_or_harmless(path: Path, tmp_path: Path) -> None:
    """Whatever one damaged byte does, the answer is this very network or one exception of the project's own."""
    content, expected = path.read_bytes(), netx_export.load(path)
    refused = 0
    for position in RANDOM.integers(0, len(content), 300):
        damaged = bytearray(content)
        damaged[position] ^= 1 << RANDOM.integers(8)
        (tmp_path / "damaged.net").write_bytes(damaged)
        try:
            assert netx_export.load(tmp_path / "damaged.net") == expected
        except FileFormatError:
            refused += 1
    assert refused > 50


def edited(path: Path, change: Callable[[h5py.File], object]) -> None:
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        change(file)


def _set(name: str, value: object, group: str = "lava_qsnn") -> Callable[[h5py.File], None]:
    return lambda file: file[group].attrs.__setitem__(name, value)


def _replace(path: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[path]
        file[path] = value

    return change


def _add(path: str, value: object) -> Callable[[h5py.File], None]:
    return lambda file: file.__setitem__(path, value)


def _claim(path: str, shape: tuple[int, ...]) -> Callable[[h5py.File], None]:
    """An array that claims a size of which nothing is stored."""

    def change(file: h5py.File) -> None:
        del file[path]
        file.create_dataset(path, shape, "i1", chunks=shape, compression="gzip")

    return change


LAYER = "lava_qsnn/layer/0"
THRESHOLD = f"{LAYER}/threshold"
WEIGHT = "lava_qsnn/layer/1/connection/0/weight"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda file: file.__delitem__("layer"), "stock part differs"),
        (lambda file: file.__delitem__(WEIGHT), "no array"),
        (lambda file: file.__delitem__("lava_qsnn/layer/1"), "no group 'lava_qsnn/layer/1'"),
        (lambda file: file["lava_qsnn"].attrs.__delitem__("timesteps"), "lacks the attribute 'timesteps'"),
        (_set("version", 3), "version 3"),
        (_set("version", np.bytes_(b"one")), "'version'"),
        (_set("timesteps", [4, 4]), "'timesteps' of 'lava_qsnn' is int64 of shape (2,), not an integer"),
        (_set("timesteps", 2**40), "the timesteps of the network must be an integer from 1"),
        (_set("timesteps", 5), "digest"),
        (_set("input_shape", 2), "'input_shape'"),
        (_set("taps", np.bytes_(b"1"), LAYER), "'taps'"),
        (_set("neuron", 3, LAYER), "'neuron'"),
        (_set("neuron", np.bytes_(b"\xff\xfe"), LAYER), "not a text"),
        (_set("weight_shift", -1, f"{LAYER}/connection/0"), "not from 0 to 31"),
        (_set("weight_shift", 5, f"{LAYER}/connection/0"), "no multiples of 2^5"),
        (_set("stock_exact", False), "lava_qsnn/@stock_exact"),
        (_replace(THRESHOLD, np.array([2, -3, 5, 6])), "threshold values (4,) do not fit (3,)"),
        (_replace(THRESHOLD, np.array([2, -3, 6])), "digest"),
        (_replace(THRESHOLD, np.array([2, -3, 5]).astype(np.uint64)), "holds uint64, not signed integers"),
        (_replace(WEIGHT, np.array(8)), "the weight of a dense synapse must have shape (out, in), not ()"),
        (_claim(WEIGHT, (2**20, 2**11)), "claims"),
        (_add("lava_qsnn/note", 1), "what it says at lava_qsnn/note"),
    ],
)
def test_a_file_that_lies_is_refused_with_its_name(path: Path, change: Callable[[h5py.File], None], text: str) -> None:
    edited(path, change)
    with pytest.raises(FileFormatError, match="network.net") as caught:
        netx_export.load(path)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (_replace("layer/3/bias", np.zeros(40, int)), "layer/3/bias"),
        (_replace("layer/1/neuron/vThMant", 7), "layer/1/neuron/vThMant"),
        (_replace("layer/1/neuron/gradedSpike", True), "layer/1/neuron/gradedSpike"),
        (_replace("layer/1/neuron/gradedSpike", 0), "layer/1/neuron/gradedSpike"),  # not even as another kind
        (_add("layer/4/bias", np.ones(5, int)), "layer/4/bias"),  # on the readout
        (_add("layer/1/delay", np.zeros(3, int)), "layer/1/delay"),
        (_add("layer/1/neuron/messageBits", 24), "layer/1/neuron/messageBits"),
        (lambda file: file.copy("layer/4", "layer/5"), "layer/5"),
        (lambda file: file.create_group("layer/1/synapse"), "layer/1/synapse"),
        (_set("exponent", 3, "layer/1"), "layer/1/@exponent"),
        (_set("exponent", 3, "layer/1/shape"), "layer/1/shape"),
        (_set("note", 3, "/"), "/@note"),
        (_add("simulation/Ts", 2), "simulation"),
        (_set("input_message_bits", 3), "lava_qsnn/@input_message_bits"),
        (_set("reset_interval", 5), "lava_qsnn/@reset_interval"),
        (_set("reset_offset", 0), "lava_qsnn/@reset_offset"),
        (_set("stock_obstacles", np.bytes_(b"none")), "lava_qsnn/@stock_obstacles"),
    ],
)
def test_a_stock_part_that_says_anything_else_is_refused(
    path: Path, change: Callable[[h5py.File], None], place: str
) -> None:
    edited(path, change)
    with pytest.raises(FileFormatError, match="stock part differs|what it says at") as caught:
        netx_export.load(path)
    assert f"at {place}" in str(caught.value)


def test_a_digest_computed_anew_makes_no_second_truth(path: Path) -> None:
    """The digest is no signature: whoever changes a number can make it right. The stock part still tells."""
    written, threshold = netx_export.load(path), np.arange(40) - 19
    first, second, last = written.layers
    neuron = integer.MemoryFree(second.neuron.taps, threshold)
    changed = replace(written, layers=(first, replace(second, neuron=neuron), last))

    def change(file: h5py.File) -> None:
        _replace("lava_qsnn/layer/1/threshold", threshold.astype(np.int8))(file)
        file["lava_qsnn"].attrs["digest"] = np.bytes_(digest(changed).encode())

    edited(path, change)
    with pytest.raises(FileFormatError, match="stock part differs from its network at layer/3/bias"):
        netx_export.load(path)


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred\x1b[0m", "a\0b", "\u202egnp.exe", "x" * 20_000])
@pytest.mark.parametrize(("name", "group"), [("name", LAYER), ("neuron", LAYER), ("source", f"{LAYER}/connection/0")])
def test_errors_are_one_printable_line_whatever_a_file_says(path: Path, name: str, group: str, text: str) -> None:
    edited(path, _set(name, np.bytes_(text.encode()), group))
    with pytest.raises(FileFormatError) as caught:
        netx_export.load(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 4000


def test_what_no_file_can_hold_is_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    monkeypatch.setattr("netx_export._hdf5._file.LARGEST_FILE", 1000)
    with pytest.raises(DeploymentError, match="no file can hold this network: its .* bytes exceed 1,000"):
        netx_export.write(network(), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["network.net"]


def test_a_network_of_many_layers_is_written_and_read(tmp_path: Path) -> None:
    names = ["input", *(f"layer {number}" for number in range(100))]
    layers = tuple(
        integer.Layer(name, (integer.Connection(source, dense(3, 3)),), integer.MemoryFree((2, 1), np.arange(3)))
        for source, name in pairwise(names)
    )
    deep = integer.IntegerNetwork(integer.Input((3,)), 9, layers)
    netx_export.write(deep, tmp_path / "deep.net")
    assert len("\n".join(deep.stock_obstacles)) > 4000  # more than is written of them
    assert netx_export.load(tmp_path / "deep.net") == deep


def test_no_other_hdf5_file_is_taken_for_a_network(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["layer/0/type"] = np.array([b"input"])
    with pytest.raises(FileFormatError, match="other.h5.*Remedy"):
        netx_export.load(tmp_path / "other.h5")
    (tmp_path / "text.net").write_text("not HDF5")
    with pytest.raises(FileFormatError, match="text.net"):
        netx_export.load(tmp_path / "text.net")
    assert issubclass(FileFormatError, QsnnError)


@pytest.mark.lava
def test_stock_netx_opens_the_file(path: Path, tmp_path: Path) -> None:
    from lava.lib.dl.netx import hdf5

    copy = shutil.copy(path, tmp_path / "copy.net")
    stock = hdf5.Network(net_config=str(copy), input_message_bits=2, reset_interval=4, reset_offset=1)
    assert len(stock) == 3
    assert stock.inp.shape == (4, 4, 2)
    assert stock.layers[0].out.shape == (4, 4, 3)
    assert stock.out.shape == (5,)
    stock.net_config.f.close()
