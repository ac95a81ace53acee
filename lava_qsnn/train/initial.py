"""The beginning of a training with the weights of another one's checkpoint, or with a deployed network, from its file.

A file holds integers: signs and small weights, and thresholds. Training needs real weights behind them, and norms. So a
weight of 1 bit gets a random magnitude, up to the one at which its gradient ends, and others are their integers; and a
norm of gain 1 gets the bias b that puts its threshold v where the file has it, midway between theta - 1 and theta:

    b = v - (a (theta - 1/2) - mean) / deviation

with a the real potential of an integer one, and the mean and the deviation of that potential over training samples.
(Gain and mean are negated where the weights of a skip connection are -1: those of a block are 1, and do not learn.)
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import torch
from torch import Tensor, nn

from lava_qsnn.block import Synaptic
from lava_qsnn.errors import ConfigurationError, QsnnError
from lava_qsnn.integer import IntegerNetwork, Layer, MemoryFree, TimedMemoryFree
from lava_qsnn.neuron._norm import BatchNorm
from lava_qsnn.neuron._step_norm import StepNorm
from lava_qsnn.neuron.memory_free import Neuron
from lava_qsnn.quantize import BINARY_WINDOW, fixed_step, largest_level
from lava_qsnn.synapse import Quantized
from lava_qsnn.train.checkpoint import misfit, read_checkpoint
from lava_qsnn.train.data import Properties
from lava_qsnn.train.models import layer_blocks
from lava_qsnn.train.norms import settle_norms
from lava_qsnn.train.target import deployed
from netx_export import load, zoo

if TYPE_CHECKING:
    from lightning.pytorch import LightningDataModule

    from lava_qsnn.train.module import Classifier

#: Batches of training samples over which potentials are measured, and steps towards weights of a given mean.
BATCHES, ROUNDS = 4, 64


def begin(place: str, classifier: Classifier, samples: LightningDataModule) -> None:
    """Give a classifier, right after it was built, what its training begins with.

    Args:
        place: the path of a checkpoint or of a network's file, or `zoo:NAME`.
        classifier: of the training.
        samples: its data, of which a network's file needs some.

    Raises:
        FileNotFoundError, FileFormatError: the file is none, or damaged.
        ConfigurationError, DeploymentError: it is of a network with other layers, or with what these cannot hold.
    """
    path = zoo.located(place).expanduser()
    if not (path.is_file() and h5py.is_hdf5(path)):
        begin_with_checkpoint(path, classifier)
        return
    network = load(path)  # before data are read, which takes longer
    samples.prepare_data()
    samples.setup("fit")
    batches = [batch[0] for batch in islice(samples.train_dataloader(), BATCHES)]
    try:
        begin_with_network(network, classifier.network, classifier.properties, batches)
    except QsnnError as error:
        advice: dict[str, Any] = {"layer": error.layer, "remedy": error.remedy}
        raise type(error)(f"model.initial: '{place}': {error.problem}", **advice) from None


def begin_with_checkpoint(path: str | os.PathLike[str], module: nn.Module) -> None:
    """Give a module the weights of a checkpoint, trained with another configuration.

    A module with spiking layers behind the last one of the checkpoint keeps its own weights there, and in its output.

    Raises:
        FileNotFoundError, FileFormatError: as read_checkpoint.
        ConfigurationError: its network has other layers; the text names the first difference.
    """
    _, weights = read_checkpoint(path)
    weights = _deepened(_for_each_step(weights, module), module.state_dict())
    if difference := misfit(weights, module.state_dict()):
        raise ConfigurationError(
            f"model.initial: '{path}' {difference}",
            remedy="give a checkpoint of a network with the same layers, of the same widths",
        )
    module.load_state_dict(weights)


def _for_each_step(weights: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Weights for a module with norms of each step, where those of a checkpoint are of one norm."""
    for place, norm in module.named_modules():
        if isinstance(norm, StepNorm) and f"{place}.running_mean" in weights:
            adopted = norm.adopted(weights, place)
            others = {name: value for name, value in weights.items() if name.rpartition(".")[0] != place}
            weights = {**others, **adopted}
    return weights


