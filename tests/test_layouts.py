"""The layout of a tensor in memory never matters: each view of the same numbers gets the same answers and gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import netx_export
from lava_qsnn import _slayer, integer, synapse
from lava_qsnn.block import memory_free, quantized_lif
from lava_qsnn.block import memory_free as block
from lava_qsnn.errors import InputError
from lava_qsnn.frames import from_frames, is_channels_last, to_frames
from lava_qsnn.neuron import memory_free as neuron
from lava_qsnn.neuron._history import filtered
from tests.helpers import oracle

quick = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])

#: Views of (N, .., T) with the same numbers, by how they lie in memory.
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "axes in order": lambda x: x.contiguous(),
    "axes reversed": lambda x: x.permute(*reversed(range(x.dim()))).contiguous().permute(*reversed(range(x.dim()))),
    "time first": lambda x: x.movedim(-1, 0).contiguous().movedim(0, -1),
    "frames": lambda x: x.movedim(-1, 1).contiguous().movedim(1, -1),
    "channels last": lambda x: x.movedim((-1, 1), (1, -1)).contiguous().movedim((1, -1), (-1, 1)),
    "channels first of all": lambda x: x.movedim(1, 0).contiguous().movedim(0, 1),
    "every second of more": lambda x: torch.stack([x, x + 1], -1).flatten(-2)[..., ::2],
    "a slice of a wider batch": lambda x: torch.cat([x + 1, x], 1)[:, x.shape[1] :],
}


def numbers(shape: tuple[int, ...], seed: int, repeats: str) -> Tensor:
    """Integers (N, .., T) from 0 to 3, the same at all steps, of all samples, or neither."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 4, shape, generator=random).float()
    if repeats == "a still image":
        x = x[..., :1].expand(shape)
    return x[:1].expand(shape) if repeats == "one sample" else x


def views(x: Tensor) -> dict[str, Tensor]:
    """The same numbers, laid out in every way; as they come, too, as an expanded view."""
    return {"as it comes": x, **{name: lay(x) for name, lay in LAYOUTS.items()}}


@st.composite
def inputs(draw: st.DrawFn, spatial: bool) -> Tensor:
    sizes = [draw(st.integers(1, 3)), 2, *([draw(st.integers(3, 5)), draw(st.integers(3, 4))] if spatial else [])]
    repeats = draw(st.sampled_from(["nothing", "a still image", "one sample"]))
    return numbers((*sizes, draw(st.sampled_from([1, 2, 5, 70]))), draw(st.integers(0, 2**31)), repeats)


SLAYERS = {"slayer's mean": _slayer.MeanOnlyBatchNorm, "slayer's scale": _slayer.WgtScaleBatchNorm}
NORMS: dict[str, Any] = {"none": None, "batch": "batch", **(SLAYERS if _slayer.slayer is not None else {})}


@st.composite
def layers(draw: st.DrawFn, spatial: bool) -> nn.Module:
    torch.manual_seed(draw(st.integers(0, 2**31)))
    family = draw(st.sampled_from([memory_free, quantized_lif]))
    parameters: dict[str, Any] = {"threshold": 0.3}
    if family is memory_free:
        taps, norm = draw(st.sampled_from(["shift", "geometric", "learned"])), draw(st.sampled_from(list(NORMS)))
        parameters |= {"history": draw(st.integers(1, 5)), "taps": taps, "norm": NORMS[norm]}
    if not spatial:
        return draw(
            st.sampled_from([family.Dense(parameters, 2, 5), family.Output(2, 3), family.Input({"threshold": 1})])
        )
    kinds = [
        family.Conv(parameters, 2, 5, 2),
        family.Conv(parameters, 2, 1, (2, 1), stride=2, padding=1),
        family.Pool({**parameters, "norm": None}, 2),
        family.Pool(None, 2, dilation=(1, 2)),
        family.Input({**parameters, "norm": None}),
        family.Residual(family.Conv(parameters, 2, 2, 3, padding=1)),
        family.Flatten(),
    ]
    return draw(st.sampled_from(kinds))


