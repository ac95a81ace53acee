"""Deployment: export trained networks to integers and NetX files, load, run and verify them.

    network = netx_export.export(net, "digits.net", input_shape=(64,), timesteps=4, input_bits=5)
    potentials = netx_export.simulate("digits.net", x, backend="lava")

torch is imported by `export` and `fold` only, Lava by the backends that run on it only.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from netx_export._describe import LIF_STATE_BITS, LayerSummary, describe, state_bits, weight_bytes
from netx_export._plots import plot_sample
from netx_export._read import load
from netx_export._simulate import BACKENDS, Backend, simulate, simulate_layers
from netx_export._verify import Report, Row, verify
from netx_export._write import write

if TYPE_CHECKING:
    from torch import nn

    from lava_qsnn.integer import IntegerNetwork
    from lava_qsnn.process.network import Network as LavaNetwork

__all__ = [
    "BACKENDS",
    "LIF_STATE_BITS",
    "Backend",
    "LayerSummary",
    "Network",
    "Report",
    "Row",
    "describe",
    "export",
    "fold",
    "load",
    "plot_sample",
    "simulate",
    "simulate_layers",
    "state_bits",
    "verify",
    "weight_bytes",
    "write",
]


def export(
    net: nn.Module,
    path: str | os.PathLike[str] | None,
    input_shape: tuple[int, ...],
    timesteps: int,
    input_bits: int = 1,
) -> IntegerNetwork:
    """Fold a trained network into integers, prove it against torch on random samples, and write a NetX file.

    Args:
        net: lava_qsnn blocks in the order of their data flow: in a Sequential, or in an attribute `blocks`.
        path: the NetX HDF5 file, written to the side and renamed; None writes none.
        input_shape: (C,) or (C, H, W), one time step of one sample.
        timesteps: T, the longest sample; at least 1.
        input_bits: the input holds integers from 0 to 2^input_bits - 1; 1 to 24.

    Returns:
        The deployed network. `stock_exact` says whether unmodified lava-dl NetX computes the same from the file, and
        `stock_obstacles` why not.

    Raises:
        DeploymentError: a module has no integer form, or the network computes something beyond its blocks.
        RangeError: potentials could exceed 2^24, up to which torch is exact.
    """
    from netx_export._export import export as implementation

    return implementation(net, path, input_shape, timesteps, input_bits)


def fold(net: nn.Module, input_shape: tuple[int, ...], timesteps: int, input_bits: int = 1) -> IntegerNetwork:
    """Fold a trained network into integers, without the check and the file of `export`; same arguments and errors."""
    from netx_export._fold import fold as implementation

    return implementation(net, input_shape, timesteps, input_bits)


def Network(network: IntegerNetwork | str | os.PathLike[str], timesteps: int | None = None) -> LavaNetwork:
    """A Lava process with ports `inp` and `out` that computes a deployed network, for use in larger Lava programs.

    Args:
        network: a deployed network, or the path of its file.
        timesteps: T, time steps per sample, at most the network's; its own by default.

    Returns:
        A lava_qsnn.process.network.Network: T frames per sample go into `inp`, one per time step, samples back to
        back; the answer leaves `out` `latency` steps later.

    Raises:
        RangeError: Lava's fixed-point processes would not compute this network exactly.
    """
    from lava_qsnn.process.network import Network as implementation

    return implementation(load(network) if isinstance(network, (str, os.PathLike)) else network, timesteps)
