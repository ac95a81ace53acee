"""The family of errors: one printable line each, whatever text they are made of, and whole after crossing processes."""

from __future__ import annotations

import pickle

import hypothesis
import pytest
from hypothesis import strategies as st

from lava_qsnn import errors

ONE_LINE = [errors.QsnnError, errors.ConfigurationError, errors.DeploymentError, errors.RangeError, errors.InputError]


@hypothesis.given(problem=st.text(), layer=st.none() | st.text(), remedy=st.none() | st.text())
def test_every_error_is_one_printable_line(problem: str, layer: str | None, remedy: str | None) -> None:
    for kind in (*ONE_LINE, errors.FileFormatError):
        error = kind(problem, layer=layer, remedy=remedy)
        assert str(error).isprintable()
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, with ümlaut and 漢字", "plain, with ümlaut and 漢字"),
        ("a\nb\tc\0", r"a\nb\tc\x00"),
        ("\x1b[31mred\x9b0m", r"\x1b[31mred\x9b0m"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("\u2028\ud800", r"\u2028\ud800"),
    ],
)
def test_what_a_terminal_would_obey_or_hide_is_written_out(text: str, shown: str) -> None:
    assert str(errors.DeploymentError(text)) == shown


def test_a_long_text_loses_its_middle() -> None:
    text = str(errors.FileFormatError("begin" + "x" * 10**6 + "end", layer="y" * 10**6, remedy="\0" * 10**6))
    assert len(text) < 5000
    assert "begin" in text
    assert "end" in text
    assert "[..]" in text


def test_the_traceback_of_a_failed_process_keeps_its_lines() -> None:
    problem = "it failed\n" + "  a line of its traceback\n" * 1000
    assert str(errors.RunError(problem)) == problem
