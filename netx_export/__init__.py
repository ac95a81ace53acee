"""Deployment: export trained networks to integers and NetX files, load, run and verify them.

    network = netx_export.export(net, "digits.net", input_shape=(64,), timesteps=4, input_bits=5)
    potentials = netx_export.simulate("digits.net", x, backend="lava")

torch is imported by `export` and `fold` only, Lava by `Network`, `Stream`, the run configurations `fixed_point` and
`fused`, and the backends that run on it only.
"""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lava_qsnn.extras import extra
from netx_export._activity import random_samples
from netx_export._check import CHECKS, Check, CheckReport, check
from netx_export._describe import LIF_STATE_BITS, LayerSummary, describe, state_bits, weight_bytes
from netx_export._findings import Finding
from netx_export._inspect import Inspection, inspect
from netx_export._open import opened
from netx_export._plain import to_json
from netx_export._plots import plot_sample
from netx_export._predictions import predictions, tells_numbers
from netx_export._read import load
from netx_export._simulate import BACKENDS, Backend, simulate, simulate_layers
from netx_export._stock import StockUse, stock_agreement, stock_answer, stock_use
from netx_export._stock_call import StockCall, stock_call
from netx_export._verify import Parting, Report, Row, verify
from netx_export._words import kind_words, taps_text
from netx_export._write import write

if TYPE_CHECKING:
    from lava_qsnn.process.configurations import fixed_point, fused
    from netx_export._bundle import Bundle, bundle
    from netx_export._chip import (
        ANCHORS,
        BASES,
        CHIPS,
        MAPPINGS,
        OPERATIONS,
        Basis,
        Bill,
        Chip,
        Energy,
        LayerLayout,
        LayerTraffic,
        Layout,
        Population,
        Price,
        Projection,
        RuleFinding,
        SanafeCounts,
        SanafeTimes,
        Traffic,
        chain,
        energy,
        layout,
        plot_layout,
        read_basis,
        read_sanafe,
        spread,
        waits_for,
        write_sanafe,
    )
    from netx_export._diff import NetworkDiff, diff
    from netx_export._export import export
    from netx_export._fold import fold
    from netx_export._network import Network
    from netx_export._nir._files import read_nir, write_nir
    from netx_export._nir._from import evaluate_nir, from_nir
    from netx_export._nir._map import nir_map
    from netx_export._nir._report import NirReport, NirRow
    from netx_export._nir._to import to_nir
    from netx_export._report import NetworkReport, report
    from netx_export._stream import Stream

__all__ = [
    "ANCHORS",
    "BACKENDS",
    "BASES",
    "CHECKS",
    "CHIPS",
    "LIF_STATE_BITS",
    "MAPPINGS",
    "OPERATIONS",
    "Backend",
    "Basis",
    "Bill",
    "Bundle",
    "Check",
    "CheckReport",
    "Chip",
    "Energy",
    "Finding",
    "Inspection",
    "LayerLayout",
    "LayerSummary",
    "LayerTraffic",
    "Layout",
    "Network",
    "NetworkDiff",
    "NetworkReport",
    "NirReport",
    "NirRow",
    "Parting",
    "Population",
    "Price",
    "Projection",
    "Report",
    "Row",
    "RuleFinding",
    "SanafeCounts",
    "SanafeTimes",
    "StockCall",
    "StockUse",
    "Stream",
    "Traffic",
    "bundle",
    "chain",
    "check",
    "describe",
    "diff",
    "energy",
    "evaluate_nir",
    "export",
    "fixed_point",
    "fold",
    "from_nir",
    "fused",
    "inspect",
    "kind_words",
    "layout",
    "load",
    "nir_map",
    "opened",
    "plot_layout",
    "plot_sample",
    "predictions",
    "random_samples",
    "read_basis",
    "read_nir",
    "read_sanafe",
    "report",
    "simulate",
    "simulate_layers",
    "spread",
    "state_bits",
    "stock_agreement",
    "stock_answer",
    "stock_call",
    "stock_use",
    "taps_text",
    "tells_numbers",
    "to_json",
    "to_nir",
    "verify",
    "waits_for",
    "weight_bytes",
    "write",
    "write_nir",
    "write_sanafe",
]

#: What needs torch or Lava, or takes time to import, is imported when it is first used: its module, and the extra that
#: brings what it needs, if one does.
_LATE: dict[str, tuple[str, str | None]] = {
    "Bundle": ("netx_export._bundle", None),
    "Network": ("netx_export._network", "lava"),
    "NetworkDiff": ("netx_export._diff", None),
    "NetworkReport": ("netx_export._report", None),
    "Stream": ("netx_export._stream", "lava"),
    "bundle": ("netx_export._bundle", None),
    "diff": ("netx_export._diff", None),
    "export": ("netx_export._export", "train"),
    "fixed_point": ("lava_qsnn.process.configurations", "lava"),
    "fold": ("netx_export._fold", "train"),
    "fused": ("lava_qsnn.process.configurations", "lava"),
    "NirReport": ("netx_export._nir._report", "nir"),
    "NirRow": ("netx_export._nir._report", "nir"),
    "evaluate_nir": ("netx_export._nir._from", "nir"),
    "from_nir": ("netx_export._nir._from", "nir"),
    "nir_map": ("netx_export._nir._map", "nir"),
    "read_nir": ("netx_export._nir._files", "nir"),
    "report": ("netx_export._report", None),
    "to_nir": ("netx_export._nir._to", "nir"),
    "write_nir": ("netx_export._nir._files", "nir"),
    **dict.fromkeys(
        (
            "ANCHORS",
            "BASES",
            "CHIPS",
            "MAPPINGS",
            "OPERATIONS",
            "Basis",
            "Bill",
            "Chip",
            "Energy",
            "LayerLayout",
            "LayerTraffic",
            "Layout",
            "Population",
            "Price",
            "Projection",
            "RuleFinding",
            "SanafeCounts",
            "SanafeTimes",
            "Traffic",
            "chain",
            "energy",
            "layout",
            "plot_layout",
            "read_basis",
            "read_sanafe",
            "spread",
            "waits_for",
            "write_sanafe",
        ),
        ("netx_export._chip", None),
    ),
}

if not TYPE_CHECKING:  # so that a type checker knows every name, and no other

    def __getattr__(name: str) -> Any:
        if name not in _LATE:
            raise AttributeError(f"module 'netx_export' has no attribute '{name}'")
        module, needed = _LATE[name]
        with extra(needed) if needed is not None else nullcontext():
            found = import_module(module)
        return getattr(found, name)
