"""Networks for the tools: as they are, or from files, with what stock files do not say taken from samples."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lava_qsnn.errors import ConfigurationError
from lava_qsnn.integer import IntegerNetwork
from netx_export._read import load

#: A deployed network, or the path of its file.
NetworkOrPath = IntegerNetwork | str | os.PathLike[str]


def opened(network: NetworkOrPath, x: NDArray[np.integer[Any]] | None = None, **options: Any) -> IntegerNetwork:
    """A network as it is, or of its file.

    Args:
        network: a deployed network, or the path of its file.
        x: samples, int (N, *input shape, T): of a stock file, their shape, steps and bits are told to `load`.
        options: of `load`, for stock files; they go before what the samples tell.

    Raises:
        ConfigurationError: options were given for a network, or for a file that says all by itself.
        FileFormatError, FileNotFoundError: as `load`.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(network, IntegerNetwork):
        if given:
            raise ConfigurationError(
                f"{', '.join(given)} were given for a network that was read already", remedy="give them to load"
            )
        return network
    if x is None or given or not isinstance(x, np.ndarray) or x.ndim < 3 or x.dtype.kind not in "iub":
        return load(network, **given)
    try:
        return load(network, tuple(x.shape[1:-1]), x.shape[-1], input_message_bits=message_bits(x))
    except ConfigurationError:  # a file of this project says all by itself
        return load(network)


def message_bits(x: NDArray[np.integer[Any]]) -> int | None:
    """The bits of messages that hold some numbers; None for spikes."""
    low, high = (int(x.min()), int(x.max())) if x.size else (0, 0)
    return None if 0 <= low <= high <= 1 else max(high.bit_length(), (-low - 1).bit_length() + 1 if low < 0 else 0)


def title_of(network: NetworkOrPath, otherwise: str) -> str:
    """A file's name."""
    return otherwise if isinstance(network, IntegerNetwork) else Path(network).name


def is_stock(network: IntegerNetwork) -> bool:
    """True for what was read from a stock file, of which `load` tells how in the metadata."""
    return "timing" in network.metadata.get("netx", {})


def sample_steps(network: IntegerNetwork, otherwise: int) -> int:
    """The time steps of a sample: the network's longest, what its stock file says, or else some."""
    if not network.is_endless:
        return network.timesteps
    told = network.metadata.get("netx", {}).get("tSample", otherwise)
    return int(min(told, 256)) if told > 0 else otherwise
