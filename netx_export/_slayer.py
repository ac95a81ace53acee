"""slayer's own blocks: which ones have an integer form, and the arrays that they export for NetX.

A block is asked for what its `export_hdf5` writes, in memory, so that what is folded is what a file of lava-dl holds.
Only blocks that exist are looked at: nothing here imports slayer.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lava_qsnn.block._family import PAGE
from lava_qsnn.errors import DeploymentError
from netx_export._hdf5 import Contents

#: Modules of slayer's blocks: the abstract ones say the form, the others the family of neurons.
FORMS, FAMILIES = "lava.lib.dl.slayer.block.base", "lava.lib.dl.slayer.block."

#: Forms that become layers, and those that only shape what comes after them.
LAYERS, SHAPES = ("dense", "conv", "pool", "affine", "recurrent"), ("input", "flatten")

#: What has no form in NetX, with the remedy.
REFUSED = {
    "unpool": "NetX has no unpooling: end the network before it, or use a larger stride",
    "convt": "NetX has no transposed convolution: use Conv, or run that part outside of the network",
    "average": "sum or average the last layer's outputs in the loss, which is no part of the deployed network",
    "timedecimation": "decimate the data before they enter the network",
    "kwta": "NetX has no such layer: use Recurrent with fixed weights, which it reads",
    "residual": "lava_qsnn.block has a Residual, which deploys",
}

#: Families of neurons that NetX knows.
KNOWN = ("cuba", "rf", "rf_iz", "adrf", "adrf_iz", "sigma_delta")

TRAINED_BY = "train with slayer.block.cuba, rf, rf_iz or sigma_delta, or with lava_qsnn.block"


def form(module: nn.Module) -> str | None:
    """The form of a slayer block: "dense", "conv", ..; None of anything else, such as this project's blocks."""
    if any(kind.__module__.startswith("lava_qsnn.") for kind in type(module).__mro__):
        return None
    for kind in type(module).__mro__:
        if kind.__module__ == FORMS and kind.__name__.startswith("Abstract"):
            return kind.__name__.removeprefix("Abstract").lower()
    return None


def family(block: nn.Module) -> str:
    """The family of a slayer block's neurons: "cuba", "rf", ..; empty of one that has none of slayer's."""
    modules = (kind.__module__ for kind in type(block).__mro__ if kind.__module__ != FORMS)
    return next((name.removeprefix(FAMILIES) for name in modules if name.startswith(FAMILIES)), "")


def refuse_unknown(block: nn.Module) -> None:
    """Raise DeploymentError for a slayer block that has no form in NetX."""
    kind, neurons = form(block), family(block)
    if kind not in (*LAYERS, *SHAPES):
        remedy = REFUSED.get(str(kind), "NetX reads Input, Dense, Recurrent, Conv and Flatten")
        raise DeploymentError(f"slayer's {type(block).__name__} cannot be deployed", remedy=f"{remedy}; see {PAGE}")
    if neurons not in KNOWN and kind != "flatten":
        raise DeploymentError(
            f"NetX has no neuron for slayer's {neurons or type(block).__name__}", remedy=f"{TRAINED_BY}; see {PAGE}"
        )
    if "rf" in neurons and kind not in ("dense", *SHAPES):
        raise DeploymentError(
            f"NetX has resonate-and-fire neurons behind dense weights only, no {neurons}.{type(block).__name__}",
            remedy="use a Dense, or slayer.block.cuba",
        )


def is_late(block: nn.Module) -> bool:
    """True if a slayer block shifts its output by a step, which an Input of sigma-delta neurons never does."""
    shifts = form(block) not in (None, "affine", "flatten") and bool(getattr(block, "delay_shift", False))
    return shifts and (form(block), family(block)) != ("input", "sigma_delta")


