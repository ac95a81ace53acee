"""Declarations of many ports: Lava's models declare theirs one by one, as attributes of their class."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from lava.magma.core.model.py.ports import PyInPort
from lava.magma.core.model.py.type import LavaPyType

Model = TypeVar("Model", bound=type)


def declares_inports(prefix: str, count: int, dtype: type[np.integer]) -> Callable[[Model], Model]:
    """Declare InPorts of a model, of vectors of a dtype, named by a prefix and their number; a class decorator."""

    def declare(model: Model) -> Model:
        for index in range(count):
            setattr(model, f"{prefix}{index}", LavaPyType(PyInPort.VEC_DENSE, dtype))
        return model

    return declare