def _deepened(weights: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights for a network that has spiking layers behind the last one of a checkpoint: from there on, its own."""
    last = _last_spiking(weights)
    if last >= _last_spiking(own):
        return weights
    first = {name: value for name, value in weights.items() if _place(name) <= last}
    return {**{name: value for name, value in own.items() if _place(name) > last}, **first}


def _last_spiking(names: Iterable[str]) -> int:
    return max((_place(name) for name in names if ".neuron." in name), default=0)


def _place(name: str) -> int:
    """The block of its network that a tensor is of: 3 for network.3.synapse.weight, 0 for a name without a number."""
    found = re.match(r"network\.(\d{1,6})\.", name)
    return int(found[1]) if found else 0


def begin_with_network(
    network: IntegerNetwork, net: nn.Sequential, given: Properties, batches: Sequence[Tensor]
) -> None:
    """Give a network of blocks the integers of a deployed one, bit for bit: it then folds to the same layers.

    A network with further spiking layers keeps its own weights there, and in its output. See the module.

    Args:
        network: of memory-free neurons.
        net: blocks that are not trained yet, with norms of batches.
        given: the properties of the data.
        batches: training samples (N, *input shape, T).

    Raises:
        ConfigurationError: its layers are others, or blocks of these settings cannot hold its integers.
    """
    pairs = _pairs(network, net)
    for block, layer in pairs:
        _take_weights(block, layer)
    _take_thresholds(net, [(block, layer) for block, layer in pairs if layer.neuron.spikes], batches)
    _refuse_differences(network, net, given, [layer.name for _, layer in pairs])


def _pairs(network: IntegerNetwork, net: nn.Module) -> list[tuple[Any, Layer]]:
    """The blocks that take a deployed network's layers, each with its own; without the output if net is deeper."""
    own = list(layer_blocks(net).items())
    spiking, theirs = sum(block.neuron.spikes for _, block in own), sum(each.neuron.spikes for each in network.layers)
    if spiking < theirs:
        raise ConfigurationError(
            f"it has {theirs} spiking layers, and the network to be trained {spiking}",
            remedy="train a network of as many layers, or a deeper one",
        )
    layers = network.layers if spiking == theirs else [each for each in network.layers if each.neuron.spikes]
    return [(block, layer) for (_, block), layer in zip(own, layers)]


@torch.no_grad()
def _take_weights(block: Synaptic, layer: Layer) -> None:
    """Give the synapses of a block real weights that they quantize to a layer's integers."""
    synapses = _synapses(block)
    if len(synapses) != len(layer.connections):
        raise _misfit(layer, f"joins {len(layer.connections)} connections, and the block {len(synapses)}")
    signs = _signs(block, layer)
    for (synapse, strength), connection in zip(synapses, layer.connections):
        if synapse.learns:
            integers = torch.as_tensor(connection.synapse.weight.astype(np.float64))
            shape = tuple(synapse.weight.shape)
            if tuple(integers.shape) != shape[: integers.dim()] or integers.numel() != synapse.weight.numel():
                raise _misfit(layer, f"has weights {tuple(integers.shape)}, and the block {shape}")
            integers = integers.reshape(shape) / strength * signs.reshape(-1, *[1] * (len(shape) - 1))
            synapse.weight.copy_(real_weights(integers, synapse))


def _synapses(block: Synaptic) -> list[tuple[Any, int]]:
    """The synapses of a block, in the order of a layer's connections, each with what multiplies its integers."""
    return [(block.synapse, 1), *([] if block.skip is None else [(block.skip, block.skip_strength)])]


def _signs(block: Synaptic, layer: Layer) -> Tensor:
    """The signs of the gains, float64 (out,): -1 where weights that cannot learn, all 1 in a block, are negative."""
    signs = torch.ones(layer.connections[0].synapse.weight.shape[0], dtype=torch.float64)
    for (synapse, _), connection in zip(_synapses(block), layer.connections):
        if not synapse.learns:
            sums = connection.synapse.weight.reshape(len(signs), -1).sum(1)
            signs = torch.as_tensor(np.where(sums < 0, -1.0, 1.0))
    return signs


def real_weights(integers: Tensor, synapse: Quantized) -> Tensor:
    """Weights that a synapse quantizes to given integers, if it can; see the module.

    Args:
        integers: float64, shaped like the synapse's weights.
        synapse: whose bits and settings decide.

    Returns:
        float64, of the same shape: other integers, or none at all, may follow from them where the synapse cannot.
    """
    bits = synapse.weight_bits
    if synapse.fixed:
        return integers * fixed_step(integers[0].numel(), bits)
    if bits > 1:
        return _stretched(integers, largest_level(bits), synapse.weight_regulation)
    weight = integers * BINARY_WINDOW * (1 - torch.rand(integers.shape, dtype=torch.float64))
    return _balanced(weight) if synapse.weight_regulation else weight


def _stretched(integers: Tensor, level: int, centred: bool) -> Tensor:
    """Weights that round to given integers in steps of 1: those at the largest level may lie beyond it.

    The step of a channel follows from its largest and its mean magnitude (`channel_step`), and what lies beyond the
    level is clipped to it. If weights are centred, as regulation does, the others are shifted until their mean is 0.
    """
    flat = integers.flatten(1)
    clipped = flat.abs() == level
    beyond, result = torch.zeros(len(flat), 1, dtype=flat.dtype), flat
    for _ in range(ROUNDS if centred else 1):
        lack = math.sqrt(level) / 2 * flat.shape[1] - result.abs().sum(1, keepdim=True)
        beyond = (beyond + lack / clipped.sum(1, keepdim=True).clamp(min=1)).clamp(min=0)
        result = flat + clipped * flat.sign() * beyond
        if centred:
            result = result - ~clipped * result.sum(1, keepdim=True) / (~clipped).sum(1, keepdim=True).clamp(min=1)
    return result.reshape(integers.shape)


def _balanced(weight: Tensor) -> Tensor:
    """Weights whose negative ones are scaled, so that the mean of each output channel is 0, as regulation makes it."""
    flat = weight.flatten(1)
    positive, negative = flat.clamp(min=0).sum(1, keepdim=True), -flat.clamp(max=0).sum(1, keepdim=True)
    ratio = torch.where((positive > 0) & (negative > 0), positive / negative, 1.0)
    return torch.where(flat < 0, flat * ratio, flat).reshape(weight.shape)


@torch.no_grad()
def _take_thresholds(net: nn.Sequential, pairs: Sequence[tuple[Synaptic, Layer]], batches: Sequence[Tensor]) -> None:
    """Give the norms of blocks the biases that put their thresholds where layers have them, one after the other."""
    trained, inputs, done = net.training, list(batches), 0
    net.eval()
    for part in net:
        inside = set(part.modules())
        for block, layer in (pair for pair in pairs if pair[0] in inside):
            settle_norms(part, inputs)
            _take_threshold(block, layer, inputs[0].shape[-1])
            done += 1
        if done == len(pairs):
            break
        inputs = [part(each) for each in inputs]  # the spikes of the deployed layers
    net.train(trained)


def _take_threshold(block: Synaptic, layer: Layer, timesteps: int) -> None:
    """Set the biases of one block's norms, which are settled; errors as begin_with_network."""
    neuron, its = block.neuron, layer.neuron
    if not isinstance(its, (MemoryFree, TimedMemoryFree)) or not isinstance(neuron, Neuron):
        raise _misfit(layer, "or the block has neurons that store a potential, and what these hold is not taken over")
    norms = list(neuron.norm.steps) if isinstance(neuron.norm, StepNorm) else [neuron.norm]
    thresholds = its.thresholds if isinstance(its, TimedMemoryFree) else its.threshold[None]
    if len(norms) != len(thresholds) or not all(isinstance(norm, BatchNorm) for norm in norms):
        raise _misfit(layer, f"has {len(thresholds)} thresholds in time, and the block other norms of batches")
    scale, signs = torch.as_tensor(block.integer_parameters(timesteps).scale).abs(), _signs(block, layer)
    for norm, theta in zip(norms, torch.as_tensor(thresholds.astype(np.float64))):
        deviation = (norm.running_var.double() + norm.eps).sqrt()
        norm.weight.copy_(signs)
        norm.bias.copy_(neuron.threshold - (scale * (theta - 0.5) - signs * norm.running_mean) / deviation)


def _refuse_differences(network: IntegerNetwork, net: nn.Module, given: Properties, names: Sequence[str]) -> None:
    """Raise ConfigurationError unless a network of blocks folds to these layers of a deployed one."""
    folded = deployed(net, given)
    if folded.input != network.input:
        raise ConfigurationError(
            f"it takes {network.input}, and the data give {folded.input}", remedy="train on data of the same encoding"
        )
    for mine, name in zip(folded.layers, names):
        its = network.layer(name)
        if mine.connections != its.connections:
            raise _misfit(its, "has weights or poolings that the block cannot hold: other bits, or regulated weights")
        if mine.neuron != its.neuron:
            raise _misfit(its, f"has {its.neuron.kind} neurons that the block's settings do not give")


def _misfit(layer: Layer, problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"its layer {problem}",
        layer=layer.name,
        remedy="give the network the layers, bits and neurons that the file has, or begin with a checkpoint",
    )
