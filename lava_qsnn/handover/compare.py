"""Nothing that this script judges has ever come from Loihi hardware; what Lava's simulation answers has been judged.

It compares the answers that run.py wrote, or a board gave, with the golden vectors, which are right bit for bit, and
names the first layer and time step that differ. It needs numpy alone.

    python compare.py answers.npz

It ends with status 0 if all layers are equal, 1 if one differs, 2 if it could not compare.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
EQUAL, DIFFERENT, UNREADABLE = 0, 1, 2


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, by name; ValueError if it is none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"'{path}' is no .npz file of answers ({error})") from None


def judged(layer: dict[str, Any], golden: np.ndarray, answer: np.ndarray | None) -> str | None:
    """The first difference of a layer, in words; None if there is none. ValueError if it cannot be compared."""
    name = layer["name"]
    if answer is None:
        raise ValueError(f"layer '{name}': the answers have no array '{layer['key']}'")
    if answer.shape != golden.shape or answer.dtype.kind not in "iub":
        raise ValueError(
            f"layer '{name}': the answers are {answer.dtype} of shape {answer.shape}, not integers of shape "
            f"{golden.shape} (samples, channels, .., time steps)"
        )
    wrong = answer != golden
    if not wrong.any():
        return None
    places = np.moveaxis(wrong, -1, 1)  # so that the first is that of the earliest step
    sample, step, *neuron = (int(each) for each in np.argwhere(places)[0])
    place = (sample, *neuron, step)
    here = int(places[sample, step].sum())
    return (
        f"layer '{name}' differs first in sample {sample} at time step {step}, neuron {tuple(neuron)}: {answer[place]} "
        f"where {golden[place]} is right; {here} of its {places[sample, step].size} neurons are wrong at this step, "
        f"{int(wrong.sum())} of {wrong.size} numbers in all"
    )


def compare(path: Path) -> int:
    """Print the verdict on each layer, in the network's order, and the first difference; the status to end with."""
    layers = json.loads((HERE / "bundle.json").read_text("utf-8"))["layers"]
    golden, answers = read(HERE / "golden.npz"), read(path)
    found = [judged(layer, golden[layer["key"]], answers.get(layer["key"])) for layer in layers]
    for layer, difference in zip(layers, found):
        print(f"{layer['name']}: {'equal' if difference is None else 'different'}")
    first = next((difference for difference in found if difference is not None), None)
    print("all layers are equal to the golden vectors, bit for bit" if first is None else first)
    return EQUAL if first is None else DIFFERENT


def main() -> int:
    """Compare the file that the command line names."""
    if len(sys.argv) != 2:
        print("usage: python compare.py ANSWERS.npz", file=sys.stderr)
        return UNREADABLE
    try:
        return compare(Path(sys.argv[1]))
    except ValueError as error:
        print(f"cannot compare: {error}", file=sys.stderr)
        return UNREADABLE


if __name__ == "__main__":
    sys.exit(main())
