"""Design rules: what a chip, or what is known of its compiler, forbids, discourages or leaves open.

A rule is a function from a layout to its findings. `unknown` is an answer of its own: what nobody outside can say is
never said to fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lava_qsnn.integer import INPUT, LOIHI_LIMIT, Conv, DelayedDense, Dense, OneToOne
from lava_qsnn.integer.stock import has_stock_neurons
from netx_export._chip.counting import flows
from netx_export._chip.layout import LayerLayout, Layout
from netx_export._chip.mappings import has_history, synapses

#: What a finding is: breaks a limit, is likely not wanted, cannot be known, or is worth knowing.
SEVERITIES = ("error", "warning", "unknown", "note")

#: From this magnitude on, a threshold or bias may need more than Loihi's 12 bits and sign.
WIDE_THRESHOLD = 2**12

#: Pixels of width up to which a convolution's source keeps all spikes at its edges.
WIDEST_SOURCE = 256

#: The reset intervals up to T = 7, the longest stock sample, that hardware can have.
STOCK_INTERVALS = (1, 2, 4)


@dataclass(frozen=True)
class RuleFinding:
    """One finding of a rule.

    Args:
        rule: the rule's name.
        severity: "error", "warning", "unknown" or "note".
        layer: the layer concerned, or None.
        problem: the limit, and what is beyond it.
        remedy: what can be done about it; None where nothing need be.
        source: the origin of the limit.
    """

    rule: str
    severity: str
    layer: str | None
    problem: str
    remedy: str | None
    source: str

    def __str__(self) -> str:
        place = f"layer '{self.layer}': " if self.layer else ""
        advice = f". Remedy: {self.remedy}" if self.remedy else ""
        return f"{place}{self.problem}{advice} ({self.source})"


def weight_bits(found: Layout) -> Iterator[RuleFinding]:
    """Stored weights have 8 bits at most: -256 to 254, even, or up to 255 of one sign."""
    for layer in found.parts:
        for projection in layer.population.projections:
            if projection.bits > found.chip.weight_bits:
                yield RuleFinding(
                    "weight_bits",
                    "error",
                    layer.name,
                    f"weights from '{projection.source}' need {projection.bits} bits, beyond {found.chip.weight_bits}",
                    "use fewer weight_bits, a shorter history or taps of fewer bits",
                    found.chip.source_of("weight_bits"),
                )


def message_bits(found: Layout) -> Iterator[RuleFinding]:
    """Payloads of messages fit what the chip sends."""
    for message in found.mapped.messages if found.mapped is not None else ():
        layer = None if message.source == INPUT else message.source
        if not message.is_bounded and found.chip.message_bits:
            yield RuleFinding(
                "message_bits",
                "unknown",
                layer,
                f"its equations allow larger messages than {found.chip.message_bits} bits; whether any are depends on "
                "the data",
                "look at the least and greatest outputs that lava-qsnn check tells of your data",
                found.chip.source_of("message_bits"),
            )
        elif message.payload_bits > found.chip.message_bits:
            yield RuleFinding(
                "message_bits",
                "error",
                layer,
                f"messages of '{message.source}' need {message.payload_bits} bits of payload, beyond "
                f"{found.chip.message_bits}",
                "use a shorter history, taps or inputs of fewer bits, or another mapping",
                found.chip.source_of("message_bits"),
            )


def accumulator(found: Layout) -> Iterator[RuleFinding]:
    """Potentials stay within 2^17, which Loihi shifts by 6 into its 24-bit state."""
    if found.mapped is None:
        return
    network = found.mapped.network
    for layer in network.layers:
        if layer.neuron.wraps:
            continue  # its equations say what happens then
        low, high = network.current_ranges[layer.name]
        if (reach := max(-int(low.min()), int(high.max()))) > LOIHI_LIMIT:
            yield RuleFinding(
                "accumulator",
                "error",
                layer.name,
                f"sums of synaptic input may reach {reach:,}, beyond 2^17",
                "use a shorter history, fewer input_bits, fewer weight_bits or fewer inputs",
                "24-bit state with inputs shifted by 6: lava 0.10.0, lava.proc.lif [C]",
            )


def threshold_bias(found: Layout) -> Iterator[RuleFinding]:
    """Thresholds from 2^12 on need the exponent of Loihi's biases, and may be rounded."""
    if found.mapped is None:
        return
    network = found.mapped.network
    for layer in network.layers:
        if has_history(layer) and layer.neuron.spikes:
            largest = int(np.abs(network.thresholds(layer.name)).max())
            if largest >= WIDE_THRESHOLD:
                yield RuleFinding(
                    "threshold_bias",
                    "warning",
                    layer.name,
                    f"a threshold of {largest:,} is beyond the 12 bits and sign of a bias without exponent",
                    "check it on the board, or use a lower threshold or fewer inputs",
                    "mantissa of 13 bits and exponent of 3: Loihi 1 [S]",
                )


