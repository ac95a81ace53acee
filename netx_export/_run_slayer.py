"""slayer's blocks beside the integers: run from rest, in the integers' units and time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lava_qsnn.integer import Layer
from netx_export._departures import departures
from netx_export._slayer import family, form, is_late


def steps_late(blocks: Iterable[nn.Module]) -> dict[nn.Module, int]:
    """The steps by which the output of each block comes late: slayer's `delay_shift` delays it by one a block."""
    late, found = 0, {}
    for block in blocks:
        late += is_late(block)
        found[block] = late
    return found


def all_departures(blocks: Iterable[nn.Module], layers: Mapping[nn.Module, Layer]) -> tuple[str, ...]:
    """The departures of a network's slayer blocks from NetX, each with its layer; see `departures`.

    Args:
        blocks: all, in the order of their data flow.
        layers: what they become, by block, in the same order.
    """
    found, late = [], steps_late(blocks)
    for block, layer in layers.items():
        if form(block) is not None:
            reasons = departures(block, layer, late[block] - is_late(block))
            found += [f"layer '{layer.name}': {reason}" for reason in reasons]
    return tuple(found)


def scale(block: Any) -> float:
    """The integer 1 of a block's output in slayer's units: of spikes 1, of other numbers that of its states."""
    sends_numbers = form(block) == "affine" or family(block) == "sigma_delta"
    return 1 / float(block.neuron.s_scale) if sends_numbers else 1.0


def observed(block: Any, output: Tensor) -> Tensor:
    """A block's output as NetX has it: an Affine without dynamics is an integrator there, whose sum runs on."""
    return output.cumsum(-1) if form(block) == "affine" and not block.dynamics else output


@contextmanager
def from_rest(net: nn.Module) -> Iterator[None]:
    """Let slayer's blocks begin at rest, and take their input as NetX does; what they keep is given back.

    Recurrent blocks keep their state from one call to the next. An Input block multiplies and adds to its input in
    training; data come into NetX with that done.
    """
    kept: list[tuple[dict[str, Any], str, Any]] = []
    for module in net.modules():
        if not any(kind.__module__.startswith("lava.lib.dl.slayer.") for kind in type(module).__mro__):
            continue
        kept += [(module._buffers, name, state) for name, state in module._buffers.items() if name.endswith("_state")]
        kept += [(vars(module), "delay_buffer", module.delay_buffer)] if hasattr(module, "delay_buffer") else []
        if form(module) == "input":
            kept += [(module._parameters, name, module._parameters.get(name)) for name in ("weight", "bias")]
    present = [(place, name, value) for place, name, value in kept if value is not None]
    try:
        for place, name, value in present:
            place[name] = torch.zeros_like(value) if name.endswith("_state") else None
        yield
    finally:
        for place, name, value in present:
            place[name] = value
