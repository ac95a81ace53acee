"""A deployed network as one Lava process: inside, one process per synapse and per neuron, the Loihi layout.

Or one model that computes all of it: which, the run configuration tells, `fixed_point()` or `fused()`.
"""

import numpy as np
from lava.magma.compiler.compiler_graphs import find_processes
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.model.sub.model import AbstractSubProcessModel
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from lava_qsnn import integer
from lava_qsnn.engines.layerwise import NetworkEngine, one_thread
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.integer.layouts import from_lava, lava_shape, to_lava
from lava_qsnn.process.configurations import fixed_point, fused
from lava_qsnn.process.loihi.memory_free import Delay, History, MemoryFree
from lava_qsnn.process.loihi.neurons import Population, entry, neurons, output
from lava_qsnn.process.loihi.synapses import Path, synapse

__all__ = ["NetworkProcess", "fixed_point", "fused"]


class NetworkProcess(AbstractProcess):
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
        neurons: for each layer, by name, the process of its neurons, for its Vars.

    Any run configuration that takes fixed-point models runs it: `fixed_point()`, or Lava's own with the tag `fixed_pt`
    or none. On `fused()` one process computes all of it, at the same latency; before the first answer it sends zeros,
    and there are no inner processes whose `spikes` or Vars could be used.

    Raises:
        ConfigurationError: more time steps than the network has, or fewer than one.
        RangeError: potentials or weights exceed what Lava's fixed-point processes compute exactly.
    """

    def __init__(self, network: integer.IntegerNetwork, timesteps: int | None = None) -> None:
        steps = network.timesteps if timesteps is None else timesteps
        super().__init__(network=network, timesteps=steps)
        integer.refuse_violations(network, integer.LAVA_RULES, "Lava's fixed-point processes")
        self.network = network.merged.simplified
        self.timesteps = integer.whole(steps, "timesteps", 1, network.timesteps, ConfigurationError)
        self.depths = _depths(network)
        self.latency = self.depths[network.output.name]
        self.spikes: dict[str, OutPort] = {}
        self.neurons: dict[str, AbstractProcess] = {}
        self._traces: dict[tuple[str, tuple[int, ...]], OutPort] = {}
        self._inner: list[AbstractProcess] = []
        self._entries: list[InPort] = []
        self.inp = InPort(shape=lava_shape(network.input.shape))
        for layer in self.network.layers:
            self._build(layer)
        self.out = OutPort(shape=self.spikes[network.output.name].shape)
        self._connected = self._connections()

    def open(self) -> list[AbstractProcess]:
        """Lead the ports to the inner processes, and return these and all that else is connected to them.

        Until the network's model is chosen nothing leads inside, so that a fused network has no inner processes.
        """
        outside = find_processes(self)
        found = [other for process in self._inner for other in find_processes(process)]
        for port in self._entries:
            self.inp.connect(port)
        self.spikes[self.network.output.name].connect(self.out)
        return [other for other in dict.fromkeys(found) if other not in outside]

    def refuse_observers(self) -> None:
        """Raise ConfigurationError if `spikes` were connected: in a fused network, nothing would ever send them."""
        if self._connections() != self._connected:
            raise ConfigurationError(
                "a fused network has no inner processes whose spikes could be received",
                remedy="run it on fixed_point(), or connect its port `out` only",
            )

    def _connections(self) -> int:
        """The number of ports that its layers' spikes are led to."""
        return sum(len(port.out_connections) for port in self.spikes.values())

    def _add(self, name: str, process: AbstractProcess) -> None:
        process.name = name  # It is for error texts.
        self._inner.append(process)

    def _build(self, layer: integer.Layer) -> None:
        taps, depth = self._taps_of_targets(layer.name), self.depths[layer.name]
        shape, ranges = lava_shape(self.network.shapes[layer.name]), self.network.port_ranges[layer.name]
        neuron = neurons(layer.neuron, Population(shape, ranges, taps, self.timesteps, depth))
        if isinstance(neuron, MemoryFree):
            self._traces[layer.name, taps] = neuron.h_out
        self._add(layer.name, neuron)
        self.neurons[layer.name] = neuron
        self.spikes[layer.name] = output(neuron, layer.neuron)
        for index, connection in enumerate(layer.connections):
            process = synapse(connection.synapse, self._path(connection, layer))
            self._add(f"{layer.name}_synapse{index or ''}", process)
            self._connect(connection, layer, process)
            process.a_out.connect(entry(neuron, connection.port))

    def _path(self, connection: integer.Connection, layer: integer.Layer) -> Path:
        is_own, depth = connection.source == layer.name, self.depths[layer.name]
        source = self.network.shapes[connection.source]
        return Path(
            source, self.timesteps, depth if is_own else depth - 1, connection.sum_shift, is_own, layer.neuron.wraps
        )

    def _taps_of_targets(self, name: str) -> tuple[int, ...]:
        """The taps of the traces that the first of a layer's targets takes; (1,) if it has none."""
        wanted = (
            layer.taps(connection)[: self.timesteps]
            for layer in self.network.layers
            for connection in layer.connections
            if connection.source == name
        )
        return next(wanted, (1,))

    def _connect(self, connection: integer.Connection, layer: integer.Layer, synapse: AbstractProcess) -> None:
        """Lead the traces of a connection's source to its synapse, at the time the layer expects them."""
        if connection.source == layer.name:  # of a step ago, which its synapse takes
            self.spikes[layer.name].connect(synapse.s_in)
            return
        traces = self._trace_port(connection.source, layer.taps(connection)[: self.timesteps])
        wait = self.depths[layer.name] - self.depths[connection.source] - 1
        if wait:
            delay = Delay(traces.shape, wait)
            self._add(f"{layer.name}_delay_{connection.source}", delay)
            traces.connect(delay.s_in)
            traces = delay.s_out
        if len(traces.shape) == 3 and len(synapse.s_in.shape) == 1:
            traces = traces.transpose([2, 1, 0]).flatten()  # W H C, to C H W as training flattens
        traces.connect(synapse.s_in)

    def _trace_port(self, source: str, taps: tuple[int, ...]) -> OutPort:
        """The port with a source's traces by some taps; made here unless its neuron sends them anyway."""
        if taps == (1,) and source != integer.INPUT:
            return self.spikes[source]  # a history of one step is the output itself
        if (source, taps) not in self._traces:
            shape = lava_shape(self.network.shapes[source])
            history = History(shape, taps, self.timesteps, self.depths[source])
            self._add(f"{source}_history{len(self._traces)}", history)
            if source == integer.INPUT:
                self._entries.append(history.s_in)
            else:
                self.spikes[source].connect(history.s_in)
            self._traces[source, taps] = history.h_out
        return self._traces[source, taps]


