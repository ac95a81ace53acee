"""Archives whose bytes follow from their contents alone: no times, no owners, names in the order given."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: The time of every entry: the first that a ZIP archive can tell.
EPOCH = (1980, 1, 1, 0, 0, 0)

#: What may be done with an entry: its owner reads and writes it, others read it.
MODE = 0o100644


def packed(entries: Mapping[str, bytes]) -> bytes:
    """A ZIP archive of entries by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, MODE << 16, 3
            archive.writestr(info, content)
    return buffer.getvalue()


def packed_arrays(arrays: Mapping[str, NDArray[np.int64]]) -> bytes:
    """An .npz file of arrays by name, as `numpy.load` reads it."""
    return packed({f"{name}.npy": _npy(array) for name, array in arrays.items()})


def _npy(array: NDArray[np.int64]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
