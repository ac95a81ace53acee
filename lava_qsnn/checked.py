"""Frozen dataclasses that check themselves: each field against its type, its range and its choices, all at once.

The annotation of a field is its type, its metadata say what else it must be; both are written where the field is. What
is wrong is one ConfigurationError that names every problem, and for a misspelt name the one that was meant.
"""

from __future__ import annotations

import math
import reprlib
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from lava_qsnn._tree import check_tree
from lava_qsnn.errors import ConfigurationError

Part = TypeVar("Part", bound="Checked")

#: Numbers in the longest list, where a field has no `longest` of its own; values in the largest dictionary, and how
#: deep values are nested.
LONGEST_LIST, MOST_VALUES, DEEPEST = 256, 10**4, 16


@dataclass(frozen=True)
class Interval:
    """The numbers from `low` to `high`; without `low` itself where it is `open_low`, and `high` alike."""

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, number: float) -> bool:
        above = number > self.low if self.open_low else number >= self.low
        return above and (number < self.high if self.open_high else number <= self.high)

    def __str__(self) -> str:
        if not self.open_low and not self.open_high:
            return f"from {self.low} to {self.high}"
        low = f"above {self.low}" if self.open_low else f"at least {self.low}"
        return f"{low} and {'below' if self.open_high else 'at most'} {self.high}"


def bounded(default: Any, low: float, high: float, open_low: bool = False, open_high: bool = False) -> Any:
    """A field whose number, or each number of whose list, lies in an interval; `...` for no default."""
    metadata = {"range": Interval(low, high, open_low, open_high)}
    return field(metadata=metadata) if default is ... else field(default=default, metadata=metadata)


def listed(default: Any, longest: int) -> Any:
    """A field whose list may have so many entries; `...` for no default."""
    metadata = {"longest": longest}
    return field(metadata=metadata) if default is ... else field(default=default, metadata=metadata)


def chosen(default: Any, choices: Iterable[Any]) -> Any:
    """A field whose value is one of some numbers."""
    return field(default=default, metadata={"choices": tuple(choices)})


@dataclass(frozen=True)
class Checked:
    """A frozen dataclass whose fields are checked, however it is made; ConfigurationError names all problems at once.

    Integers pass for floats, and lists for tuples; nothing else is converted, but where a field's metadata have a
    `reader`, a function that makes the value of the field's dotted name and what is given.
    """

    key: ClassVar[str] = ""

    def __post_init__(self) -> None:
        given = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        values, problems = _check(type(self), self.key, given)
        refuse(problems)
        for name, value in values.items():
            object.__setattr__(self, name, value)


def read(kind: type[Part], content: Any, key: str = "", what: str = "a configuration") -> Part:
    """Make a checked dataclass of a mapping from names to values.

    Args:
        kind: the dataclass.
        content: a mapping; what is not given has its default.
        key: dotted name of the whole, for errors.
        what: the whole in words, for errors where it has no name.

    Raises:
        ConfigurationError: it is no mapping, or it has unknown names, wrong values, or lacks some; all are named.
    """
    names = [entry.name for entry in fields(kind)]
    if not isinstance(content, Mapping):
        raise ConfigurationError(
            f"{key or what} must have keys, not be {shown(content)}", remedy=f"its keys are {', '.join(names)}"
        )
    choices = [join(key, name) for name in names]
    problems = [unknown(join(key, str(name)), choices) for name in content if name not in names]
    values, others = _check(kind, key, {name: content[name] for name in names if name in content})
    lacking = [
        ConfigurationError(f"{key or what} needs a `{entry.name}`")
        for entry in fields(kind)
        if entry.name not in content and entry.default is MISSING and entry.default_factory is MISSING
    ]
    refuse(problems + lacking + others)
    return kind(**values)