@implements(proc=NetworkProcess, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class NetworkModel(AbstractSubProcessModel):
    """The network as its constructor built it: one process per synapse and per neuron."""

    def __init__(self, proc: AbstractProcess) -> None:
        self.__dict__.update({f"process_{index}": process for index, process in enumerate(proc.open())})


class FusedNetworkProcess(NetworkProcess):
    """A NetworkProcess of one process, which is never made.

    Where Lava's own run configurations look for models of a NetworkProcess, they should find but one, which all of them
    choose; `fused()` alone chooses the model below.
    """


@implements(proc=FusedNetworkProcess, protocol=LoihiProtocol)
@requires(CPU)
@tag("fused")
class PyNetworkModel(PyLoihiProcessModel):
    """The network in one process. Answers wait until their time, so that its latency is that of the other model."""

    inp: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        one_thread()
        self.network = proc_params["network"]
        self.engine = NetworkEngine(self.network)
        latency = _depths(self.network)[self.network.output.name]
        self.held = np.zeros((latency, *lava_shape(self.network.shapes[self.network.output.name])), np.int32)

    def run_spk(self) -> None:
        """Send what was computed `latency` steps ago, before it receives: as synapses do, which lets loops run."""
        oldest = self.time_step % len(self.held)
        self.out.send(self.held[oldest])
        frame = self.inp.recv().astype(np.int32)
        first = (self.time_step - 1) % self.proc_params["timesteps"] == 0
        outputs = self.engine(from_lava(frame)[None, None], first)
        self.held[oldest] = to_lava(outputs[self.network.output.name][0, 0])


def _sources(layer: integer.Layer) -> list[str]:
    return [connection.source for connection in layer.connections if connection.source != layer.name]


def _depths(network: integer.IntegerNetwork) -> dict[str, int]:
    depths = {integer.INPUT: 0}
    for layer in network.layers:
        depths[layer.name] = 1 + max(depths[source] for source in _sources(layer))
    return depths
