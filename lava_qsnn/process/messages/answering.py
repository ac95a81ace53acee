"""The common part of models of the asynchronous protocol that answer messages: waiting, channels, pauses."""

from collections.abc import Iterator
from multiprocessing.synchronize import Semaphore

import numpy as np
from lava.magma.core.model.py.model import PyAsyncProcessModel
from lava.magma.core.model.py.ports import PyOutPort

from lava_qsnn.engines.message_format import Bundle
from lava_qsnn.process.messages.channels import Waiting, inlets, outlets


class PyAnsweringModel(PyAsyncProcessModel):
    """Takes a message from each of its InPorts, answers from `out`, and so on; at once aside for Lava's commands.

    A subclass says what it answers, `compute`, and sets:

    Attributes:
        formats: of the messages of each InPort, by the port's name.
        format: of the answers.
    """

    out: PyOutPort
    formats: dict[str, Bundle]
    format: Bundle

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self.answered = self.stored = 0
        self.work = self._answers()
        self.awaited: Semaphore | None = None

    def __setattr__(self, key: str, value: object) -> None:
        """Hide the data ports from Lava, which would start threads for those that it notes here."""
        self.__dict__[key] = value

    def compute(self, frames: list[dict[str, np.ndarray]], step: int) -> dict[str, np.ndarray]:
        """The answer to messages of all InPorts, whose first frame is of a time step.

        Both are frames (samples, steps, *shape) of populations, by name; an answer may have more than are sent.
        """
        raise NotImplementedError

    def store(self, outputs: dict[str, np.ndarray], step: int) -> None:
        """Keep outputs of layers, (samples, steps, *shape) from a time step on, where `stores` has room for them."""
        samples, steps = next(iter(outputs.values())).shape[:2]
        stores = self.proc_params["stores"]
        for name, store in stores.items():
            store[self.stored : self.stored + samples, step : step + steps] = outputs[name]
        if step + steps == next((store.shape[1] for store in stores.values()), 0):
            self.stored += samples

    def run_async(self) -> None:
        """Answer messages, for Lava as many as there are steps in a run, until a command comes.

        After a pause the work goes on where it stood, perhaps in the midst of a message.
        """
        end = self.answered + self.num_steps
        with Waiting(self.service_to_process) as waiting:
            while self.answered < end:
                if self.awaited is not None and not waiting.until(self.awaited):
                    return
                self.awaited = next(self.work)

    def _answers(self) -> Iterator[Semaphore]:
        """The work without end; to go on it needs a token of each semaphore that it gives."""
        ports = [(inlets(getattr(self, name))[0], form) for name, form in self.formats.items()]
        ends = outlets(self.out)
        while True:
            frames, step = [], 0
            for inlet, form in ports:
                yield inlet.tokens
                values, step = form.read(inlet.message)
                frames.append(values)
                inlet.free()
            answer = self.format.write(self.compute(frames, step), step)
            for outlet in ends:
                if not outlet.has_room():
                    yield outlet.acknowledged
                    outlet.made_room()
                outlet.send(answer)
            self.answered += 1
