"""Installed files: the wheel and the source archive hold the packages and the configurations, and nothing else."""

from __future__ import annotations

import email
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

BUILD = """
import sys
from setuptools import build_meta
target = sys.argv[1]  # setuptools writes arguments of its own there
build_meta.build_wheel(target)
build_meta.build_sdist(target)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive, built from a copy of what git keeps of the packages."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("lava_qsnn", "netx_export", "training", "tests"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-c", BUILD, target], cwd=source, capture_output=True, text=True, check=True)
    return target


@pytest.fixture(scope="module")
def wheel(built: Path) -> dict[str, bytes]:
    """The files of the wheel, by path."""
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def source_archive(built: Path) -> dict[str, tarfile.TarInfo]:
    """The entries of the source archive, by path."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {entry.name.partition("/")[2]: entry for entry in archive.getmembers()}


def test_only_the_two_packages_are_installed(wheel: dict[str, bytes]) -> None:
    folders = {name.partition("/")[0] for name in wheel}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == {"lava_qsnn", "netx_export"}
    assert "lava_qsnn/py.typed" in wheel
    assert "netx_export/py.typed" in wheel
    assert wheel["netx_export/_report/style.css"] == (ROOT / "netx_export/_report/style.css").read_bytes()


def test_every_module_is_in_the_wheel(wheel: dict[str, bytes]) -> None:
    paths = [path for name in ("lava_qsnn", "netx_export") for path in (ROOT / name).rglob("*.py")]
    expected = {path.relative_to(ROOT).as_posix() for path in paths}
    assert len(expected) > 80
    assert {name for name in wheel if name.endswith(".py")} == expected


def test_the_zoo_is_in_the_wheel(wheel: dict[str, bytes]) -> None:
    kinds = ("index.json", "networks/*.net", "samples/*.npz", "cards/*.md")
    files = [path for kind in kinds for path in (ROOT / "netx_export" / "_zoo").glob(kind)]
    assert len(files) > 6
    for path in files:
        assert wheel[path.relative_to(ROOT).as_posix()] == path.read_bytes()
    assert not [name for name in wheel if "__pycache__" in name]


def test_configurations_are_real_files_in_wheel_and_source_archive(
    wheel: dict[str, bytes], source_archive: dict[str, tarfile.TarInfo]
) -> None:
    configurations = sorted((ROOT / "training" / "configs").glob("*.yaml"))
    assert "digits" in [path.stem for path in configurations]
    for path in configurations:
        name = f"lava_qsnn/train/configs/{path.name}"
        assert wheel[name] == path.read_bytes()
        assert source_archive[name].isreg()
        assert source_archive[name].size == path.stat().st_size


def test_the_wheel_alone_finds_its_configurations_and_leaves_training_to_users(built: Path, tmp_path: Path) -> None:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "site")
    program = """
import sys
sys.path[:] = [sys.argv[1], *[place for place in sys.path if place and "site-packages" not in place], *sys.argv[2:]]
import importlib.util
import lava_qsnn
from lava_qsnn.train.config import load_config, shipped
print(lava_qsnn.__file__, importlib.util.find_spec("training"), importlib.util.find_spec("lava_qsnn.bench.sweep").name)
print(*shipped(), load_config("digits").data.name)
"""
    packages = [place for place in sys.path if place.endswith("site-packages")]
    result = subprocess.run(
        [sys.executable, "-S", "-c", program, tmp_path / "site", *packages],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    first, second = result.stdout.splitlines()
    assert first == f"{tmp_path / 'site' / 'lava_qsnn' / '__init__.py'} None lava_qsnn.bench.sweep"
    assert second.split()[-1] == "digits"
    assert {"digits", "mnist", "cifar10"} <= set(second.split())


#: What uv says when no registry answers.
UNREACHABLE = ("Failed to fetch", "error sending request", "dns error", "timed out", "Could not connect")


def interpreter(version: str) -> Path:
    """A Python of this version: on the path, pyenv's or uv's; the test is skipped where the machine has none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [str(path) for path in sorted(pyenv.glob(f"versions/{version}.*/bin/python"))]
    found += [path for path in [shutil.which(f"python{version}")] if path]
    command = [sys.executable, "-m", "uv", "python", "find", "--no-python-downloads", version]
    found += subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    tell = "import sys; print('%d.%d' % sys.version_info[:2])"
    for path in found:
        told = subprocess.run([path, "-c", tell], capture_output=True, text=True, check=False)
        if told.stdout.strip() == version:
            return Path(path)
    return pytest.skip(f"this machine has no Python {version}")


def installed(wheel: Path, version: str, folder: Path, *more: str) -> Path:
    """The interpreter of a fresh environment with the wheel, and what that needs; nothing else."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", interpreter(version), folder], check=True, capture_output=True)
    python = folder / "bin" / "python"
    command = [*uv, "pip", "install", "--quiet", "--python", str(python), str(wheel), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and any(sign in done.stderr for sign in UNREACHABLE):
        pytest.skip(f"no package registry can be reached: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    return python


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "numpy"),
    [("3.10", "numpy<2"), ("3.10", "numpy>=2"), ("3.11", "numpy>=2"), ("3.12", "numpy>=2"), ("3.13", "numpy>=2")],
)
def test_the_wheel_alone_runs_files(version: str, numpy: str, built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    python = installed(wheel, version, tmp_path / "environment", numpy)
    program = shutil.copy(ROOT / "tests" / "helpers" / "installed.py", tmp_path)
    file = shutil.copy(ROOT / "tests" / "data" / "version_1_exact_chain.net", tmp_path / "some.net")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-I", program, file, tmp_path]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    used = done.stdout.split()
    assert used[0].startswith(f"{version}.")
    assert (int(used[2].partition(".")[0]) < 2) == (numpy == "numpy<2")


@pytest.mark.slow
def test_the_remedy_works_where_only_the_wheel_was_installed(built: Path, tmp_path: Path) -> None:
    """Of a package that no index has: pip takes the one that is installed, and adds what its extra needs."""
    (wheel,) = built.glob("*.whl")
    python = installed(wheel, "3.11", tmp_path / "environment", "pip")
    convert = [python.with_name("lava-qsnn"), "convert", "zoo:digits", "digits.nir"]
    refused = subprocess.run(convert, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    (remedy,) = re.findall(r"Remedy: (pip install .*)", refused.stderr)
    done = subprocess.run([python, "-m", *shlex.split(remedy)], capture_output=True, text=True, check=False)
    if done.returncode and re.search("ConnectionError|Temporary failure|timed out", done.stderr):
        pytest.skip(f"no package registry can be reached: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    subprocess.run(convert, cwd=tmp_path, capture_output=True, check=True)
    assert (tmp_path / "digits.nir").stat().st_size > 1000


def test_the_metadata_says_what_it_needs(built: Path) -> None:
    """A base without torch; Lava on Python 3.10 alone, so that no other one fetches what it cannot run."""
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    needed = metadata.get_all("Requires-Dist") or []
    base = {re.split(r"[^a-z0-9]", line)[0] for line in needed if "extra ==" not in line}
    assert base == {"numpy", "h5py", "numba", "pyyaml", "rich", "typer"}
    on_lava = [line for line in needed if line.startswith(("lava-nc", "lava-dl"))]
    assert len(on_lava) >= 2
    assert all('python_version < "3.11"' in line for line in on_lava)
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata.get_all("Project-URL")
