"""Invariant I4: data flows one way, and so do imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports are not used"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found
    return found


def offenders(files: list[Path], *forbidden: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in imports(path)
        if name.startswith(forbidden)
    ]


def test_the_integer_core_needs_numpy_alone() -> None:
    assert not offenders(modules("lava_qsnn/integer"), "torch", "lava.", "h5py", "scipy", "netx_export", "training")


def test_only_the_process_package_imports_magma() -> None:
    files = [path for path in modules("lava_qsnn", "netx_export", "training") if path.parent.name != "process"]
    assert not offenders(files, "lava.magma", "lava.proc")


def test_nothing_in_the_library_imports_upward_but_the_command() -> None:
    files = [path for path in modules("lava_qsnn") if path.name != "cli.py"]
    assert not offenders(files, "netx_export", "training")
    assert not offenders(modules("netx_export"), "training")


def test_torch_parts_and_lava_processes_do_not_meet() -> None:
    assert not offenders(modules("lava_qsnn/process"), "torch", "lava.lib", "lava_qsnn.block", "lava_qsnn.neuron")
    assert not offenders(modules("lava_qsnn/block", "lava_qsnn/neuron"), "lava_qsnn.process")


def test_benchmarked_peers_are_no_dependency() -> None:
    assert not offenders(modules("lava_qsnn", "netx_export", "training", "tests"), "spikingjelly", "snntorch", "norse")


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import lava_qsnn.integer", ("torch", "lava", "h5py")),
        ("import netx_export", ("torch", "lava")),
        ("import netx_export; netx_export.BACKENDS['lava'].refusal", ("torch", "lava")),
        ("import lava_qsnn.block", ("lava.magma",)),
    ],
)
def test_imports_stay_light(statement: str, absent: tuple[str, ...]) -> None:
    code = f"import sys; {statement}; print([name for name in {absent!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.strip() == "[]"
    assert result.stderr == ""
