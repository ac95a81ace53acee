"""Networks of slayer's own blocks: what is deployed equals slayer's evaluation, and NetX on the file slayer writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import netx_export
from lava_qsnn import block
from lava_qsnn._slayer import slayer
from lava_qsnn.errors import DeploymentError, QsnnWarning
from lava_qsnn.integer import IntegerNetwork, run_reference

pytestmark = pytest.mark.skipif(slayer is None, reason="lava-dl is not installed")

STEPS = 16
CUBA = {"threshold": 1.0, "current_decay": 0.3, "voltage_decay": 0.1, "requires_grad": True}
OWN_DECAYS = {**CUBA, "shared_param": False, "current_decay": (0.1, 0.6), "voltage_decay": (0.05, 0.4)}
RF = {"threshold": 0.7, "period": 9, "decay": 0.05}  # of others, Lava computes coefficients that are lower by one
SIGMA_DELTA = {"threshold": 0.05, "activation": torch.nn.functional.relu}
ADAPTING = {"threshold_step": 0.1, "threshold_decay": 0.1, "refractory_decay": 0.1}
ON_TIME = {"delay_shift": False}


def normed(parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    return {**(parameters or CUBA), "norm": slayer.neuron.norm.MeanOnlyBatchNorm}


def plain(**options: Any) -> list[nn.Module]:
    cuba = slayer.block.cuba
    dense = [cuba.Dense(dict(CUBA), *sizes, 3, **options) for sizes in ((20, 16), (16, 10))]
    return [cuba.Input(**ON_TIME), *dense]


def with_norms() -> list[nn.Module]:
    cuba = slayer.block.cuba
    mask = torch.rand(16, 20) < 0.7
    return [
        cuba.Dense(normed(), 20, 16, 3, mask=mask, **ON_TIME),
        cuba.Dense(normed(OWN_DECAYS), 16, 10, 3, **ON_TIME),
    ]


def recurrent() -> list[nn.Module]:
    cuba = slayer.block.cuba
    return [cuba.Dense(dict(OWN_DECAYS), 20, 16, 3), cuba.Recurrent(dict(CUBA), 16, 10, 2)]


def convolutional() -> list[nn.Module]:
    cuba = slayer.block.cuba
    return [
        cuba.Conv(normed(), 2, 6, 3, padding=1, weight_scale=3, **ON_TIME),
        cuba.Pool(dict(CUBA), 2, weight_scale=1.1, **ON_TIME),
        cuba.Conv(dict(CUBA), 6, 8, (3, 2), stride=(1, 2), dilation=(1, 2), groups=2, weight_scale=5, **ON_TIME),
        cuba.Flatten(),
        cuba.Dense(dict(CUBA), 16, 5, weight_scale=3, weight_norm=True, **ON_TIME),
    ]


def resonating(family: str) -> list[nn.Module]:
    blocks = getattr(slayer.block, family)
    return [blocks.Dense(dict(RF), 20, 16, 4), blocks.Dense(dict(RF), 16, 10, 4)]


def sigma_delta(parameters: dict[str, Any]) -> list[nn.Module]:
    blocks = slayer.block.sigma_delta
    return [
        blocks.Input(dict(SIGMA_DELTA), weight=1.5),
        blocks.Dense(parameters, 20, 16, 2),
        blocks.Dense(dict(SIGMA_DELTA), 16, 10, 2),
    ]


def images_of_changes() -> list[nn.Module]:
    blocks = slayer.block.sigma_delta
    return [
        blocks.Input(dict(SIGMA_DELTA)),
        blocks.Conv(dict(SIGMA_DELTA), 2, 4, 3, stride=2, weight_scale=2),
        blocks.Flatten(),
        blocks.Dense(dict(SIGMA_DELTA), 16, 5, 2),
    ]


#: What a slayer network may have, and the shape of its input.
FEATURES: dict[str, tuple[Callable[[], list[nn.Module]], tuple[int, ...], int]] = {
    "delay_shift": (plain, (20,), 1),
    "weight norm, graded input": (lambda: plain(weight_norm=True), (20,), 4),
    "delays": (lambda: plain(delay=True), (20,), 1),
    "norms, masks, own decays": (with_norms, (20,), 1),
    "recurrence": (recurrent, (20,), 1),
    "convolutions and poolings": (convolutional, (2, 8, 8), 1),
    "resonate and fire at a phase": (lambda: resonating("rf"), (20,), 1),
    "resonate and fire": (lambda: resonating("rf_iz"), (20,), 1),
    "sigma-delta": (lambda: sigma_delta(dict(SIGMA_DELTA)), (20,), 7),
    "sigma-delta with a norm": (lambda: sigma_delta(normed(SIGMA_DELTA)), (20,), 7),
    "sigma-delta convolutions": (images_of_changes, (2, 6, 6), 7),
    "affine": (lambda: [*plain(), slayer.block.cuba.Affine(dict(CUBA), 10, 4)], (20,), 1),
    "affine without dynamics": (
        lambda: [*plain(), slayer.block.cuba.Affine(dict(CUBA), 10, 4, dynamics=False)],
        (20,),
        1,
    ),
}


#: An Affine does not fire in NetX, it has no poolings, and resets no sigma-delta neurons, whose bias acts from step 1.
NOT_BY_SPIKES = ("affine", "pool", "sigma-delta with a norm")


def data(shape: tuple[int, ...], bits: int = 1, samples: int = 4, seed: int = 0) -> NDArray[np.int64]:
    """Sparse integers; even ones if they have many bits, for slayer's Input rounds to even ones."""
    random = np.random.default_rng(seed)
    values = random.integers(1, 2**bits, (samples, *shape, STEPS)) & (-2 if bits > 4 else -1)
    return np.where(random.random(values.shape) < 0.3, values, 0)


