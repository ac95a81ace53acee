"""Prices of operations, as records with their origin; a price that nobody has published is none, not 0."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lava_qsnn.errors import ConfigurationError
from netx_export._chip.yaml_files import read_mapping

#: What can have a price: the name, and what is counted.
OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "synop": "effective synaptic operations",
        "synop_dense": "effective synaptic operations of dense synapses",
        "synop_conv": "effective synaptic operations of convolutions",
        "synop_sparse": "effective synaptic operations of one-to-one synapses",
        "accumulation": "effective synaptic operations whose inputs are -1, 0 or 1",
        "multiplication": "effective synaptic operations whose inputs are others",
        "word_read": "words of 64 bits read from synaptic memory",
        "update": "updates of neurons, one each time step",
        "spike": "outputs of neurons that are not 0",
        "message": "messages, one for each core that a neuron sends to",
        "hop_east_west": "hops of messages between tiles, east and west",
        "hop_north_south": "hops of messages between tiles, north and south",
        "message_between_chips": "messages that leave a chip",
        "input_message": "messages of the input, from outside",
    }
)

#: What an energy is of, from the inside out.
BOUNDARIES = ("operations", "dynamic", "chip", "board")


@dataclass(frozen=True)
class Price:
    """The price of one operation.

    Args:
        operation: a name from OPERATIONS.
        low: picojoules, at the least.
        high: picojoules, at the most; None if the source has no upper bound.
        source: its origin.
    """

    operation: str
    low: float
    high: float | None
    source: str

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise ConfigurationError(
                f"there is no operation {self.operation!r:.60}", remedy=f"choose one of {', '.join(OPERATIONS)}"
            )
        for value in (self.low, self.high):
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
            if (value is not None and not (is_number and value >= 0)) or self.low is None:
                raise ConfigurationError(
                    f"the price of '{self.operation}' must be picojoules from 0, not {value!r:.60}"
                )
        if self.high is not None and self.high < self.low:
            raise ConfigurationError(f"the price of '{self.operation}' runs from {self.low} down to {self.high}")
        if not isinstance(self.source, str) or not self.source.strip():
            raise ConfigurationError(
                f"the price of '{self.operation}' has no source", remedy="say where each price comes from"
            )


@dataclass(frozen=True)
class Basis:
    """Prices that belong together.

    Args:
        name: of the basis.
        chip: what it prices: the start of a chip's name, such as "loihi1", or "45 nm", which is no chip.
        boundary: what the sum is of: "operations", "dynamic", "chip" or "board".
        leaves_out: what it does not hold.
        prices: of operations, each at most once; of synaptic operations all kinds, or some.
        static_watts: of a chip, with `static_source`; 0 if it is not known.
        static_source: its origin.
        note: a warning that belongs to the prices.
    """

    name: str
    chip: str
    boundary: str
    leaves_out: str
    prices: tuple[Price, ...]
    static_watts: float = 0.0
    static_source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for entry in ("name", "chip", "leaves_out"):
            if not isinstance(getattr(self, entry), str) or not getattr(self, entry).strip():
                raise ConfigurationError(f"a basis of prices must say its {entry}", remedy="write a text")
        if self.boundary not in BOUNDARIES:
            raise ConfigurationError(
                f"there is no boundary {self.boundary!r:.60}", remedy=f"choose one of {', '.join(BOUNDARIES)}"
            )
        priced = [price.operation for price in self.prices]
        if len(set(priced)) < len(priced):
            raise ConfigurationError(f"the basis '{self.name}' prices an operation twice")
        families = [{"synop"}, {"synop_dense", "synop_conv", "synop_sparse"}, {"accumulation", "multiplication"}]
        if sum(bool(family & set(priced)) for family in families) > 1:
            raise ConfigurationError(
                f"the basis '{self.name}' prices synaptic operations in two ways, and would count them twice",
                remedy="price 'synop', or its kinds, or accumulations and multiplications",
            )


_DAVIES = "Davies and others, Loihi, IEEE Micro 2018, pre-silicon [S]"
_SANA_FE = "SANA-FE 2.2.9, loihi.yaml, fitted to Nahuku silicon with an error of 11.7 % [C]"
_HOROWITZ = "Horowitz, ISSCC 2014, 45 nm, as SpikingJelly uses it [C]"
_CACHE = (
    "Horowitz, ISSCC 2014: a 64-bit access of an 8 kB cache in 45 nm, through table 3 of PMC8934428 [S]; a core's "
    "synaptic memory is larger, and costs more"
)
_FLOATS = "the pair that papers print; wrong for networks of integers, which have int8 or less"
_NO_MEMORY = "memory, control, communication, neurons and leakage"
_WITH_MEMORY = "control, communication, neurons, leakage, and what a memory larger than 8 kB costs more"

#: Prices of Loihi 1, pre-silicon.
DAVIES = Basis(
    "Davies 2018",
    "loihi1",
    "dynamic",
    "static power, x86 cores, input and output, and messages between chips",
    (
        Price("synop", 23.6, None, _DAVIES),
        Price("update", 52.0, 81.0, f"{_DAVIES}: idle to active"),
        Price("message", 1.7, 1.7, f"{_DAVIES}: within its tile"),
        Price("hop_east_west", 3.0, 3.0, _DAVIES),
        Price("hop_north_south", 4.0, 4.0, _DAVIES),
    ),
    0.104,
    "104 mW a chip [S]",
)

#: Prices of Loihi 1, fitted to silicon.
SANA_FE = Basis(
    "SANA-FE",
    "loihi1",
    "dynamic",
    "static power, x86 cores, input and output, and messages between chips",
    (
        Price("synop_conv", 24.0, 24.0, _SANA_FE),
        Price("synop_sparse", 33.6, 33.6, _SANA_FE),
        Price("synop_dense", 35.5, 35.5, _SANA_FE),
        Price("update", 51.2, 72.8, f"{_SANA_FE}: access alone to access and update"),
        Price("spike", 69.3, 69.3, _SANA_FE),
        Price("message", 111.0, 111.0, _SANA_FE),
        Price("hop_east_west", 3.0, 3.0, _SANA_FE),
        Price("hop_north_south", 4.2, 4.2, _SANA_FE),
    ),
    0.104,
    "104 mW a chip [S]",
)


def _arithmetic(name: str, multiply: float, add: float, memory: bool) -> Basis:
    prices = (Price("multiplication", multiply, multiply, _HOROWITZ), Price("accumulation", add, add, _HOROWITZ))
    read = (Price("word_read", 10.0, None, _CACHE),) if memory else ()
    note = _FLOATS if name == "fp32" else ""
    name = f"45 nm {name}{' with memory' if memory else ''}"
    left_out = _WITH_MEMORY if memory else _NO_MEMORY
    return Basis(name, "45 nm", "operations", left_out, (*prices, *read), note=note)


#: All bases that are known; those of 45 nm with and without reading the weights.
BASES: tuple[Basis, ...] = (
    DAVIES,
    SANA_FE,
    *(_arithmetic("int8", 0.23, 0.03, memory) for memory in (False, True)),
    *(_arithmetic("fp32", 4.6, 0.9, memory) for memory in (False, True)),
)

#: The answer to a question for joules of Loihi 2.
NO_LOIHI_2 = "no energy of an operation of Loihi 2 is public: pass prices with a source"

#: What was measured on Loihi 2, each with its boundary and origin.
ANCHORS: tuple[str, ...] = (
    "PilotNet LIF on 74 cores: 1.661 mJ a frame of 16 steps at 408.91 frames a second and 0.679 W, of it 0.232 W "
    "static; chip; lava-dl, netx/pilotnet_snn/benchmark.ipynb [T]",
    "S4D on sCIFAR, 6 cores: 0.32 uJ a time step; dynamic, without static power; lava-dl, branch S4D_debug [T]",
    "a dense autoencoder on a VPX board of 16 chips, input preloaded: 816 uJ an inference in total, 41 uJ of them "
    "dynamic, in 48.3 us at 16.89 W; 4,554 uJ in 281 us with input through Ethernet; board; arXiv 2608.18341, through "
    "a summary [S]",
    "an Oheo Gulch board with 34 cores at work: 1.80 W, of it 1.78 W static, 1.56 W of these in its x86 cores; board; "
    "arXiv 2609.32317 [S]",
)


def read_basis(path: str | os.PathLike[str]) -> Basis:
    """Read a basis of a user's own from YAML: `name`, `chip`, `boundary`, `leaves_out`, and `prices`.

    Each price has `operation`, `low` and `source`, and `high` if there is an upper bound that is not `low`.

    Raises:
        ConfigurationError: the file is no such thing, or a price lacks its source; the text names it.
        FileNotFoundError: there is no such file.
    """
    values = read_mapping(path, "prices")
    try:
        return _basis(values)
    except ConfigurationError as error:
        raise ConfigurationError(f"'{path}': {error.problem}", remedy=error.remedy) from None


def _basis(values: dict[str, Any]) -> Basis:
    known = ("name", "chip", "boundary", "leaves_out", "prices", "static_watts", "static_source", "note")
    _refuse_others(values, known, known[:5], "prices")
    rows = values["prices"]
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ConfigurationError(
            "`prices` must be a list of prices", remedy="write an operation, low and a source each"
        )
    watts = values.get("static_watts", 0.0)
    if isinstance(watts, bool) or not isinstance(watts, (int, float)) or not 0 <= watts < math.inf:
        raise ConfigurationError(f"static_watts must be watts from 0, not {watts!r:.60}")
    if watts and not str(values.get("static_source", "")).strip():
        raise ConfigurationError("static_watts has no source", remedy="say in static_source where it comes from")
    return Basis(**(values | {"prices": tuple(_price(row) for row in rows)}))


def _price(row: dict[str, Any]) -> Price:
    operation = str(row.get("operation"))
    if "source" not in row:
        raise ConfigurationError(f"the price of '{operation}' has no source", remedy="say where each price comes from")
    _refuse_others(row, ("operation", "low", "high", "source"), ("operation", "low"), f"the price of '{operation}'")
    return Price(**{"high": row["low"], **row})


def _refuse_others(values: dict[str, Any], known: tuple[str, ...], needed: tuple[str, ...], what: str) -> None:
    if unknown := sorted(map(str, set(values) - set(known))):
        raise ConfigurationError(f"{what}: unknown keys {', '.join(unknown)}", remedy=f"known are {', '.join(known)}")
    if missing := [name for name in needed if name not in values]:
        raise ConfigurationError(f"{what}: {', '.join(missing)} is missing")
