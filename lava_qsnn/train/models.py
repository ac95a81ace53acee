"""Models: configurations to networks of lava_qsnn blocks, and their baselines with real weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

from lava_qsnn import block as families
from lava_qsnn import synapse
from lava_qsnn.block import Synaptic, memory_free
from lava_qsnn.checked import unknown_choice
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.extras import extra
from lava_qsnn.train.config import Model
from lava_qsnn.train.data import Properties
from lava_qsnn.train.layers import parse_layer
from lava_qsnn.train.rectified import Rectified

with extra("train"):
    from torch import nn


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
        raise unknown_choice("model.name", model.name, MODELS)
    if model.layers and model.name not in LISTED:
        raise ConfigurationError(f"model.layers has no meaning for '{model.name}'", remedy="set model.name to layers")
    steps = getattr(model.neuron, "step_norms", 0)
    if steps not in (0, properties.timesteps):
        raise ConfigurationError(
            f"model.neuron.step_norms is {steps}, and the data have {properties.timesteps} time steps",
            remedy="make them equal, or step_norms 0",
        )
    net = nn.Sequential(*MODELS[model.name](_Parts(model), properties))
    return float_baseline(net) if model.float_weights else net


def float_baseline(net: nn.Sequential) -> nn.Sequential:
    """A copy of a network that computes with the real weights that `net` quantizes, in training and in evaluation.

    Regulated weights are standardized in it, too. It shows what quantizing the weights costs in accuracy, and is not
    deployable: netx_export.export refuses it.

    Raises:
        ConfigurationError: its neurons quantize their potential in units of integer weights.
    """
    baseline = copy.deepcopy(net)
    for block in baseline.modules():
        if isinstance(block, Synaptic):
            if block.neuron is not None and block.neuron.needs_integers:
                raise ConfigurationError(
                    "real weights have no integer currents, which a quantized potential needs",
                    remedy="set model.neuron.family to lif or tanh_lif",
                )
            block.real_weights = True
    return baseline


def layer_blocks(net: nn.Module) -> dict[str, nn.Module]:
    """The blocks that become layers, by the names that these have when deployed: dense1, conv2, .., output."""
    layers = [block for block in net.modules() if isinstance(block, Synaptic) and block.neuron is not None]
    return {_name(block, number): block for number, block in enumerate(layers, start=1)}


def spiking_blocks(net: nn.Module) -> dict[str, nn.Module]:
    """Those of the layer_blocks that spike."""
    return {name: block for name, block in layer_blocks(net).items() if not isinstance(block, memory_free.Output)}


def _name(block: nn.Module, number: int) -> str:
    return "output" if isinstance(block, memory_free.Output) else f"{type(block).__name__.lower()}{number}"


class _Parts:
    """Makes the blocks of a configuration: its family of neurons, its bits; the first one may have bits of its own."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.family: ModuleType = getattr(families, model.neuron.family)
        self.neuron = model.neuron
        self._first = True

    def conv(self, source: int, target: int, stride: int = 1, kernel: int = 3) -> nn.Module:
        """Padded so that stride 1 keeps the size."""
        block: nn.Module = self.family.Conv(
            self.neuron, source, target, kernel, stride=stride, padding=kernel // 2, **self._options(self._bits())
        )
        return block

    def residual(self, source: int, target: int, stride: int) -> nn.Module:
        """Two convolutions and a shortcut: one to one, or a convolution of 1 x 1 where shapes change."""
        first, second = self.conv(source, target, stride), self.conv(target, target)
        shortcut = None
        if source != target or stride != 1:
            shortcut = synapse.Conv(source, target, 1, stride=stride, **self._options(self.model.weight_bits))
        block: nn.Module = self.family.Residual(first, second, shortcut=shortcut)
        return block

    def dense(self, size: int, classes: int) -> list[nn.Module]:
        """The hidden dense layers and the output."""
        layers: list[nn.Module] = []
        for width in self.model.hidden:
            layers.append(self.hidden(size, width))
            size = width
        return [*layers, self.output(size, classes)]

    def hidden(self, size: int, width: int) -> nn.Module:
        """A dense layer that spikes."""
        block: nn.Module = self.family.Dense(self.neuron, size, width, **self._options(self._bits()))
        return block

    def output(self, size: int, classes: int) -> nn.Module:
        """The layer that does not spike."""
        block: nn.Module = self.family.Output(size, classes, weight_bits=self.model.output_bits)
        return block

    def _bits(self) -> int:
        first, self._first = self._first, False
        return self.model.first_bits or self.model.weight_bits if first else self.model.weight_bits

    def _options(self, bits: int) -> dict[str, Any]:
        return {"weight_bits": bits, "weight_regulation": self.model.weight_regulation}


def _mlp(parts: _Parts, properties: Properties) -> list[nn.Module]:
    """[Flatten,] Dense, .., Output."""
    if parts.model.channels:
        raise ConfigurationError("model.channels has no meaning for 'mlp'", remedy="use model.hidden")
    return [*_flatten(properties.input_shape), *parts.dense(math.prod(properties.input_shape), properties.outputs)]


