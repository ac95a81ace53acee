"""A deployed network as one Lava process per layer on the asynchronous protocol: no time steps, only messages.

A layer computes as soon as the messages of all its sources are there, and passes on what it has; while it does, the
others work on messages before and after. Nothing tells a layer the time: a message carries the steps it is about.
A channel that is full holds its sender back, which leaves its own input where it is, and so on to whoever feeds the
network: memory is bounded. Layers that feed each other back share a process, which computes them step by step; so the
processes make no circle, and nothing deadlocks.
"""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.async_protocol import AsyncProtocol

from lava_qsnn import integer
from lava_qsnn.engines.layerwise import ComponentEngine, one_thread
from lava_qsnn.engines.message_format import MOST_SOURCES, Messages, senders
from lava_qsnn.process.messages.answering import PyAnsweringModel
from lava_qsnn.process.ports import declares_inports


class LayerProcess(AbstractProcess):
    """One layer of a deployed network, its synapses and its neurons; or layers that feed each other back.

    Args:
        network: the deployed network.
        component: the number of one of its components.
        messages: that it receives and sends.
        stores: for some layers, by name, a `shared_array` (samples, timesteps, *shape) that takes their outputs, sample
            after sample.

    Ports: `in_0` to `in_15`, one for each message that it listens to (see engines.message_format.senders), and `out`,
    about all its layers; messages as engines.message_format says, uint8.
    """

    def __init__(
        self,
        network: integer.IntegerNetwork,
        component: int,
        messages: Messages,
        stores: dict[str, np.ndarray] | None = None,
    ) -> None:
        own = network.components[component]
        names = [layer.name for layer in own.layers]
        super().__init__(name=names[0], network=network, component=component, messages=messages, stores=stores or {})
        sizes = [messages.about(network, sender).size for sender in senders(network, own)]
        for index in range(MOST_SOURCES):
            setattr(self, f"in_{index}", InPort(shape=(sizes[index] if index < len(sizes) else 1,)))
        self.out = OutPort(shape=(messages.about(network, names).size,))


@implements(proc=LayerProcess, protocol=AsyncProtocol)
@requires(CPU)
@tag("asynchronous")
@declares_inports("in_", MOST_SOURCES, np.uint8)
class PyLayerModel(PyAnsweringModel):
    """Asynchronous model of LayerProcess."""

    out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.uint8)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        one_thread()
        network, messages = proc_params["network"], proc_params["messages"]
        component = network.components[proc_params["component"]]
        self.engine = ComponentEngine(network, component)
        listened = enumerate(senders(network, component))
        self.formats = {f"in_{index}": messages.about(network, names) for index, names in listened}
        self.format = messages.about(network, [layer.name for layer in component.layers])

    def compute(self, frames: list[dict[str, np.ndarray]], step: int) -> dict[str, np.ndarray]:
        outputs = self.engine({name: values for message in frames for name, values in message.items()}, step == 0)
        self.store(outputs, step)
        return outputs


class LayerProcesses:
    """The processes of a network's layers, connected; run them with `asynchronous()`.

    Args:
        network: the deployed network.
        messages: that they receive and send.
        stores: for some layers, by name, what takes their outputs; see `LayerProcess`.

    Attributes:
        processes: by the layers' names; those that feed each other back have the same one.
        entries: InPorts of the network's input, with a pipe from the parent; each needs every message.
        exit: `out` of the last layer's process, with a pipe to the parent.
        told: the names of the layers that its messages are about.
    """

    def __init__(
        self, network: integer.IntegerNetwork, messages: Messages, stores: dict[str, np.ndarray] | None = None
    ) -> None:
        self.processes: dict[str, LayerProcess] = {}
        self.entries: list[InPort] = []
        for index, component in enumerate(network.components):
            names = [layer.name for layer in component.layers]
            own = {name: store for name, store in (stores or {}).items() if name in names}
            process = LayerProcess(network, index, messages, own)
            for port, sender in enumerate(senders(network, component)):
                self._connect(sender[0], getattr(process, f"in_{port}"), messages.slots)
            self.processes.update(dict.fromkeys(names, process))
            if network.output in component.layers:
                self.exit, self.told = process.out, names
        self.exit.flag_external_pipe(messages.slots)

    def _connect(self, source: str, port: InPort, slots: int) -> None:
        if source == integer.INPUT:
            port.flag_external_pipe(slots)
            self.entries.append(port)
        else:
            self.processes[source].out.connect(port)
