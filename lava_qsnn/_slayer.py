"""Slayer, lava-dl's training library, where it is installed: imported without the notes that it prints.

The blocks, synapses and neurons here are slayer's, too, so that its losses, classifiers and tools take them beside its
own: each has slayer's class among its bases. They compute nothing with it, and without lava-dl (it needs Python 3.10)
have a class of torch's in its place.
"""

from __future__ import annotations

import contextlib
import io
import sys
from operator import attrgetter
from types import ModuleType
from typing import Any

from torch import nn

from lava_qsnn.extras import extra

#: Lines that slayer and torch's extension builder print on import; anything else they print is passed on.
_NOTES = ("Prophesee", "prophesee", "No CUDA runtime is found")

_DETECTION = "lava.lib.dl.slayer.object_detection"


def _import() -> Any:
    try:
        from lava.lib.dl import slayer
    except (ImportError, RuntimeError) as error:
        if isinstance(error, ModuleNotFoundError) and "lava.lib.dl.slayer.".startswith(f"{error.name}."):
            return None
        # Object detection wants cv2 and a torchvision built for this very torch, on machines that have neither.
        sys.modules[_DETECTION] = ModuleType(_DETECTION, "Left out: cv2 or torchvision cannot be imported.")
        from lava.lib.dl import slayer
    return slayer


with extra("lava"), contextlib.redirect_stdout(io.StringIO()) as _printed, contextlib.redirect_stderr(_printed):
    slayer = _import()

for _line in _printed.getvalue().splitlines(keepends=True):
    if not any(note in _line for note in _NOTES):
        sys.stderr.write(_line)


def _class(path: str, otherwise: type[nn.Module] = nn.Module) -> Any:
    """Slayer's class of this path, or one of its name that adds nothing to another."""
    return attrgetter(path)(slayer) if slayer is not None else type(path.rpartition(".")[2], (otherwise,), {})


Neuron = _class("neuron.base.Neuron")
AbstractAffine = _class("block.base.AbstractAffine")
AbstractConv = _class("block.base.AbstractConv")
AbstractDense = _class("block.base.AbstractDense")
AbstractFlatten = _class("block.base.AbstractFlatten")
AbstractInput = _class("block.base.AbstractInput")
AbstractPool = _class("block.base.AbstractPool")
DenseSynapse = _class("synapse.Dense", nn.Conv3d)
ConvSynapse = _class("synapse.Conv", nn.Conv3d)
PoolSynapse = _class("synapse.Pool", nn.Conv3d)
MeanOnlyBatchNorm = _class("neuron.norm.MeanOnlyBatchNorm")
WgtScaleBatchNorm = _class("neuron.norm.WgtScaleBatchNorm")

__all__ = [
    "AbstractAffine",
    "AbstractConv",
    "AbstractDense",
    "AbstractFlatten",
    "AbstractInput",
    "AbstractPool",
    "ConvSynapse",
    "DenseSynapse",
    "MeanOnlyBatchNorm",
    "Neuron",
    "PoolSynapse",
    "WgtScaleBatchNorm",
    "slayer",
]
