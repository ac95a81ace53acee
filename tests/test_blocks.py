"""Blocks are slayer's blocks: same shapes and options, mixed with slayer's own, trained by slayer's tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from lava_qsnn import synapse
from lava_qsnn._slayer import slayer
from lava_qsnn.block import memory_free as block
from lava_qsnn.errors import ConfigurationError, DeploymentError, InputError, RangeError
from lava_qsnn.frames import is_channels_last, to_frames
from lava_qsnn.neuron import memory_free as neuron

PARAMETERS = {"threshold": 0.5, "history": 3, "norm": "batch"}
CUBA = {"threshold": 0.5, "current_decay": 0.5, "voltage_decay": 0.5, "requires_grad": True}


def spikes(*shape: int, seed: int = 0) -> torch.Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.4).float()


@pytest.mark.lava
@pytest.mark.parametrize(
    ("name", "ours", "theirs", "shape"),
    [
        ("Dense", (PARAMETERS, 12, 7), (CUBA, 12, 7), (12,)),
        ("Conv", (PARAMETERS, 2, 4, (3, 2), 2, 1, 1, 2), (CUBA, 2, 4, (3, 2), 2, 1, 1, 2), (2, 8, 6)),
        ("Pool", ({"threshold": 0.5}, 2), (CUBA, 2), (2, 8, 6)),
        ("Pool", (None, (2, 3)), (CUBA, (2, 3)), (2, 8, 6)),
        ("Flatten", (), (), (2, 3, 4)),
        ("Dense", (PARAMETERS, (6, 8, 2), 5), (CUBA, (6, 8, 2), 5), (2, 8, 6)),
    ],
)
def test_shapes_are_slayers(name: str, ours: tuple, theirs: tuple, shape: tuple[int, ...]) -> None:
    x = spikes(3, *shape, 5)
    mine, slayers = getattr(block, name)(*ours), getattr(slayer.block.cuba, name)(*theirs)
    assert mine(x).shape == slayers(x).shape
    assert tuple(mine.shape) == tuple(mine(x).shape[1:-1])
    assert isinstance(mine, getattr(slayer.block.base, f"Abstract{name}"))


@pytest.mark.lava
def test_weights_start_as_slayers_do() -> None:
    torch.manual_seed(0)
    mine = block.Dense(PARAMETERS, 12, 7)
    torch.manual_seed(0)
    slayers = slayer.block.cuba.Dense(CUBA, 12, 7)
    assert torch.equal(mine.synapse.weight, slayers.synapse.weight)
    assert isinstance(mine.synapse, slayer.synapse.Dense)
    assert isinstance(mine.neuron, slayer.neuron.base.Neuron)


class Mixed(nn.Module):
    """Memory-free blocks between slayer's, written as slayer's tutorials write networks."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            [
                block.Dense(PARAMETERS, 16, 32, weight_bits=1),
                slayer.block.cuba.Dense(CUBA, 32, 32, weight_norm=True, delay_shift=False),
                block.Dense({**PARAMETERS, "taps": "learned", "dropout": slayer.neuron.Dropout(0.05)}, 32, 32),
                slayer.block.cuba.Dense(CUBA, 32, 4, weight_norm=True, delay_shift=False),
            ]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for each in self.blocks:
            x = each(x)
        return x


@pytest.mark.lava
def test_a_mixed_network_learns_with_slayers_loss_classifier_and_assistant() -> None:
    torch.manual_seed(0)
    net = Mixed()
    x, y = spikes(64, 16, 10), torch.arange(64) % 4
    for label in range(4):
        x[y == label, 4 * label : 4 * label + 4] += spikes(16, 4, 10, seed=label + 1)
    x = x.clamp(max=1)
    stats = slayer.utils.LearningStats()
    assistant = slayer.utils.Assistant(
        net,
        slayer.loss.SpikeRate(true_rate=0.8, false_rate=0.1, reduction="sum"),
        torch.optim.Adam(net.parameters(), lr=0.01),
        stats,
        classifier=slayer.classifier.Rate.predict,
    )
    before = {name: value.clone() for name, value in net.named_parameters()}
    for _ in range(80):
        assistant.train(x, y)
        stats.update()
    assistant.test(x, y)
    accuracy = stats.testing.correct_samples / stats.testing.num_samples
    assert accuracy > 0.75  # chance is 0.25
    moved = [name for name, value in net.named_parameters() if not torch.equal(before[name], value)]
    assert {"blocks.0.synapse.weight", "blocks.2.synapse.weight", "blocks.2.neuron.taps.value"} <= set(moved)


