"""A deployed network as one Lava process per layer on the asynchronous protocol: no time steps, only messages.

A layer computes as soon as the messages of all its sources are there, and passes on what it has; while it does, the
others work on messages before and after. Nothing tells a layer the time: a message carries the steps it is about.
A channel that is full holds its sender back, which leaves its own input where it is, and so on to whoever feeds the
network: memory is bounded, and since a network has no cycles, nothing deadlocks.
"""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.async_protocol import AsyncProtocol

from lava_qsnn import integer
from lava_qsnn.engines.layerwise import LayerEngine, one_thread
from lava_qsnn.engines.message_format import MOST_SOURCES, layer_format, listened_to
from lava_qsnn.process.messages.answering import PyAnsweringModel


class Layer(AbstractProcess):
    """One layer of a deployed network: its synapses and its neurons.

    Args:
        network: the deployed network.
        layer: the name of one of its layers.
        sources: what it receives, by name, at most 16: its connections' sources, and others, which it passes over.
        batch: samples per message, at most.
        steps: time steps per message.
        store: a `shared_array` (samples, timesteps, *shape) that takes its outputs, sample after sample; or None.

    Ports: `in_0` to `in_15`, one for each source, and `out`; messages as engines.message_format says, uint8.
    """

    def __init__(
        self,
        network: integer.IntegerNetwork,
        layer: str,
        sources: list[str],
        batch: int,
        steps: int,
        store: np.ndarray | None = None,
    ) -> None:
        super().__init__(
            name=layer, network=network, layer=layer, sources=sources, batch=batch, steps=steps, store=store
        )
        sizes = [layer_format(network, source, batch, steps).size for source in sources]
        for index in range(MOST_SOURCES):
            setattr(self, f"in_{index}", InPort(shape=(sizes[index] if index < len(sizes) else 1,)))
        self.out = OutPort(shape=(layer_format(network, layer, batch, steps).size,))


@implements(proc=Layer, protocol=AsyncProtocol)
@requires(CPU)
@tag("asynchronous")
class PyLayerModel(PyAnsweringModel):
    """Asynchronous model of Layer."""

    in_0: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_1: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_2: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_3: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_4: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_5: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_6: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_7: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_8: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_9: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_10: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_11: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_12: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_13: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_14: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in_15: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.uint8)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        one_thread()
        network, sources = proc_params["network"], proc_params["sources"]
        layer, shape = network.layer(proc_params["layer"]), (proc_params["batch"], proc_params["steps"])
        self.engine = LayerEngine(network, layer)
        self.formats = {f"in_{index}": layer_format(network, name, *shape) for index, name in enumerate(sources)}
        self.used = [sources.index(connection.source) for connection in layer.connections]
        self.format = layer_format(network, layer.name, *shape)
        self.stored = 0

    def compute(self, frames: list[np.ndarray], step: int) -> np.ndarray:
        outputs = self.engine([frames[index] for index in self.used], step == 0)
        self._store(outputs, step)
        return outputs

    def _store(self, outputs: np.ndarray, step: int) -> None:
        store = self.proc_params["store"]
        if store is not None:
            samples, steps = outputs.shape[:2]
            store[self.stored : self.stored + samples, step : step + steps] = outputs
            if step + steps == store.shape[1]:
                self.stored += samples


class Layers:
    """The processes of a network's layers, connected; run them with `asynchronous()`.

    Args:
        network: the deployed network.
        batch: samples per message, at most.
        steps: time steps per message: T of a sample, or 1 for an answer as soon as it is known.
        stores: for some layers, by name, what takes their outputs; see `Layer`.
        slots: messages that a channel from or to the parent holds.

    Attributes:
        processes: by the layers' names.
        entries: InPorts of the network's input, with a pipe from the parent; each needs every message. The last
            layer's `out` has a pipe to the parent.
    """

    def __init__(
        self,
        network: integer.IntegerNetwork,
        batch: int,
        steps: int,
        stores: dict[str, np.ndarray] | None = None,
        slots: int = 8,
    ) -> None:
        self.processes: dict[str, Layer] = {}
        self.entries: list[InPort] = []
        for layer in network.layers:
            sources = listened_to(network, layer.name)
            process = Layer(network, layer.name, sources, batch, steps, (stores or {}).get(layer.name))
            for index, source in enumerate(sources):
                self._connect(source, getattr(process, f"in_{index}"), slots)
            self.processes[layer.name] = process
        self.processes[network.output.name].out.flag_external_pipe(slots)

    def _connect(self, source: str, port: InPort, slots: int) -> None:
        if source == integer.INPUT:
            port.flag_external_pipe(slots)
            self.entries.append(port)
        else:
            self.processes[source].out.connect(port)
