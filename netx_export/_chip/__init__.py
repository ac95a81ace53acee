"""The chip: where a network lies on Loihi, what it breaks, what it moves, what it costs.

`profiles` has the chips, `populations` what a chip sees of a network, `mappings` how a deployed network becomes that,
`storage` the words that parts of layers take, `partition` how layers are cut, `layout` the result, `rules` the design
rules, `traffic` what moves, `assemble` the function that does it all, `picture` and `report` how it is shown, `sanafe`
what an existing simulator is given.
"""

from netx_export._chip.assemble import layout
from netx_export._chip.energy import Bill, Energy, energy
from netx_export._chip.layout import LayerLayout, Layout
from netx_export._chip.mappings import MAPPINGS
from netx_export._chip.picture import plot_layout
from netx_export._chip.populations import Population, Projection, chain
from netx_export._chip.prices import ANCHORS, BASES, OPERATIONS, Basis, Price, read_basis
from netx_export._chip.profiles import CHIPS, Chip, find_chip
from netx_export._chip.rules import RULES, RuleFinding
from netx_export._chip.sanafe import SanafeCounts
from netx_export._chip.sanafe_files import write_sanafe
from netx_export._chip.sanafe_results import SanafeTimes, read_sanafe, waits_for
from netx_export._chip.traffic import LayerTraffic, Traffic, spread

__all__ = [
    "ANCHORS",
    "BASES",
    "CHIPS",
    "MAPPINGS",
    "OPERATIONS",
    "RULES",
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
    "find_chip",
    "layout",
    "plot_layout",
    "read_basis",
    "read_sanafe",
    "spread",
    "waits_for",
    "write_sanafe",
]
