"""Kinds of neurons and synapses by their names in files and tables. A new kind is one more, by `register`."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import TypeVar

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.integer._values import Value, roles
from lava_qsnn.integer.neurons import (
    CUBA,
    RF,
    CUBAReadout,
    MemoryFree,
    Neuron,
    QuantizedLIF,
    Readout,
    RFIzhikevich,
    SigmaDelta,
    TimedMemoryFree,
)
from lava_qsnn.integer.synapses import Conv, DelayedDense, Dense, OneToOne, Synapse

Kind = TypeVar("Kind", bound=type[Value])

NEURONS: dict[str, type[Neuron]] = {}
SYNAPSES: dict[str, type[Synapse]] = {}

#: Names that files use for other things beside a neuron's or a synapse's own fields.
RESERVED = frozenset(
    {"name", "neuron", "connection", "source", "synapse", "weight_shift", "delay", "port", "pooling"}
    | {"sum_bits", "sum_shift"}
)


def register(kind: Kind) -> Kind:
    """Make a kind of neuron or synapse known by its name; also as a decorator of the class.

    Every engine computes it by its own step from then on, and files hold it.

    Raises:
        ConfigurationError: it is no dataclass, it has no name, or one that another kind has, or it has a field that a
            file could not tell apart.
    """
    name = getattr(kind, "kind", "")
    table = NEURONS if issubclass(kind, Neuron) else SYNAPSES if issubclass(kind, Synapse) else None
    if table is None:
        raise ConfigurationError(f"{kind.__name__} is neither a Neuron nor a Synapse", remedy="derive it from one")
    if not (is_dataclass(kind) and "__dataclass_params__" in vars(kind)):
        raise ConfigurationError(f"{kind.__name__} is no dataclass", remedy="decorate it with @dataclass(frozen=True)")
    if not isinstance(name, str) or not name.isidentifier():
        raise ConfigurationError(f"{kind.__name__} has no name", remedy='give the class a `kind = "name"`')
    if table.get(name, kind) is not kind:
        raise ConfigurationError(f"there is another kind '{name}'", remedy="choose another name")
    if taken := RESERVED & set(roles(kind)):
        raise ConfigurationError(f"{kind.__name__} has fields named {', '.join(sorted(taken))}", remedy="rename them")
    table[name] = kind  # type: ignore[assignment]
    return kind


for _neuron in (MemoryFree, TimedMemoryFree, QuantizedLIF, Readout):
    register(_neuron)
for _resting in (CUBA, CUBAReadout, SigmaDelta, RF, RFIzhikevich):
    register(_resting)
for _synapse in (Dense, Conv, OneToOne, DelayedDense):
    register(_synapse)