def test_count_log_adds_the_firing_rate() -> None:
    x = spikes(3, 12, 5)
    y, rate = block.Dense(PARAMETERS, 12, 7, count_log=True)(x)
    assert rate == y.mean()
    assert block.Flatten(count_log=True)(spikes(1, 2, 2, 2, 3))[1] is None
    assert block.Pool(None, 2, count_log=True)(spikes(1, 2, 2, 2, 3))[1] is None


def test_delay_shift_is_slayers_step_of_delay() -> None:
    plain, shifted = block.Dense(PARAMETERS, 12, 7), block.Dense(PARAMETERS, 12, 7, delay_shift=True)
    shifted.load_state_dict(plain.state_dict())
    x = spikes(3, 12, 5)
    expected = plain(x)
    assert expected[..., :-1].any()
    assert torch.equal(shifted(x)[..., 1:], expected[..., :-1])
    assert not shifted(x)[..., 0].any()
    with pytest.raises(DeploymentError, match="delay_shift is a training option"):
        shifted.integer_parameters(5)


@pytest.mark.lava
def test_a_neuron_works_alone_behind_slayers_synapse() -> None:
    torch.manual_seed(0)
    synapse = slayer.synapse.Dense(12, 7)
    alone = neuron.Neuron(0.1, history=3, norm="batch", channels=7)
    y = alone(synapse(spikes(8, 12, 5)))
    assert 0.05 < y.mean() < 0.95
    y.sum().backward()
    assert synapse.weight.grad.abs().sum() > 0


def test_time_passes_in_one_piece() -> None:
    """No step depends on the one before: the answer to the first steps does not change with what follows."""
    net = nn.Sequential(block.Dense(PARAMETERS, 12, 7), block.Dense(PARAMETERS, 7, 5)).eval()
    x = spikes(3, 12, 9)
    assert torch.equal(net(x)[..., :4], net(x[..., :4].contiguous()))


def test_blocks_in_a_row_share_memory_instead_of_copying() -> None:
    y = block.Conv(PARAMETERS, 2, 4, 3)(spikes(2, 2, 6, 6, 5))
    frames, _ = to_frames(y)
    assert frames.data_ptr() == y.data_ptr()
    assert is_channels_last(frames)


