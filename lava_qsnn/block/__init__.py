"""What is trained: slayer-style blocks, one module per family of neurons."""

from lava_qsnn.block import memory_free, quantized_lif
from lava_qsnn.block._synaptic import IntegerParameters, Synaptic

__all__ = ["IntegerParameters", "Synaptic", "memory_free", "quantized_lif"]
