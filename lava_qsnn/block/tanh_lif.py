"""Blocks of neurons as Q-SNN's public code is described to have, to compare with: they have no integer form.

`neuron_params` are the parameters of lava_qsnn.parameters.TanhLIF.
Flatten, Output and Residual are the same for all families: they have no neurons of their own that spike.
"""

from typing import TYPE_CHECKING, Any

from lava_qsnn.block._blocks import Flatten, Output, Residual
from lava_qsnn.block._family import family, missing
from lava_qsnn.neuron.tanh_lif import Neuron

if TYPE_CHECKING:  # a type checker sees classes, which annotations may name
    from lava_qsnn.block._blocks import Conv, Dense, Input, Pool
else:
    Dense, Conv, Pool, Input = family(__name__, Neuron)

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)


__all__ = ["Conv", "Dense", "Flatten", "Input", "Output", "Pool", "Residual"]
