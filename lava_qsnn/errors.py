"""The project's exceptions: one family, each text naming the place, the limit and the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar

#: Characters of the longest part of an error's text; whatever a file holds, its error can be read.
LONGEST_PART = 1500


def printable(text: str) -> str:
    r"""A text on one line, of at most LONGEST_PART characters, the middle of a longer one left out.

    What a terminal would obey or hide (control characters, escape sequences, marks that turn the direction of
    writing round, halves of surrogate pairs) is written as Python writes it, such as \x1b.
    """
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in _cut(text))
    return _cut(shown)


def choices(given: object, names: Iterable[str]) -> str:
    """The remedy for a name that there is not: the one that was meant, if one is spelt like it, or else all."""
    known = list(names)
    near = get_close_matches(str(given), known, n=1)
    return f"did you mean '{near[0]}'? There are {', '.join(known)}" if near else f"choose one of {', '.join(known)}"


def _cut(text: str) -> str:
    half = LONGEST_PART // 2 - 5
    return text if len(text) <= LONGEST_PART else f"{text[:half]} [..] {text[-half:]}"


class QsnnError(Exception):
    """Base of every error this project raises on purpose. Its text is one printable line.

    Args:
        problem: what is wrong and which limit it breaks, one sentence without a final stop.
        layer: name of the layer concerned, if there is one.
        remedy: what the user can do about it, one sentence without a final stop.
    """

    one_line: ClassVar[bool] = True

    def __init__(self, problem: str, *, layer: str | None = None, remedy: str | None = None) -> None:
        self.problem = printable(problem) if self.one_line else problem
        self.layer = layer if layer is None else printable(layer)
        self.remedy = remedy if remedy is None else printable(remedy)
        super().__init__(str(self))

    def __str__(self) -> str:
        where = f"layer '{self.layer}': " if self.layer else ""
        advice = f". Remedy: {self.remedy}" if self.remedy else ""
        return f"{where}{self.problem}{advice}"

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process boundaries; keyword arguments need their own way to be pickled.
        return _rebuild, (type(self), self.problem, self.layer, self.remedy)


class QsnnWarning(UserWarning):
    """Something is exact and allowed, and most likely not what is wanted; the text names the layer and the remedy."""


def _rebuild(kind: type[QsnnError], problem: str, layer: str | None, remedy: str | None) -> QsnnError:
    return kind(problem, layer=layer, remedy=remedy)


class ConfigurationError(QsnnError, ValueError):
    """An argument or a configuration file asks for something that does not exist or makes no sense."""


class MissingPackageError(ConfigurationError, ImportError):
    """A package that this project needs for what was asked, and not otherwise, is not installed."""


class DeploymentError(QsnnError, ValueError):
    """A network, or one of its layers, has no exact integer form, or none that a backend can run."""


class RangeError(QsnnError, ValueError):
    """A number would leave the range in which a backend computes exactly."""


class InputError(QsnnError, ValueError):
    """Input data have the wrong shape, dtype or range."""


class OutputError(QsnnError, OSError):
    """Answers cannot be written to where they are wanted: there is no such place, no leave, or no room left."""


class FileFormatError(QsnnError, ValueError):
    """A file is damaged, of another version, or not what it claims to be."""


class DivergenceError(QsnnError, RuntimeError):
    """A training diverged: its loss or its weights have no finite value, or a layer fires never or always."""


class RunError(QsnnError, RuntimeError):
    """A Lava run failed; the text carries the traceback of the process that failed, line by line."""

    one_line = False


class LostSamplesError(RunError):
    """Samples that workers could not compute, tried twice; the answers of all others are kept.

    Attributes:
        samples: the ranges (start, stop) of their numbers, from 0.
        found: what was computed of the others: a masked array of answers, a report, or None if a file keeps them.
    """

    samples: tuple[tuple[int, int], ...] = ()
    found: Any = None


class TimeLimitError(RunError, TimeoutError):
    """A Lava run did not end within its time limit and was ended."""
