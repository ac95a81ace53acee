"""The layout of a network on chips: cores, words and chips of each layer, as the compiler cuts it and at the least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.integer import Shape
from netx_export._chip.mappings import Mapped
from netx_export._chip.partition import Cut, compiled, tight
from netx_export._chip.pools import Relay
from netx_export._chip.populations import Population, Projection
from netx_export._chip.profiles import Chip
from netx_export._chip.report import layout_dict
from netx_export._chip.storage import Box, Demand, demand, outgoing, stored_bits

if TYPE_CHECKING:
    from netx_export._chip.rules import RuleFinding
    from netx_export._chip.traffic import Traffic


#: The kind of neurons that pool in front of a layer.
RELAY = Relay.kind


@dataclass(frozen=True)
class LayerLayout:
    """One layer on its cores.

    Args:
        population: the layer as the chip sees it.
        cut: its parts, one for each core, by the compiler's rules.
        tight_cores: the fewest cores for parts of any extent: a lower bound.
        needs: what each of its cores takes, arrays (cores,); the tables' numbers are those of `fullest`.
        fullest: what its fullest core takes, as the compiler allots it.
        binding: the limit that its fullest core comes nearest to, and `share` the fraction it takes of it.
        first_core: number of its first core, over all chips.
        chips: the chip of each core, (cores,).
    """

    population: Population
    cut: Cut
    tight_cores: int
    needs: Demand
    fullest: Demand
    binding: str
    share: float
    first_core: int
    chips: NDArray[np.int64]

    @property
    def name(self) -> str:
        """Its name."""
        return self.population.name

    @property
    def shape(self) -> Shape:
        """(C,) or (C, H, W)."""
        return self.population.shape

    @property
    def cores(self) -> int:
        """Cores by the compiler's rules."""
        return self.cut.cores

    @property
    def neurons_per_core(self) -> int:
        """Neurons of its fullest core, those included that a part allots beyond the layer's width."""
        return int(self.cut.fullest.neurons)

    @property
    def synmem_words(self) -> int:
        """Words of synaptic memory of its fullest core."""
        return int(self.fullest.synmem_words)

    @property
    def synmem_words_average(self) -> int:
        """Words of synaptic memory of a core on average, rounded down, as the compiler of 2022 prints them."""
        return int(self.needs.synmem_words.sum()) // self.cores

    @property
    def axons_in(self) -> int:
        """Incoming axons of its fullest core."""
        return int(self.fullest.axons_in)

    @property
    def axons_out(self) -> int:
        """Outgoing axons (AxonMap) of its fullest core."""
        return int(self.fullest.axons_out)

    @property
    def state_words(self) -> int:
        """Words of neuron state of its fullest core."""
        return int(self.fullest.state_words)

    @property
    def total_words(self) -> int:
        """Words of all memories of its fullest core."""
        return int(self.fullest.total_words)

    @property
    def stored_bits(self) -> tuple[int, ...]:
        """Bits of a stored weight, of each projection."""
        return tuple(stored_bits(each.bits) for each in self.population.projections)


@dataclass(frozen=True)
class Layout:
    """A network on chips.

    Args:
        chip: the profile that it was laid out for.
        mapping: of memory-free neurons.
        parts: its layers in the network's order, each behind the relays that pool for it, if it has any.
        findings: of the design rules.
        mapped: the network behind it; None where only shapes are known.
        traffic: what moves for some samples; None without activity.
    """

    chip: Chip
    mapping: str
    parts: tuple[LayerLayout, ...]
    findings: tuple[RuleFinding, ...] = ()
    mapped: Mapped | None = None
    traffic: Traffic | None = None

    @property
    def layers(self) -> tuple[LayerLayout, ...]:
        """The network's layers, in its order, without the relays."""
        return tuple(part for part in self.parts if part.population.neuron != RELAY)

    @property
    def cores(self) -> int:
        """Cores by the compiler's rules, those of relays included."""
        return sum(part.cores for part in self.parts)

    @property
    def tight_cores(self) -> int:
        """The fewest cores for parts of any extent: a lower bound."""
        return sum(part.tight_cores for part in self.parts)

    @property
    def chips(self) -> int:
        """Chips by the compiler's rules."""
        return int(self.parts[-1].chips[-1]) + 1

    @property
    def tight_chips(self) -> int:
        """The fewest chips that hold the fewest cores."""
        return -(-self.tight_cores // self.chip.cores)

    @property
    def board(self) -> str | None:
        """The smallest known board that holds it; None if none does."""
        return self.chip.board(self.chips)

    def layer(self, name: str) -> LayerLayout:
        """The layer, or the relays, of that name."""
        return next(part for part in self.parts if part.name == name)

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain data, with the format's version."""
        return layout_dict(self)


def placed(populations: tuple[Population, ...], chip: Chip) -> tuple[LayerLayout, ...]:
    """Cut each layer and put its cores on chips, in order.

    A convolution that a chip of Loihi 2 could hold does not span two [C]: it starts on a new one.
    """
    layers: list[LayerLayout] = []
    place = 0
    for population in populations:
        targets = [each for other in populations for each in other.projections if each.source == population.name]
        is_conv = chip.storage == "loihi2" and any(each.kind == "conv" for each in population.projections)
        layer = _cut(population, chip, targets)
        left = -place % chip.cores
        if is_conv and left < layer.cores and place % chip.cores:
            place += left
        numbers = place + np.arange(layer.cores)
        first = layers[-1].first_core + layers[-1].cores if layers else 0
        layers.append(_at(layer, first, numbers // chip.cores))
        place += layer.cores
    return tuple(layers)


def _at(layer: LayerLayout, first_core: int, chips: NDArray[np.int64]) -> LayerLayout:
    return replace(layer, first_core=first_core, chips=chips)


def _cut(population: Population, chip: Chip, targets: Sequence[Projection]) -> LayerLayout:
    sent, per_neuron = outgoing(targets)

    def demands(box: Box) -> Demand:
        return demand(population, box, chip, sent, per_neuron)

    cut = compiled(population, chip, demands)
    fullest = demands(cut.fullest)
    shares = {name: float(share) for name, share in fullest.shares(chip).items() if name != "neuron_groups"}
    binding = max(shares, key=lambda name: shares[name])
    return LayerLayout(
        population,
        cut,
        tight(population, chip, demands).cores,
        demands(cut.boxes),
        fullest,
        binding,
        shares[binding],
        0,
        np.zeros(cut.cores, np.int64),
    )