def trained(blocks: list[nn.Module], shape: tuple[int, ...], bits: int = 1) -> nn.Sequential:
    """A network that slayer trained for a few steps, its delays spread over some steps."""
    net = nn.Sequential(*blocks)
    x = torch.from_numpy(data(shape, bits)).float() / (64 if bits > 4 else 1)
    net(x)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(4):
        optimizer.zero_grad()
        (net.train()(x).float().mean(-1) - 0.2).square().sum().backward()
        optimizer.step()
    for each in net:
        if getattr(each, "delay", None) is not None:
            each.delay.delay.data = torch.linspace(0, 7.5, len(each.delay.delay))
    return net


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(1)


@pytest.mark.filterwarnings("ignore:torch.nn.utils.weight_norm is deprecated")
@pytest.mark.parametrize("name", FEATURES)
def test_what_is_deployed_equals_slayers_evaluation(name: str, tmp_path: Path) -> None:
    build, shape, bits = FEATURES[name]
    net = trained(build(), shape, bits)
    network = netx_export.export(net, tmp_path / "a.net", shape, STEPS, bits)
    report = netx_export.verify(tmp_path / "a.net", data(shape, bits, seed=1), ["reference", "fast", "lava-fused"], net)
    assert report.exact, report
    assert {row.backend for row in report.rows} == {"torch", "reference", "fast", "lava-fused"}
    assert all(row.spikes > row.values // 100 for row in report.rows), report
    assert len(network) == sum(getattr(each, "neuron", None) is not None for each in net)


@pytest.mark.lava
@pytest.mark.filterwarnings("ignore:torch.nn.utils.weight_norm is deprecated")
@pytest.mark.parametrize("name", [name for name in FEATURES if not any(part in name for part in NOT_BY_SPIKES)])
def test_unmodified_netx_computes_the_same_from_slayers_file(name: str, tmp_path: Path) -> None:
    from tests.helpers.stock_netx import run_netx

    build, shape, bits = FEATURES[name]
    net = trained(build(), shape, bits)
    network, x = netx_export.fold(net, shape, STEPS, bits), data(shape, bits, 1, seed=2)
    export_as_lava_dl_does(net, tmp_path / "a.net")
    options = {"reset_interval": 64, "reset_offset": 0 if bits > 4 else 1}
    late = range(bits <= 4, len(network) + (bits <= 4))
    sample = np.pad(x[0], [(0, 0)] * len(shape) + [(0, len(network))])
    truth = run_netx(tmp_path / "a.net", sample, input_message_bits=bits if bits > 1 else 0, **options)
    for steps, found, (layer, expected) in zip(late, truth, run_reference(network, x).items(), strict=True):
        assert expected.any(), layer
        np.testing.assert_array_equal(found[..., steps : steps + STEPS], expected[0], layer)


@pytest.mark.filterwarnings("ignore:torch.nn.utils.weight_norm is deprecated")
@pytest.mark.parametrize("name", [name for name in FEATURES if "pool" not in name])
def test_the_reader_of_stock_files_has_the_same_numbers(name: str, tmp_path: Path) -> None:
    build, shape, bits = FEATURES[name]
    net = trained(build(), shape, bits)
    export_as_lava_dl_does(net, tmp_path / "a.net")
    loaded = netx_export.load(tmp_path / "a.net", input_shape=shape, timesteps=STEPS, input_message_bits=bits)
    folded = netx_export.fold(net, shape, STEPS, bits)
    for one, other in zip(loaded.layers, folded.layers, strict=True):
        assert one.neuron == other.neuron
        assert [each.synapse for each in one.connections] == [each.synapse for each in other.connections]


#: What files of integers do not hold in NetX's words: coefficients that are fractions, and blocks that have no port.
NOT_BY_FILE = ("resonate", "sigma-delta")


@pytest.mark.lava
@pytest.mark.filterwarnings("ignore:torch.nn.utils.weight_norm is deprecated")
@pytest.mark.parametrize("name", [name for name in FEATURES if not any(part in name for part in NOT_BY_FILE)])
def test_unmodified_netx_opens_our_own_file_as_it_says(name: str, tmp_path: Path) -> None:
    """Poolings and Affines included: a pooling is a convolution there, and an Affine is read from its voltage."""
    from tests.helpers.stock_netx import run_netx

    build, shape, bits = FEATURES[name]
    network = netx_export.export(trained(build(), shape, bits), tmp_path / "a.net", shape, STEPS, bits)
    use, x = netx_export.stock_use(tmp_path / "a.net"), data(shape, bits, 1, seed=2)
    assert not use.obstacles
    assert use.keeps == ("delays" in name or "recurrence" in name)
    told = {name: value for name, value in use.arguments.items() if name != "net_config"}
    sample = np.pad(x[0], [(0, 0)] * len(shape) + [(0, use.layers)])
    told["reset_interval"] += use.layers  # a single sample, whose last answers come after its end
    truth = run_netx(tmp_path / "a.net", sample, voltage=use.unit is not None, **told)
    for late, (found, expected) in enumerate(zip(truth, run_reference(network, x).values(), strict=True), 1):
        assert expected.any()
        np.testing.assert_array_equal(found[..., late : late + STEPS], expected[0])
    if use.unit is not None:
        assert use.lines[-1].endswith("the answer is in stock.layers[-1].neuron.v at each step")


@pytest.mark.parametrize("name", ["resonate and fire", "sigma-delta"])
def test_our_own_file_says_why_netx_cannot_open_it(name: str, tmp_path: Path) -> None:
    build, shape, bits = FEATURES[name]
    netx_export.export(trained(build(), shape, bits), tmp_path / "a.net", shape, STEPS, bits)
    (line,) = netx_export.stock_use(tmp_path / "a.net").lines
    assert "no integers" in line or "has no port" in line


def export_as_lava_dl_does(net: nn.Sequential, path: Path) -> None:
    with h5py.File(path, "w") as file:
        for index, each in enumerate(net):
            each.export_hdf5(file.create_group(f"layer/{index}"))


def test_blocks_of_both_kinds_mix(tmp_path: Path) -> None:
    cuba, neurons = slayer.block.cuba, {"threshold": 0.5, "history": 4}
    blocks = [
        cuba.Conv(normed(), 2, 6, 3, weight_scale=3, **ON_TIME),
        block.memory_free.Conv(neurons, 6, 4, 3),
        cuba.Flatten(),
        cuba.Recurrent(dict(CUBA), 64, 12, 3, **ON_TIME),
        block.memory_free.Output(12, 4),
    ]
    net = trained(blocks, (2, 8, 8))
    network = netx_export.export(net, tmp_path / "a.net", (2, 8, 8), STEPS)
    report = netx_export.verify(network, data((2, 8, 8), seed=1), ["fast"], net)
    assert report.exact
    assert not report.silent
    assert [layer.neuron.kind for layer in network.layers] == ["cuba", "memory_free", "cuba", "readout"]
    with pytest.raises(DeploymentError, match="delay_shift=False"):
        netx_export.fold(nn.Sequential(*plain(), block.memory_free.Output(10, 4)), (20,), STEPS)


@pytest.mark.filterwarnings("ignore:torch.nn.utils.weight_norm is deprecated")
def test_the_network_stays_as_it_is() -> None:
    """slayer's own export takes weight norms away; and recurrent blocks keep what they had."""
    net = trained([*plain(weight_norm=True), slayer.block.cuba.Recurrent(dict(CUBA), 10, 6, 3)], (20,))
    names, answer = list(net.state_dict()), net(torch.from_numpy(data((20,), seed=3)).float())
    state = net[3].neuron.voltage_state
    network = netx_export.export(net, None, (20,), STEPS)
    for _ in range(2):
        assert netx_export.verify(network, data((20,), seed=3), ["reference"], net).exact
    assert net.training
    assert list(net.state_dict()) == names
    assert net[1].synapse.weight_norm_enabled
    assert net[3].neuron.voltage_state is state
    assert answer.any()
    assert state.any()
    net(torch.from_numpy(data((20,), seed=3)).float()).sum().backward()


def test_a_wide_pooling_has_fewer_groups_than_lava_can_count() -> None:
    net = trained([slayer.block.cuba.Pool(dict(CUBA), (2, 1), weight_scale=1.1)], (128, 4, 3))
    network = netx_export.fold(net, (128, 4, 3), STEPS)
    assert network.layers[0].connections[0].synapse.groups == 64  # type: ignore[attr-defined]
    assert netx_export.verify(network, data((128, 4, 3)), ["fast"], net).exact


DEPARTING = """shifted bias, scaled norm, conv delays, delayed bias, recurrent delays, graded spikes, adaptation,
columns, complex norm""".replace("\n", " ").split(", ")


def departing(name: str) -> tuple[list[nn.Module], tuple[int, ...], str]:
    cuba, rf, sigma = slayer.block.cuba, slayer.block.rf, slayer.block.sigma_delta
    scaled = {**CUBA, "norm": slayer.neuron.norm.WgtScaleBatchNorm}
    cases: dict[str, tuple[list[nn.Module], tuple[int, ...], str]] = {
        "shifted bias": ([cuba.Dense(normed(), 20, 16, 3), cuba.Dense(normed(), 16, 10, 3)], (20,), "delay_shift"),
        "scaled norm": ([cuba.Dense(scaled, 20, 16, 3)], (20,), "WgtScaleBatchNorm"),
        "conv delays": ([cuba.Conv(dict(CUBA), 2, 6, 3, delay=True, weight_scale=3)], (2, 8, 8), "of convolutions"),
        "delayed bias": ([cuba.Dense(normed(), 20, 16, 3, delay=True)], (20,), "slayer its output"),
        "recurrent delays": ([cuba.Recurrent(dict(CUBA), 12, 12, 4, delay=True)], (12,), "leave out the delay"),
        "graded spikes": ([cuba.Dense({**CUBA, "graded_spike": True}, 20, 16, 3)], (20,), "graded_spike"),
        "adaptation": (
            [slayer.block.adrf.Dense({**RF, **ADAPTING}, 20, 16, 4)],
            (20,),
            "adaptation",
        ),
        "columns": ([cuba.Conv(dict(OWN_DECAYS), 2, 6, 3, weight_scale=4)], (2, 8, 8), "along the width"),
        "complex norm": ([rf.Dense(normed(RF), 20, 16, 4)], (20,), "slayer does not export the norm"),
        "cumulative error": ([sigma.Dense({**SIGMA_DELTA, "cum_error": True}, 20, 16, 3)], (20,), "cum_error"),
    }
    return cases[name]


@pytest.mark.parametrize("name", DEPARTING)
def test_where_slayer_and_netx_differ_is_told_by_name(name: str, tmp_path: Path) -> None:
    blocks, shape, told = departing(name)
    net = trained(blocks, shape)
    with pytest.warns(QsnnWarning, match=told) as caught:
        network = netx_export.export(net, tmp_path / "a.net", shape, STEPS)
    assert "slayer and NetX differ in" in str(caught[0].message)
    report = netx_export.verify(network, data(shape, seed=1), ["fast"], net)
    assert not report.exact
    assert report.mismatches("fast") == 0 < report.mismatches("torch")
    assert any(told in each for each in report.departures)


def test_coefficients_that_lava_computes_anew_are_told() -> None:
    """They are lower by one in 4096, which shows in few spikes or none."""
    net = trained([slayer.block.rf_iz.Dense({**RF, "period": 12, "decay": 0.02}, 20, 16, 4)], (20,))
    network = netx_export.fold(net, (20,), STEPS)
    sine = network.layers[0].neuron.sine  # type: ignore[attr-defined]
    assert (sine == net[0].neuron.cx_sin_decay - 1).all()
    (told,) = netx_export.verify(network, data((20,)), ["reference"], net).departures
    assert "these coefficients again" in told


def test_unequal_networks_are_no_departures() -> None:
    one, other = trained(plain(), (20,)), trained(plain(), (20,))
    network = netx_export.fold(one, (20,), STEPS)
    with pytest.raises(DeploymentError, match="not the one that this network was folded from"):
        netx_export.verify(network, data((20,)), ["reference"], other)


REFUSED = """unpool, convT, average, decimation, kwta, alif, rf conv, after an affine, input in between, odd images,
overlapping windows, dense images, float weights, sums before, spikes of numbers, own thresholds""".replace(
    "\n", " "
).split(", ")


def refused(name: str) -> tuple[list[nn.Module], tuple[int, ...], str]:
    cuba, sigma = slayer.block.cuba, slayer.block.sigma_delta
    first = cuba.Dense(dict(CUBA), 20, 16, 3)
    cases: dict[str, tuple[list[nn.Module], tuple[int, ...], str]] = {
        "unpool": ([cuba.Unpool(dict(CUBA), 2)], (2, 4, 4), "no unpooling"),
        "convT": ([cuba.ConvT(dict(CUBA), 2, 3, 2)], (2, 4, 4), "no transposed convolution"),
        "average": ([first, cuba.Average(4)], (20,), "in the loss"),
        "decimation": ([cuba.TimeDecimation(2), first], (20,), "before they enter"),
        "kwta": ([cuba.KWTA(dict(CUBA), 20, 10, 2)], (20,), "use Recurrent"),
        "alif": (
            [slayer.block.alif.Dense({**CUBA, **ADAPTING}, 20, 9)],
            (20,),
            "no neuron for slayer's alif",
        ),
        "rf conv": ([slayer.block.rf.Conv(dict(RF), 2, 3, 3)], (2, 4, 4), "behind dense weights only"),
        "after an affine": ([cuba.Affine(dict(CUBA), 20, 20), first], (20,), "nothing can follow"),
        "input in between": ([first, cuba.Input(dict(CUBA))], (20,), "can only be the first"),
        "overlapping windows": ([cuba.Pool(dict(CUBA), 2, stride=1)], (2, 4, 4), "mixes neighbouring channels"),
        "odd images": ([cuba.Pool(dict(CUBA), 2)], (2, 5, 4), "choose sizes that the windows divide"),
        "dense images": ([cuba.Dense(dict(CUBA), (4, 4, 2), 9)], (2, 4, 4), "put a Flatten before it"),
        "float weights": ([cuba.Dense(dict(CUBA), 20, 9, pre_hook_fx=None)], (20,), "not quantized"),
        "sums before": (
            [block.memory_free.Pool(None, 2), cuba.Conv(dict(CUBA), 2, 3, 1, **ON_TIME)],
            (2, 4, 4),
            "slayer's own Pool",
        ),
        "spikes of numbers": (
            [sigma.Dense(dict(SIGMA_DELTA), 20, 9), block.memory_free.Output(9, 3)],
            (20,),
            "go on to the end",
        ),
        "own thresholds": ([sigma.Dense({**SIGMA_DELTA, "shared_param": False}, 20, 9)], (20,), "slayer cannot export"),
    }
    return cases[name]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_come_along_is_refused_with_a_remedy(name: str) -> None:
    blocks, shape, said = refused(name)
    for each, incoming in zip(blocks, [shape] * len(blocks)):
        try:
            nn.Sequential(*blocks)(torch.zeros(1, *incoming, 4))
        except (AssertionError, DeploymentError, RuntimeError, TypeError, ValueError):
            each.eval()  # some do not even run
    with pytest.raises(DeploymentError, match=said) as caught:
        netx_export.fold(nn.Sequential(*blocks), shape, 4)
    assert caught.value.remedy


def test_blocks_that_have_not_run_are_refused() -> None:
    with pytest.raises(DeploymentError, match="run the network once"):
        netx_export.fold(nn.Sequential(*plain()), (20,), STEPS)


def test_an_input_block_takes_what_netx_takes(tmp_path: Path) -> None:
    """Integers in units of 1/64: what its weight and bias would have made of the data."""
    cuba = slayer.block.cuba
    first = cuba.Input({**CUBA, "current_decay": 1.0, "threshold": 0.4}, weight=2.0, bias=0.5, **ON_TIME)
    net = trained([first, cuba.Dense(dict(CUBA), 20, 9, 3, **ON_TIME)], (20,), 7)
    network: IntegerNetwork = netx_export.export(net, tmp_path / "a.net", (20,), STEPS, 7)
    assert netx_export.verify(network, data((20,), 7, seed=1), ["fast"], net).exact
    assert first.weight.item() == pytest.approx(2.0, abs=0.1)