def refuse(problems: Sequence[ConfigurationError]) -> None:
    """Raise one ConfigurationError for all of some problems, if there are any."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        told = (f"{each.problem} ({each.remedy})" if each.remedy else each.problem for each in problems)
        raise ConfigurationError("; ".join(told))


def unknown(key: str, choices: Sequence[str]) -> ConfigurationError:
    """The error for a name that does not exist: with those that are spelt like it, or else with all."""
    part, _, last = key.rpartition(".")
    ends = get_close_matches(last, {choice.rpartition(".")[2] for choice in choices}, n=1)
    near = [choice for choice in choices if choice.rpartition(".")[2] in ends] or get_close_matches(key, choices, n=1)
    near = [choice for choice in near if choice.rpartition(".")[0] == part] or near
    if near:
        meant = " or ".join(f"'{choice}'" for choice in near)
        return ConfigurationError(f"there is no key '{key}'", remedy=f"did you mean {meant}?")
    return ConfigurationError(f"there is no key '{key}'", remedy=f"choose one of {', '.join(choices)}")


def unknown_choice(key: str, given: Any, choices: Iterable[Any]) -> ConfigurationError:
    """The error for a value that is none of some choices: it names them all, and the one that is spelt like it."""
    known = [str(choice) for choice in choices]
    near = get_close_matches(given, known, n=1) if isinstance(given, str) else []
    return ConfigurationError(
        f"{key} must be one of {', '.join(known)}, not {shown(given)}",
        remedy=f"did you mean '{near[0]}'?" if near else None,
    )


def plain(value: Any) -> Any:
    """A value as numbers, texts, lists and dictionaries; a dataclass is a dictionary of its fields."""
    if isinstance(value, Checked):
        return {entry.name: plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def is_plain(value: Any) -> bool:
    """True if a value consists of what YAML, and a checkpoint that is read weights-only, can hold."""
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and is_plain(item) for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(is_plain(item) for item in value)
    return value is None or type(value) in (bool, int, float, str)


def shown(value: Any) -> str:
    """A value in a text, shortened."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python writes no integers of more than some thousand digits
        return "a huge number"


def join(key: str, name: str) -> str:
    """The dotted name of a part of what has the dotted name `key`."""
    return f"{key}.{name}" if key else name


def _check(kind: type[Checked], key: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[ConfigurationError]]:
    """The values as their fields want them, and what is wrong with the others."""
    annotations = _annotations(typing.cast(Any, kind))
    values, problems = {}, []
    for entry in fields(kind):
        if entry.name in given:
            name = join(key, entry.name)
            try:
                value = _converted(name, given[entry.name], annotations[entry.name], entry.metadata)
                _refuse_out_of_range(name, value, entry.metadata)
                values[entry.name] = value
            except ConfigurationError as error:
                problems.append(error)
    return values, problems


@cache
def _annotations(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _converted(key: str, value: Any, annotation: Any, metadata: Mapping[str, Any]) -> Any:
    check_tree(key, value, _members, MOST_VALUES, DEEPEST)
    if "reader" in metadata:
        return metadata["reader"](key, value)
    if isinstance(annotation, type) and issubclass(annotation, Checked):
        return value if isinstance(value, annotation) else read(annotation, value, key)
    for choice in _alternatives(annotation):
        accepted, result = _accept(value, choice)
        if accepted:
            return result
    alternatives = _alternatives(annotation)
    wanted = " or ".join(_name(choice) for choice in alternatives)
    texts = [text for choice in alternatives if get_origin(choice) is Literal for text in map(str, get_args(choice))]
    meant = unknown_choice(key, value, texts).remedy
    raise ConfigurationError(f"{key} must be {wanted}, not {shown(value)}", remedy=meant)


def _accept(value: Any, annotation: Any) -> tuple[bool, Any]:
    origin = get_origin(annotation)
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in get_args(annotation)), value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            return False, value
        items = [_accept(item, get_args(annotation)[0]) for item in value]
        return all(fits for fits, _ in items), tuple(item for _, item in items)
    if origin is dict:
        return isinstance(value, Mapping) and is_plain(value), plain(value)
    if origin is Callable:
        return callable(value), value
    if annotation is float:
        return _accept_float(value)
    return type(value) is annotation, value


def _accept_float(value: Any) -> tuple[bool, Any]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False, value
    try:
        number = float(value)
    except OverflowError:
        return False, value
    return math.isfinite(number), number


def _refuse_out_of_range(key: str, value: Any, metadata: Mapping[str, Any]) -> None:
    longest = metadata.get("longest", LONGEST_LIST)
    if isinstance(value, tuple) and len(value) > longest:
        raise ConfigurationError(f"{key} must have at most {longest} entries, not {len(value):,}")
    limits, choices = metadata.get("range"), metadata.get("choices")
    for number in value if isinstance(value, tuple) else (value,):
        if limits is not None and number is not None and number not in limits:
            raise ConfigurationError(f"{key} must lie {limits}, not be {shown(number)}")
        if choices is not None and number not in choices:
            raise unknown_choice(key, number, choices)


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _name(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(annotation))
    if get_origin(annotation) is tuple:
        return {int: "a list of integers", float: "a list of numbers", str: "a list of texts"}[get_args(annotation)[0]]
    names = {
        bool: "true or false",
        int: "an integer",
        float: "a finite number",
        str: "a text",
        dict: "a dictionary of names with numbers, texts or lists",
        Callable: "a callable",
        types.NoneType: "null",
    }
    return names[get_origin(annotation) or annotation]


def _members(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, (list, tuple)) else ()
