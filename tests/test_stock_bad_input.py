"""Stock files that NetX ends with, or takes for something else: refused with their layer, their limit and a remedy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import netx_export
from lava_qsnn.errors import ConfigurationError, FileFormatError, QsnnError
from lava_qsnn.integer import MemoryFree
from tests.helpers.files import network as own_network
from tests.helpers.stock_netx import Group, run_netx, text, write_stock
from tests.helpers.stock_random import random_stock

WEIGHT = np.random.default_rng(3).integers(-20, 30, (5, 7))
KERNEL = np.random.default_rng(4).integers(-6, 10, (5, 2, 3, 3))
SQUARE = np.random.default_rng(5).integers(-20, 30, (5, 5))


def cuba(**changes: Any) -> Group:
    """A dense layer of CUBA neurons; `weight=..`, `iDecay=..` and so on change it, `None` leaves a part out."""
    group = {"type": text("dense"), "shape": np.array([5]), "weight": WEIGHT}
    neuron = {"type": text("CUBA"), "iDecay": 1024, "vDecay": 300, "vThMant": 20}
    return changed(group, neuron, changes)


def conv(**changes: Any) -> Group:
    geometry = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    group = {"type": text("conv"), "shape": np.array([5, 4, 4]), "weight": KERNEL, **geometry}
    return changed(group, {"type": text("CUBA"), "iDecay": 1024, "vDecay": 300, "vThMant": 20}, changes)


def sdnn(**changes: Any) -> Group:
    group = {"type": text("dense"), "shape": np.array([5]), "weight": WEIGHT}
    return changed(group, {"type": text("SDNN"), "vThMant": 3}, changes)


def rf(**changes: Any) -> Group:
    group = {"type": text("dense"), "shape": np.array([5]), "weight/real": WEIGHT, "weight/imag": WEIGHT}
    return changed(group, {"type": text("RF"), "sinDecay": 1500, "cosDecay": 3600, "vThMant": 9}, changes)


def changed(group: Group, neuron: Group, changes: Group) -> Group:
    whole = {**group, **{f"neuron/{name}": value for name, value in neuron.items()}}
    for name, value in changes.items():
        whole[f"neuron/{name}" if name in (*neuron, "messageBits", "sigma_output") and name != "type" else name] = value
    return {name: value for name, value in whole.items() if value is not None}


INPUT = {"type": text("input"), "shape": np.array([2, 6, 6])}
FLATTEN = {"type": text("flatten")}


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ([cuba(weight=np.where(WEIGHT > 25, np.nan, WEIGHT))], "'weight' holds NaN or infinity"),
        ([cuba(weight=WEIGHT * 0)], "all its weights are zero, and NetX cannot read that"),
        ([cuba(weight=WEIGHT * 2.0**60)], "beyond 2^53"),
        ([cuba(weight=WEIGHT.reshape(5, 7, 1, 1))], "its 'weight' has shape (5, 7, 1, 1)"),
        ([cuba(weight=None)], "it has no array 'weight'"),
        ([cuba(weight=np.zeros((5, 0)))], "its 'weight' is empty"),
        ([cuba(weight=text("a"))], "its 'weight' holds |S10, not numbers"),
        ([cuba(shape=np.array([4]))], "its neurons have the shape (5,), and the file says (4,)"),
        ([cuba(shape=np.array([5.0]))], "its 'shape' is float64"),
        ([cuba(shape=np.array([0]))], "its 'shape' is 0 to 0, beyond 1"),
        ([cuba(iDecay=4097)], "its 'iDecay' is 4097, beyond 0 to 4,096"),
        ([cuba(vDecay=-1)], "its 'vDecay' is -1, beyond 0 to 4,096"),
        ([cuba(iDecay=1024.0)], "its 'iDecay' is float64, and NetX ends with an error"),
        ([cuba(iDecay=np.arange(4))], "its 'iDecay' of shape (4,) does not fit neurons of shape (5,)"),
        ([cuba(vThMant=2**25)], "its 'vThMant' is 33554432, beyond"),
        ([cuba(vDecay=None)], "it has no array 'vDecay'"),
        ([cuba(bias=np.arange(4))], "its 'bias' of shape (4,) does not fit"),
        ([cuba(bias=np.array([np.inf] * 5))], "'bias' holds NaN or infinity"),
        ([cuba(delay=-1)], "its delays go down to -1"),
        ([cuba(delay=np.arange(6))], "its delays of shape (6,) do not fit weights (5, 7)"),
        ([cuba(delay=np.nan)], "'delay' holds NaN"),
        ([cuba(delay=2, weight=np.minimum(WEIGHT, -1) - 3), cuba(weight=SQUARE)], None),
        ([cuba(delay=2, weight=-np.eye(5, 7, 1) - 128 * np.eye(5, 7))], "its weights lose bits in NetX"),
        ([cuba(messageBits=4)], "it has 'neuron/messageBits', with which NetX ends"),
        ([{**cuba(), "neuron/type": text("ALIF")}], "NetX has no neuron 'ALIF'"),
        ([{**cuba(), "type": text("pool")}], "NetX does not implement layers of the type 'pool'"),
        ([{**cuba(), "type": text("sparse")}], "NetX knows no layers of the type 'sparse', and would drop it"),
        ([{**cuba(), "type": np.array([b"d\xe9nse"])}], "its 'type' is no ASCII text"),
        ([{**cuba(weight_rec=SQUARE[:4]), "type": text("dense_rec")}], "recurrent weights (4, 5) do not fit 5 neurons"),
        ([{**cuba(weight_rec=SQUARE[:, :4]), "type": text("dense_rec")}], "recurrent weights (5, 4) do not fit"),
        ([{**cuba(weight_rec=SQUARE, delay=1), "type": text("dense_rec")}], "of as many inputs as neurons only"),
        ([{**sdnn(weight_rec=SQUARE), "type": text("dense_rec")}], "load it with input_message_bits"),
        ([sdnn(vThMant=np.arange(5))], "its 'vThMant' are 5 numbers, and NetX takes one"),
        ([sdnn(vThMant=1.5)], "its 'vThMant' is float64"),
        ([sdnn(vThMant=2**20)], "its 'vThMant' is 1048576, beyond"),
        ([sdnn(sigma_output=True, bias=np.arange(5))], "it has a bias and 'sigma_output'"),
        ([sdnn(bias=np.arange(5) * 2**20)], "its bias leaves 20 bits, which Lava would wrap"),
        ([sdnn(), {**sdnn(weight=SQUARE), "delay": 2}], "NetX wraps each product of delayed synapses to 32 bits"),
        ([{**rf(), "weight/imag": None, "weight/real": None, "weight": WEIGHT}], "behind real weights"),
        ([{**cuba(), "weight": None, "weight/real": WEIGHT, "weight/imag": WEIGHT}], "behind complex weights"),
        ([rf(sinDecay=np.nan)], "its 'sinDecay' are no numbers from -4,096 to 4,096"),
        ([rf(vThMant=np.arange(5))], "its 'vThMant' are 5 numbers"),
        ([conv()], "the shape of its input is not known"),
        ([INPUT, conv(stride=0)], "its 'stride' is 0, beyond 1 to 127"),
        ([INPUT, conv(padding=-1)], "its 'padding' is -1, beyond 0 to 127"),
        ([INPUT, conv(stride=np.array([1]))], "its 'stride' are 1 numbers of shape (1,)"),
        ([INPUT, conv(dilation=128)], "its 'dilation' is 128, beyond 1 to 127"),
        ([INPUT, conv(groups=2)], "its 5 channels do not divide into 2 groups"),
        ([INPUT, conv(weight=KERNEL[:, :1])], "a convolution of 1 channels does not fit a source of shape (2, 6, 6)"),
        ([INPUT, conv(weight=np.stack([KERNEL] * 2, -1))], "are no kernels of 32 bits"),
        ([INPUT, conv(shape=np.array([5, 4, 5]))], "the shape (5, 4, 4), and the file says (5, 4, 5)"),
        ([INPUT, conv(bias=np.array([3]))], "none that NetX can spread over (5, 4, 4)"),
        ([INPUT, conv(), cuba(weight=np.ones((5, 80)))], "is not flattened and has the shape (5, 4, 4)"),
        ([cuba(), FLATTEN, cuba(weight=SQUARE)], "is flattened and has the shape (5,)"),
        ([cuba(), cuba()], "its 7 inputs do not fit a source of shape (5,)"),
        (
            [cuba(), INPUT | {"neuron/type": text("SDNN"), "neuron/vThMant": 1}],
            "an input block after other blocks",
        ),
    ],
)
def test_what_netx_cannot_read_is_refused_with_its_layer(groups: list[Group], said: str | None, tmp_path: Path) -> None:
    write_stock(tmp_path / "a.net", [{k: v for k, v in group.items() if v is not None} for group in groups])
    if said is None:
        netx_export.load(tmp_path / "a.net")
        return
    with pytest.raises(FileFormatError) as caught:
        netx_export.load(tmp_path / "a.net")
    assert said in str(caught.value)
    assert caught.value.layer
    assert "a.net" in str(caught.value)


@pytest.mark.parametrize(
    ("groups", "note"),
    [
        ([cuba(weight=WEIGHT + 0.5)], "cuts off what 'weight' has behind the decimal point"),
        ([cuba(weight=WEIGHT * 30)], "NetX computes with other weights than the file's in 24 of 35 places"),
        ([cuba(weight=-np.abs(WEIGHT) - 1)], None),
        ([cuba(bias=np.arange(5) * 20000)], "its biases from 0 to 80,000 wrap to 16 bits in Lava"),
        ([cuba(delay=np.array([70, 0, 1, 2, 3]))], "NetX clips delays of up to 70 steps to 62"),
        ([cuba(), {**cuba(weight=SQUARE), "neuron/refDelay": 3}], "passes over refractory delays (refDelay)"),
        ([INPUT, conv(delay=np.arange(5))], "passes over the delays of convolutions"),
        ([{**rf(), "neuron/type": text("ADRF")}], "passes over the adaptation of ADRF"),
        ([{**rf(), "neuron/messageBits": 4}], "passes over its messageBits"),
        ([{**rf(), "bias": np.arange(5)}], "passes over the bias of a layer with complex weights"),
        (
            [{**cuba(weight=SQUARE, weight_rec=SQUARE, delay=1), "type": text("dense_rec")}],
            "does not scale the weights",
        ),
    ],
)
def test_what_netx_does_silently_is_noted_and_done_alike(groups: list[Group], note: str | None, tmp_path: Path) -> None:
    write_stock(tmp_path / "a.net", groups)
    network = netx_export.load(tmp_path / "a.net", timing="lava", output="spikes")
    told = network.metadata["netx"]["notes"]
    assert not told if note is None else note in " ".join(each["problem"] for each in told)
    x = np.random.default_rng(1).integers(0, 2, (1, *network.input.shape, 70))
    truth = run_netx(tmp_path / "a.net", x[0])
    found = netx_export.simulate_layers(network, x)
    assert all(np.array_equal(found[layer][0], expected) for layer, expected in zip(found, truth, strict=True))


def test_hdf5_that_holds_no_network_is_not_called_damaged(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["measured"] = np.arange(3.0)
    with pytest.raises(FileFormatError, match="it has neither a group 'lava_qsnn' nor 'layer'"):
        netx_export.load(tmp_path / "other.h5")


def test_metadata_of_a_clean_file_have_no_notes(tmp_path: Path) -> None:
    write_stock(tmp_path / "a.net", [cuba()])
    assert netx_export.load(tmp_path / "a.net").metadata["netx"]["notes"] == []


class TestLayouts:
    """The forms that other writers give the same arrays."""

    def test_an_exporter_with_an_input_layer_texts_and_empty_scalars(self, tmp_path: Path) -> None:
        """As mlGeNN's exporter writes recurrent networks with a readout that never fires."""
        rest = {"inFeatures": h5py.Empty("i8"), "outFeatures": h5py.Empty("i8"), "neuron/gradedSpike": h5py.Empty("?")}
        hidden = {**cuba(weight_rec=SQUARE.astype("f4"), **rest), "type": "dense_rec", "neuron/type": "CUBA"}
        readout = cuba(weight=SQUARE.astype("f4"), delay=np.arange(25).reshape(5, 5), vThMant=65536)
        write_stock(tmp_path / "a.net", [{"type": "input", "shape": np.array([7])}, hidden, readout])
        network = netx_export.load(tmp_path / "a.net", timing="lava")
        x = np.random.default_rng(1).integers(0, 2, (1, 7, 40))
        truth = run_netx(tmp_path / "a.net", x[0], voltage=True)
        found = netx_export.simulate_layers(network, x)
        assert network.output.neuron.kind == "cuba_readout"
        assert all(np.array_equal(found[layer][0], expected) for layer, expected in zip(found, truth, strict=True))
        assert all(each.any() for each in truth)

    @pytest.mark.parametrize(
        "options",
        [
            {"chunks": (2, 3)},
            {"chunks": (5, 7), "compression": "gzip"},
            {"chunks": (3, 3), "compression": "gzip", "shuffle": True, "fletcher32": True},
            {"chunks": (2, 2), "fletcher32": True},
            {"maxshape": (None, None)},
        ],
    )
    def test_chunks_and_filters(self, options: dict[str, Any], tmp_path: Path) -> None:
        write_stock(tmp_path / "a.net", [cuba()])
        write_stock(tmp_path / "b.net", [cuba(weight=None)])
        with h5py.File(tmp_path / "b.net", "a") as file:
            file.create_dataset("layer/0/weight", data=WEIGHT.astype(">f8"), **options)
        assert netx_export.load(tmp_path / "a.net") == netx_export.load(tmp_path / "b.net")

    @pytest.mark.parametrize("name", ["lzf", "scaleoffset"])
    def test_filters_that_are_not_read_are_named(self, name: str, tmp_path: Path) -> None:
        write_stock(tmp_path / "a.net", [cuba(weight=None)])
        with h5py.File(tmp_path / "a.net", "a") as file:
            chosen = {"compression": "lzf"} if name == "lzf" else {"scaleoffset": 0}
            file.create_dataset("layer/0/weight", data=WEIGHT, **chosen)
        with pytest.raises(FileFormatError, match="save that array anew"):
            netx_export.load(tmp_path / "a.net")

    @pytest.mark.parametrize("libver", ["earliest", "v110"])
    @pytest.mark.parametrize(
        "change",
        [
            lambda file: file.__setitem__("layer/1", file["layer"]),
            lambda file: file.__setitem__("layer/1", h5py.SoftLink("/layer/0")),
            lambda file: file.__setitem__("layer/1", h5py.ExternalLink("other.h5", "/layer/0")),
            lambda file: file.move("layer/0", "layer/1"),
            lambda file: file.__delitem__("layer/0/weight"),
            lambda file: file["layer/0"].create_dataset("delay", (2**40, 2**20), "i8", chunks=(2**10, 2**10)),
            lambda file: file["layer/0"].create_dataset("delay", (2**30,), "i8"),
        ],
    )
    def test_links_and_absurd_sizes_are_refused(
        self, change: Callable[[h5py.File], Any], libver: str, tmp_path: Path
    ) -> None:
        write_stock(tmp_path / "a.net", [cuba()], libver=libver)
        with h5py.File(tmp_path / "a.net", "a", libver=libver) as file:
            change(file)
        with pytest.raises(FileFormatError, match="a.net"):
            netx_export.load(tmp_path / "a.net")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[bytes, dict[str, Any]]]:
    path, found = tmp_path_factory.mktemp("stock") / "a.net", []
    for seed in range(10):
        stock = random_stock(np.random.default_rng([3, seed]))
        stock.write(path)
        found.append((path.read_bytes(), stock.load_options))
    return found


