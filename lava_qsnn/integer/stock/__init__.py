"""The stock form: how a network is said in the words of unmodified lava-dl NetX, and written as its HDF5 groups."""

from lava_qsnn.integer.stock._arrays import (
    flatten_arrays,
    input_arrays,
    layer_arrays,
    network_arrays,
    smallest,
    write_arrays,
)
from lava_qsnn.integer.stock._lowering import (
    StockLayer,
    input_message_bits,
    stock_layer,
    stock_network,
    stock_obstacles,
)

__all__ = [
    "StockLayer",
    "flatten_arrays",
    "input_arrays",
    "input_message_bits",
    "layer_arrays",
    "network_arrays",
    "smallest",
    "stock_layer",
    "stock_network",
    "stock_obstacles",
    "write_arrays",
]
