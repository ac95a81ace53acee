"""The deployed network and its engines: numpy only, no torch, no Lava.

`IntegerNetwork` is the one truth about deployed numbers. Training folds into it, files serialize it, and every engine,
check and report reads it.
"""

from lava_qsnn.integer._limits import (
    FLOAT32_LIMIT,
    LAVA_RULES,
    LOIHI_LIMIT,
    Rule,
    Violation,
    geometry_fits_lava_conv,
    potentials_exact_in_float32,
    potentials_fit_loihi,
    refuse_violations,
    weights_fit_lava_dense,
)
from lava_qsnn.integer._network import (
    INPUT,
    Connection,
    Conv,
    Dense,
    Input,
    IntegerNetwork,
    Layer,
    MemoryFree,
    Neuron,
    Readout,
    Shape,
    Synapse,
)
from lava_qsnn.integer._reference import check_input, current, fire, history_words, potential, run_reference
from lava_qsnn.integer._stock import StockLayer, input_message_bits, stock_layer
from lava_qsnn.integer._taps import (
    MAXIMUM_HISTORY,
    check_history,
    check_tap_bits,
    geometric_taps,
    reduce_taps,
    shift_taps,
    tap_scale,
)
from lava_qsnn.integer._threshold import NEVER, Affine, integer_threshold

__all__ = [
    "FLOAT32_LIMIT",
    "INPUT",
    "LAVA_RULES",
    "LOIHI_LIMIT",
    "MAXIMUM_HISTORY",
    "NEVER",
    "Affine",
    "Connection",
    "Conv",
    "Dense",
    "Input",
    "IntegerNetwork",
    "Layer",
    "MemoryFree",
    "Neuron",
    "Readout",
    "Rule",
    "Shape",
    "StockLayer",
    "Synapse",
    "Violation",
    "check_history",
    "check_input",
    "check_tap_bits",
    "current",
    "fire",
    "geometric_taps",
    "geometry_fits_lava_conv",
    "history_words",
    "input_message_bits",
    "integer_threshold",
    "potential",
    "potentials_exact_in_float32",
    "potentials_fit_loihi",
    "reduce_taps",
    "refuse_violations",
    "run_reference",
    "shift_taps",
    "stock_layer",
    "tap_scale",
    "weights_fit_lava_dense",
]