@hypothesis.settings(max_examples=200, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(seed=st.integers(0, 2**32 - 1))
def test_changed_bytes_are_refused_or_another_network(files: Any, tmp_path: Path, seed: int) -> None:
    """Old versions of HDF5 have no checksums: what is changed may load, but never ends in another library's error."""
    random = np.random.default_rng(seed)
    content, options = files[int(random.integers(len(files)))]
    damaged = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        place = int(random.integers(len(damaged) - 8)) & -8
        word = [b"\xff" * 8, b"\0" * 8, int(random.integers(2 * len(damaged))).to_bytes(8, "little"), random.bytes(1)]
        chosen = word[int(random.integers(len(word)))]
        damaged[place : place + len(chosen)] = chosen
    (tmp_path / "b.net").write_bytes(damaged)
    with contextlib.suppress(QsnnError):
        netx_export.load(tmp_path / "b.net", **options)


class TestOptions:
    @pytest.mark.parametrize(
        "options",
        [
            {"timing": "late"},
            {"output": "current"},
            {"rule": "other"},
            {"timesteps": 0},
            {"input_message_bits": -1},
            {"num_layers": 0},
            {"skip_layers": -1},
            {"spike_exp": 25},
            {"input_shape": (2, 2)},
            {"input_shape": 7},
            {"input_shape": (0,)},
        ],
    )
    def test_options_out_of_range_are_refused(self, options: dict[str, Any], tmp_path: Path) -> None:
        write_stock(tmp_path / "a.net", [cuba()])
        with pytest.raises(ConfigurationError):
            netx_export.load(tmp_path / "a.net", **options)

    def test_a_shape_that_does_not_fit_is_refused(self, tmp_path: Path) -> None:
        write_stock(tmp_path / "a.net", [cuba()])
        with pytest.raises(FileFormatError, match="another input_shape"):
            netx_export.load(tmp_path / "a.net", (6,))
        with pytest.raises(FileFormatError, match="skip fewer layers"):
            netx_export.load(tmp_path / "a.net", skip_layers=1)

    def test_files_of_this_project_need_none(self, tmp_path: Path) -> None:
        netx_export.write(own_network(), tmp_path / "a.net")
        with pytest.raises(ConfigurationError, match="timesteps were given for a file of this project"):
            netx_export.load(tmp_path / "a.net", timesteps=3)
        assert isinstance(netx_export.load(tmp_path / "a.net").layers[0].neuron, MemoryFree)
