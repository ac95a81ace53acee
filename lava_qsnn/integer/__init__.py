"""The deployed network and its engines: numpy, no torch, no Lava; numba where it is installed.

`IntegerNetwork` is the one truth about deployed numbers. Training folds into it, files serialize it, and every engine,
check and report reads it.
"""

from lava_qsnn.integer._fast import run_fast
from lava_qsnn.integer._kernels import Kernel, kernel, narrowest
from lava_qsnn.integer._limits import (
    FLOAT32_LIMIT,
    INT32_LIMIT,
    LAVA_RULES,
    LOIHI_LIMIT,
    TORCH_RULES,
    Rule,
    Violation,
    currents_exact_in_float32,
    currents_fit_loihi,
    geometry_fits_lava_conv,
    quantized_potentials_fit_int32,
    refuse_violations,
    torch_violations,
    weights_fit_lava_dense,
)
from lava_qsnn.integer._network import INPUT, Connection, Input, IntegerNetwork, Layer
from lava_qsnn.integer._neurons import LEAKS, POTENTIAL_BITS, RESETS, MemoryFree, Neuron, QuantizedLIF, Readout
from lava_qsnn.integer._ranges import current_range
from lava_qsnn.integer._reference import (
    check_input,
    current,
    fire,
    history_words,
    integrate,
    per_channel,
    run_reference,
    total_current,
)
from lava_qsnn.integer._stock import StockLayer, input_message_bits, stock_layer
from lava_qsnn.integer._synapses import Conv, Dense, OneToOne, Synapse
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
from lava_qsnn.integer._values import LARGEST_COUNT, Shape, whole

__all__ = [
    "FLOAT32_LIMIT",
    "INPUT",
    "INT32_LIMIT",
    "LARGEST_COUNT",
    "LAVA_RULES",
    "LEAKS",
    "LOIHI_LIMIT",
    "MAXIMUM_HISTORY",
    "NEVER",
    "POTENTIAL_BITS",
    "RESETS",
    "TORCH_RULES",
    "Affine",
    "Connection",
    "Conv",
    "Dense",
    "Input",
    "IntegerNetwork",
    "Kernel",
    "Layer",
    "MemoryFree",
    "Neuron",
    "OneToOne",
    "QuantizedLIF",
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
    "current_range",
    "currents_exact_in_float32",
    "currents_fit_loihi",
    "fire",
    "geometric_taps",
    "geometry_fits_lava_conv",
    "history_words",
    "input_message_bits",
    "integer_threshold",
    "integrate",
    "kernel",
    "narrowest",
    "per_channel",
    "quantized_potentials_fit_int32",
    "reduce_taps",
    "refuse_violations",
    "run_fast",
    "run_reference",
    "shift_taps",
    "stock_layer",
    "tap_scale",
    "torch_violations",
    "total_current",
    "weights_fit_lava_dense",
    "whole",
]
