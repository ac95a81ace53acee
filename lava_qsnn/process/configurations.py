"""Run configurations: by which rules Lava chooses the models of a program's processes."""

import sys

from lava.magma.core.model.model import AbstractProcessModel
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_configs import Loihi2SimCfg

#: Where the processes of this package lie.
PACKAGE = __name__.rpartition(".")[0]


class ModelsBeside:
    """Finds the model of a process of this package in the process's own file; a mapping from processes to models.

    Lava would execute every file of the folder to find it, once for each process: a quarter of a second each.

    Args:
        tags: of models, those preferred first.
    """

    def __init__(self, *tags: str) -> None:
        self.tags = tags

    def __contains__(self, process: object) -> bool:
        return isinstance(process, AbstractProcess) and bool(self._models(process))

    def __getitem__(self, process: AbstractProcess) -> type[AbstractProcessModel]:
        model = self._models(process)[0]
        if "fused" in model.tags:
            process.refuse_observers()
        return model

    def _models(self, process: AbstractProcess) -> list[type[AbstractProcessModel]]:
        kind = type(process)
        if not kind.__module__.startswith(PACKAGE):
            return []
        beside = vars(sys.modules[kind.__module__]).values()
        models = [model for model in beside if issubclass(getattr(model, "implements_process", None) or object, kind)]
        return [model for tag in self.tags for model in models if tag in model.tags]


def fixed_point() -> Loihi2SimCfg:
    """Fixed-point models on the CPU: networks as one process per synapse and per neuron."""
    return Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=ModelsBeside("fixed_pt"))


def fused() -> Loihi2SimCfg:
    """Fixed-point models on the CPU, but networks as one process each."""
    return Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=ModelsBeside("fused", "fixed_pt"))


def asynchronous() -> Loihi2SimCfg:
    """Models on the asynchronous protocol, for programs without a global time step."""
    return Loihi2SimCfg(select_tag="asynchronous", exception_proc_model_map=ModelsBeside("asynchronous"))
