"""Engines that compute deployed networks fast, with the reference's integers: numpy, and numba where it pays.

`run_fast` takes whole batches; `LayerEngine` and `NetworkEngine` take messages as they come. Kinds of neurons and
synapses register their faster forms in one table each; one that has none runs by its own step.
"""

from lava_qsnn._late import late_names

__getattr__, __dir__, __all__ = late_names(__name__, __file__, {})