def stock_mapping(found: Layout) -> Iterator[RuleFinding]:
    """The obstacles to computing memory-free neurons exactly with Loihi's own CUBA neuron."""
    if found.mapped is None or found.mapping != "stock" or has_stock_neurons(found.mapped.network):
        return
    network = found.mapped.network
    for obstacle in network.stock_obstacles:
        yield RuleFinding(
            "stock_mapping", "error", None, obstacle, "use the mapping 'word' or 'delayed'", "Lava's equations [C]"
        )
    if network.timesteps not in STOCK_INTERVALS and any(map(has_history, network.layers)):
        yield RuleFinding(
            "reset_power_of_2",
            "error",
            None,
            f"{network.timesteps} time steps are no reset interval of the hardware, which are powers of two; up to the "
            f"7 steps that are exact these are {', '.join(map(str, STOCK_INTERVALS))}",
            "export with timesteps=4",
            "lava-dl, netx/mnist/run.ipynb, a comment in its code [C]",
        )


def _of_loihi_2(found: Layout) -> tuple[LayerLayout, ...]:
    """The parts of a layout that the rules about Loihi 2's convolutions are for."""
    return found.parts if found.chip.storage == "loihi2" else ()


def conv_width(found: Layout) -> Iterator[RuleFinding]:
    """Sources of convolutions are at most 256 wide."""
    for layer in _of_loihi_2(found):
        for projection in layer.population.projections:
            if projection.kind == "conv" and projection.source_shape[2] > WIDEST_SOURCE:
                yield RuleFinding(
                    "conv_width",
                    "warning",
                    layer.name,
                    f"its source '{projection.source}' is {projection.source_shape[2]} wide, beyond {WIDEST_SOURCE}, "
                    "and spikes at its edges may be dropped",
                    "crop or pool the source",
                    "a warning of the compiler [C]",
                )


def conv_geometry(found: Layout) -> Iterator[RuleFinding]:
    """Groups and dilation of 1 are all that public examples show on a chip."""
    for layer in _of_loihi_2(found):
        for projection in layer.population.projections:
            if projection.groups != 1 or projection.dilation != (1, 1):
                yield RuleFinding(
                    "conv_geometry",
                    "warning",
                    layer.name,
                    f"a convolution of {projection.groups} groups and dilation {projection.dilation} was never shown "
                    "on a chip",
                    "use groups=1 and dilation=1",
                    "public notebooks [T]",
                )


def conv_multichip(found: Layout) -> Iterator[RuleFinding]:
    """A convolution must not span chips."""
    for layer in _of_loihi_2(found):
        spans = len(set(layer.chips.tolist()))
        if spans > 1 and any(each.kind == "conv" for each in layer.population.projections):
            yield RuleFinding(
                "conv_multichip",
                "error",
                layer.name,
                f"its {layer.cores} cores span {spans} chips of {found.chip.cores}, which a convolution must not",
                "use fewer channels, or pool before it",
                "lava 0.10.0, lava/magma/compiler [C]",
            )


def delays(found: Layout) -> Iterator[RuleFinding]:
    """Synaptic delays are limited, and convolutions ignore them."""
    for layer in found.parts:
        for projection in layer.population.projections:
            limit = 0 if projection.kind == "conv" else found.chip.longest_delay
            if projection.delay > limit:
                yield RuleFinding(
                    "delays",
                    "error",
                    layer.name,
                    f"synapses from '{projection.source}' are delayed by up to {projection.delay} steps, beyond {limit}"
                    + (", for delays of convolutions are ignored" if projection.kind == "conv" else ""),
                    "use the mapping 'word', whose sources wait themselves, a shorter history or a shorter skip",
                    found.chip.source_of("longest_delay"),
                )


