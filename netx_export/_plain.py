"""Results as plain data: what JSON holds."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

#: Of the JSON that `to_json` writes; counts up when a name in it changes its meaning or goes.
JSON_VERSION = 1


def plain(value: Any) -> Any:
    """A result, its parts and theirs, as mappings, lists, texts and numbers; properties that are public included.

    Paths are texts; numbers that are not finite, which JSON lacks, are None.
    """
    if is_dataclass(value) and not isinstance(value, type):
        names = [entry.name for entry in fields(value)] + _properties(type(value))
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(each) for each in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def to_json(result: Any, **others: Any) -> str:
    """A result as JSON, a dataclass or a mapping, with the version of its names.

    Args:
        result: of `inspect`, `check`, `diff` or `verify`, for example.
        others: what else there is to tell, by name.
    """
    return json.dumps({"version": JSON_VERSION, **plain(result), **plain(others)}, indent=2, ensure_ascii=False)


def _properties(kind: type) -> list[str]:
    return [name for name in dir(kind) if not name.startswith("_") and isinstance(getattr(kind, name), property)]
