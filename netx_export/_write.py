"""IntegerNetwork to file."""

from __future__ import annotations

import os
import tempfile

import h5py

from lava_qsnn.errors import DeploymentError, FileFormatError
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.integer.stock import StockAnswer, write_arrays
from lava_qsnn.outputs import writable
from netx_export._encode import encode
from netx_export._hdf5 import Arrays, Contents, differences, read_contents


def write(network: IntegerNetwork, path: str | os.PathLike[str], answer: StockAnswer | None = None) -> None:
    """Write a network to a NetX HDF5 file, all or nothing: to the side first, read back, then renamed.

    Args:
        network: any deployed network; equal networks give equal bytes.
        path: the file, replaced if it exists.
        answer: the form in which unmodified NetX gives a readout's answer, of `stock_answer`; by default its voltage.
            This project's readers take no notice of it.

    Raises:
        DeploymentError: the network has no such answer in unmodified NetX.
        DeploymentError: no file can hold the network: it is too large, or its numbers are.
        ConfigurationError: the path is a folder, or its folder does not exist or may not be written to.
    """
    path = writable(path)
    contents = encode(network, answer=answer)
    handle, side = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    try:
        with h5py.File(side, "w", libver="v110") as file:
            _write_contents(file, contents)
        _read_back(side, contents)
        os.chmod(side, 0o666 & ~_umask())
        os.replace(side, path)
    except BaseException:
        os.unlink(side)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _read_back(side: str, contents: Contents) -> None:
    try:
        wrong = next(differences(read_contents(side), contents), None)
        if wrong is None:
            return
        problem = f"'{wrong}' is read back as something else"
    except FileFormatError as error:
        problem = error.problem
    raise DeploymentError(f"no file can hold this network: {problem}", remedy="use fewer or smaller layers")


def _write_contents(file: h5py.File, contents: Contents) -> None:
    """Each group with its attributes and arrays; an array with several paths is written once."""
    written: dict[int, str] = {}
    members: dict[str, Arrays] = {group: {} for group in contents.attributes}
    for path, array in contents.arrays.items():
        group, _, name = path.rpartition("/")
        members[group][name] = array
    for group, arrays in members.items():
        target = file.require_group(group or "/")
        for name, value in contents.attributes[group].items():
            target.attrs[name] = value
        for name, array in arrays.items():
            if id(array) in written:
                target[name] = file[written[id(array)]]
            else:
                write_arrays(target, {name: array})
                written[id(array)] = f"{group}/{name}"
