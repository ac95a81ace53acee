"""Arrays of one's own, in an .npz file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lava_qsnn.errors import ConfigurationError, FileFormatError, InputError
from lava_qsnn.train.data._own import OwnData, Raw, Values, ordered

#: What the arrays of each part may be called.
PARTS = {"train": ("", "_train"), "validation": ("_validation", "_val"), "test": ("_test",)}


class NpzArrays(OwnData):
    """Samples x and targets y of an .npz file, with x_validation, y_validation, x_test and y_test where they are apart.

    An array `names` of texts names the classes, or the numbers; targets may be the classes' names themselves.
    """

    own = (*OwnData.own, "axes")

    def raw(self) -> dict[str, Raw]:
        path = self._path()
        arrays = read_npz(path)
        names = tuple(str(name) for name in arrays.get("names", ()))
        found = {}
        for part, endings in PARTS.items():
            ending = next((each for each in endings if f"x{each}" in arrays), None)
            if ending is not None:
                found[part] = self._raw(path, arrays, ending, names)
        if not found:
            raise FileFormatError(
                f"'{path}' holds {', '.join(sorted(arrays)) or 'nothing'}, and no x",
                remedy="write it with numpy.savez(path, x=samples, y=targets)",
            )
        return found

    def _raw(self, path: Path, arrays: dict[str, Values], ending: str, names: tuple[str, ...]) -> Raw:
        try:
            return Raw(ordered(arrays[f"x{ending}"], self.data.axes), arrays.get(f"y{ending}"), names)
        except (ConfigurationError, InputError) as error:
            raise type(error)(f"x{ending} of '{path}': {error.problem}", remedy=error.remedy) from None

    def _path(self) -> Path:
        if self.data.source is None:
            raise ConfigurationError(
                f"'{self.data.name}' needs a file", remedy="name the .npz file by data.source, or by --data FILE.npz"
            )
        return Path(self.data.source).expanduser()


def read_npz(path: Path) -> dict[str, Values]:
    """All arrays of an .npz file.

    Raises:
        ConfigurationError: there is no such file.
        FileFormatError: it is none of arrays of numbers and texts, or damaged.
    """
    if not path.is_file():
        raise ConfigurationError(f"there is no file '{path}'", remedy="write one with numpy.savez(path, x=.., y=..)")
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("it holds one array without a name")
            return {name: file[name] for name in file.files}
    except Exception as error:  # numpy reads headers as Python, and zipfile its own; both raise whatever they do
        raise FileFormatError(
            f"'{path}' is no .npz file of numbers, or damaged ({error})",
            remedy="write it with numpy.savez(path, x=samples, y=targets)",
        ) from None