def _cnn(parts: _Parts, properties: Properties) -> list[nn.Module]:
    """(Conv, Pool of 2 x 2), .., Flatten, Dense, .., Output."""
    return _convolutional(parts, properties, convolutions=1)


def _vgg(parts: _Parts, properties: Properties) -> list[nn.Module]:
    """(Conv, Conv, Pool of 2 x 2), .., Flatten, Dense, .., Output; VGGSNN of the DVS literature is of this kind."""
    return _convolutional(parts, properties, convolutions=2)


def _convolutional(parts: _Parts, properties: Properties, convolutions: int) -> list[nn.Module]:
    channels, height, width = _image(parts.model, properties)
    layers: list[nn.Module] = []
    for width_out in parts.model.channels:
        for _ in range(convolutions):
            layers.append(parts.conv(channels, width_out))
            channels = width_out
        layers.append(memory_free.Pool(None, 2))
        height, width = height // 2, width // 2
    return [*layers, memory_free.Flatten(), *parts.dense(channels * height * width, properties.outputs)]


def _resnet(parts: _Parts, properties: Properties) -> list[nn.Module]:
    """Conv, [Pool of 2 x 2,] (Residual, ..), .., Pool over what is left, Flatten, Dense, .., Output.

    Each stage but the first halves the size; before them, the stem makes large images 2 or 4 times smaller. Channels
    [128, 256, 512] with blocks [3, 3, 2] and hidden [256] make ResNet-19, as the literature of spiking networks has it.
    """
    model = parts.model
    channels, height, width = _image(model, properties)
    if len(model.blocks) != len(model.channels):
        raise ConfigurationError(
            f"model.blocks has {len(model.blocks)} entries, model.channels {len(model.channels)}",
            remedy="give the number of residual blocks for each stage",
        )
    layers = [parts.conv(channels, model.channels[0], stride=min(2, model.stem))]
    channels = model.channels[0]
    height, width = (math.ceil(side / min(2, model.stem)) for side in (height, width))
    if model.stem == 4:
        layers.append(memory_free.Pool(None, 2))
        height, width = height // 2, width // 2
    for stage, (width_out, count) in enumerate(zip(model.channels, model.blocks)):
        for index in range(count):
            stride = 2 if stage and not index else 1
            layers.append(parts.residual(channels, width_out, stride))
            channels, height, width = width_out, math.ceil(height / stride), math.ceil(width / stride)
    pool = memory_free.Pool(None, (height, width))
    return [*layers, pool, memory_free.Flatten(), *parts.dense(channels, properties.outputs)]


def _layers(parts: _Parts, properties: Properties) -> list[nn.Module]:
    """The layers of model.layers, a Flatten before the first dense one, then Output."""
    model, shape = parts.model, properties.input_shape
    _check_listed(model)
    result: list[nn.Module] = []
    for text in map(parse_layer, model.layers):
        after = text.output_shape(shape)
        if text.kind == "pool":
            result.append(memory_free.Pool(None, text.number))
        elif text.kind == "conv":
            result.append(parts.conv(shape[0], text.number, text.stride, text.kernel))
        else:
            result += [*_flatten(shape), parts.hidden(math.prod(shape), text.number)]
        shape = after
    return [*result, *_flatten(shape), parts.output(math.prod(shape), properties.outputs)]


def _rectified(parts: _Parts, properties: Properties) -> list[nn.Module]:
    """The layers of model.layers with real weights and rectified linear units in place of spikes: a teacher."""
    _check_listed(parts.model)
    return [Rectified(parts.model.layers, properties.input_shape, properties.input_bits, properties.outputs)]


def _check_listed(model: Model) -> None:
    if model.channels or not model.layers:
        raise ConfigurationError(
            f"model.layers says what '{model.name}' consists of", remedy="list them, without channels"
        )


def _flatten(shape: tuple[int, ...]) -> list[nn.Module]:
    return [memory_free.Flatten()] if len(shape) == 3 else []


def _image(model: Model, properties: Properties) -> tuple[int, int, int]:
    """Channels, height and width of the data, checked against the stages of a model, which halve them."""
    if len(properties.input_shape) != 3:
        raise ConfigurationError(f"model.name: '{model.name}' takes images", remedy="set data.flatten to false")
    channels, height, width = properties.input_shape
    if not model.channels or min(height, width) >> len(model.channels) == 0:
        raise ConfigurationError(
            f"model.channels has {len(model.channels)} entries, and each halves images of {height} x {width} pixels",
            remedy=f"give 1 to {min(height, width).bit_length() - 1} numbers of channels",
        )
    return channels, height, width


#: The table of models. A new one is one more row: a function of the parts to build from and the data's properties.
MODELS: dict[str, Callable[[_Parts, Properties], list[nn.Module]]] = {
    "mlp": _mlp,
    "cnn": _cnn,
    "vgg": _vgg,
    "resnet": _resnet,
    "layers": _layers,
    "rectified": _rectified,
}

#: The models that model.layers is for.
LISTED = ("layers", "rectified")
