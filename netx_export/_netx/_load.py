"""The contents of a stock file to a network: its groups in order, as NetX walks through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.integer import CUBA, CUBAReadout, IntegerNetwork, Layer, OneToOne
from netx_export._hdf5 import Contents
from netx_export._netx._blocks import Block, input_block, synaptic_block
from netx_export._netx._group import Group, Note
from netx_export._netx._neurons import READ_OUT_THRESHOLD
from netx_export._netx._reading import Reading

#: Types of layers that NetX does not implement, and those that it reads.
UNREAD = ("pool", "convT", "unpool", "average", "concat")
READ = ("input", "flatten", "dense", "dense_rec", "conv")


def stock_network(contents: Contents, reading: Reading) -> IntegerNetwork:
    """The network that unmodified NetX makes of a file's contents.

    Raises:
        FileFormatError: NetX cannot read the file, or what it would compute is not computed here; the text has the
            layer, the limit and the remedy.
        ConfigurationError: the reading does not fit the file.
    """
    notes: list[Note] = []
    blocks = _blocks(_groups(contents, reading, notes), reading)
    if not blocks:
        raise FileFormatError("it has no layers", remedy="skip fewer layers, or give another file")
    layers = [block.layer for block in blocks]
    layers[-1] = _with_output(layers[-1], reading)
    if reading.timing == "lava":
        layers = [late(layer) for layer in layers]
    metadata = _metadata(contents, reading, blocks[0], notes)
    return IntegerNetwork(blocks[0].input, reading.steps, tuple(layers), metadata)


def _groups(contents: Contents, reading: Reading, notes: list[Note]) -> list[tuple[str, Group]]:
    """The groups that NetX reads, in order, each with its type."""
    paths = [*contents.attributes, *contents.arrays, *contents.refused]
    members = {path.split("/")[1] for path in paths if path.startswith("layer/")}
    if not members:
        raise FileFormatError("it has no group 'layer' with layers in it", remedy="give the file of a network")
    found = []
    for index in range(min(len(members), reading.num_layers or len(members))):
        path = f"layer/{index}"
        if path not in contents.attributes:
            error = contents.refused.get(path)
            problem = f"it has {len(members)} layers, but no group '{path}'{f': {error.problem}' if error else ''}"
            raise FileFormatError(problem, remedy="export it again")
        kind = Group(contents, path, str(index), notes).text("type")
        group = Group(contents, path, f"{kind[:40]}{index}", notes)
        if kind in UNREAD:
            raise group.refusal(
                f"NetX does not implement layers of the type '{kind}'",
                remedy="leave it out, or let a convolution with strides do its work",
            )
        if kind not in READ:
            raise group.refusal(f"NetX knows no layers of the type '{kind[:40]}', and would drop it")
        found.append((kind, group))
    return found


def _blocks(groups: list[tuple[str, Group]], reading: Reading) -> list[Block]:
    """The blocks that NetX makes of groups, those skipped left out."""
    blocks: list[Block] = []
    shape, bits, flatten = reading.input_shape, reading.input_message_bits or 0, False
    for index, (kind, group) in enumerate(groups):
        if kind == "flatten":
            flatten = True
            continue
        if kind == "input" and "neuron" not in group:
            shape = group.shape() if "shape" in group and not blocks else shape
            continue
        before = blocks[-1] if blocks else None
        if kind == "input":
            block = input_block(group, before, reading)
        else:
            block = synaptic_block(kind, group, before, shape, bits, flatten, reading)
        bits = block.message_bits
        if index >= reading.skip_layers:
            blocks.append(block)
            shape = block.shape
            flatten = flatten and kind == "conv"
        elif kind in ("input", "conv"):
            shape = block.shape
        else:
            shape = None
    return blocks


def _with_output(last: Layer, reading: Reading) -> Layer:
    """The last layer with the output wanted: of CUBA neurons the voltage where nothing is meant to spike."""
    own = any(connection.source == last.name for connection in last.connections)
    if not isinstance(last.neuron, CUBA) or own:
        if reading.output == "voltage":
            reason = "it needs its spikes itself" if own else f"{last.neuron.described} has none"
            raise ConfigurationError(f"its output cannot be a voltage: {reason}", layer=last.name, remedy="take spikes")
        return last
    high = int(last.neuron.threshold.min()) >= READ_OUT_THRESHOLD
    if reading.output == "spikes" or (reading.output == "auto" and not high):
        return last
    values = {entry.name: getattr(last.neuron, entry.name) for entry in fields(last.neuron)}
    return replace(last, neuron=CUBAReadout(**values))


def late(layer: Layer) -> Layer:
    """The layer in Lava's own time, in which each synapse takes a step."""
    return replace(
        layer,
        connections=tuple(
            each if isinstance(each.synapse, OneToOne) or each.source == layer.name else replace(each, delay=1)
            for each in layer.connections
        ),
    )


def _metadata(contents: Contents, reading: Reading, first: Block, notes: list[Note]) -> Mapping[str, Any]:
    told: dict[str, Any] = {"timing": reading.timing, "notes": notes, "input_message_bits": first.input_bits}
    if first.transform:
        told["transform"] = first.transform
    for name in ("Ts", "tSample"):
        array = contents.arrays.get(f"simulation/{name}")
        if array is not None and array.size == 1 and array.dtype.kind in "iu":
            told[name] = int(array.ravel()[0])
    return {"netx": told}
