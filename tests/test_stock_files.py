"""Stock NetX files: what is loaded computes what unmodified NetX computes, in every layer at every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lava.proc.lif.process import LIF
from lava.proc.rf.process import RF
from lava.proc.sdn.process import Delta, Sigma, SigmaDelta

import netx_export
from lava_qsnn.integer import CUBA, CUBAReadout, IntegerNetwork
from lava_qsnn.process.loihi.network import NetworkProcess
from netx_export import BACKENDS
from tests.helpers import stock_many
from tests.helpers.stock_netx import Group, run_netx, text, write_stock

RANDOM = np.random.default_rng(12)
STEPS = 12


def cuba(threshold: int = 20, **more: Any) -> Group:
    decays = {"neuron/iDecay": 1024, "neuron/vDecay": 300}
    return {"neuron/type": text("CUBA"), **decays, "neuron/vThMant": threshold, **more}


def sdnn(threshold: int = 3) -> Group:
    return {"neuron/type": text("SDNN"), "neuron/vThMant": threshold}


def rf(kind: str) -> Group:
    coefficients = {"neuron/sinDecay": 1500, "neuron/cosDecay": 3600}
    return {"neuron/type": text(kind), **coefficients, "neuron/vThMant": 9}


def weights(*shape: int) -> Any:
    return RANDOM.integers(-20, 30, shape).astype(np.float32)


def dense(out: int, inputs: int, neuron: Group, **more: Any) -> Group:
    return {"type": text("dense"), "shape": np.array([out]), "weight": weights(out, inputs), **neuron, **more}


def complex_dense(out: int, inputs: int, neuron: Group) -> Group:
    both = {"weight/real": weights(out, inputs), "weight/imag": weights(out, inputs)}
    return {"type": text("dense"), "shape": np.array([out]), **both, **neuron}


def recurrent(out: int, inputs: int, neuron: Group, **more: Any) -> Group:
    return dense(out, inputs, neuron, weight_rec=weights(out, out), **more) | {"type": text("dense_rec")}


def conv(out: int, channels: int, shape: tuple[int, int], neuron: Group, **more: Any) -> Group:
    return {
        "type": text("conv"),
        "shape": np.array([out, *shape]),
        "weight": weights(out, channels, 3, 2, 1),
        "stride": np.array([1, 2]),
        "padding": np.array([1, 0]),
        "dilation": 1,
        "groups": 1,
        "bias": RANDOM.integers(-9, 20, out).astype(np.float32),
        **neuron,
        **more,
    }


PICTURE = {"type": text("input"), "shape": np.array([2, 6, 5])}
FLATTEN = {"type": text("flatten")}
BIAS = RANDOM.integers(-9, 20, 7)

#: Networks by their names, each with something that the others lack.
NETWORKS: dict[str, list[Group]] = {
    "convolution": [PICTURE, conv(3, 2, (6, 2), cuba()), FLATTEN, dense(8, 36, cuba(60)), dense(4, 8, cuba())],
    "input_block": [PICTURE | cuba(), conv(3, 2, (6, 2), cuba()), FLATTEN, dense(8, 36, cuba(60))],
    "delays": [
        dense(7, 9, cuba(), delay=RANDOM.integers(0, 5, (7, 9)), bias=BIAS),
        dense(6, 7, cuba(50), delay=np.arange(7)),
        dense(4, 6, cuba(50), delay=2.0),
    ],
    "recurrence": [recurrent(7, 9, cuba(), bias=BIAS), recurrent(5, 7, cuba(90))],
    "recurrent_delays": [
        recurrent(7, 7, cuba(), bias=BIAS, delay=RANDOM.integers(0, 4, (7, 7))),
        dense(5, 7, cuba(60)),
    ],
    "each_its_own": [
        dense(7, 9, cuba(np.arange(7) * 9, **{"neuron/iDecay": np.arange(7) * 600})),  # type: ignore[arg-type]
        dense(4, 7, {}, bias=np.arange(4)),
    ],
    "sigma_delta": [
        PICTURE | sdnn(2),
        conv(3, 2, (6, 2), sdnn()),
        FLATTEN,
        dense(8, 36, sdnn(), bias=np.arange(8)),
        dense(4, 8, {**sdnn(), "neuron/sigma_output": True}),
    ],
    "resonators": [complex_dense(8, 9, rf("RF_PHASE")), complex_dense(6, 8, rf("RF_IZ")), dense(4, 6, cuba())],
}


def example(path: Path, name: str, **options: Any) -> tuple[IntegerNetwork, np.ndarray]:
    """A network of the table, loaded from its file, and three samples for it."""
    write_stock(path, NETWORKS[name])
    network = netx_export.load(path, **options)
    high = 1 if network.input.maximum == 1 else 60
    return network, RANDOM.integers(0, high + 1, (3, *network.input.shape, STEPS))


@pytest.mark.parametrize("name", NETWORKS)
def test_engines_equal_netx_in_its_own_time(name: str, tmp_path: Path) -> None:
    network, x = example(tmp_path / "a.net", name, timing="lava")
    truth = run_netx(tmp_path / "a.net", x[0], isinstance(network.output.neuron, CUBAReadout))
    for backend in ("reference", "fast"):
        found = netx_export.simulate_layers(network, x[:1], backend)
        for layer, expected in zip(found, truth, strict=True):
            np.testing.assert_array_equal(found[layer][0], expected)
    assert all(each.any() for each in truth)


@pytest.mark.parametrize("timing", ["aligned", "lava"])
@pytest.mark.parametrize("name", NETWORKS)
def test_netx_runs_batches_of_samples_each_from_rest(name: str, timing: str, tmp_path: Path) -> None:
    network, x = example(tmp_path / "a.net", name, timing=timing)
    truth = netx_export.simulate_layers(network, x)
    found = netx_export.simulate_layers(network, x, "netx")
    for layer in network:
        np.testing.assert_array_equal(found[layer], truth[layer])
        assert truth[layer].any()
    alone = netx_export.simulate_layers(network, x[2:])
    assert all(np.array_equal(alone[layer], truth[layer][2:]) for layer in network)


@pytest.mark.parametrize("name", NETWORKS)
def test_lava_runs_its_own_processes(name: str, tmp_path: Path) -> None:
    """Samples are back to back there, so that whatever one of them left would be seen in the next."""
    network, x = example(tmp_path / "a.net", name)
    truth = netx_export.simulate_layers(network, x)
    found = netx_export.simulate_layers(network, x, "lava")
    for layer in network:
        np.testing.assert_array_equal(found[layer], truth[layer])
    process = NetworkProcess(network, STEPS)
    lavas = (LIF, Sigma, Delta, SigmaDelta, RF)
    assert all(isinstance(neurons, lavas) for neurons in process.neurons.values())


#: The way into each backend's own engine.
WAYS = {
    "reference": "netx_export._backends.run_reference",
    "fast": "lava_qsnn.engines.run_fast",
    "lava": "netx_export._lava.NetworkProcess",
    "lava-async": "netx_export._flow.through_layers",
    "lava-fused": "netx_export._flow.through_one",
    "netx": "netx_export._netx._run._opened",
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_runs_its_own_engine(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers as all do where no other engine can be reached, and cannot where its own cannot."""
    network, x = example(tmp_path / "a.net", "sigma_delta", timing="lava")
    truth = netx_export.simulate(network, x)
    for other in WAYS.keys() - {backend}:
        monkeypatch.setattr(WAYS[other], _refuse)
    np.testing.assert_array_equal(netx_export.simulate(network, x, backend), truth)
    monkeypatch.setattr(WAYS[backend], _refuse)
    with pytest.raises(LookupError):
        netx_export.simulate(network, x, backend)


