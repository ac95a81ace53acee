"""Torch to IntegerNetwork: the only place that reads trained blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import nn

from lava_qsnn.block._blocks import Flatten, Input, Pool, Residual
from lava_qsnn.block._blocks import Output as OutputBlock
from lava_qsnn.block._family import PAGE
from lava_qsnn.block._synaptic import Synaptic
from lava_qsnn.errors import ConfigurationError, DeploymentError, QsnnError
from lava_qsnn.integer import (
    INPUT,
    TORCH_RULES,
    Connection,
    Dense,
    IntegerNetwork,
    Layer,
    MemoryFree,
    OneToOne,
    Rule,
    Shape,
    SigmaDelta,
    SumPool,
    Synapse,
    TimedMemoryFree,
    refuse_violations,
)
from lava_qsnn.integer import Input as IntegerInput
from netx_export._fold_slayer import slayer_layer
from netx_export._netx._group import Note
from netx_export._slayer import form, refuse_late_mixtures, refuse_unknown

Block = nn.Module


def fold(net: nn.Module, input_shape: tuple[int, ...], timesteps: int, input_bits: int = 1) -> IntegerNetwork:
    """Fold a trained network into integers, for samples of T steps.

    Norms and weight scales vanish into integer thresholds; poolings become those of the connections after them. Blocks
    of slayer become what unmodified NetX makes of their export, in time that is aligned by its resets.

    Args:
        net: blocks in the order of their data flow: a Sequential (also nested), a ModuleList, or a module that keeps
            them in an attribute `blocks`, as slayer's networks do, or has one part that holds them, as LightningModules
            have. Those of slayer have run once. Where they begin
            with an Input block that has neurons, the network takes what it makes of its data, in units of 1/64.
        input_shape: (C,) or (C, H, W), one time step of one sample.
        timesteps: T.
        input_bits: the input holds integers from 0 to 2^input_bits - 1, 1 to 24 bits.

    Raises:
        DeploymentError: a module has no integer form; the text names it.
        ConfigurationError: it is no torch network, such as the path of a checkpoint.
        RangeError: potentials could exceed 2^24, up to which torch is exact.
    """
    if isinstance(input_bits, bool) or not isinstance(input_bits, int) or not 1 <= input_bits <= 24:
        raise ConfigurationError(f"input_bits must be an integer from 1 to 24, not {input_bits!r}")
    graph = _Graph(IntegerInput(tuple(input_shape), 2**input_bits - 1), timesteps)
    every = list(blocks(net))
    refuse_late_mixtures(every)
    for block in every:
        graph.add(block)
    network = graph.network()
    refuse_violations(network, map(_unless_wrapping, TORCH_RULES), "any backend")
    return network


def _unless_wrapping(rule: Rule) -> Rule:
    """A rule for all layers but those whose neurons wrap by definition: what torch computes there is counted."""
    return lambda network: (each for each in rule(network) if not network.layer(each.layer).neuron.wraps)


def refuse_another(network: IntegerNetwork, net: nn.Module) -> None:
    """Raise DeploymentError if a deployed network was not folded from this torch network; the text says why not."""
    try:
        folded = fold(net, network.input.shape, network.timesteps, min(24, network.input.bits))
        difference = _difference(_canonical(replace(folded, input=network.input)), network)
    except QsnnError as error:
        difference = str(error)
    if difference:
        raise DeploymentError(
            f"the torch network is not the one that this network was folded from: {difference}",
            remedy="name the checkpoint that it was exported from",
        )


def _difference(one: IntegerNetwork, other: IntegerNetwork) -> str:
    """Tell in words what the first network has that the second has not; nothing if they are the same."""
    if list(one) != list(other):
        return f"it has the layers {', '.join(one)}, and not {', '.join(other)}"
    for mine, its in zip(one.layers, other.layers):
        if mine.connections != its.connections:
            return f"layer '{mine.name}' has other weights"
        if mine.neuron != its.neuron:
            return f"layer '{mine.name}' has other neurons: taps, thresholds or potentials"
    return ""


def blocks(net: nn.Module) -> Iterator[Block]:
    """The blocks of a network in the order of their data flow; DeploymentError for anything else inside.

    Modules that do nothing in evaluation (Identity, Dropout) are passed over. A Residual comes as one block.
    """
    if isinstance(net, (Synaptic, Flatten, Residual)) or form(net) is not None:
        yield net
    elif isinstance(net, (nn.Sequential, nn.ModuleList)):
        for child in net:
            yield from blocks(child)
    elif isinstance(getattr(net, "blocks", None), (nn.Sequential, nn.ModuleList)):
        yield from blocks(net.blocks)
    elif isinstance(net, nn.Module) and len(inner := _holders(net)) == 1:  # such as a LightningModule's network
        yield from blocks(inner[0])
    elif not isinstance(net, (nn.Identity, nn.modules.dropout._DropoutNd)):
        raise _no_network(net)


def _holders(net: nn.Module) -> list[nn.Module]:
    """The modules right inside of one that are blocks or hold some; others may be losses or measurements."""
    return [child for child in net.children() if any(_is_block(module) for module in child.modules())]


def _is_block(module: nn.Module) -> bool:
    return isinstance(module, (Synaptic, Flatten, Residual)) or form(module) is not None


def _no_network(net: Any) -> QsnnError:
    """The error for what is no network of blocks, with what one is."""
    takes = (
        "give a network of blocks, lava_qsnn's or slayer's: a Sequential, a module that keeps them in an attribute "
        f"`blocks`, or one with a single part that holds blocks, as LightningModules have; see {PAGE}"
    )
    if isinstance(net, nn.Module):
        return DeploymentError(f"{type(net).__module__}.{type(net).__name__} has no integer form", remedy=takes)
    if isinstance(net, (str, os.PathLike)):
        return ConfigurationError(
            f"a network is wanted, and '{os.fspath(net)}' is a path",
            remedy="of a checkpoint take lava_qsnn.train.module.restore(path).network, or `lava-qsnn export`",
        )
    return ConfigurationError(f"a network is wanted, not {type(net).__name__}", remedy=takes)


def spiking_blocks(net: nn.Module) -> list[Block]:
    """The blocks that become layers, in the order of `IntegerNetwork.layers`."""
    found: list[Block] = []
    for block in blocks(net):
        if isinstance(block, Residual):
            found += spiking_blocks(block.blocks)
        elif not isinstance(block, Flatten) and getattr(block, "neuron", None) is not None:
            found.append(block)
    return found


@dataclass(frozen=True)
class _Place:
    """The start of the next synapse: a source, and poolings after it."""

    source: str
    poolings: tuple[SumPool, ...]


@dataclass
class _Graph:
    """A network in the making: the layers so far, and where the next one starts."""

    input: IntegerInput
    timesteps: int
    layers: list[Layer] = field(default_factory=list)
    poolings: tuple[SumPool, ...] = ()
    flat: bool = False
    notes: list[Note] = field(default_factory=list)

    def add(self, block: Block, shortcut: _Place | None = None) -> None:
        """Add a block; `shortcut` is where its skip connection starts, if it has one."""
        if isinstance(block, Residual):
            start = _Place(self.source, self.poolings)
            inner = list(blocks(block.blocks))
            for each in inner[:-1]:
                self.add(each)
            self.add(inner[-1], start)
            return
        name = f"{type(block).__name__.lower()}{len(self.layers) + 1}"
        try:
            self._add(block, name, shortcut)
        except DeploymentError as error:
            raise DeploymentError(error.problem, layer=error.layer or name, remedy=error.remedy) from None

    def network(self) -> IntegerNetwork:
        if self.poolings:
            raise DeploymentError("a pooling at the end has no layer after it", remedy="give it neuron_params")
        if not self.layers:
            raise DeploymentError("there is no layer in the network", remedy="add a Dense, Conv or Output block")
        metadata = {"netx": {"notes": self.notes}} if self.notes else {}
        return _canonical(IntegerNetwork(self.input, self.timesteps, tuple(self.layers), metadata))

    def _add(self, block: Block, name: str, shortcut: _Place | None) -> None:
        if self.layers and not self.layers[-1].neuron.feeds:
            raise DeploymentError("nothing can follow the Output", remedy="make it the last block")
        if isinstance(block, Flatten):
            self.flat = True
        elif isinstance(block, Input) and (self.layers or self.poolings or self.flat):
            raise DeploymentError("an Input can only be the first block", remedy="remove it")
        elif not isinstance(block, Synaptic):
            self._add_slayer(block, name)
        elif self.layers and isinstance(self.layers[-1].neuron, SigmaDelta):
            raise DeploymentError(
                "it takes spikes, and the sigma-delta neurons before it send changes of numbers",
                remedy="let slayer's sigma-delta blocks go on to the end",
            )
        elif block.neuron is not None:
            self._add_layer(block, name, shortcut)
        elif isinstance(block, Pool):
            self._add_pooling(block)
        elif block.delay_shift:
            raise DeploymentError("delay_shift is a training option", remedy="build it with delay_shift=False")

    def _add_layer(self, block: Synaptic, name: str, shortcut: _Place | None) -> None:
        deployed = block.integer_parameters(self.timesteps)
        synapse = block.deployed_synapse(deployed, self._incoming_shape())
        connections = [Connection(self.source, synapse, poolings=self.poolings)]
        shape = connections[0].output_shape(self.source_shape)
        skip = block.deployed_skip(deployed)
        if skip is not None:
            assert shortcut is not None
            skip = self._flat(skip, shortcut, shape)
            connections.append(Connection(shortcut.source, skip, poolings=shortcut.poolings))
        name = "output" if isinstance(block, OutputBlock) else name
        self.layers.append(Layer(name, tuple(connections), deployed.neuron.broadcast(shape[0])))
        self.poolings, self.flat = (), False

    def _add_slayer(self, block: Block, name: str) -> None:
        """One of slayer's own blocks, as NetX reads what it exports."""
        refuse_unknown(block)
        if form(block) == "flatten":
            self.flat = True
        elif form(block) == "input" and (self.layers or self.poolings or self.flat):
            raise DeploymentError("an Input can only be the first block", remedy="remove it")
        elif block.neuron is not None:
            if self.poolings:
                raise DeploymentError("a pooling of sums cannot stand before it", remedy="use slayer's own Pool")
            before = self.layers[-1] if self.layers else None
            self.layers.append(slayer_layer(block, name, before, self.input, self.source_shape, self.flat, self.notes))
            self.flat = False

    def _add_pooling(self, block: Pool) -> None:
        if block.delay_shift:
            raise DeploymentError("delay_shift is a training option", remedy="build it with delay_shift=False")
        pooling = block.sum_pool()
        pooling.output_shape(self._incoming_shape())
        self.poolings = (*self.poolings, pooling)

    def _flat(self, skip: Synapse, start: _Place, target: Shape) -> Synapse:
        """A skip's synapse; one to one from maps to flat targets, it takes a matrix."""
        source = self._shape_of(start.source)
        if isinstance(skip, OneToOne) and len(target) == 1 and len(source) == 3:
            return Dense(np.diag(skip.weight))
        return skip

    @property
    def source(self) -> str:
        return self.layers[-1].name if self.layers else INPUT

    @property
    def source_shape(self) -> Shape:
        return self._shape_of(self.source)

    def _shape_of(self, source: str) -> Shape:
        if source == INPUT:
            return self.input.shape
        # One pass per layer over a few dozen layers; keeps the shapes' one definition in IntegerNetwork.
        return IntegerNetwork(self.input, self.timesteps, tuple(self.layers)).shapes[source]

    def _incoming_shape(self) -> Shape:
        """Shape the next block sees: after the waiting pooling, and flattened."""
        shape = self.source_shape
        for pooling in self.poolings:
            shape = pooling.output_shape(shape)
        return (int(np.prod(shape)),) if self.flat else shape


def _canonical(network: IntegerNetwork) -> IntegerNetwork:
    """The same network with thresholds moved to the border of what potentials can reach, where they lie beyond it."""
    layers = []
    for layer in network.layers:
        if isinstance(layer.neuron, (MemoryFree, TimedMemoryFree)):
            levels: dict[str, Any] = {layer.neuron.compared: network.thresholds(layer.name)}
            layer = replace(layer, neuron=replace(layer.neuron, **levels))
        layers.append(layer)
    return replace(network, layers=tuple(layers))
