"""The command on a terminal: tables that keep their numbers, progress, completions, options, files to write."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

import netx_export
from lava_qsnn.cli import completion, tables, terminal
from lava_qsnn.cli.fitting import fitted
from lava_qsnn.cli.options import SampleOptions, StockOptions, spread
from lava_qsnn.cli.verbs import app
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.outputs import PICTURES, writable
from lava_qsnn.train import config
from tests.helpers.files import network

WIDTHS = (60, 80, 200)


def rendered(table: Table, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    with console.capture() as captured:
        for part in fitted(table, console):
            console.print(part)
    return captured.get()


@pytest.fixture(scope="module")
def inspection() -> netx_export.Inspection:
    return netx_export.inspect(network())


@pytest.fixture(scope="module")
def shown(inspection: netx_export.Inspection) -> dict[str, Table]:
    """Tables as verbs show them, of a network with convolutions and a long name."""
    x = netx_export.random_samples(network(), 3)
    other = netx_export.diff(network(), network(), x)
    return {
        "layers": tables.layer_table(inspection),
        "words": tables.word_table(inspection),
        "costs": tables.cost_table(inspection),
        "backends": tables.backend_table(inspection),
        "findings": tables.finding_table(inspection.findings),
        "report": tables.report_table(netx_export.verify(network(), x, ["fast"])),
        "parts": tables.part_table(other),
    }


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["layers", "words", "costs", "backends", "findings", "report", "parts"])
def test_no_table_loses_anything(name: str, width: int, shown: dict[str, Table]) -> None:
    table = shown[name]
    text = rendered(table, width)
    assert max(map(len, text.splitlines()), default=0) <= width
    assert "…" not in text
    squeezed = re.sub(r"\s+", "", text)
    for column in table.columns:
        for cell in map(Text.from_markup, map(str, column.cells)):
            numbers = re.findall(r"-?[\d,.]*\d", cell.plain)
            assert all(number in squeezed for number in numbers), (cell, text)
            if column.justify == "right":
                assert cell.plain in text


def wide_table() -> Table:
    table = Table(box=box.SIMPLE, title="numbers")
    table.add_column("layer")
    for number in range(12):
        table.add_column(f"column {number}", justify="right")
    for row in range(3):
        table.add_row(f"a_layer_with_a_long_name_{row}", *(f"{10**6 + 1000 * row + number:,}" for number in range(12)))
    return table


def test_a_table_that_is_too_wide_becomes_several_with_its_first_column_each() -> None:
    console = Console(width=60, file=io.StringIO())
    parts = list(fitted(wide_table(), console))
    assert len(parts) > 3
    assert [part.columns[0].header for part in parts] == ["layer"] * len(parts)
    assert [str(column.header) for part in parts for column in part.columns[1:]] == [f"column {n}" for n in range(12)]
    assert [part.title for part in parts] == ["numbers"] + [None] * (len(parts) - 1)
    assert len(list(fitted(wide_table(), Console(width=400, file=io.StringIO())))) == 1


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    file = io.StringIO()
    monkeypatch.setattr(terminal, "errors", Console(file=file, soft_wrap=True))
    return file


def test_piped_work_has_a_line_for_each_tenth_with_samples_per_second(lines: io.StringIO) -> None:
    clock = Clock()
    tell = terminal.tenths("fast", terminal.Rate(200, clock))
    for step in range(1, 101):
        clock.now = step * 0.2
        tell(step / 100)
    found = lines.getvalue().splitlines()
    assert found == [f"fast: {10 * tenth} %, 10 samples/s" for tenth in range(1, 11)]


def test_work_that_takes_no_second_is_silent_and_a_new_part_starts_anew(lines: io.StringIO) -> None:
    clock = Clock()
    tell = terminal.tenths("one", terminal.Rate(100, clock))
    tell(0.5)
    clock.now = 0.9
    tell(1.0)
    assert lines.getvalue() == ""
    tell(0.0, "two")
    clock.now = 2.9
    tell(0.5, "two")
    tell(0.55, "two")
    assert lines.getvalue() == "two: 50 %, 25 samples/s\n"


def test_piped_progress_has_no_control_characters(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "PATIENCE", 0.0)
    with terminal.progress_bar("some work", 10) as tell, terminal.working("more"):
        for step in range(11):
            tell(step / 10)
    assert len(lines.getvalue().splitlines()) == 10
    assert all(line.isprintable() for line in lines.getvalue().splitlines())


def test_a_verb_takes_groups_of_options_as_one_parameter() -> None:
    seen = []

    def verb(file: Path, of: SampleOptions, stock: StockOptions, count: int = 3) -> None:
        seen.append((file, of, stock.told(), count))

    small = typer.Typer()
    small.command()(spread(verb))
    small(["a.net", "--random", "--set", "data.size=3", "--input-shape", "2,3"], standalone_mode=False)
    assert seen == [(Path("a.net"), SampleOptions(settings=["data.size=3"], random=True), {"input_shape": (2, 3)}, 3)]


def test_every_option_has_help() -> None:
    command = typer.main.get_command(app)
    verbs = dict(command.commands)  # type: ignore[attr-defined]
    verbs |= verbs.pop("bench").commands
    lacking = [
        f"{name} {parameter.name}" for name, verb in verbs.items() for parameter in verb.params if not parameter.help
    ]
    assert len(verbs) >= 14
    assert lacking == []


class TestCompletions:
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "inner").mkdir()
        for name in ("one.net", "two.net", "x.npy", "inner/three.net", ".hidden.net", "my.yaml"):
            (tmp_path / name).touch()

    def test_files_by_suffix_and_folders(self) -> None:
        complete = completion.files(".net")
        assert complete("") == ["inner/", "one.net", "two.net"]
        assert complete("o") == ["one.net"]
        assert complete("inner/") == ["inner/three.net"]
        assert complete("nowhere/") == []
        assert completion.folders("") == ["inner/"]

    def test_names_of_what_there_is(self) -> None:
        assert completion.backends("lava") == ["lava", "lava-async", "lava-fused"]
        assert completion.configurations("digits") == ["digits", "digits_cnn"]
        assert "my.yaml" in completion.configurations("m")
        assert {"nmnist", "my.yaml"} <= {*completion.data(""), *completion.data("my")}
        assert completion.data_sets("sh") == ["shd"]
        assert completion.settings("trainer.max") == ["trainer.max_epochs="]
        assert all(key.startswith("data.") for key in completion.data_settings(""))
        assert completion.chips("loihi2-") == ["loihi2-2022"]
        assert completion.mappings("w") == ["word"]
        assert completion.answers("s") == ["sum", "spikes"]

    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ("lava-qsnn ru", {"run"}),
            ("lava-qsnn run one.net --backend f", {"fast"}),
            ("lava-qsnn run ", {"one.net", "two.net", "inner/"}),
            ("lava-qsnn train digits_", {"digits_cnn"}),
            ("lava-qsnn bench ", {"lava"}),
        ],
    )
    def test_bash_completes(self, typed: str, found: set[str], monkeypatch: pytest.MonkeyPatch, capsys) -> None:
        words = typed.split(" ")
        monkeypatch.setenv("_LAVA_QSNN_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        with pytest.raises(SystemExit):
            app(prog_name="lava-qsnn")
        assert set(capsys.readouterr().out.split()) == found


def test_data_sets_have_the_names_that_the_configuration_knows() -> None:
    from lava_qsnn.train.data import DATA

    assert set(config.DATA_SETS) <= set(DATA)
    assert len(config.DATA_SETS) >= 9


class TestFilesToWrite:
    def test_what_can_be_written_passes(self, tmp_path: Path) -> None:
        assert writable(tmp_path / "new.PNG", PICTURES) == tmp_path / "new.PNG"
        (tmp_path / "old").touch()
        assert writable(tmp_path / "old") == tmp_path / "old"

    @pytest.mark.parametrize(
        ("name", "suffixes", "text"),
        [
            ("nowhere/a.png", (), "there is no folder '.*nowhere'. Remedy: make it first"),
            ("x.xyz", PICTURES, r"has the suffix .xyz, which cannot be written. Remedy: end its name in one of .png"),
            ("x", PICTURES, "has no suffix"),
            (".", (), "is a folder. Remedy: name a file in it"),
        ],
    )
    def test_what_cannot_is_refused(self, name: str, suffixes: tuple[str, ...], text: str, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=text):
            writable(tmp_path / name, suffixes)

    def test_it_is_refused_before_the_work(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        x = np.zeros((1, *network().input.shape, 4), int)
        monkeypatch.setattr("netx_export._plots.simulate_layers", pytest.fail)
        with pytest.raises(ConfigurationError, match="the suffix .xyz"):
            netx_export.plot_sample(network(), x[0], tmp_path / "x.xyz")
        for work in (netx_export.write, netx_export.report, lambda net, path: netx_export.diff(net, net, path=path)):
            with pytest.raises(ConfigurationError, match="there is no folder"):
                work(network(), tmp_path / "nowhere" / "file")