def refuse_late_mixtures(blocks: Sequence[nn.Module]) -> None:
    """Raise DeploymentError for slayer blocks that come late, in a network with blocks that are not slayer's."""
    if any(form(block) is None for block in blocks) and any(map(is_late, blocks)):
        late = next(type(block).__name__ for block in blocks if is_late(block))
        raise DeploymentError(
            f"slayer's {late} delays its output by a step beside blocks of lava_qsnn, which take no time",
            remedy="build slayer's blocks with delay_shift=False",
        )


def exported(block: Any) -> Contents:
    """The contents that a block's `export_hdf5` writes, as the file of one layer, `layer/0`; the block stays as it is.

    Raises:
        DeploymentError: the block has not run yet, or cannot write itself.
    """
    arrays: dict[str, NDArray[Any]] = {}
    groups: dict[str, dict[str, NDArray[Any]]] = {"": {}, "layer": {}, "layer/0": {}}

    def collect(path: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Dataset):
            value = node[()]
            arrays[f"layer/0/{path}"] = np.array(value if not isinstance(value, bytes) else np.bytes_(value))
        else:
            groups[f"layer/0/{path}"] = {}

    with h5py.File("block", "w", driver="core", backing_store=False) as file, torch.no_grad():
        _written(block, file)
        file.visititems(collect)
    return Contents(arrays, groups)


def _written(block: Any, file: h5py.File) -> None:
    if form(block) != "flatten" and block.shape is None:
        raise DeploymentError("it has not run yet, and so does not know its shape", remedy="run the network once")
    if any(synapse.weight.ndim == 5 and synapse.weight.shape[2:] != (1, 1, 1) for synapse in _dense_synapses(block)):
        raise DeploymentError(
            "it takes images, and slayer does not write the weights of such a dense block",
            remedy="put a Flatten before it, and give it the number of its inputs",
        )
    for synapse in _synapses(block):
        if getattr(synapse, "_pre_hook_fx", None) is None:
            raise DeploymentError("its weights are not quantized: pre_hook_fx is None", remedy="leave pre_hook_fx out")
    try:
        _without_weight_norm(block).export_hdf5(file)
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise DeploymentError(f"slayer cannot export it: {error}", remedy="use it as slayer's tutorials do") from None


def _synapses(block: Any) -> list[Any]:
    """A block's synapses; of a complex one, its two parts."""
    names = ("synapse", "input_synapse", "recurrent_synapse")
    found = [getattr(block, name) for name in names if getattr(block, name, None) is not None]
    return [part for each in found for part in ((each.real, each.imag) if each.complex else (each,))]


def _dense_synapses(block: Any) -> list[Any]:
    return _synapses(block) if form(block) in ("dense", "affine", "recurrent") else []


def _without_weight_norm(module: Any) -> Any:
    """A view of a block whose synapses hold the weights that it computes with: normed, or masked.

    slayer's export takes the norm away for good, and masks weights only if the block has run since they changed. A mask
    beside a weight norm does nothing in slayer, for the norm makes the weights anew.
    """
    view = copy.copy(module)
    view._modules = dict(module._modules)
    for name, child in module._modules.items():
        if hasattr(child, "weight_norm_enabled"):
            view._modules[name] = _without_weight_norm(child)
    if not hasattr(module, "weight_norm_enabled"):
        mask = getattr(module, "mask", None)
        normed = any(synapse.weight_norm_enabled for synapse in _synapses(module))
        for part in _synapses(view) if mask is not None and not normed else ():
            part._parameters = {"weight": nn.Parameter(part.weight * mask, requires_grad=False)}
    elif not module.complex:
        weight = nn.Parameter(_weight(module), requires_grad=False)
        view._forward_pre_hooks, view._parameters = OrderedDict(), {"weight": weight}
        view.__dict__.pop("weight", None)
    if hasattr(module, "weight_norm_enabled"):
        view.weight_norm_enabled = False
    return view


def _weight(synapse: Any) -> torch.Tensor:
    """A synapse's weight: of a norm, from its parameters as they are now."""
    for hook in synapse._forward_pre_hooks.values():
        if hasattr(hook, "compute_weight"):
            return torch.as_tensor(hook.compute_weight(synapse))
    return torch.as_tensor(synapse.weight)
