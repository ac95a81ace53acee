"""Energies: counts times prices, each with its boundary, and nothing that nobody has published."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import netx_export
from lava_qsnn.errors import ConfigurationError
from lava_qsnn.integer import INPUT, Connection, Dense, Input, IntegerNetwork, Layer, MemoryFree, Readout
from netx_export import BASES, OPERATIONS, Basis, Bill, Price
from tests.helpers.command import call


def network(maximum: int = 1) -> IntegerNetwork:
    random = np.random.default_rng(0)
    hidden = Dense(random.choice([-1, 1], (900, 40)))
    first = Layer("hidden", (Connection(INPUT, hidden),), MemoryFree((2, 1), np.full(900, 2)))
    last = Layer("answer", (Connection("hidden", Dense(random.choice([-1, 1], (1100, 900)))),), Readout((2, 1)))
    return IntegerNetwork(Input((40,), maximum), 4, (first, last))


def samples(maximum: int = 1) -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).integers(0, maximum + 1, (3, 40, 4))


@pytest.fixture(scope="module")
def found() -> netx_export.Energy:
    return netx_export.energy(network(), samples())


def bill(found: netx_export.Energy, name: str) -> Bill:
    return next(each for each in found.bills if each.basis.name == name)


def test_loihi_1_has_two_bases_apart_and_their_envelope(found: netx_export.Energy) -> None:
    davies, silicon = bill(found, "Davies 2018"), bill(found, "SANA-FE")
    assert davies.low != silicon.low > 0
    assert davies.high is None  # its synaptic operations cost 23.6 pJ or more
    assert found.envelope == (min(davies.low, silicon.low), None)
    for each in (davies, silicon):
        assert each.layout.chip.name == "loihi1"
        assert each.layout.mapping == "delayed"


def test_a_sum_is_its_counts_times_their_prices(found: netx_export.Energy) -> None:
    silicon = bill(found, "SANA-FE")
    traffic = silicon.layout.traffic
    assert traffic is not None
    hidden = traffic.layers["hidden"]
    counted = {line.operation: line.count for line in silicon.lines}
    assert counted["synop_dense"] == traffic.synops.mean() > 0
    assert counted["spike"] == hidden.spikes.mean() == hidden.messages.mean() / silicon.layout.layer("answer").cores > 0
    assert counted["update"] == 4 * 2000
    assert counted["input_message"] == traffic.layers[INPUT].messages.mean()
    least = {
        "synop_dense": 35.5,
        "update": 51.2,
        "spike": 69.3,
        "message": 111.0,
        "hop_east_west": 3.0,
        "hop_north_south": 4.2,
    }
    assert silicon.low == pytest.approx(sum(counted[name] * price for name, price in least.items()))
    assert silicon.high == pytest.approx(silicon.low + counted["update"] * (72.8 - 51.2))
    assert {"word_read", "input_message"} <= set(silicon.unpriced)


def test_hops_are_the_ways_between_tiles(found: netx_export.Energy) -> None:
    silicon = bill(found, "SANA-FE")
    layout, traffic = silicon.layout, silicon.layout.traffic
    assert traffic is not None
    assert layout.cores > 16  # several columns of tiles
    across = [0, 0]
    flows = traffic.flows["hidden", "answer"]
    start = layout.layer("answer").first_core
    for (here, there), number in np.ndenumerate(flows):
        tiles = np.array([here, start + there]) // 4
        across[0] += int(number) * abs(int(tiles[0] // 4) - int(tiles[1] // 4))
        across[1] += int(number) * abs(int(tiles[0] % 4) - int(tiles[1] % 4))
    counted = {line.operation: line.count for line in silicon.lines}
    assert [counted["hop_east_west"], counted["hop_north_south"]] == [each / 3 for each in across]
    assert min(across) > 0


def test_loihi_2_is_refused_and_what_was_measured_is_told(found: netx_export.Energy) -> None:
    (reason,) = found.refused.values()
    assert reason == "no energy of an operation of Loihi 2 is public: pass prices with a source"
    assert not [each for each in found.bills if each.basis.chip.startswith("loihi2")]
    assert len(found.anchors) == 4
    assert all(any(boundary in anchor for boundary in ("chip;", "dynamic", "board;")) for anchor in found.anchors)


def test_arithmetic_alone_is_int8_beside_the_pair_that_papers_print(found: netx_export.Energy) -> None:
    lines = {each.basis.name: each for each in found.bills if each.basis.chip == "45 nm"}
    assert set(lines) == {f"45 nm {kind}{memory}" for kind in ("int8", "fp32") for memory in ("", " with memory")}
    assert lines["45 nm fp32"].low > 10 * lines["45 nm int8"].low
    assert lines["45 nm int8 with memory"].low > 5 * lines["45 nm int8"].low
    assert "wrong for networks of integers" in " ".join(lines["45 nm fp32"].notes)
    traffic = found.layout.traffic
    assert traffic is not None
    multiplied = sum(int(each.multiplications.sum()) for each in traffic.layers.values()) / 3
    assert lines["45 nm int8"].low == pytest.approx(0.23 * multiplied + 0.03 * (traffic.synops.mean() - multiplied))
    assert multiplied > 0


def test_every_sum_names_its_boundary_and_what_it_leaves_out(found: netx_export.Energy) -> None:
    for each in found.bills:
        assert f"boundary: {each.basis.boundary}; left out: " in each.notes[0]
        if each.basis.boundary == "dynamic":
            assert any("static power" in note for note in each.notes)
        assert all(line.price is None or line.price.source for line in each.lines)
    assert {each.basis.boundary for each in found.bills} == {"operations", "dynamic"}


def test_static_energy_needs_the_time_of_a_step() -> None:
    timed = netx_export.energy(network(), samples(), step_time=1e-5)
    chips = bill(timed, "SANA-FE").layout.chips
    assert bill(timed, "SANA-FE").static == pytest.approx(0.104 * chips * 4 * 1e-5 * 1e12)
    with pytest.raises(ConfigurationError, match="step_time must be seconds above 0"):
        netx_export.energy(network(), samples(), step_time=0.0)


def test_what_loihi_1_cannot_run_is_said_beside_its_price() -> None:
    graded = netx_export.energy(network(3), samples(3))
    assert any("loihi1 cannot run it so: messages of 'input'" in note for note in bill(graded, "SANA-FE").notes)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(BASES), st.integers(0, 7), st.floats(0.0, 1e3))
def test_energy_is_linear_in_each_price(basis: Basis, index: int, factor: float) -> None:
    index %= len(basis.prices)
    price = basis.prices[index]
    high = None if price.high is None else factor * price.high
    prices = list(basis.prices)
    prices[index] = replace(price, low=factor * price.low, high=high)
    first, scaled = (
        netx_export.energy(network(), samples(), "loihi1", "delayed", each).bills[0]
        for each in (basis, replace(basis, prices=tuple(prices)))
    )
    (line,) = (each for each in first.lines if each.operation == price.operation)
    assert line.low is not None
    assert scaled.low == pytest.approx(first.low + (factor - 1) * line.low, abs=1e-6)
    if first.high is not None and line.high is not None:
        assert scaled.high == pytest.approx(first.high + (factor - 1) * line.high, abs=1e-6)


@pytest.fixture
def own() -> dict[str, Any]:
    prices = [{"operation": "synop", "low": 2, "high": 5, "source": "my bench"}]
    return {"name": "mine", "chip": "loihi2", "boundary": "dynamic", "leaves_out": "static power", "prices": prices}


def written(folder: Path, values: Any) -> Path:
    (folder / "prices.yaml").write_text(yaml.safe_dump(values))
    return folder / "prices.yaml"


def test_prices_of_ones_own_answer_for_loihi_2_and_what_lacks_one_is_unpriced(
    own: dict[str, Any], tmp_path: Path
) -> None:
    found = netx_export.energy(network(), samples(), prices=written(tmp_path, own))
    mine = found.bills[0]
    traffic = found.layout.traffic
    assert traffic is not None
    assert (mine.low, mine.high) == (2 * traffic.synops.mean(), 5 * traffic.synops.mean())
    assert {"update", "message", "spike"} <= set(mine.unpriced)
    assert not found.refused
    data = json.loads(json.dumps(found.as_dict()))
    lines = {line["operation"]: line["energy"] for line in data["bills"][0]["lines"]}
    assert lines["update"] == "unpriced"
    assert data["version"] == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"prices": [{"operation": "synop", "low": 2}]}, "price of 'synop' has no source"),
        ({"prices": [{"operation": "synop", "low": 2, "source": " "}]}, "price of 'synop' has no source"),
        ({"prices": [{"operation": "synop", "low": -2, "source": "x"}]}, "must be picojoules from 0"),
        ({"prices": [{"operation": "synop", "low": 3, "high": 2, "source": "x"}]}, "from 3 down to 2"),
        ({"prices": [{"operation": "sinop", "low": 3, "source": "x"}]}, "there is no operation 'sinop'"),
        ({"prices": [{"operation": "synop", "low": "3", "source": "x"}]}, "must be picojoules from 0"),
        ({"prices": []}, "must be a list of prices"),
        ({"prices": 2 * [{"operation": "synop", "low": 3, "source": "x"}]}, "prices an operation twice"),
        (
            {"prices": [{"operation": name, "low": 3, "source": "x"} for name in ("synop", "synop_conv")]},
            "in two ways",
        ),
        ({"boundary": "cloud"}, "there is no boundary 'cloud'"),
        ({"leaves_out": ""}, "must say its leaves_out"),
        ({"chip": "loihi1"}, "are of loihi1, and the layout is of loihi2"),
        ({"colour": 1}, "unknown keys colour"),
        ({"static_watts": 1.0}, "static_watts has no source"),
    ],
)
def test_prices_that_make_no_sense_are_refused(
    own: dict[str, Any], tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        netx_export.energy(network(), samples(), prices=written(tmp_path, own | change))


def test_no_price_is_without_a_known_operation_and_source() -> None:
    for basis in BASES:
        for price in basis.prices:
            assert price.operation in OPERATIONS
            assert "[S]" in price.source or "[C]" in price.source
    with pytest.raises(ConfigurationError):
        Price("synop", float("nan"), None, "nobody")


def test_the_command_shows_counts_first_and_refuses_loihi_2(tmp_path: Path, capsys, monkeypatch) -> None:
    netx_export.write(network(), tmp_path / "some.net")
    np.save(tmp_path / "x.npy", samples())
    arguments = ("energy", tmp_path / "some.net", "--input", tmp_path / "x.npy")
    status, out, _ = call(capsys, monkeypatch, *arguments)
    assert status == 0
    assert out.index("SynOps") < out.index("Davies 2018") < out.index("SANA-FE: ") < out.index("45 nm int8")
    for text in ("unpriced", "sum, dynamic", "left out: ", "pass prices with a source", "measured: PilotNet"):
        assert text in out
    status, out, _ = call(capsys, monkeypatch, *arguments, "--json")
    assert (status, json.loads(out)["unit"]) == (0, "pJ for a sample, on average")
    status, _, err = call(capsys, monkeypatch, *arguments, "--prices", tmp_path / "none.yaml")
    assert status == 1
    assert "none.yaml" in err