def skips(found: Layout) -> Iterator[RuleFinding]:
    """Connections that pass layers by wait for these, on their synapses or in their source's register."""
    for (name, number), wait in (found.mapped.waits if found.mapped is not None else {}).items():
        layer = found.mapped.network.layer(name)  # type: ignore[union-attr]
        connection = layer.connections[number]
        if not wait or (number, connection) not in list(synapses(layer)):
            continue
        holder = (
            "its source's register" if found.mapping == "word" and has_history(layer) else "a delay on its synapses"
        )
        yield RuleFinding(
            "skips",
            "note",
            name,
            f"the connection from '{connection.source}' passes {wait} steps by, and waits for them by {holder}",
            None,
            "each layer takes one time step on a chip [C]",
        )


def program(found: Layout) -> Iterator[RuleFinding]:
    """Neurons that need a program of their own: nobody outside knows whether it fits."""
    for layer in found.parts:
        if layer.population.program is not None:
            yield RuleFinding(
                "program",
                "unknown",
                layer.name,
                layer.population.program,
                "ask the vendor, or use the mapping 'delayed' or 'stock', which need none",
                "lengths of microcode are not public",
            )


def synapse_kinds(found: Layout) -> Iterator[RuleFinding]:
    """Synapses of kinds that no table is known of count as dense ones."""
    for layer in found.mapped.network.layers if found.mapped is not None else ():
        for connection in layer.connections:
            if not isinstance(connection.synapse, (Dense, DelayedDense, Conv, OneToOne)):
                yield RuleFinding(
                    "synapse_kinds",
                    "unknown",
                    layer.name,
                    f"{connection.synapse.described} was counted as a dense one",
                    "use dense or convolutional synapses",
                    "no public table has one",
                )


def outgoing_axons(found: Layout) -> Iterator[RuleFinding]:
    """On Loihi 1 a neuron takes an outgoing axon for each core that it sends to."""
    if found.mapped is None or found.chip.storage != "loihi1":
        return
    network = found.mapped.network
    for part in found.parts:
        one = np.ones((1, *part.cut.extent), np.int64)
        taken = np.zeros(part.cores, np.int64)
        for message in found.mapped.messages:
            if message.source == part.name:
                for name in dict.fromkeys(name for name, _ in message.targets):
                    numbers = [number for each, number in message.targets if each == name]
                    kinds = [network.layer(name).connections[number].synapse for number in numbers]
                    taken += flows(one, part.cut, found.layer(name).cut, kinds)[0].sum(1)
        if taken.max() > found.chip.axons_out:
            yield RuleFinding(
                "outgoing_axons",
                "error",
                part.name,
                f"its fullest core has {int(taken.max()):,} outgoing axons, beyond {found.chip.axons_out:,}",
                "use fewer neurons in the layers after it, so that they take fewer cores",
                found.chip.source_of("axons_out"),
            )


def fires_in_silence(found: Layout) -> Iterator[RuleFinding]:
    """Neurons with a threshold of 0 or less fire without input, and are never idle."""
    for layer in found.mapped.network.layers if found.mapped is not None else ():
        if has_history(layer) and layer.neuron.spikes and layer.neuron.threshold is not None:
            many = int((layer.neuron.threshold <= 0).sum())
            if many:
                yield RuleFinding(
                    "fires_in_silence",
                    "note",
                    layer.name,
                    f"{many} of {len(layer.neuron.threshold)} channels have thresholds of 0 or less: they fire without "
                    "any input, and are updated at each step",
                    "train with a positive threshold",
                    "the neuron's equation",
                )


def boards(found: Layout) -> Iterator[RuleFinding]:
    """Networks that no known board holds."""
    if found.chip.boards and found.board is None:
        name, most = max(found.chip.boards.items(), key=lambda each: each[1])
        yield RuleFinding(
            "boards",
            "error",
            None,
            f"{found.chips:,} chips are needed, and the largest board known, {name}, has {most:,}",
            "use fewer channels, more pooling or fewer weight bits",
            found.chip.source_of("boards"),
        )


Rule = Callable[[Layout], Iterator[RuleFinding]]

#: All rules, in the order of their findings.
RULES: tuple[Rule, ...] = (
    weight_bits,
    message_bits,
    accumulator,
    threshold_bias,
    stock_mapping,
    delays,
    skips,
    conv_width,
    conv_geometry,
    conv_multichip,
    outgoing_axons,
    synapse_kinds,
    program,
    fires_in_silence,
    boards,
)


def findings(found: Layout) -> Iterator[RuleFinding]:
    """The findings of all rules in a layout."""
    for rule in RULES:
        yield from rule(found)
