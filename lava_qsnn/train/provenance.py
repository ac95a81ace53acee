"""The data that a network was trained on, as its file tells them, so that it is not run on others unnoticed.

The metadata of an exported network are plain data, which nothing executes and no answer depends on:

    {"data": {"name": "spoken_digits", "encoding": "crossings", ..},  the configuration's keys that decide about numbers
     "classes": ["0", "1", ..],                                       the name of each
     "shape": [1, 8, 8]}                                              of a time step, (C, H, W) or (C,), not flattened
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lava_qsnn.errors import ConfigurationError, FileFormatError
from lava_qsnn.train.config import Config, Data, from_dict, to_dict

if TYPE_CHECKING:
    from lava_qsnn.train.data import SampleData

#: The keys that say how samples become integers, and which samples are for the test; none tells a folder of anybody's.
RECORDED = ("name", "timesteps", "input_bits", "size", "encoding", "flatten", "split_seed")


def metadata(data: SampleData) -> dict[str, Any]:
    """The metadata for networks that are trained on some data; see the module."""
    values = to_dict(Config(data=data.data))["data"]
    return {
        "data": {key: values[key] for key in RECORDED},
        "classes": list(data.class_names),
        "shape": list(data.shape),
    }


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
