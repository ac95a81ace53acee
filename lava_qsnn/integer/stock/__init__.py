"""The stock form: how a network is said in the words of unmodified lava-dl NetX, and written as its HDF5 groups."""

from lava_qsnn.integer.stock._answer import (
    FORMS,
    SPIKES,
    SUM,
    VOLTAGE,
    StockAnswer,
    check_answer,
    levels_for,
    with_answer,
)
from lava_qsnn.integer.stock._arrays import (
    flatten_arrays,
    input_arrays,
    layer_arrays,
    network_arrays,
    smallest,
    write_arrays,
)
from lava_qsnn.integer.stock._form import NetxForm, has_stock_neurons, netx_form
from lava_qsnn.integer.stock._lowering import (
    StockLayer,
    input_message_bits,
    stock_layer,
    stock_network,
    stock_obstacles,
)
from lava_qsnn.integer.stock._resonator import file_coefficients, netx_coefficients
from lava_qsnn.integer.stock._weights import MIXED_RANGE, file_weights, netx_weights

__all__ = [
    "FORMS",
    "MIXED_RANGE",
    "SPIKES",
    "SUM",
    "VOLTAGE",
    "NetxForm",
    "StockAnswer",
    "StockLayer",
    "check_answer",
    "file_coefficients",
    "file_weights",
    "flatten_arrays",
    "has_stock_neurons",
    "input_arrays",
    "input_message_bits",
    "layer_arrays",
    "levels_for",
    "network_arrays",
    "netx_coefficients",
    "netx_form",
    "netx_weights",
    "smallest",
    "stock_layer",
    "stock_network",
    "stock_obstacles",
    "with_answer",
    "write_arrays",
]
