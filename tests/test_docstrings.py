"""Docstrings begin with a verb or a noun phrase that says what the thing is; ruff looks at the rest."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: First words of clauses, which leave the reader to guess what the thing is.
CLAUSES = frozenset(["How", "What", "Where", "Whether", "Which", "Who", "Whose", "Why"])


def docstrings(text: str) -> Iterator[tuple[int, str]]:
    """Each docstring of a module with the line in which its thing is defined."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            found = ast.get_docstring(node)
            if found:
                yield getattr(node, "lineno", 1), found


def clauses(text: str) -> list[str]:
    """The docstrings that begin with a clause, with their lines."""
    first = [(line, found.splitlines()[0]) for line, found in docstrings(text)]
    return [f"{line}: {found}" for line, found in first if found.split()[0].strip(",.:;") in CLAUSES]


@pytest.mark.parametrize("folder", ["lava_qsnn", "netx_export", "training", "benchmarks", "tests", "docs"])
def test_docstrings_begin_with_a_verb_or_a_noun_phrase(folder: str) -> None:
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    found = {str(path.relative_to(ROOT)): clauses(path.read_text("utf-8")) for path in paths}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_clauses_are_found() -> None:
    text = '"""What it is."""\n\ndef f():\n    """Return it."""\n\nclass A:\n    """How,\n\n    and why."""\n'
    assert clauses(text) == ["1: What it is.", "6: How,"]