@pytest.mark.parametrize("taps", ["shift", "geometric"])
@pytest.mark.parametrize(
    ("make", "shape"),
    [(lambda p: block.Dense(p, 4, 9), (4, 7)), (lambda p: block.Conv(p, 2, 6, 3, padding=1), (2, 5, 6, 7))],
)
def test_filtering_few_sources_is_filtering_many_currents(
    make: Callable[[dict[str, object]], nn.Module],
    shape: tuple[int, ...],
    taps: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    layer = make(PARAMETERS | {"taps": taps})
    assert layer.synapse.targets_per_source > 1
    x = spikes(3, *shape).requires_grad_()
    upstream, results = None, []
    for early in (layer.neuron.early_taps, None):
        monkeypatch.setattr(neuron.Neuron, "early_taps", early)
        x.grad = layer.synapse.weight.grad = None
        y = layer(x)
        upstream = torch.randn_like(y) if upstream is None else upstream
        y.backward(upstream)
        results.append((y.detach(), x.grad, layer.synapse.weight.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert 0 < results[0][0].mean() < 1
    for one, other in zip(results[0][1:], results[1][1:]):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)
        assert one.abs().max() > 0


@pytest.mark.parametrize("kind", ["Dense", "Conv", "Output", "Pool", "Input"])
def test_blocks_take_integers_alike_in_training_and_evaluation(kind: str) -> None:
    blocks = {
        "Dense": block.Dense(PARAMETERS, 2, 3),
        "Conv": block.Conv(PARAMETERS, 2, 3, 2),
        "Output": block.Output((4, 4, 2), 3),
        "Pool": block.Pool({"threshold": 0.5}, 2),
        "Input": block.Input(),
    }
    x = spikes(1, 2, 3) if kind == "Dense" else spikes(1, 2, 4, 4, 3)
    blocks[kind].eval()(x)
    for training in (True, False):
        with pytest.raises(InputError, match=f"layer '{kind}': a block computes with integers"):
            blocks[kind].train(training)(x + 0.5)


def test_evaluation_refuses_what_float32_would_round() -> None:
    dense = block.Dense({"threshold": 0.5, "history": 20}, 40, 3).eval()
    with pytest.raises(RangeError, match=r"beyond 2\^24"):
        dense(torch.ones(1, 40, 20))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("x", "text"),
    [
        (torch.zeros(2, 12, 3, dtype=torch.int64), "floating-point tensors, not torch.int64.*call .float"),
        (torch.zeros(2, 12, 3, dtype=torch.bool), "floating-point tensors, not torch.bool"),
        (np.zeros((2, 12, 3)), "takes tensors, not ndarray"),
        (torch.zeros(2, 3, 12), "made for 12 inputs, and the input has shape .3,. at each step.*time last"),
        (torch.zeros(2, 2, 2, 2, 3), "made for 12 inputs"),
        (torch.full((2, 12, 3), torch.nan), "a block computes with integers"),
        (torch.full((2, 12, 3), torch.inf), "a block computes with integers"),
        (torch.zeros(2, 12), "N C T or N C H W T"),
        (torch.zeros(2, 12, 0), "at least one time step"),
    ],
)
def test_what_is_no_input_is_refused_alike_in_both_modes(x: object, text: str, training: bool) -> None:
    with pytest.raises(InputError, match=text):
        block.Dense(PARAMETERS, 12, 7).train(training)(x)


@pytest.mark.parametrize("training", [True, False])
def test_maps_that_do_not_fit_are_refused_alike_in_both_modes(training: bool) -> None:
    conv, pool = block.Conv(PARAMETERS, 2, 3, 3).train(training), block.Pool(None, 3).train(training)
    for x, text in ((spikes(1, 3, 4, 4, 2), "2 channels of maps"), (spikes(1, 2, 4), "2 channels of maps")):
        with pytest.raises(InputError, match=text):
            conv(x)
    for layer in (conv, pool):
        with pytest.raises(InputError, match="larger than maps of"):
            layer(spikes(1, 2, 2, 2, 2))


def test_training_passes_on_what_dropout_and_other_modules_computed() -> None:
    torch.manual_seed(0)
    first, last = block.Dense(PARAMETERS, 12, 7), block.Output(7, 3)
    net = nn.Sequential(first, nn.Dropout(0.5), last)
    net(spikes(8, 12, 5)).sum().backward()
    assert first.synapse.weight.grad.abs().max() > 0
    with torch.no_grad():
        net(spikes(8, 12, 5))
    with pytest.raises(InputError, match="in place of dropout on the input, multiply it by a mask"):
        nn.Sequential(nn.Dropout(0.3), block.Dense(PARAMETERS, 12, 7))(spikes(8, 12, 5))


def test_wrong_dimensions_are_refused() -> None:
    with pytest.raises(InputError, match="N C T or N C H W T"):
        block.Dense(PARAMETERS, 12, 7)(spikes(3, 12))
    with pytest.raises(ConfigurationError, match="pool before flattening"):
        block.Pool(None, 2)(spikes(3, 12, 4))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: block.Dense({}, 3, 4), "needs a `threshold`"),
        (lambda: block.Dense(cast(Any, None), 3, 4), "needs a `threshold`"),
        (lambda: block.Dense({"threshold": float("nan")}, 3, 4), "threshold must be a finite number"),
        (
            lambda: block.Dense({"threshold": 1.0, "histroy": 4}, 3, 4),
            "'histroy'. Remedy: did you mean 'history'",
        ),
        (lambda: block.Dense(cast(Any, [1.0]), 3, 4), "neuron_params must be names with values"),
        (lambda: block.Dense(cast(Any, {1: 1.0}), 3, 4), "neuron_params must be names with values"),
        (lambda: block.Dense({"threshold": 1.0, "channels": 0}, 3, 4), "channels must be a positive integer, not 0"),
        (lambda: block.Dense(PARAMETERS, 0, 4), "in_neurons must be an integer of at least 1, not 0"),
        (lambda: block.Dense(PARAMETERS, (2, 3, 4, 5), 4), "in_neurons must be a number"),
        (lambda: block.Conv(PARAMETERS, 2, 4, (3, 3, 3)), "kernel_size must be a number or a pair"),
        (lambda: block.Conv(PARAMETERS, 2, 4, 3, stride=0), "stride must be an integer of at least 1"),
        (lambda: block.Conv(PARAMETERS, 2, 3, 3, groups=2), "no such synapse: out_channels must be divisible"),
        (lambda: block.Dense(PARAMETERS, 3, 4, weight_bits=3), "weight_bits must be one of"),
        (lambda: block.Dense(PARAMETERS, 3, 4, weight_norm=True), "weight_norm has no meaning"),
        (lambda: block.Dense(PARAMETERS, 3, 4, pre_hook_fx=abs), "choose `weight_bits`"),
        (lambda: block.Dense(PARAMETERS, 3, 4, delay=True), "no learnable axonal delay"),
        (lambda: block.Dense({**PARAMETERS, "norm": "layer"}, 3, 4), "norm must be one of auto, batch .*not 'layer'"),
        (lambda: block.Dense({**PARAMETERS, "surrogate": "square"}, 3, 4), "surrogate must be one of triangle"),
        (lambda: block.Pool(PARAMETERS, 2), "pass `channels`"),
        (lambda: block.Pool(None, 2, weight_scale=3), "no weights to scale"),
        (lambda: block.Input(weight=2.0), "use `norm`"),
        (lambda: block.Output(3, 4, neuron_params={"threshold": 1.0}), "threshold"),
    ],
)
def test_arguments_without_meaning_are_refused(make: object, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        make()  # type: ignore[operator]


def test_a_parameter_dictionary_can_be_shared() -> None:
    shared = dict(PARAMETERS)
    block.Dense(shared, 3, 4), block.Conv(shared, 3, 4, 2), block.Pool({"threshold": 0.5, "norm": None}, 2)
    assert shared == PARAMETERS


@pytest.mark.lava
def test_blocks_export_themselves_as_slayers_do(tmp_path: Path) -> None:
    """Slayer's convention: each block writes its own group; unmodified netx then reads the file."""
    torch.manual_seed(0)
    blocks: list[Any] = [
        block.Input(),
        block.Conv({"threshold": 0.2, "history": 4}, 2, 3, 3),
        block.Flatten(),
        block.Dense({"threshold": 0.2, "history": 4}, 48, 6),
    ]
    nn.Sequential(*blocks).eval()(spikes(1, 2, 6, 6, 4))
    with h5py.File(tmp_path / "own.net", "w") as file:
        for index, each in enumerate(blocks):
            each.export_hdf5(file.create_group(f"layer/{index}"))
    from lava_qsnn.guard import require_lava

    require_lava()  # An earlier test may have chosen Python's start method, by Lightning: Lava's own import fails then.
    from lava.lib.dl.netx import hdf5

    stock = hdf5.Network(net_config=str(tmp_path / "own.net"), reset_interval=4, reset_offset=1)
    assert [layer.out.shape for layer in stock.layers] == [(4, 4, 3), (6,)]
    stock.net_config.f.close()


def test_a_block_alone_refuses_what_it_cannot_write(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "own.net", "w") as file:
        with pytest.raises(DeploymentError, match="run it once"):
            block.Dense(PARAMETERS, 3, 4).export_hdf5(file)
        with pytest.raises(DeploymentError, match="merges it into the next"):
            block.Pool(None, 2).export_hdf5(file)
        long = block.Dense(PARAMETERS, 3, 4).eval()
        long(torch.zeros(1, 3, 9))
        with pytest.raises(DeploymentError, match="neither one step nor powers of two"):
            long.export_hdf5(file)


def test_gradients_reach_every_parameter() -> None:
    torch.manual_seed(0)
    learned = {"threshold": 0.3, "history": 4, "taps": "learned", "norm": "batch"}
    net = nn.Sequential(block.Conv(learned, 2, 4, 3), block.Pool(None, 2), block.Flatten(), block.Output(16, 3))
    net(spikes(4, 2, 6, 6, 5)).sum(-1).square().sum().backward()
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert np.isfinite(parameter.grad.numpy()).all(), name
            assert parameter.grad.abs().sum() > 0, name


def test_the_strength_of_a_skip_follows_from_sizes_and_bits_alone() -> None:
    def residual(bits: int, width: int = 16) -> int:
        inner = block.Conv(PARAMETERS, width, width, 3, padding=1, weight_bits=bits)
        return block.Residual(inner).blocks[-1].skip_strength

    torch.manual_seed(0)
    first = [residual(bits) for bits in (1, 2, 4, 8)]
    torch.manual_seed(1)
    assert first == [residual(bits) for bits in (1, 2, 4, 8)] == [16, 8, 64, 64]
    with torch.device("meta"):
        assert residual(1) == 16
    shortcut = synapse.Conv(16, 32, 1, stride=2)
    wide = block.Residual(block.Conv(PARAMETERS, 16, 32, 3, stride=2, padding=1), shortcut=shortcut)
    assert wide.blocks[-1].skip_strength == 4, "144 weights beside 16: three times the spread"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: block.Residual(), "ends at a Dense or a Conv"),
        (lambda: block.Residual(block.Pool(None, 2)), "ends at a Dense or a Conv"),
        (lambda: block.Residual(block.Dense(PARAMETERS, 3, 3, count_log=True)), "count_log has no place"),
        (lambda: block.Residual(block.Dense(PARAMETERS, 3, 3), strength=0), "must be a positive integer, not 0"),
        (
            lambda: block.Residual(*[block.Residual(block.Dense(PARAMETERS, 3, 3)).blocks[-1]]),
            "a skip connection already",
        ),
        (lambda: block.Residual(block.Dense(PARAMETERS, 3, 3)).blocks[-1](torch.zeros(1, 3, 2)), "takes two tensors"),
    ],
)
def test_residual_blocks_refuse_what_they_cannot_be(make: object, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        make()  # type: ignore[operator]
