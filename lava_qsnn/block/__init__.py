"""Slayer-style blocks, to be trained: one module per family of neurons, and the factory that makes them."""

from lava_qsnn.extras import extra

with extra("train"):
    from lava_qsnn.block import lif, memory_free, quantized_lif, tanh_lif
    from lava_qsnn.block._family import Family, family
    from lava_qsnn.block._synaptic import IntegerParameters, Synaptic

__all__ = ["Family", "IntegerParameters", "Synaptic", "family", "lif", "memory_free", "quantized_lif", "tanh_lif"]
