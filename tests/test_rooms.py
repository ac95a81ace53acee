"""Rooms and arrows: imports go one way (invariant I4), as CONTRIBUTING.md pictures them, and never in a circle."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.helpers.rooms import PICTURE, ROOT, Room, arrows, drawing, levels, table

PACKAGES = ("lava_qsnn", "netx_export")

#: A file of this project.
EXAMPLE = "tests/data/version_1_exact_chain.net"


def modules(*folders: str) -> dict[str, Path]:
    """The modules of folders, by their dotted names; a package is its `__init__`."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert paths
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


MODULES = modules(*PACKAGES)


def statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """All imports, those inside of functions included, but not those for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for other in child.orelse:
                yield from statements(ast.Module([other], []))
        else:
            yield from statements(child)


def imports(path: Path) -> Iterator[str]:
    """The imports of a file: modules where they are some, otherwise names in modules."""
    for statement in statements(ast.parse(path.read_text("utf-8"))):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        else:
            assert statement.level == 0, f"{path}: relative imports are not used"
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)


def module_of(name: str) -> str | None:
    """The module of ours that an imported name is, or lies in."""
    return name if name in MODULES else next((m for m in [name.rpartition(".")[0]] if m in MODULES), None)


def room_of(module: str, rooms: list[Room]) -> str:
    path = MODULES[module].relative_to(ROOT).as_posix()
    owners = [room.name for room in rooms if any(path == file or path.startswith(f"{file}/") for file in room.files)]
    assert len(owners) == 1, f"{path} must be in one room of CONTRIBUTING.md, not in {len(owners)}"
    return owners[0]


def package_of(name: str) -> str | None:
    """The package of others that an imported name is from; of Lava, which part; None if it is Python's or ours."""
    first, _, rest = name.partition(".")
    if first in sys.stdlib_module_names or first in PACKAGES:
        return None
    return f"{first}.{rest.partition('.')[0]}" if first == "lava" else first


def found() -> dict[str, tuple[set[str], set[str]]]:
    """The rooms, and the packages of others, that each room really imports."""
    rooms = table()
    result: dict[str, tuple[set[str], set[str]]] = {room.name: (set(), set()) for room in rooms}
    for module, path in MODULES.items():
        room = room_of(module, rooms)
        for name in imports(path):
            target, package = module_of(name), package_of(name)
            if target is not None and room_of(target, rooms) != room:
                result[room][0].add(room_of(target, rooms))
            if package is not None:
                result[room][1].add(package)
    return result


def offenders(paths: dict[str, Path], *forbidden: str) -> list[str]:
    return [
        f"{module} imports {name}" for module in paths for name in imports(paths[module]) if name.startswith(forbidden)
    ]


@pytest.mark.parametrize("room", table(), ids=lambda room: room.name)
def test_the_table_is_true(room: Room) -> None:
    rooms, packages = found()[room.name]
    assert room.rooms == rooms, f"CONTRIBUTING.md must say that '{room.name}' imports {', '.join(sorted(rooms))}"
    assert room.packages == packages, f"CONTRIBUTING.md must say that '{room.name}' needs {', '.join(sorted(packages))}"


def test_the_picture_is_the_table_s() -> None:
    assert PICTURE.read_text("utf-8") == drawing(table()), "draw it anew: python -m tests.helpers.rooms"
    assert f"({PICTURE.relative_to(ROOT).as_posix()})" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def test_arrows_and_their_implications_are_the_table_s() -> None:
    """Arrows lead, by one or by many, to all that a room may import; and no arrow is one too many."""
    rooms = table()
    graph = {room.name: {used for user, used in arrows(rooms) if user == room.name} for room in rooms}
    assert all(room.rooms <= reach(graph, room.name) for room in rooms)
    for user, used in arrows(rooms):
        assert used not in reach({**graph, user: graph[user] - {used}}, user)
    assert all(level > levels(rooms)[user] for user, used in arrows(rooms) for level in [levels(rooms)[used]])


def reach(graph: dict[str, set[str]], start: str) -> set[str]:
    """All rooms that arrows lead to."""
    return graph[start].union(*(reach(graph, other) for other in graph[start]))


def test_no_room_imports_upward() -> None:
    below: set[str] = set()
    for room in table():
        assert room.rooms <= below, f"'{room.name}' imports what stands above it"
        below.add(room.name)
    assert len(below) > 8


