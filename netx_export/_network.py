"""A deployed network as a Lava process, from a network or from its file."""

from __future__ import annotations

import os

from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.process.loihi.network import NetworkProcess
from netx_export._read import load


def Network(network: IntegerNetwork | str | os.PathLike[str], timesteps: int | None = None) -> NetworkProcess:
    """A Lava process with ports `inp` and `out` that computes a deployed network, for use in larger Lava programs.

    Args:
        network: a deployed network, or the path of its file.
        timesteps: T, time steps per sample, at most the network's; its own by default.

    Returns:
        A lava_qsnn.process.loihi.network.NetworkProcess: T frames per sample go into `inp`, one per time step, samples
        back to back; the answer leaves `out` `latency` steps later.

    Raises:
        ConfigurationError: `timesteps` are more than the network's, or fewer than one.
        RangeError: Lava's fixed-point processes would not compute this network exactly.
    """
    return NetworkProcess(network if isinstance(network, IntegerNetwork) else load(network), timesteps)
