"""Networks as lists of layers: what the texts mean, what they build, and how wrong ones read."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from lava_qsnn.block import memory_free
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.train.config import Model, from_dict, load_config, to_yaml
from lava_qsnn.train.data import Properties
from lava_qsnn.train.layers import LayerText, parse_layer
from lava_qsnn.train.models import build

GIVEN = Properties((2, 13, 11), 4, 3, 5)


def layer_of(kind: str, number: int, kernel: int, stride: int) -> tuple[str, LayerText]:
    if kind == "conv":
        return f"conv {number}  stride {stride} kernel {kernel}", LayerText("conv", number, kernel, stride)
    return f" {kind} {number}", LayerText(kind, number)  # type: ignore[arg-type]


written = st.builds(
    layer_of,
    st.sampled_from(["conv", "pool", "dense"]),
    st.integers(1, 2**16),
    st.sampled_from([1, 3, 5, 7]),
    st.integers(1, 4),
)


def small(pair: tuple[str, LayerText]) -> tuple[str, LayerText]:
    """The same kind of layer with few channels."""
    layer = pair[1]
    return layer_of(layer.kind, layer.number % 7 + 1, layer.kernel, layer.stride)


@given(written)
def test_a_text_says_what_the_layer_is(pair: tuple[str, LayerText]) -> None:
    text, layer = pair
    assert parse_layer(text) == layer


@settings(max_examples=20)
@given(st.lists(written, max_size=6))
def test_layers_survive_a_file(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, LayerText]]) -> None:
    path = tmp_path_factory.mktemp("layers") / "config.yaml"
    config = from_dict({"model": {"name": "layers", "layers": [text for text, _ in pairs]}})
    path.write_text(to_yaml(config), "utf-8")
    assert [parse_layer(text) for text in load_config(path).model.layers] == [layer for _, layer in pairs]


def test_the_layers_are_built_in_their_order_with_an_output() -> None:
    texts = ("conv 6 kernel 5 stride 2", "pool 2", "conv 8", "dense 16", "dense 12")
    net = build(Model(name="layers", layers=texts, first_bits=4), GIVEN)
    kinds = [type(block) for block in net]
    m = memory_free
    assert kinds == [m.Conv, m.Pool, m.Conv, m.Flatten, m.Dense, m.Dense, m.Output]
    assert [block.synapse.weight_bits for block in net if hasattr(block, "synapse") and block.neuron] == [4, 1, 1, 1, 8]
    spikes = torch.randint(0, 16, (3, 2, 13, 11, 3)).float()
    shapes = []
    for block in net:
        spikes = block(spikes)
        shapes.append(tuple(spikes.shape[1:-1]))
    assert shapes == [(6, 7, 6), (6, 3, 3), (8, 3, 3), (72,), (16,), (12,), (5,)]


@settings(max_examples=30)
@given(st.lists(written.map(small), min_size=1, max_size=4))
def test_shapes_are_those_of_what_is_built(pairs: list[tuple[str, LayerText]]) -> None:
    """Shapes are by the texts what they are by torch; and what the texts refuse does not fit."""
    model = Model(name="layers", layers=tuple(text for text, _ in pairs))
    shape: tuple[int, ...] = GIVEN.input_shape
    try:
        for text in model.layers:
            shape = parse_layer(text).output_shape(shape)
    except ConfigurationError:
        with pytest.raises(ConfigurationError, match=r"takes maps|does not fit"):
            build(model, GIVEN)
        return
    net = build(model, GIVEN)
    assert net[-1].synapse.weight[0].numel() == math.prod(shape)
    assert net(torch.ones(2, 2, 13, 11, 3)).shape == (2, 5, 3)


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ("conv 3", "model.layers must be a list of layers such as conv 64, not 'conv 3'"),
        ([3], "model.layers must be a list of layers"),
        (["conf 3"], "model.layers: the layer 'conf 3' has no 'conf'. Remedy: did you mean 'conv'?"),
        ([""], "has no ''. Remedy: choose one of conv, pool, dense"),
        (["conv"], "does not consist of names with a number from 1 to 65536 each"),
        (["conv 0"], "does not consist of names with a number"),
        (["conv 1.5"], "does not consist of names with a number"),
        (["conv 8 kernel"], "does not consist of names with a number"),
        (["conv 8 kernle 3"], "has no 'kernle'. Remedy: did you mean 'kernel'?"),
        (["dense 8 stride 3"], "the layer 'dense 8 stride 3' has no 'stride'. Remedy: leave it out"),
        (["conv 8 kernel 4"], "has an even kernel. Remedy: use 1, 3, 5 or 7"),
        (["dense 8"] * 257, "model.layers must have at most 256 entries, not 257"),
    ],
)
def test_wrong_lists_are_named(layers: Any, text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        from_dict({"model": {"name": "layers", "layers": layers}})
    assert text in str(error.value)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (Model(name="layers"), "model.layers says what 'layers' consists of"),
        (Model(name="layers", layers=("conv 3",), channels=(4,)), "model.layers says what"),
        (Model(name="layers", layers=("dense 3", "conv 4")), "'conv' takes maps"),
        (Model(name="layers", layers=("conv 4", "pool 16")), "a 'pool 16' does not fit maps of 13 x 11"),
        (Model(name="cnn", layers=("conv 4",), channels=(3,)), "model.layers has no meaning for 'cnn'"),
    ],
)
def test_layers_that_do_not_fit_say_so(model: Model, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        build(model, GIVEN)


def test_without_spiking_layers_it_is_the_output_alone() -> None:
    net = build(Model(name="layers", layers=("pool 2",)), GIVEN)
    assert [type(block) for block in net] == [memory_free.Pool, memory_free.Flatten, memory_free.Output]
    assert isinstance(net, nn.Sequential)