def test_no_module_imports_in_a_circle() -> None:
    arrows = {
        (module, target) for module, path in MODULES.items() for target in map(module_of, imports(path)) if target
    }
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for module, target in arrows:
        graph[module].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("a circle: " + " <- ".join(error.args[1]))


def test_the_integer_core_needs_numpy_alone() -> None:
    assert not offenders(modules("lava_qsnn/integer"), "torch", "lava.", "h5py", "scipy", "netx_export")


def test_only_processes_and_the_guard_import_lavas_core() -> None:
    others = {
        name: path
        for name, path in MODULES.items()
        if not name.startswith(("lava_qsnn.process", "lava_qsnn.guard", "lava_qsnn.handover."))
    }
    assert not offenders(others, "lava.magma", "lava.proc")


def test_scripts_that_are_handed_over_stand_alone() -> None:
    scripts = {name: path for name, path in MODULES.items() if name.startswith("lava_qsnn.handover.")}
    assert len(scripts) == 2
    assert not offenders(scripts, *PACKAGES)
    assert not offenders(MODULES, *scripts)


def test_the_guard_knows_nothing_of_networks() -> None:
    (guard,) = (room for room in table() if room.name == "guard")
    assert guard.rooms == {"base"}


def test_torch_parts_and_lava_processes_do_not_meet() -> None:
    assert not offenders(modules("lava_qsnn/process"), "torch", "lava.lib", "lava_qsnn.block", "lava_qsnn.neuron")
    assert not offenders(modules("lava_qsnn/block", "lava_qsnn/neuron"), "lava_qsnn.process", "lava_qsnn.guard")


def test_the_scripts_are_no_package() -> None:
    """Otherwise `import training` would mean them, where users mean a package of their own."""
    assert not list((ROOT / "training").rglob("__init__.py"))
    assert not offenders(MODULES, "training", "benchmarks", "tests")


def test_benchmarked_peers_are_no_dependency() -> None:
    assert not offenders(modules(*PACKAGES, "training", "tests"), "spikingjelly")
    assert not offenders(modules(*PACKAGES, "training"), "snntorch", "norse", "nirtorch")


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import lava_qsnn.integer", ("torch", "lava", "h5py")),
        ("import netx_export", ("torch", "lava", "numpy")),
        ("import netx_export; netx_export.BACKENDS['lava'].refusal", ("torch", "lava", "numba", "h5py")),
        ("import lava_qsnn.cli", ("torch", "lava", "h5py", "numba", "matplotlib", "numpy", "rich.progress")),
        ("import lava_qsnn.block", ("lava.magma",)),
    ],
)
def test_imports_stay_light(statement: str, absent: tuple[str, ...]) -> None:
    code = f"import sys; {statement}; print([name for name in {absent!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.strip() == "[]"
    assert result.stderr == ""


#: Takes longer to import than a look at a file may.
HEAVY = ("torch", "lava", "lightning", "sklearn", "scipy", "matplotlib", "numba", "h5py", "pydantic", "yaml")


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (["--help"], (*HEAVY, "numpy", "netx_export._inspect")),
        (["run", "--help"], (*HEAVY, "numpy")),
        (["inspect", EXAMPLE], (*HEAVY, "lava_qsnn.engines._fast", "netx_export._netx._load", "netx_export._verify")),
        (["run", EXAMPLE, "--help"], (*HEAVY, "numpy")),
    ],
    ids=" ".join,
)
def test_a_verb_imports_what_it_needs_and_no_more(words: list[str], absent: tuple[str, ...]) -> None:
    """Their time is the time of imports: that of numpy, typer and rich, and little more."""
    code = f"""
import sys
from lava_qsnn.cli import verbs
sys.argv = ["lava-qsnn", *{words!r}]
try:
    verbs.main()
except SystemExit as ended:
    assert not ended.code
print([name for name in {absent!r} if name in sys.modules], file=sys.stderr)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stderr == "[]\n"
    assert ("Usage" if "--help" in words else "layer") in result.stdout


@pytest.mark.parametrize("package", ["netx_export", "lava_qsnn.engines"])
def test_late_names_are_found_where_the_stub_says(package: str) -> None:
    """It is their only list, and what type checkers read; a misspelling is found by them, and when it is used."""
    module = importlib.import_module(package)
    names = set(module.__all__)
    assert len(names) > 5
    assert names <= set(dir(module))
    assert all(getattr(module, name) is not None for name in names)
    with pytest.raises(AttributeError, match="no attribute 'IntegerNetworks'"):
        module.IntegerNetworks  # noqa: B018
