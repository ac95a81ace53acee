"""Neurons in torch, in slayer's style."""

from lava_qsnn.neuron import memory_free

__all__ = ["memory_free"]
