"""YAML files of a user's own: chips, shapes, prices."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lava_qsnn.errors import ConfigurationError


def read_mapping(path: str | os.PathLike[str], what: str) -> dict[str, Any]:
    """The mapping of texts that a YAML file holds; ConfigurationError if it holds none."""
    import yaml  # a base dependency, and none of what a layout without files needs

    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file '{path}'")
    try:
        found = yaml.safe_load(Path(path).read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"'{path}' is no YAML ({' '.join(str(error).split())})") from None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise ConfigurationError(
            f"'{path}' is no mapping of keys to values", remedy=f"write {what} as KEY: VALUE lines"
        )
    return found
