"""Arrays of the command: files of numbers, whole or as they lie on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lava_qsnn.errors import InputError

if TYPE_CHECKING:
    import numpy as np

#: The suffixes of files of arrays.
ARRAYS = (".npy", ".npz", ".h5", ".hdf5")

#: How the names of arrays in an .npz file are shown that has several.
MOST_NAMES = 8


def read_array(path: Path) -> np.ndarray[Any, Any]:
    """The array of a file, in memory; see `stored_array`."""
    import numpy as np

    return np.asarray(stored_array(path))


def stored_array(path: Path) -> Any:
    """The array of a file, without reading all of it if that can be.

    Of an .npy file it is a memory map; of an .npz file its only array, or that named x; of an HDF5 file its only data
    set, or that of FILE.h5:NAME.

    Raises:
        InputError: the file holds no array of numbers, or several and none is named.
    """
    from zipfile import BadZipFile

    import numpy as np

    file, _, name = str(path).partition(":")
    try:
        if Path(file).suffix in (".h5", ".hdf5"):
            return _data_set(file, name)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray):
            with array:
                return array[_name_of_samples(path, array.files)]
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"there is no file '{file}'") from None
    except IsADirectoryError:
        raise InputError(f"'{file}' is a folder", remedy="name a data set in a folder by --data") from None
    except (ValueError, EOFError, KeyError, BadZipFile) as error:
        why = f" ({error})" if Path(file).suffix in ARRAYS else f", and no file {', '.join(ARRAYS)}"
        raise InputError(f"'{path}' is no array of numbers{why}", remedy="write it with numpy.save") from None
    return array


def _data_set(file: str, name: str) -> Any:
    import h5py  # takes a while

    opened = h5py.File(file, "r")
    found = [opened[name]] if name else [each for each in opened.values() if isinstance(each, h5py.Dataset)]
    if len(found) != 1 or not isinstance(found[0], h5py.Dataset):
        raise InputError(f"'{file}' does not say which of its arrays is meant", remedy=f"write {file}:NAME")
    return found[0]


def _name_of_samples(path: Path, names: list[str]) -> str:
    if "x" in names or len(names) == 1:
        return "x" if "x" in names else names[0]
    shown = ", ".join(f"'{name}'" for name in names[:MOST_NAMES]) or "nothing"
    raise InputError(f"'{path}' holds {shown}, and no samples 'x'", remedy="write them with numpy.savez(path, x=..)")


def in_parts(stored: Any, size: int = 1000) -> Iterator[np.ndarray[Any, Any]]:
    """A stored array in parts of so many samples."""
    import numpy as np

    return (np.asarray(stored[start : start + size]) for start in range(0, stored.shape[0], size))