def _refuse(*_: Any, **__: Any) -> Any:
    raise LookupError("this engine is not meant")


def test_times_differ_by_a_step_for_each_layer_where_nothing_happens_before_data(tmp_path: Path) -> None:
    write_stock(tmp_path / "a.net", [dense(8, 9, cuba()), dense(6, 8, cuba()), dense(4, 6, cuba())])
    x = RANDOM.integers(0, 2, (2, 9, STEPS))
    aligned, late = (
        netx_export.simulate_layers(netx_export.load(tmp_path / "a.net", timing=timing), x)
        for timing in ("aligned", "lava")
    )
    for depth, layer in enumerate(aligned, 1):
        np.testing.assert_array_equal(late[layer][..., depth:], aligned[layer][..., :-depth])
        assert late[layer].any()


@pytest.mark.parametrize("libver", ["earliest", "v110", "latest"])
def test_files_of_every_version_of_hdf5_are_read(libver: str, tmp_path: Path) -> None:
    write_stock(tmp_path / "a.net", NETWORKS["convolution"])
    write_stock(tmp_path / "b.net", NETWORKS["convolution"], libver=libver)
    assert netx_export.load(tmp_path / "a.net") == netx_export.load(tmp_path / "b.net")


@pytest.mark.parametrize("first", range(0, 9, 3))
def test_random_files_equal_netx(first: int, tmp_path: Path) -> None:
    """Some of what `python -m tests.helpers.stock_many` judges by the thousand."""
    verdicts = [stock_many.judge(seed, tmp_path, 60) for seed in range(first, first + 3)]
    judged = [verdict for verdict in verdicts if not verdict.refused]
    assert len(judged) >= 2
    assert sum(verdict.different for verdict in judged) == 0
    assert sum(verdict.values for verdict in judged) > 3000
    assert sum(verdict.active for verdict in judged) > 100


class TestOptions:
    def test_layers_are_skipped_and_left_out_as_in_netx(self, tmp_path: Path) -> None:
        write_stock(tmp_path / "a.net", NETWORKS["convolution"])
        network = netx_export.load(tmp_path / "a.net", num_layers=4, skip_layers=2)
        assert list(network) == ["dense3"]
        assert network.input.shape == (3, 6, 2)
        assert list(netx_export.load(tmp_path / "a.net", num_layers=2)) == ["conv1"]

    def test_the_output_is_what_is_wanted(self, tmp_path: Path) -> None:
        write_stock(tmp_path / "a.net", [dense(8, 9, cuba())])
        write_stock(tmp_path / "b.net", [dense(8, 9, cuba(65536))])
        assert type(netx_export.load(tmp_path / "a.net").output.neuron) is CUBA
        assert type(netx_export.load(tmp_path / "a.net", output="voltage").output.neuron) is CUBAReadout
        assert type(netx_export.load(tmp_path / "b.net").output.neuron) is CUBAReadout
        assert type(netx_export.load(tmp_path / "b.net", output="spikes").output.neuron) is CUBA

    def test_message_bits_say_what_comes_in(self, tmp_path: Path) -> None:
        write_stock(tmp_path / "a.net", [dense(8, 9, cuba())])
        network = netx_export.load(tmp_path / "a.net", input_message_bits=8, timing="lava")
        assert (network.input.minimum, network.input.maximum) == (-128, 255)
        x = RANDOM.integers(-128, 256, (1, 9, STEPS))
        truth = run_netx(tmp_path / "a.net", x[0], input_message_bits=8)
        np.testing.assert_array_equal(netx_export.simulate(network, x)[0], truth[0])
        assert netx_export.load(tmp_path / "a.net").input.maximum == 1
