"""A deployed network as one Lava process: inside, one process per synapse and per neuron, the Loihi layout."""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.sub.model import AbstractSubProcessModel
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.conv.process import Conv as LavaConv
from lava.proc.dense.process import Dense as LavaDense
from lava.utils.weightutils import SignMode

from lava_qsnn import integer
from lava_qsnn.process.memory_free import Delay, History, MemoryFree, Readout

#: Messages inside are integers, which Lava's synapses take as graded spikes of this many bits.
MESSAGE_BITS = 24


def fixed_point() -> Loihi2SimCfg:
    """The run configuration of this project's processes: fixed-point models on the CPU."""
    return Loihi2SimCfg(select_tag="fixed_pt")


class Network(AbstractProcess):
    """A deployed network for use in larger Lava programs.

    Feed one frame per time step into `inp`: T frames per sample, samples back to back, from the first time step on.
    The answer to the frame of step t leaves `out` at step t + latency. Shapes are Lava's, channels last: (C,) or
    (W, H, C).

    Args:
        network: the deployed network.
        timesteps: T, time steps per sample, at most the network's; its own by default.

    Attributes:
        inp: InPort of the input shape, int32.
        out: OutPort of the last layer's shape, int32: spikes, or potentials of a readout.
        latency: time steps from input to output.
        spikes: for each layer, by name, the OutPort of its spikes (or potentials), one depth of latency each.
        depths: for each layer, by name, the latency of its spikes.

    Raises:
        RangeError: potentials or weights exceed what Lava's fixed-point processes compute exactly.
    """

    def __init__(self, network: integer.IntegerNetwork, timesteps: int | None = None) -> None:
        super().__init__()
        integer.refuse_violations(network, integer.LAVA_RULES, "Lava's fixed-point processes")
        self.network = network
        self.timesteps = timesteps or network.timesteps
        self.depths = _depths(network)
        self.latency = self.depths[network.output.name]
        self.spikes: dict[str, OutPort] = {}
        self._words: dict[tuple[str, tuple[int, ...]], OutPort] = {}
        self.inp = InPort(shape=lava_shape(network.input.shape))
        for layer in network.layers:
            self._build(layer)
        last = self.spikes[network.output.name]
        self.out = OutPort(shape=last.shape)
        last.connect(self.out)

    def _build(self, layer: integer.Layer) -> None:
        shape, depth = lava_shape(self.network.shapes[layer.name]), self.depths[layer.name]
        if isinstance(layer.neuron, integer.MemoryFree):
            targets = [other for other in self.network.layers if layer.name in _sources(other)]
            taps = targets[0].neuron.taps if targets else (1,)
            neuron = MemoryFree(shape, layer.neuron.threshold, taps, self.timesteps, depth)
            self._words[layer.name, taps] = neuron.h_out
        else:
            neuron = Readout(shape)
        setattr(self, layer.name, neuron)
        self.spikes[layer.name] = neuron.s_out
        for index, connection in enumerate(layer.connections):
            synapse = _synapse(connection.synapse, self.network.shapes[connection.source])
            setattr(self, f"{layer.name}_synapse{index or ''}", synapse)
            self._connect(connection, layer, synapse)
            synapse.a_out.connect(neuron.a_in)

    def _connect(self, connection: integer.Connection, layer: integer.Layer, synapse: AbstractProcess) -> None:
        """Lead the history words of a connection's source to its synapse, at the time the layer expects them."""
        words = self._word_port(connection.source, layer.neuron.taps)
        wait = self.depths[layer.name] - self.depths[connection.source] - 1
        if wait:
            delay = Delay(words.shape, wait)
            setattr(self, f"{layer.name}_delay_{connection.source}", delay)
            words.connect(delay.s_in)
            words = delay.s_out
        if len(words.shape) == 3 and isinstance(connection.synapse, integer.Dense):
            words = words.transpose([2, 1, 0]).flatten()  # W H C, to C H W as training flattens
        words.connect(synapse.s_in)

    def _word_port(self, source: str, taps: tuple[int, ...]) -> OutPort:
        """The port with a source's history words by some taps; made here unless its neuron sends them anyway."""
        if (source, taps) not in self._words:
            spikes = self.inp if source == integer.INPUT else self.spikes[source]
            history = History(spikes.shape, taps, self.timesteps, self.depths[source])
            setattr(self, f"{source}_history{len(self._words)}", history)
            spikes.connect(history.s_in)
            self._words[source, taps] = history.h_out
        return self._words[source, taps]


@implements(proc=Network, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class NetworkModel(AbstractSubProcessModel):
    """The network is what its constructor built."""

    def __init__(self, proc: AbstractProcess) -> None:
        pass


def lava_shape(shape: integer.Shape) -> integer.Shape:
    """(C,) or (C, H, W) to Lava's (C,) or (W, H, C)."""
    return tuple(reversed(shape))


def _sources(layer: integer.Layer) -> list[str]:
    return [connection.source for connection in layer.connections]


def _depths(network: integer.IntegerNetwork) -> dict[str, int]:
    depths = {integer.INPUT: 0}
    for layer in network.layers:
        depths[layer.name] = 1 + max(depths[source] for source in _sources(layer))
    return depths


def _synapse(synapse: integer.Synapse, source: integer.Shape) -> AbstractProcess:
    if isinstance(synapse, integer.Dense):
        # Lava truncates the lowest bit of mixed-sign weights: doubled weights and an exponent of -1 keep it.
        return LavaDense(
            weights=synapse.weight.astype(np.int32) << 1,
            weight_exp=-1,
            num_weight_bits=8,
            sign_mode=SignMode.MIXED,
            num_message_bits=MESSAGE_BITS,
        )
    # Lava flips kernels, and its axes are W H C.
    return LavaConv(
        weight=synapse.weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1),
        input_shape=lava_shape(source),
        stride=synapse.stride[::-1],
        padding=synapse.padding[::-1],
        dilation=synapse.dilation[::-1],
        groups=synapse.groups,
        num_message_bits=MESSAGE_BITS,
    )
