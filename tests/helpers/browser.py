"""A real browser, if the system has one: pages as it sees them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)

found = next((path for path in map(shutil.which, BROWSERS) if path), None)

needs_browser = pytest.mark.skipif(found is None, reason=f"none of {', '.join(BROWSERS)} is installed")


def _browse(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert found is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [found, *QUIET, f"--user-data-dir={profile}", "--enable-logging=stderr", *options, page.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def seen(page: Path, width: int = 1280) -> tuple[str, list[str]]:
    """The page's document as the browser understood it, and what the browser complained of."""
    ran = _browse(page, "--dump-dom", f"--window-size={width},900")
    return ran.stdout, re.findall(r"CONSOLE.*", ran.stderr)


def picture(page: Path, target: Path, width: int, height: int, dark: bool) -> bytes:
    """A screenshot as PNG bytes."""
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    _browse(page, f"--screenshot={target}", f"--window-size={width},{height}", scheme)
    return target.read_bytes()
