"""The command in this process."""

from __future__ import annotations

import sys

import pytest

from lava_qsnn.cli import terminal, verbs


def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object
) -> tuple[int, str, str]:
    """Run the command in this process: exit status, standard output, standard error."""
    monkeypatch.setattr(sys, "argv", ["lava-qsnn", *map(str, arguments)])
    monkeypatch.setattr(terminal.console, "width", 200)
    with pytest.raises(SystemExit) as ended:
        verbs.main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err
