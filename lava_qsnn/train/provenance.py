"""The data that a network was trained on, as its file tells them, so that it is not run on others unnoticed.

The metadata of an exported network are plain data, which nothing executes and no answer depends on:

    {"data": {"name": "spoken_digits", "encoding": "crossings", ..},  the configuration's keys that decide about numbers
     "classes": ["0", "1", ..],                                       the name of each; or "numbers", alike
     "shape": [1, 8, 8],                                              of a time step, (C, H, W) or (C,), not flattened
     "low": [0.0], "high": [1.0],                                     what becomes 0 and 2^input_bits - 1, if scaled
     "scale": [0.1, ..], "offset": [3.2, ..]}                         of numbers: offset + scale x the potential's mean
                                                                      over time is the number in its own unit
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lava_qsnn.checked import read
from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.train.config import Config, Data, from_dict, to_dict
from lava_qsnn.train.description import Description

if TYPE_CHECKING:
    from lava_qsnn.train.data import SampleData

#: The keys of one's own data among them, which are told where they are not what they are by default.
OWN = ("axes", "signed", "targets", "test", "sensor")

#: The keys that say how samples become integers, and which samples are for the test; none tells a folder of anybody's.
RECORDED = (
    *("name", "timesteps", "input_bits", "size", "encoding", "flatten", "split_seed"),
    *OWN,
)


def metadata(data: SampleData) -> dict[str, Any]:
    """The metadata for networks that are trained on some data; see the module. Numbers lack scale and offset here."""
    return about_data(data.data, data.description)


def about_data(data: Data, description: Description) -> dict[str, Any]:
    """The same, of data that are not at hand."""
    values, default = (to_dict(Config(data=each))["data"] for each in (data, Data()))
    told = {key: values[key] for key in RECORDED if key not in OWN or values[key] != default[key]}
    names = "numbers" if description.of_numbers else "classes"
    about = {"data": told, names: list(description.names), "shape": list(description.shape)}
    if description.low:
        about |= {"low": list(description.low), "high": list(description.high)}
    return about


def recorded_description(about: Mapping[str, Any]) -> Description | None:
    """The description of the data of a network's metadata; None if these tell none.

    Raises:
        FileFormatError: they tell nonsense.
    """
    names = about.get("numbers", about.get("classes"))
    if names is None or "shape" not in about:
        return None
    numbers = {"mean": [0.0] * len(names), "deviation": [1.0] * len(names)} if "numbers" in about else {}
    ends = {key: about[key] for key in ("low", "high") if key in about}
    try:
        return read(Description, {"shape": about["shape"], "names": names, **ends, **numbers}, Description.key)
    except (ConfigurationError, TypeError) as error:
        raise FileFormatError(
            f"the file tells nonsense of its data: {error}", remedy="export the network anew"
        ) from None


def recorded_data(about: Mapping[str, Any]) -> Data | None:
    """The data of a network's metadata, without folders; None if these tell none.

    Raises:
        FileFormatError: they tell what is no configuration of data.
    """
    told = about.get("data")
    if told is None:
        return None
    try:
        return from_dict({"data": {key: told[key] for key in RECORDED if key in told}}).data
    except (ConfigurationError, TypeError) as error:
        problem = error.problem if isinstance(error, ConfigurationError) else "they are no mapping"
        raise FileFormatError(
            f"the data that the file tells of are no configuration: {problem}", remedy="name the data with --data"
        ) from None


def refuse_other_encoding(recorded: Data | None, chosen: Data) -> None:
    """Raise ConfigurationError if data are the ones that a network was trained on, but become integers in another way.

    Args:
        recorded: those it was trained on, if they are known.
        chosen: those that it should run on.
    """
    if recorded is None or recorded.name != chosen.name or recorded.encoding == chosen.encoding:
        return
    raise ConfigurationError(
        f"the network was trained on '{recorded.name}' with data.encoding {recorded.encoding}, not {chosen.encoding}",
        remedy=f"leave the encoding to the file, or write --set data.encoding={recorded.encoding}",
    )


def other_data(recorded: Data | None, chosen: Data) -> str | None:
    """A warning if a network was trained on another data set than it should run on; None otherwise."""
    if recorded is None or recorded.name == chosen.name:
        return None
    return f"the network was trained on '{recorded.name}', and runs on '{chosen.name}'"