def answers(layer: nn.Module, x: Tensor, training: bool) -> tuple[Tensor, ...]:
    """Output, and in training the gradients by the input and all parameters; the layer itself stays as it is."""
    layer = copy.deepcopy(layer)
    leaf = x.detach().requires_grad_(training)
    y = layer.train(training)(leaf)
    found = [y.detach()]
    if training:
        upstream = torch.linspace(-1, 1, y.numel()).reshape(y.shape)
        (y * upstream).sum().backward()
        found += [leaf.grad, *(p.grad for p in layer.parameters() if p.grad is not None)]
    return tuple(found)


@quick
@given(st.data(), st.booleans(), st.booleans())
def test_every_view_of_an_input_gets_the_same_answer(data: st.DataObject, spatial: bool, training: bool) -> None:
    layer, x = data.draw(layers(spatial)), data.draw(inputs(spatial))
    expected = answers(layer, x.clone(memory_format=torch.contiguous_format), training)
    for name, view in views(x).items():
        assert torch.equal(view, x)
        for one, other in zip(expected, answers(layer, view, training)):
            assert torch.allclose(one, other, rtol=1e-4, atol=1e-4), name


@quick
@given(inputs(spatial=True), st.integers(1, 5), st.booleans())
def test_the_history_filter_is_its_equation_for_every_layout(x: Tensor, history: int, adjoint: bool) -> None:
    taps, (steps, frames) = torch.arange(history, 0, -1).float()[: x.shape[-1]], (x.shape[-1], to_frames(x)[0])
    expected = torch.zeros_like(x, memory_format=torch.contiguous_format)
    for k, tap in enumerate(taps):
        early, late = x[..., : steps - k], x[..., k:]
        (expected[..., : steps - k] if adjoint else expected[..., k:]).add_(tap * (late if adjoint else early))
    for view in views(frames).values():
        assert torch.equal(from_frames(filtered(view, steps, taps, adjoint), steps), expected)
        for out in views(torch.full_like(frames, torch.nan)).values():
            result = filtered(view, steps, taps, adjoint, out=out if out._is_view() else out.clone())
            assert torch.equal(from_frames(result, steps), expected)


def test_frames_of_blocks_are_views_and_others_are_laid_out() -> None:
    y = block.Conv({"threshold": 0.1}, 2, 4, 3)(numbers((2, 2, 6, 6, 5), 0, "nothing"))
    assert to_frames(y)[0].data_ptr() == y.data_ptr()
    for view in views(numbers((1, 3, 4, 5, 6), 0, "a still image")).values():
        frames = to_frames(view)[0]
        assert frames.is_contiguous() or is_channels_last(frames)


@pytest.mark.parametrize("samples", [1, 2])
def test_still_images_of_any_batch_are_what_the_oracle_says(samples: int) -> None:
    torch.manual_seed(0)
    parameters = {"threshold": 0.5, "history": 4, "norm": None}
    net = nn.Sequential(block.Conv(parameters, 3, 8, 3), block.Flatten(), block.Output(8 * 36, 10)).eval()
    network = netx_export.export(net, None, (3, 8, 8), 4)
    x = numbers((samples, 3, 8, 8, 4), 3, "a still image").clamp(max=1)
    expected = np.array([oracle.run(network, sample)["conv1"] for sample in x.numpy().astype(int)])
    assert 0.05 < expected.mean() < 0.9
    assert np.array_equal(net[0](x).numpy(), expected)
    assert np.array_equal(net[0].train()(x).detach().numpy(), expected)


@pytest.mark.lava
@pytest.mark.parametrize("norm", SLAYERS)
def test_slayers_norms_train_on_maps(norm: str) -> None:
    torch.manual_seed(0)
    layer = block.Conv({"threshold": 0.3, "norm": NORMS[norm]}, 2, 4, 3)
    y = layer(numbers((3, 2, 6, 6, 5), 0, "nothing"))
    y.sum().backward()
    assert 0.05 < y.mean() < 0.95
    assert layer.synapse.weight.grad.abs().sum() > 0
    assert layer.neuron.norm.running_mean.abs().sum() > 0


