"""Chips as frozen profiles of sourced limits: those that are known, and a user's own from YAML.

The profiles say what compilers do, as far as their public output tells, and are named after them; no number here is
Intel's word about silicon. Tags of sources: [T] fitted to tables that the compiler printed in public notebooks, [C]
read in public code, [S] a paper through secondary quotes, [I] an inference of this project.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.integer import whole
from netx_export._chip.yaml_files import read_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How weights lie in synaptic memory, and how a layer that needs several cores is cut.
STORAGES = ("loihi2", "loihi1")
DENSE_PARTITIONS = ("power_of_two_rows", "halving", "fewest")
CONV_PARTITIONS = ("divisors", "whole_columns")

#: The largest limit that a profile may have.
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Chip:
    """One chip: its resources, and the ways of its compiler with them.

    Args:
        name: for tables.
        source: the origin of the limits, for what has none of its own in `sources`.
        storage: the format of synaptic memory, "loihi2" or "loihi1".
        dense_partition: how the compiler cuts a dense layer: "power_of_two_rows", "halving" or "fewest".
        conv_partition: the heights of a convolution's tiles: "divisors" of its own height, or "whole_columns".
        cores: cores that the compiler uses.
        synmem_words: words of 64 bits of a core's synaptic memory.
        total_words: words of all of a core's tables together.
        state_words: words of neuron state of a core (CxState); on Loihi 1 its compartments.
        axons_in, axons_out: entries of a core's tables of incoming axons, and of messages that it sends (AxonMap).
        neuron_groups: groups of neurons of a core.
        message_bits: the widest payload of a message; 0 if messages are spikes without one.
        longest_delay: time steps of a synaptic delay.
        weight_bits: the widest weight.
        boards: chips of each known board, by name.
        sources: the origin of single limits, by the names of the fields.
    """

    name: str
    source: str
    storage: str
    dense_partition: str
    conv_partition: str
    cores: int
    synmem_words: int
    total_words: int
    state_words: int
    axons_in: int
    axons_out: int
    neuron_groups: int
    message_bits: int
    longest_delay: int
    weight_bits: int
    boards: Mapping[str, int] = field(default_factory=dict, hash=False)
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name in ("name", "source"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise ConfigurationError(f"a chip's {name} must be a text", remedy="say where its limits come from")
        for name, known in (
            ("storage", STORAGES),
            ("dense_partition", DENSE_PARTITIONS),
            ("conv_partition", CONV_PARTITIONS),
        ):
            if getattr(self, name) not in known:
                raise ConfigurationError(
                    f"{name} of the chip '{self.name}' is {getattr(self, name)!r:.60}",
                    remedy=f"choose one of {', '.join(known)}",
                )
        for name in LIMITS:
            least = 0 if name in ("message_bits", "longest_delay") else 1
            whole(getattr(self, name), f"{name} of the chip '{self.name}'", least, LARGEST, ConfigurationError)
        for name in ("boards", "sources"):
            object.__setattr__(self, name, self._mapping(name))
        for board, chips in self.boards.items():
            whole(chips, f"the chips of the board '{board}'", 1, LARGEST, ConfigurationError)

    def _mapping(self, name: str) -> Mapping[str, Any]:
        value = getattr(self, name)
        try:
            return MappingProxyType({str(key): entry for key, entry in dict(value).items()})
        except (TypeError, ValueError):
            raise ConfigurationError(f"{name} of the chip '{self.name}' must be a mapping, not {value!r:.60}") from None

    def __reduce__(self) -> tuple[object, ...]:
        # Mappings that cannot be changed cannot be pickled, either.
        plain = {
            name: dict(value) if isinstance(value, MappingProxyType) else value for name, value in vars(self).items()
        }
        return _built, (plain,)

    def source_of(self, limit: str) -> str:
        """The origin of one of its limits."""
        return self.sources.get(limit, self.source)

    def board(self, chips: int) -> str | None:
        """The smallest known board with so many chips, or None."""
        fitting = [(held, name) for name, held in self.boards.items() if held >= chips]
        return min(fitting)[1] if fitting else None


def _built(limits: dict[str, Any]) -> Chip:
    return Chip(**limits)


#: The fields of a profile that are whole numbers.
LIMITS = tuple(entry.name for entry in fields(Chip) if entry.type == "int")  # as it is written above

_NOTEBOOKS = "compiler tables printed in public notebooks of lava-dl and lava-optimization [T]"
_CONSTANTS = "lava 0.10.0, lava/magma/compiler/subcompilers/constants.py and mapper.py [C]"

_LOIHI_2 = Chip(
    name="loihi2 (lava-loihi 2024)",
    source=_NOTEBOOKS,
    storage="loihi2",
    dense_partition="power_of_two_rows",
    conv_partition="divisors",
    cores=120,
    synmem_words=16_000,
    total_words=20_000,
    state_words=4_095,
    axons_in=16_000,
    axons_out=16_000,
    neuron_groups=8,
    message_bits=24,
    longest_delay=62,
    weight_bits=8,
    boards={"Oheo Gulch": 1, "Kapoho Point": 8, "Hala Point": 1_152},
    sources={
        "cores": f"{_CONSTANTS}; the vendor says 128 physical ones [V]",
        "synmem_words": f"{_NOTEBOOKS}, 2023 and later; 12,000 in 2022 [T]",
        "state_words": f"{_NOTEBOOKS}; the vendor says up to 8,192 neurons [V]",
        "message_bits": "public code, graded spikes of 8, 16 and 24 bits [C]",
        "longest_delay": "public code [C]",
        "weight_bits": "lava-dl 0.6.0, netx/utils.py, optimize_weight_bits [C]",
        "boards": "Oheo Gulch 1 and Kapoho Point 8 chips in public code, where one docstring of lava says 4 [C]; "
        "Hala Point 1,152 [V]",
        "dense_partition": "rows of a power of two of words: lava-dl, netx/mnist/run.ipynb, and branch S4D_debug, "
        "sCIFAR/profiling_scripts/num_cores_estimate.ipynb, all their layers [T]",
    },
)

_LOIHI_1 = Chip(
    name="loihi1",
    source="nengo-loihi, block.py and hardware/allocators.py [C]; Davies and others 2018 [S]",
    storage="loihi1",
    dense_partition="fewest",
    conv_partition="divisors",
    cores=128,
    synmem_words=16_384,
    total_words=LARGEST,
    state_words=1_024,
    axons_in=4_096,
    axons_out=4_096,
    neuron_groups=LARGEST,
    message_bits=0,
    longest_delay=62,
    weight_bits=8,
    sources={
        "longest_delay": "public code [C]",
        "total_words": "no common limit is known",
        "neuron_groups": "no limit is known",
        "dense_partition": "no compiler's rule is known: the fewest cores",
        "conv_partition": "no compiler's rule is known: that of Loihi 2 [I]",
    },
)


def _compiler_of_2022() -> Chip:
    values = {entry.name: getattr(_LOIHI_2, entry.name) for entry in fields(Chip)}
    older = {
        "name": "loihi2 (lava-loihi 2022)",
        "synmem_words": 12_000,
        "dense_partition": "halving",
        "conv_partition": "whole_columns",
        "sources": {name: text for name, text in _LOIHI_2.sources.items() if name != "dense_partition"},
    }
    return Chip(**(values | older))


#: The chips that are known by a name.
CHIPS: Mapping[str, Chip] = MappingProxyType(
    {"loihi2": _LOIHI_2, "loihi2-2022": _compiler_of_2022(), "loihi1": _LOIHI_1}
)


def find_chip(chip: Chip | str | os.PathLike[str]) -> Chip:
    """The chip of a name, or that of a YAML file.

    Raises:
        ConfigurationError: there is no such chip, or the file is no profile; the text names the key.
        FileNotFoundError: there is no such file.
    """
    if isinstance(chip, Chip):
        return chip
    if str(chip) in CHIPS:
        return CHIPS[str(chip)]
    if Path(chip).suffix in (".yaml", ".yml"):
        return read_chip(chip)
    raise ConfigurationError(
        f"there is no chip '{chip}'", remedy=f"choose one of {', '.join(CHIPS)}, or a YAML file of your own"
    )


def read_chip(path: str | os.PathLike[str]) -> Chip:
    """Read a chip's profile from a YAML file: the arguments of `Chip` by name, `boards` and `sources` optional.

    Raises:
        ConfigurationError: an unknown key, one that is missing, or a value that makes no sense.
        FileNotFoundError: there is no such file.
    """
    values = read_mapping(path, "a chip's profile")
    known = {entry.name for entry in fields(Chip)}
    if unknown := sorted(set(values) - known):
        raise ConfigurationError(
            f"'{path}' has unknown keys: {', '.join(unknown)}", remedy=f"known are {', '.join(sorted(known))}"
        )
    if missing := sorted(known - set(values) - {"boards", "sources"}):
        raise ConfigurationError(f"'{path}' lacks {', '.join(missing)}", remedy="say each limit, and its source")
    try:
        return Chip(**values)
    except ConfigurationError as error:
        raise ConfigurationError(f"'{path}': {error.problem}", remedy=error.remedy) from None
