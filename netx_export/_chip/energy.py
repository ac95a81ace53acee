"""The costs of a network: counts first, then those times published prices, each with its boundary."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError, QsnnError
from lava_qsnn.integer import INPUT, IntegerNetwork
from netx_export._chip.assemble import layout
from netx_export._chip.layout import Layout
from netx_export._chip.prices import ANCHORS, BASES, NO_LOIHI_2, OPERATIONS, Basis, Price, read_basis
from netx_export._chip.profiles import Chip
from netx_export._chip.report import counted
from netx_export._read import load

#: Version of an energy report as plain data.
VERSION = 1

#: Loihi 1 has 8 x 4 tiles of 4 cores: SANA-FE, loihi.yaml [C]. Cores are counted tile by tile, column by column.
TILE_CORES, TILES_HIGH = 4, 4


@dataclass(frozen=True)
class Line:
    """One operation in a bill: its number for a sample, on average, its price, and the energy in picojoules.

    Without a price, `low` and `high` are None; a price without an upper bound has no `high`.
    """

    operation: str
    count: float
    price: Price | None

    @property
    def low(self) -> float | None:
        """Picojoules, at the least."""
        return None if self.price is None else self.count * self.price.low

    @property
    def high(self) -> float | None:
        """Picojoules, at the most."""
        return None if self.price is None or self.price.high is None else self.count * self.price.high


@dataclass(frozen=True)
class Bill:
    """The counts of a sample times one basis of prices, in picojoules.

    Args:
        basis: the prices; its boundary is that of the sum.
        layout: the cores that were counted on.
        lines: one for each operation that occurs.
        static: of static power over the sample, with a step time; None without.
        notes: what must be known to read it.
    """

    basis: Basis
    layout: Layout
    lines: tuple[Line, ...]
    static: float | None
    notes: tuple[str, ...]

    @property
    def low(self) -> float:
        """The sum of what has a price, at the least."""
        return sum(line.low for line in self.lines if line.low is not None)

    @property
    def high(self) -> float | None:
        """The same at the most; None if a price has no upper bound."""
        highs = [line.high for line in self.lines if line.price is not None and line.count]
        return None if None in highs else float(sum(high for high in highs if high is not None))

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The operations that occur and have no price here."""
        return tuple(line.operation for line in self.lines if line.price is None)


@dataclass(frozen=True)
class Energy:
    """The costs of a network for some samples.

    Args:
        layout: the cores and the traffic that were asked for: the counts.
        bills: one for each basis of prices.
        refused: the reasons why there is no bill, by what was refused.
        anchors: measurements of whole networks, to compare with.
    """

    layout: Layout
    bills: tuple[Bill, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    anchors: tuple[str, ...] = ()

    @property
    def envelope(self) -> tuple[float, float | None] | None:
        """From the least to the most of all bills of Loihi 1, in picojoules; None if there are not two."""
        bills = [bill for bill in self.bills if bill.basis.chip == "loihi1"]
        if len(bills) < 2:
            return None
        highs = [bill.high for bill in bills]
        bounded = [high for high in highs if high is not None]
        return min(bill.low for bill in bills), max(bounded) if len(bounded) == len(highs) else None

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "version": VERSION,
            "unit": "pJ for a sample, on average",
            "counts": None if self.layout.traffic is None else self.layout.traffic.as_dict(),
            "bills": [_bill_dict(bill) for bill in self.bills],
            "envelope_of_loihi1": None if self.envelope is None else list(self.envelope),
            "refused": dict(self.refused),
            "anchors": list(self.anchors),
        }


def _bill_dict(bill: Bill) -> dict[str, Any]:
    lines = [
        {
            "operation": line.operation,
            "count": line.count,
            "price": None if line.price is None else vars(line.price),
            "energy": "unpriced" if line.price is None else [line.low, line.high],
        }
        for line in bill.lines
    ]
    return {
        "basis": bill.basis.name,
        "boundary": bill.basis.boundary,
        "leaves_out": bill.basis.leaves_out,
        "chip": bill.layout.chip.name,
        "mapping": bill.layout.mapping,
        "low": bill.low,
        "high": bill.high,
        "static": bill.static,
        "unpriced": list(bill.unpriced),
        "lines": lines,
        "notes": list(bill.notes),
    }


def energy(
    network: IntegerNetwork | str | os.PathLike[str],
    x: NDArray[np.integer[Any]],
    chip: Chip | str | os.PathLike[str] = "loihi2",
    mapping: str = "word",
    prices: Basis | str | os.PathLike[str] | None = None,
    step_time: float | None = None,
) -> Energy:
    """Count what a network does for some samples, and price it by what is published.

    Loihi 1 is priced by two bases that are never averaged, for the network's mapping with delays; arithmetic alone by
    45 nm. Joules of Loihi 2 are refused, for there are no public prices; measurements of whole networks come instead.

    Args:
        network: a deployed network, or its file.
        x: int (N, *input shape, T).
        chip, mapping: where it lies, as for `layout`.
        prices: a `Basis` of your own, or a YAML file with one; it prices the layout on `chip`.
        step_time: seconds of a time step on the chip, for static energy.

    Raises:
        ConfigurationError: a chip, a mapping or a price that makes no sense; the text names it.
        DeploymentError: a layer fits no core.
        InputError: the samples do not fit the network.
    """
    if step_time is not None and not 0 < step_time < float("inf"):
        raise ConfigurationError(f"step_time must be seconds above 0, not {step_time!r:.60}")
    own = read_basis(prices) if isinstance(prices, (str, os.PathLike)) else prices
    network = network if isinstance(network, IntegerNetwork) else load(network)
    found = layout(network, chip, mapping, activity=x)
    refused: dict[str, str] = {}
    if own is not None and not found.chip.name.startswith(own.chip) and own.chip != "45 nm":
        raise ConfigurationError(
            f"the prices '{own.name}' are of {own.chip}, and the layout is of {found.chip.name}",
            remedy="name the chip they are of with chip, or --chip",
        )
    if own is None and found.chip.storage == "loihi2":
        refused[found.chip.name] = NO_LOIHI_2
    first = _loihi_1(found, network, x, refused)
    bills = [] if own is None else [_bill(own, found, step_time)]
    for basis in BASES:
        on = first if basis.chip == "loihi1" else found
        if on is not None:
            bills.append(_bill(basis, on, step_time))
    return Energy(found, tuple(bills), refused, ANCHORS if found.chip.storage == "loihi2" else ())