def test_a_neuron_alone_takes_any_view_of_its_currents() -> None:
    alone = neuron.Neuron(2.0, history=3)
    x = numbers((1, 2, 3, 4, 6), 0, "a still image")
    expected = alone(x.contiguous())
    assert 0 < expected.mean() < 1
    assert all(torch.equal(alone(view), expected) for view in views(x).values())


@quick
@given(st.data(), st.booleans())
def test_networks_that_begin_with_pooling_or_flatten_are_exact(data: st.DataObject, autocast: bool) -> None:
    """Poolings of every geometry, inputs of every layout, samples shorter than T, autocast on and off."""
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    geometry = {name: data.draw(pair, label=name) for name in ("kernel_size", "stride", "dilation")}
    geometry["padding"] = data.draw(st.tuples(st.integers(0, 4), st.integers(0, 4)), label="padding")
    torch.manual_seed(data.draw(st.integers(0, 2**31)))
    shape, parameters = (2, 8, 7), {"threshold": 0.2, "history": 3}
    first: list[nn.Module] = [block.Pool(None, **geometry)] if data.draw(st.booleans(), label="pooled") else []
    size = nn.Sequential(*first, block.Flatten()).eval()(torch.zeros(1, *shape, 1)).shape[1]
    net = nn.Sequential(
        *first, block.Flatten(), block.Dense(parameters, size, 6, weight_bits=8), block.Output(6, 3)
    ).eval()
    network = netx_export.fold(net, shape, timesteps=4, input_bits=8)
    x = numbers((2, *shape, data.draw(st.integers(1, 4), label="steps")), size, "nothing").mul_(85)
    expected = integer.run_reference(network, x.numpy().astype(np.int64))
    scale = np.float32(net[-1].integer_parameters(4).scale[0])
    for view in views(x).values():
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast), torch.no_grad():
            spikes = net[:-1](view)
            potentials = net[-1](spikes)
        assert np.array_equal(spikes.numpy(), expected["dense1"])
        assert np.array_equal(potentials.numpy() / scale, expected["output"])


def test_a_dilated_pooling_keeps_its_sums_under_autocast() -> None:
    x = numbers((2, 3, 9, 9, 4), 0, "nothing").mul_(85)
    for pool in (block.Pool(None, 3, dilation=2), block.Pool(None, 3, 1, padding=2), block.Pool(None, 3)):
        expected = pool(x)
        assert expected.max() > 256, "beyond what 16 bits hold"
        for training in (True, False):
            with torch.autocast("cpu", torch.bfloat16):
                assert torch.equal(pool.train(training)(x), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_potentials_are_not_rounded_to_the_precision_of_the_input(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        block.Dense({"threshold": 0.3, "history": 4}, 50, 400), block.Output(400, 5, neuron_params={"history": 4})
    ).eval()
    x = torch.randint(0, 16, (32, 50, 4)).float()
    assert torch.equal(net(x.to(dtype)).double(), net(x).double())
    assert net(x).abs().max() > 0
    maps = torch.randint(0, 256, (2, 1, 6, 6, 3)).float()
    assert torch.equal(block.Pool(None, 6).eval()(maps.bfloat16()), block.Pool(None, 6).eval()(maps))
    trained = net.train()(x.to(dtype)) if dtype != torch.float64 else None
    assert trained is None or trained.dtype == torch.float32


def test_a_residual_without_a_fitting_shortcut_says_what_is_missing() -> None:
    net = block.Residual(block.Conv({"threshold": 0.3}, 2, 4, 3), shortcut=synapse.Conv(2, 4, 1))
    for training in (True, False):
        with pytest.raises(InputError, match="shape .4, 3, 3., its skip .4, 5, 5."):
            net.train(training)(numbers((1, 2, 5, 5, 2), 0, "nothing"))
