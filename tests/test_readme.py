"""The README's examples run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.lava
def test_the_twenty_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    example = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)[0]
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["network"].stock_exact  # type: ignore[attr-defined]
    assert names["potentials"].shape == (8, 10, 4)  # type: ignore[attr-defined]
    assert names["process"].latency == 3  # type: ignore[attr-defined]