def _loihi_1(
    found: Layout, network: IntegerNetwork, x: NDArray[np.integer[Any]], refused: dict[str, str]
) -> Layout | None:
    """The layout on Loihi 1 that its prices are for: the one that was asked for, or the network's with delays."""
    if found.chip.storage == "loihi1":
        return found
    try:
        return layout(network, "loihi1", "delayed", activity=x)
    except QsnnError as error:
        refused["loihi1"] = str(error)
        return None


def counts(found: Layout) -> dict[str, float]:
    """The mean count of each of OPERATIONS for a sample of a layout with traffic."""
    traffic = found.traffic
    assert traffic is not None
    layers = [each for name, each in traffic.layers.items() if name != INPUT]
    total = {
        name: sum(int(getattr(each, name).sum()) for each in layers)
        for name in ("synops", "conv_synops", "sparse_synops", "multiplications", "words_read", "spikes", "messages")
    }
    across = traffic.chip_pairs[:, :-1, :-1].sum(0)
    hops = _hops(found)
    whole = {
        "synop": total["synops"],
        "synop_dense": total["synops"] - total["conv_synops"] - total["sparse_synops"],
        "synop_conv": total["conv_synops"],
        "synop_sparse": total["sparse_synops"],
        "accumulation": total["synops"] - total["multiplications"],
        "multiplication": total["multiplications"],
        "word_read": total["words_read"],
        "update": traffic.updates * traffic.samples,
        "spike": total["spikes"],
        "message": total["messages"],
        "hop_east_west": hops[0],
        "hop_north_south": hops[1],
        "message_between_chips": int(across.sum() - np.trace(across)),
        "input_message": int(traffic.layers[INPUT].messages.sum()),
    }
    return {name: whole[name] / traffic.samples for name in OPERATIONS}


def _hops(found: Layout) -> tuple[int, int]:
    """Hops between tiles, east and west, and north and south, of all messages inside of a chip, over all samples."""
    if found.chip.storage != "loihi1" or found.traffic is None:
        return 0, 0
    used = np.zeros(found.chips, np.int64)
    places: dict[str, NDArray[np.int64]] = {}
    for part in found.parts:
        core = np.zeros(part.cores, np.int64)
        for index, chip in enumerate(part.chips.tolist()):
            core[index], used[chip] = used[chip], used[chip] + 1
        places[part.name] = np.stack([part.chips, *np.divmod(core // TILE_CORES, TILES_HIGH)])
    across = [0, 0]
    for (source, target), messages in found.traffic.flows.items():
        if source != INPUT:
            here, there = places[source][:, :, None], places[target][:, None, :]
            inside = messages * (here[0] == there[0])
            for axis in (0, 1):
                across[axis] += int((inside * abs(here[1 + axis] - there[1 + axis])).sum())
    return across[0], across[1]


#: The ways in which a basis can price synaptic operations: each of them is all of them.
_SYNAPTIC = (("synop",), ("synop_dense", "synop_conv", "synop_sparse"), ("accumulation", "multiplication"))


def _bill(basis: Basis, found: Layout, step_time: float | None) -> Bill:
    """Price all that occurs once: synaptic operations in the way that the basis does."""
    prices = {price.operation: price for price in basis.prices}
    way = next((names for names in _SYNAPTIC if set(names) & set(prices)), _SYNAPTIC[0])
    others = {name for names in _SYNAPTIC for name in names} - set(way)
    if basis.boundary == "operations":  # arithmetic, and reading where that is priced; a chip's messages are none
        others |= set(OPERATIONS) - set(way) - set(prices)
    lines = tuple(
        Line(name, count, prices.get(name))
        for name, count in counts(found).items()
        if name not in others and (count or name in prices)
    )
    return Bill(basis, found, lines, _static(basis, found, step_time), tuple(_notes(basis, found, step_time)))


def _static(basis: Basis, found: Layout, step_time: float | None) -> float | None:
    """Picojoules of static power of the chips over the time steps of a sample."""
    if not basis.static_watts or step_time is None or found.traffic is None:
        return None
    return basis.static_watts * found.chips * found.traffic.timesteps * step_time * 1e12


def _notes(basis: Basis, found: Layout, step_time: float | None) -> Iterator[str]:
    yield f"boundary: {basis.boundary}; left out: {basis.leaves_out}"
    if basis.note:
        yield basis.note
    if basis.chip == "45 nm":
        return
    if not basis.static_watts:
        yield "static power is not in it, and is unpriced"
    elif step_time is None:
        watts = basis.static_watts * found.chips
        yield (
            f"static power, {watts:.3g} W of {counted(found.chips, 'chip')} ({basis.static_source}), is not in it: "
            "give the time of a step"
        )
    for finding in found.findings:
        if finding.severity == "error":
            yield f"{found.chip.name} cannot run it so: {finding.problem}"
