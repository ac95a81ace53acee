"""The command that judges the tests: which faults it makes, and that one in a loaded module is the fault it says."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import mutants
from benchmarks._mutation import mutants as faults

SOURCE = """
from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, singledispatch

LIMIT = 3
LOW, HIGH = -1, 2**4


@dataclass(frozen=True)
class Box:
    size: int = 1

    @property
    def large(self) -> bool:
        return self.size >= LIMIT

    @cached_property
    def double(self) -> int:
        return 2 * self.size

    @staticmethod
    def area(a: int, b: int = 1) -> float:
        return a / b


class Plain:
    count = 5


@singledispatch
def kind(value: object) -> int:
    return 1


@kind.register
def _(value: str) -> int:
    return 2


@kind.register
def _(value: Box) -> int:
    return 3


@cache
def limit() -> int:
    return LIMIT


@cache
def chosen(flag: bool) -> str:
    if flag and not LOW < 0:
        raise ValueError(f"{LIMIT + 1} of {flag!r:>{3}}")
    return "yes" if flag else "no"
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "toy_module.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    import toy_module  # type: ignore[import-not-found]

    yield toy_module
    del sys.modules["toy_module"]


def test_every_operator_number_sign_and_condition_is_changed_once() -> None:
    found = [mutant.name for mutant in faults("toy_module", SOURCE)]
    assert (
        found
        == textwrap.dedent(
            """\
        LIMIT: LIMIT = 4
        LOW, HIGH: (LOW, HIGH) = (1, 2 ** 4)
        LOW, HIGH: (LOW, HIGH) = (-2, 2 ** 4)
        LOW, HIGH: (LOW, HIGH) = (-1, 3 ** 4)
        LOW, HIGH: (LOW, HIGH) = (-1, 2 * 4)
        LOW, HIGH: (LOW, HIGH) = (-1, 2 ** 5)
        Box.size: size: int = 2
        Box.large: return self.size > LIMIT
        Box.double: return 3 * self.size
        Box.double: return 2 // self.size
        Box.area: def area(a: int, b: int=2) -> float:
        Box.area: return a * b
        Plain.count: count = 6
        kind: return 2
        kind(str): return 3
        kind(Box): return 4
        chosen: if flag or not LOW < 0:
        chosen: if flag and LOW < 0:
        chosen: if flag and (not LOW <= 0):
        chosen: if flag and (not LOW < 1):
        chosen: raise ValueError(f'{LIMIT - 1} of {flag!r:>{3}}')
        chosen: raise ValueError(f'{LIMIT + 2} of {flag!r:>{3}}')
        chosen: raise ValueError(f'{LIMIT + 1} of {flag!r:>{4}}')
        chosen: return 'yes' if not flag else 'no'
        """
        ).splitlines()
    )


@pytest.mark.parametrize(
    ("name", "expression", "before", "after"),
    [
        ("LIMIT: LIMIT = 4", "LIMIT", 3, 4),
        ("LIMIT: LIMIT = 4", "limit()", 3, 4),
        ("LOW, HIGH: (LOW, HIGH) = (-1, 2 ** 5)", "HIGH", 16, 32),
        ("Box.size: size: int = 2", "Box().size", 1, 2),
        ("Box.large: return self.size > LIMIT", "Box(3).large", True, False),
        ("Box.double: return 3 * self.size", "Box(5).double", 10, 15),
        ("Plain.count: count = 6", "Plain().count", 5, 6),
        ("kind: return 2", "kind(1), kind(''), kind(Box())", (1, 2, 3), (2, 2, 3)),
        ("kind(str): return 3", "kind(1), kind(''), kind(Box())", (1, 2, 3), (1, 3, 3)),
        ("kind(Box): return 4", "kind(1), kind(''), kind(Box())", (1, 2, 3), (1, 2, 4)),
        ("Box.area: def area(a: int, b: int=2) -> float:", "Box.area(6)", 6.0, 3.0),
        ("Box.area: return a * b", "Box.area(6, 2)", 3.0, 12.0),
        ("chosen: return 'yes' if not flag else 'no'", "chosen(False)", "no", "yes"),
    ],
)
def test_a_fault_is_planted_where_it_belongs(module: Any, name: str, expression: str, before: Any, after: Any) -> None:
    """Also where somebody took the class, the function or its cached result before."""
    others = dict(vars(module))
    assert eval(expression, vars(module)) == before
    (mutant,) = (mutant for mutant in faults("toy_module", SOURCE) if mutant.name == name)
    mutant.plant()
    assert eval(expression, vars(module)) == after
    if not mutant.imported:
        assert eval(expression, others) == after


def test_lines_are_those_of_the_statement() -> None:
    lines = SOURCE.splitlines()
    for mutant in faults("toy_module", SOURCE):
        assert mutant.name.split(": ", 1)[0].split(".")[-1] == mutant.scope.split(".")[-1]
        assert len(mutant.lines) == 1
        assert lines[mutant.lines[0] - 1].strip()[:3] == mutant.statement.strip("(")[:3]


def test_every_module_has_mutants_with_names_of_their_own() -> None:
    found = [(mutant.module, mutant.name) for mutant in mutants._all(mutants.MODULES)]
    assert len(found) == len(set(found)) > 1000
    assert {module for module, _ in found} == set(mutants.MODULES)


def test_what_is_listed_as_equivalent_has_a_reason() -> None:
    for (module, _), because in mutants._equivalent().items():
        assert module in mutants.MODULES
        assert len(because) > 10
