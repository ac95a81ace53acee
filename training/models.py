"""Models: configurations to networks of lava_qsnn blocks, and their twins with real weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from torch import Tensor, nn

from lava_qsnn.block import memory_free
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.frames import from_frames, to_frames
from lava_qsnn.neuron.memory_free import Neuron, filter_history
from training.config import Model
from training.data import Properties


def build(model: Model, properties: Properties) -> nn.Sequential:
    """The network of a configuration; its initial weights follow torch's seed.

    Args:
        model: the configuration's part.
        properties: of the data, for the first and the last layer.

    Returns:
        Blocks that take (N, *input shape, T) to potentials (N, classes, T).

    Raises:
        ConfigurationError: there is no such model, or it does not fit the data.
    """
    if model.name not in MODELS:
        raise ConfigurationError(
            f"model.name: there is no model '{model.name}'", remedy=f"choose one of {', '.join(MODELS)}"
        )
    net = nn.Sequential(*MODELS[model.name](model, properties))
    return float_twin(net) if model.float_weights else net


def float_twin(net: nn.Sequential) -> nn.Sequential:
    """The same network with the real weights that `net` quantizes, in training and in evaluation: copies of its blocks.

    It shows what quantization costs in accuracy. It is not deployable: netx_export.export refuses it.
    """
    return nn.Sequential(*(RealWeights(block) if _has_weights(block) else copy.deepcopy(block) for block in net))


def spiking_blocks(net: nn.Sequential) -> dict[str, nn.Module]:
    """The blocks that spike, by the names that their layers have when deployed: dense1, conv2, .."""
    names: dict[str, nn.Module] = {}
    layers = [block for block in net if getattr(block, "neuron", None) is not None]
    for number, block in enumerate(layers, start=1):
        if isinstance(block.neuron, Neuron):
            kind = type(block.block if isinstance(block, RealWeights) else block)
            names[f"{kind.__name__.lower()}{number}"] = block
    return names


class RealWeights(nn.Module):
    """A block with its real weights, in training and evaluation alike: (N, C, [H, W,] T) to the block's own shape.

    Args:
        block: a Dense, Conv or Output block; it is copied.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = copy.deepcopy(block)

    @property
    def neuron(self) -> nn.Module:
        """The block's neuron."""
        return self.block.neuron

    def forward(self, x: Tensor) -> Tensor:
        frames, timesteps = to_frames(x)
        synapse, neuron = self.block.synapse, self.block.neuron
        potential = filter_history(synapse.current(frames, synapse.weight), timesteps, neuron.taps())
        if isinstance(neuron, Neuron):
            potential = neuron.activate(potential, timesteps)
        return from_frames(potential, timesteps)


def _has_weights(block: nn.Module) -> bool:
    return isinstance(block, (memory_free.Dense, memory_free.Conv, memory_free.Output))


def _mlp(model: Model, properties: Properties) -> list[nn.Module]:
    """[Flatten,] Dense, .., Output."""
    if model.channels:
        raise ConfigurationError("model.channels has no meaning for 'mlp'", remedy="use model.hidden")
    flatten = [memory_free.Flatten()] if len(properties.input_shape) == 3 else []
    size = 1
    for length in properties.input_shape:
        size *= length
    return flatten + _dense_layers(model, size, properties.classes)


def _cnn(model: Model, properties: Properties) -> list[nn.Module]:
    """(Conv of 3 x 3, Pool of 2 x 2), .., Flatten, Dense, .., Output."""
    if len(properties.input_shape) != 3:
        raise ConfigurationError("model.name: 'cnn' takes images", remedy="set data.flatten to false")
    channels, height, width = properties.input_shape
    if not model.channels or min(height, width) >> len(model.channels) == 0:
        raise ConfigurationError(
            f"model.channels has {len(model.channels)} entries, and each halves images of {height} x {width} pixels",
            remedy=f"give 1 to {min(height, width).bit_length() - 1} numbers of channels",
        )
    layers: list[nn.Module] = []
    for width_out in model.channels:
        layers.append(
            memory_free.Conv(_neuron(model), channels, width_out, 3, padding=1, weight_bits=model.weight_bits)
        )
        layers.append(memory_free.Pool(None, 2))
        channels, height, width = width_out, height // 2, width // 2
    return [*layers, memory_free.Flatten(), *_dense_layers(model, channels * height * width, properties.classes)]


def _dense_layers(model: Model, size: int, classes: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for width in model.hidden:
        layers.append(memory_free.Dense(_neuron(model), size, width, weight_bits=model.weight_bits))
        size = width
    return [*layers, memory_free.Output(size, classes, weight_bits=model.output_bits)]


def _neuron(model: Model) -> dict[str, Any]:
    return asdict(model.neuron)


#: The table of models. A new one is one more row: a function of the configuration's part and the data's properties.
MODELS: dict[str, Callable[[Model, Properties], list[nn.Module]]] = {"mlp": _mlp, "cnn": _cnn}
