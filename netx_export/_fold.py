"""Torch to IntegerNetwork: the only place that reads trained blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from torch import nn

from lava_qsnn.block.memory_free import Flatten, Input, Pool, Synaptic
from lava_qsnn.block.memory_free import Output as OutputBlock
from lava_qsnn.errors import ConfigurationError, DeploymentError
from lava_qsnn.integer import (
    INPUT,
    Connection,
    Conv,
    IntegerNetwork,
    Layer,
    MemoryFree,
    Shape,
    potentials_exact_in_float32,
    refuse_violations,
)
from lava_qsnn.integer import Input as IntegerInput
from netx_export._pooling import merge

Block = nn.Module


def fold(net: nn.Module, input_shape: tuple[int, ...], timesteps: int, input_bits: int = 1) -> IntegerNetwork:
    """Fold a trained network into integers, for samples of T steps.

    Norms and weight scales vanish into integer thresholds, poolings merge into the synapses after them.

    Args:
        net: blocks in the order of their data flow: a Sequential (also nested), a ModuleList, or a module that keeps
            them in an attribute `blocks`, as slayer's networks do.
        input_shape: (C,) or (C, H, W), one time step of one sample.
        timesteps: T.
        input_bits: the input holds integers from 0 to 2^input_bits - 1, 1 to 24 bits.

    Raises:
        DeploymentError: a module has no integer form; the text names it.
        RangeError: potentials could exceed 2^24, up to which torch is exact.
    """
    if isinstance(input_bits, bool) or not isinstance(input_bits, int) or not 1 <= input_bits <= 24:
        raise ConfigurationError(f"input_bits must be an integer from 1 to 24, not {input_bits!r}")
    chain = _Chain(IntegerInput(tuple(input_shape), 2**input_bits - 1), timesteps)
    for block in blocks(net):
        chain.add(block)
    network = chain.network()
    refuse_violations(network, [potentials_exact_in_float32], "any backend")
    return network


def blocks(net: nn.Module) -> Iterator[Block]:
    """The blocks of a network in the order of their data flow; DeploymentError for anything else inside.

    Modules that do nothing in evaluation (Identity, Dropout) are passed over.
    """
    if isinstance(net, (Synaptic, Flatten)):
        yield net
    elif isinstance(net, (nn.Sequential, nn.ModuleList)):
        for child in net:
            yield from blocks(child)
    elif isinstance(getattr(net, "blocks", None), (nn.Sequential, nn.ModuleList)):
        yield from blocks(net.blocks)
    elif not isinstance(net, (nn.Identity, nn.modules.dropout._DropoutNd)):
        raise DeploymentError(
            f"{type(net).__module__}.{type(net).__name__} has no integer form",
            remedy="build the network of lava_qsnn blocks, in a Sequential or in an attribute `blocks`",
        )


def spiking_blocks(net: nn.Module) -> list[Synaptic]:
    """The blocks that become layers, in the order of `IntegerNetwork.layers`."""
    return [block for block in blocks(net) if isinstance(block, Synaptic) and block.neuron is not None]


@dataclass
class _Chain:
    """A network in the making: the layers so far, and a pooling that waits for the synapse after it."""

    input: IntegerInput
    timesteps: int
    layers: list[Layer] = field(default_factory=list)
    pooling: Conv | None = None
    flat: bool = False

    def add(self, block: Block) -> None:
        name = f"{type(block).__name__.lower()}{len(self.layers) + 1}"
        try:
            self._add(block, name)
        except DeploymentError as error:
            raise DeploymentError(error.problem, layer=error.layer or name, remedy=error.remedy) from None

    def network(self) -> IntegerNetwork:
        if self.pooling is not None:
            raise DeploymentError("a pooling at the end has no layer to merge into", remedy="give it neuron_params")
        if not self.layers:
            raise DeploymentError("there is no layer in the network", remedy="add a Dense, Conv or Output block")
        return _canonical(IntegerNetwork(self.input, self.timesteps, tuple(self.layers)))

    def _add(self, block: Block, name: str) -> None:
        if self.layers and not isinstance(self.layers[-1].neuron, MemoryFree):
            raise DeploymentError("nothing can follow the Output", remedy="make it the last block")
        if isinstance(block, Flatten):
            self.flat = True
        elif isinstance(block, Input) and (self.layers or self.pooling or self.flat):
            raise DeploymentError("an Input can only be the first block", remedy="remove it")
        elif isinstance(block, Synaptic) and block.neuron is not None:
            self._add_layer(block, name)
        elif isinstance(block, Pool):
            self._add_pooling(block)
        elif block.delay_shift:
            raise DeploymentError("delay_shift is a training option", remedy="build it with delay_shift=False")

    def _add_layer(self, block: Synaptic, name: str) -> None:
        deployed = block.integer_parameters(self.timesteps)
        source = self.source_shape
        synapse = block.deployed_synapse(deployed, self._incoming_shape())
        if self.pooling is not None:
            synapse = merge(self.pooling, synapse, source)
        shape = synapse.output_shape(source)
        neuron = block.deployed_neuron(deployed, shape[0])
        name = "output" if isinstance(block, OutputBlock) else name
        self.layers.append(Layer(name, (Connection(self.source, synapse),), neuron))
        self.pooling, self.flat = None, False

    def _add_pooling(self, block: Pool) -> None:
        if block.delay_shift:
            raise DeploymentError("delay_shift is a training option", remedy="build it with delay_shift=False")
        shape = self._incoming_shape()
        if len(shape) != 3:
            raise DeploymentError("pooling needs a source of shape (C, H, W)", remedy="pool before flattening")
        pooling = block.pooling(shape[0])
        pooling.output_shape(shape)
        if self.pooling is not None:
            merged = merge(self.pooling, pooling, self.source_shape)
            assert isinstance(merged, Conv)
            pooling = merged
        self.pooling = pooling

    @property
    def source(self) -> str:
        return self.layers[-1].name if self.layers else INPUT

    @property
    def source_shape(self) -> Shape:
        if not self.layers:
            return self.input.shape
        # One pass per layer over a chain of a few dozen layers; keeps the shapes' one definition in IntegerNetwork.
        return IntegerNetwork(self.input, self.timesteps, tuple(self.layers)).shapes[self.source]

    def _incoming_shape(self) -> Shape:
        """Shape the next block sees: after the waiting pooling, and flattened."""
        shape = self.source_shape
        if self.pooling is not None:
            shape = self.pooling.output_shape(shape)
        return (int(np.prod(shape)),) if self.flat else shape


def _canonical(network: IntegerNetwork) -> IntegerNetwork:
    """The same network with thresholds moved to the border of what potentials can reach, where they lie beyond it."""
    layers = []
    for layer in network.layers:
        if isinstance(layer.neuron, MemoryFree):
            low, high = network.potential_ranges[layer.name]
            # Beyond 2^24 the fold refuses the network anyway; within, these fit int64.
            limits = (np.clip(low, -(2**61), 0).astype(np.int64), np.clip(high + 1, 1, 2**61).astype(np.int64))
            layer = replace(layer, neuron=replace(layer.neuron, threshold=layer.neuron.threshold.clip(*limits)))
        layers.append(layer)
    return replace(network, layers=tuple(layers))
