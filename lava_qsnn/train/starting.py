"""A first configuration for data of one's own: a commented YAML text, its values chosen by a look at the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from lava_qsnn.checked import unknown_choice
from lava_qsnn.errors import ConfigurationError, InputError
from lava_qsnn.train.config import Data
from lava_qsnn.train.data._arrays import PARTS, read_npz
from lava_qsnn.train.data._folders import EventFolder, ImageFolder, sensor_of

#: What a place says where it is not known yet.
PLACES = {"arrays": "my.npz", "images": "my_images", "events": "my_events", "dataset": "my_data:MyDataset"}

#: Pixels along the shorter side of images from which convolutions are proposed.
CONVOLVED = 12

#: Integer targets with more values than this, and with more than one in two samples, are taken for numbers.
FEW_CLASSES = 20


@dataclass(frozen=True)
class Line:
    """A key of the configuration with its value, and what is said of it in a comment above."""

    key: str
    value: Any
    comment: str


@dataclass
class Start:
    """The proposals for some data."""

    name: str
    source: str
    lines: list[Line] = field(default_factory=list)
    timesteps: int = 4
    pixels: int = 0  # along the shorter side, where there are any
    targets: str = "classes"

    def say(self, key: str, value: Any, comment: str) -> None:
        """Propose a value."""
        self.lines.append(Line(key, value, comment))


def first_configuration(name: str, source: str | None) -> str:
    """The text of a YAML file to start from.

    Args:
        name: a key of PLACES.
        source: where the data are, which are looked at; by default a place to be filled in.

    Raises:
        ConfigurationError, FileFormatError: the data cannot be read.
        InputError: there are not as many targets as samples.
    """
    start = Start(name, source or place(name))
    LOOKS[name](start, source)
    return _text(start)


def place(name: str) -> str:
    """A text for the place of data of a kind; ConfigurationError if there is no such kind."""
    if name not in PLACES:
        raise unknown_choice("the kind of data", name, PLACES)
    return PLACES[name]


def _look_at_arrays(start: Start, source: str | None) -> None:
    if source is None:
        start.say("axes", "NC", "N samples, C channels or features, H rows, W columns, T time steps: NHWC, NCT, ..")
        start.say("input_bits", 5, "Values become integers from 0 to 2^input_bits - 1.")
        _say_targets(start, None)
        return
    arrays = read_npz(Path(source).expanduser())
    ending = next((each for each in PARTS["train"] if f"x{each}" in arrays), None)
    if ending is None:
        raise ConfigurationError(f"'{source}' holds {', '.join(sorted(arrays))}, and no x", remedy="name the samples x")
    x, axes = arrays[f"x{ending}"], _axes(arrays[f"x{ending}"])
    start.say("axes", axes, f"Of x, {x.dtype} {x.shape}: N samples, C channels, H rows, W columns, T time steps.")
    start.pixels = min(x.shape[axes.index("H")], x.shape[axes.index("W")]) if "H" in axes else 0
    _say_values(start, x, axes)
    if "T" in axes:
        start.timesteps = x.shape[axes.index("T")]
    y = arrays.get(f"y{ending}")
    if y is not None and len(y) != len(x):
        raise InputError(f"'{source}' holds {len(x)} samples, and {len(y)} targets")
    _say_targets(start, y)


def _axes(x: NDArray[Any]) -> str:
    """The likely axes of an array, by their lengths."""
    if x.ndim == 3:
        square = max(x.shape[1:]) <= 2 * min(x.shape[1:]) and min(x.shape[1:]) > 4
        return "NHW" if square else "NCT" if x.shape[1] <= x.shape[2] else "NTC"
    if x.ndim == 4:
        return "NHWC" if x.shape[3] in (1, 3) and x.shape[1] not in (1, 3) else "NCHW"
    if x.ndim == 5:
        return "NTCHW" if x.shape[2] in (1, 2, 3) else "NCHWT"
    if x.ndim == 2:
        return "NC"
    raise ConfigurationError(f"x has the shape {x.shape}", remedy="give (N, features), images or signals")


def _say_values(start: Start, x: NDArray[Any], axes: str) -> None:
    low, high = (float(each) for each in (x.min(), x.max()))
    if x.dtype.kind in "iub" and 0 <= low <= high < 256:
        start.say(
            "input_bits", max(1, int(high).bit_length()), f"Values are integers from 0 to {high:g}, taken as they are."
        )
        return
    start.say("input_bits", 5, f"Values from {low:g} to {high:g} become integers from 0 to 2^input_bits - 1.")
    if x.dtype.kind in "iub":
        start.say("range", [low, high], "The values that become 0 and the largest integer.")
    elif axes == "NC":
        widths = np.ptp(x, axis=0)
        scale = "channel" if widths.max() > 5 * max(widths.min(), 1e-30) else "all"
        start.say(
            "scale",
            scale,
            "One range of values for all features, or each channel its own.",
        )
    if low < 0:
        start.say("signed", False, "true gives positive and negative parts channels of their own.")


def _say_targets(start: Start, y: NDArray[Any] | None) -> None:
    start.targets = "classes" if y is None or _are_classes(y) else "numbers"
    start.say("targets", start.targets, "What y holds: classes (numbers from 0 on, or names), or numbers to be told.")


def _are_classes(y: NDArray[Any]) -> bool:
    if y.dtype.kind in "USb":
        return True
    if (y.ndim > 1 and y.shape[1:] != (1,)) or (y != np.rint(y)).any() or y.min() < 0:
        return False
    count = len(np.unique(y))
    return count <= FEW_CLASSES or (y.dtype.kind in "iu" and count <= len(y) / 2)


def _look_at_images(start: Start, source: str | None) -> None:
    comment = "Pixels along a side: images are scaled, and cut in the middle to squares."
    start.pixels = 32
    if source is None:
        start.say("size", 32, comment)
    else:
        folder = ImageFolder(Data("images", source))
        paths = next(iter(folder.files().values()))
        sizes = {_size(path) for path in paths}
        start.pixels = min(min(size) for size in sizes)
        if len(sizes) > 1:
            start.pixels = min(start.pixels, 32)
            start.say("size", start.pixels, comment)
    start.say("input_bits", 5, "Pixels from 0 to 255 become integers from 0 to 2^input_bits - 1.")
    start.say("augment", False, "true shifts the training images at random.")


def _size(path: Path) -> tuple[int, int]:
    from PIL import Image

    with Image.open(path) as image:
        width, height = image.size
    return width, height


def _look_at_events(start: Start, source: str | None) -> None:
    sensor: Iterable[int] = (34, 34)
    if source is not None:
        folder = EventFolder(Data("events", source))
        sensor = sensor_of(next(iter(folder.files().values())))
    start.timesteps = 16
    sides = list(sensor)
    start.say("sensor", sides, "Width and height of the sensor, or its channels; here as far as events reach.")
    start.say("size", min(max(sides), 32), "Pixels along the longer side after downsampling.")
    start.say("input_bits", 1, "Counts of events in a time step stop at 2^input_bits - 1.")
    start.say("augment", False, "true shifts the training recordings at random.")


def _look_at_nothing(start: Start, source: str | None) -> None:
    start.say("options", {}, "Arguments of the data set, by name: {root: data, size: 32}.")
    start.say("axes", "NCHW", "Of a batch of x: N samples, C channels, H rows, W columns, T time steps.")
    start.say("range", [0, 1], "The values that become 0 and 2^input_bits - 1; integers stay as they are without it.")
    start.say("input_bits", 5, "Values become integers from 0 to 2^input_bits - 1.")
    start.pixels = CONVOLVED
    _say_targets(start, None)


#: How the data of each kind are looked at.
LOOKS = {"arrays": _look_at_arrays, "images": _look_at_images, "events": _look_at_events, "dataset": _look_at_nothing}


def _text(start: Start) -> str:
    parts = {"data": _data(start), "model": _model(start), "optimizer": _optimizer(), "trainer": _trainer()}
    head = "# Train with `lava-qsnn train` and the path of this file. All keys: docs/reference/configuration.md.\n"
    return head + "".join(f"\n{name}:\n{_block(lines, 2)}" for name, lines in parts.items())


def _data(start: Start) -> list[Line]:
    places = {
        "arrays": "An .npz file with x and y, and x_test, y_test, x_validation, y_validation where they are apart.",
        "images": "A folder with a folder of images for each class, or with folders train and test of these.",
        "events": "A folder with a folder of recordings for each class, or with folders train and test of these.",
        "dataset": "Import path, module:name or file.py:name, of a torch Dataset or a LightningDataModule.",
    }
    still = start.name != "events" and not any(line.key == "axes" and "T" in line.value for line in start.lines)
    flat = start.pixels < CONVOLVED
    encoding = (
        "Each value as it is at every time step (levels), or as spikes: bits, rate or latency."
        if still
        else "The signal as it is (levels), or as spikes where it changes: delta or crossings."
    )
    return [
        Line("name", start.name, "Your own data: arrays, images, events or dataset; or a data set with a name."),
        Line("source", start.source, places[start.name]),
        *start.lines,
        Line("timesteps", start.timesteps, "T" + (", at each of which a sample is shown." if still else ".")),
        *([] if start.name == "events" else [Line("encoding", "levels", encoding)]),
        Line("flatten", flat, "true for dense models; false keeps channels, rows and columns for convolutions."),
        Line("batch_size", 64, "Samples in a training step."),
        Line("validation", 0.1, "Fraction of the training samples that chooses the best epoch, if none are apart."),
        Line("test", 0.2, "Fraction of the samples for the test, if none are apart."),
    ]


def _model(start: Start) -> list[Line]:
    convolved = start.pixels >= CONVOLVED
    long = start.timesteps > 7
    neuron = {
        "threshold": 0.5,
        "history": min(start.timesteps, 16),
        "taps": "geometric" if long else "shift",
        **({"tap_bits": 3} if long else {}),
        "surrogate": "fast_sigmoid",
    }
    return [
        Line("name", "cnn" if convolved else "mlp", "mlp (dense layers), cnn, vgg or resnet."),
        *([Line("channels", [16, 32], "Channels of each convolution, after which maps are halved.")] * convolved),
        Line("hidden", [128] if convolved else [128, 128], "Widths of the dense spiking layers."),
        Line("weight_bits", 1, "Of each weight: 1, 2, 4 or 8."),
        Line("output_bits", 8, "Of each weight of the output layer."),
        Line("target", "any", "The backend to be kept exact: lava, netx (unmodified NetX), or any."),
        Line("neuron", neuron, "History: time steps that a neuron sees. More keys: docs/reference/configuration.md."),
    ]


def _optimizer() -> list[Line]:
    return [Line("learning_rate", 0.01, "The highest; it rises at first, and falls to zero.")]


def _trainer() -> list[Line]:
    return [Line("max_epochs", 20, "More for small data sets.")]


def _block(lines: list[Line], indent: int) -> str:
    margin = " " * indent
    return "".join(f"{margin}# {line.comment}\n{margin}{line.key}:{_value(line.value, indent)}\n" for line in lines)


def _value(value: Any, indent: int) -> str:
    if isinstance(value, dict) and value:
        return "\n" + "\n".join(f"{' ' * (indent + 2)}{key}: {each}" for key, each in value.items())
    return " " + yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()
