"""slayer's blocks beside the integers: run from rest, in the integers' units and time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from netx_export._departures import departures
from netx_export._slayer import family, form


def steps_late(blocks: Iterable[nn.Module]) -> dict[nn.Module, int]:
    """The steps by which the output of each block comes late: slayer's `delay_shift` delays it by one a block."""
    late, found = 0, {}
    for block in blocks:
        late += _delays(block)
        found[block] = late
    return found


def _delays(block: nn.Module) -> bool:
    """True if a block shifts its output by a step; an Input of sigma-delta neurons never does, whatever it is told."""
    shifts = form(block) not in (None, "affine", "flatten") and bool(getattr(block, "delay_shift", False))
    return shifts and (form(block), family(block)) != ("input", "sigma_delta")


def all_departures(blocks: Iterable[nn.Module], layers: Mapping[nn.Module, str]) -> tuple[str, ...]:
    """Where the slayer blocks of a network compute something else than NetX, each with its layer; see `departures`.

    Args:
        blocks: all, in the order of their data flow.
        layers: the names of the layers that they become, by block.
    """
    found, late = [], steps_late(blocks)
    for block in (block for block in layers if form(block) is not None):
        shifted = late[block] - _delays(block)
        found += [f"layer '{layers[block]}': {reason}" for reason in departures(block, shifted)]
    return tuple(found)


def scale(block: Any) -> float:
    """What the integer 1 of a block's output is in slayer's units: of spikes 1."""
    if form(block) == "affine":
        return 1 / float(block.neuron.s_scale)
    return 1 / float(block.neuron.w_scale) if hasattr(block.neuron, "sigma") else 1.0


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
