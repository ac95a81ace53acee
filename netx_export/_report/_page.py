"""The page: one HTML file that needs nothing else, no script and no network."""

from __future__ import annotations

from importlib import resources
from string import Template

from lava_qsnn import __version__
from netx_export._report import _sections as sections
from netx_export._report._chip_section import chip
from netx_export._report._elements import Element, tag, text_of
from netx_export._report._facts import NetworkReport
from netx_export._report._layer_cards import layers

PAGE = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
$title
<style>
$style</style>
</head>
<body>
<main>
$body
</main>
</body>
</html>
"""
)


def page(report: NetworkReport) -> str:
    """The HTML of a network's report."""
    parts = [
        sections.header(report),
        sections.findings(report),
        sections.network(report),
        sections.sample(report),
        layers(report),
        chip(report),
        sections.footer(report, __version__),
    ]
    return assembled(report.title, [part for part in parts if part is not None])


def assembled(title: str, parts: list[Element]) -> str:
    """A page of some parts."""
    style = resources.files("netx_export._report").joinpath("style.css").read_text("utf-8")
    return PAGE.substitute(title=text_of([tag("title", title)]), style=style, body=text_of(parts))
