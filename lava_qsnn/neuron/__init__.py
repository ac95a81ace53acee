"""Neurons in torch, in slayer's style: a module for each kind, and the contract that blocks keep with them."""

from lava_qsnn.extras import extra

with extra("train"):
    from lava_qsnn.neuron import contract, lif, memory_free, quantized_lif, tanh_lif
    from lava_qsnn.neuron._norm import synchronize

__all__ = ["contract", "lif", "memory_free", "quantized_lif", "synchronize", "tanh_lif"]
