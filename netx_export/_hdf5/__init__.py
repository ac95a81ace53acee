"""HDF5 as `netx_export.write` writes it, read in plain Python.

The HDF5 library is no reader for files from strangers: of files whose checksums are right, some end its process by a
signal, some keep it busy for ever, some make it ask for all memory, and nothing in the same process can stop that. What
we write needs a small part of the format, which is read here. Every number is checked before it is used: reading takes
time and memory by the size of the file, and ends with its contents or with a FileFormatError, on every platform and
beside any threads. Whatever else HDF5 knows is refused, but for what other writers make NetX files of (`read_others`).

Names are those of the HDF5 File Format Specification, version 3.0; its sections are given in brackets.
"""

from netx_export._hdf5._contents import AGAIN, Arrays, Contents, differences
from netx_export._hdf5._file import read_contents
from netx_export._hdf5._others import read_others

__all__ = ["AGAIN", "Arrays", "Contents", "differences", "read_contents", "read_others"]
