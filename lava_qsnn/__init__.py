"""lava-qsnn: quantized spiking networks from lava-dl training to Lava processes, bit for bit."""

__version__ = "0.1.0"
