"""Parts of the site from outside docs/: figures of measurements, and the command's own help.

Pages link to files where they lie, so that the links also work in the repository; here they become the site's.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from lava_qsnn import parameters
from lava_qsnn.cli.verbs import app
from lava_qsnn.train import config as configuration
from netx_export import zoo

ROOT = Path(__file__).parents[1]

#: Files of the repository that the site has at the same path.
TAKEN = ("benchmarks/results/*.png", "benchmarks/results/*.csv", "docs/assets/rooms.svg")

#: Links out of docs/ as pages write them, and what the site has there.
LINKS = {
    "../../tutorials/": "../tutorials/",
    "../../benchmarks/results/": "../benchmarks/results/",
    "../../CONTRIBUTING.md": "../contributing.md",
    "../../CHANGELOG.md": "../changelog.md",
    "../../training/configs": "../reference/configuration.md",
}

COMMAND_PAGE = "reference/command-line.md"

#: The page that has the model cards.
ZOO_PAGE = "reference/zoo.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that the site takes from elsewhere."""
    for pattern in TAKEN:
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, str(path.relative_to(ROOT)), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links out of docs/ into links of the site, and let the command and the zoo document themselves."""
    for outside, inside in LINKS.items():
        markdown = markdown.replace(f"]({outside}", f"]({inside}")
    if page.file.src_uri == COMMAND_PAGE:
        return "\n".join([markdown, *_command("lava-qsnn", typer.main.get_command(app))])
    if page.file.src_uri == ZOO_PAGE:
        return "\n".join([markdown, *(f"#{zoo.card(name)}" for name in zoo.names())])
    return markdown


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Tell defaults and ranges of checked fields in words, where the source has a call of `bounded` or its like."""
    return re.sub(r"<code>(?:(?!</?code>).)*</code>", _told, content, flags=re.DOTALL)


def _told(code: re.Match[str]) -> str:
    call = html.unescape(re.sub(r"<[^>]+>", "", code[0]))
    if not re.fullmatch(r"(bounded|chosen|listed)\(.+\)", call, re.DOTALL):
        return code[0]
    entry = eval(call, {**vars(configuration), **vars(parameters)})  # a line of this project's own source
    default = "required" if entry.default is MISSING else f"<code>{html.escape(repr(entry.default))}</code>"
    limits = [str(entry.metadata["range"])] if "range" in entry.metadata else []
    limits += [f"one of {', '.join(map(str, entry.metadata['choices']))}"] if "choices" in entry.metadata else []
    return ", ".join([default, *limits])


def _command(name: str, command: Any) -> Iterator[str]:
    """Markdown about a command: its help, arguments and options, and then its own commands."""
    yield f"\n## {name}\n\n{(command.help or '').strip()}\n"
    rows = [_row(each) for each in command.params if not getattr(each, "hidden", False)]
    if rows:
        yield "| argument or option | meaning |\n|---|---|"
        yield from rows
    for below, each in getattr(command, "commands", {}).items():
        yield from _command(f"{name} {below}", each)


def _row(parameter: Any) -> str:
    names = [each for each in parameter.opts if each.startswith("-")] or [parameter.metavar or parameter.name.upper()]
    meaning = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
    default = parameter.default
    known = f" Default: `{default}`." if isinstance(default, (int, float, str)) and default is not False else ""
    return f"| {', '.join(f'`{name}`' for name in names)} | {meaning}{known} |"
