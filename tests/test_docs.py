"""The documentation builds strictly, loads nothing from other hosts, and leaves no page out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; its notebooks are executed by their own tests."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"EXECUTE_NOTEBOOKS": "false"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.slow
def test_every_page_is_built(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    built = {path.relative_to(site) for path in site.rglob("*.html")}
    assert len(pages) > 10
    assert pages <= built
    assert {Path("tutorials") / f"{path.stem}.html" for path in (ROOT / "tutorials").glob("*.ipynb")} <= built


@pytest.mark.slow
def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    loaded = re.compile(
        r"""<(?:script|img|iframe)\b[^>]*\bsrc="?https?:|<link\b[^>]*\bhref="?https?:|@import[^;]*https?:"""
    )
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    found = {str(path.relative_to(site)): loaded.findall(path.read_text("utf-8")) for path in pages}
    assert {name: hits for name, hits in found.items() if hits} == {}


@pytest.mark.slow
def test_defaults_and_ranges_are_told_in_words(site: Path) -> None:
    page = (site / "reference" / "configuration.html").read_text("utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))
    assert "bounded(" not in text
    assert "chosen(" not in text
    assert "4, from 1 to 1024" in text, "time steps"
    assert "required, above 0" in text, "a threshold"


@pytest.mark.slow
def test_the_command_documents_every_verb(site: Path) -> None:
    from lava_qsnn.cli.verbs import app

    page = (site / "reference" / "command-line.html").read_text("utf-8")
    verbs = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(verbs) >= 6
    assert [verb for verb in verbs if f"lava-qsnn {verb.replace('_', '-')}" not in page] == []


def test_the_site_has_no_formulas_that_it_cannot_show() -> None:
    """It loads no renderer of TeX: equations are plain text, or code."""
    pages = {path.name: path.read_text("utf-8") for path in (ROOT / "docs").rglob("*.md")}
    for path in (ROOT / "tutorials").glob("*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        pages[path.name] = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert len(pages) > 20
    written = {name: re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL) for name, text in pages.items()}
    assert {name: re.findall(r"\$[^$\n]+\$", text) for name, text in written.items() if text.count("$") > 1} == {}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 130


def test_links_between_the_repository_s_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    broken = []
    for page in pages:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
            if not link.startswith("http") and not (page.parent / link).exists():
                broken.append(f"{page.name}: {link}")
    assert broken == []
