"""Neurons in torch, in slayer's style."""

from lava_qsnn.extras import extra

with extra("train"):
    from lava_qsnn.neuron import memory_free, quantized_lif

__all__ = ["memory_free", "quantized_lif"]
