"""Engines that compute deployed networks fast, with the reference's integers: numpy, and numba where it pays.

`run_fast` takes whole batches; `LayerEngine` and `NetworkEngine` take messages as they come. Kinds of neurons and
synapses register their faster forms in one table each; one that has none runs by its own step.
"""

from lava_qsnn.engines._fast import run_fast
from lava_qsnn.engines._forms import Currents, Form, form
from lava_qsnn.engines._kernels import Kernel, kernel
from lava_qsnn.engines._stored import StoredPotential
from lava_qsnn.engines._threads import cores, thread_count

__all__ = ["Currents", "Form", "Kernel", "StoredPotential", "cores", "form", "kernel", "run_fast", "thread_count"]
