"""The model of many workers keeps the laws of counting, and its measurement is whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import scaling
from benchmarks._scaling_model import Costs, simulate, stops

COSTS = st.builds(
    Costs,
    task=st.floats(1e-4, 0.01),
    second_of_bytes=st.floats(1e6, 1e9),
    run=st.floats(0, 3),
    sample=st.floats(1e-4, 0.1),
    start=st.floats(0, 10),
    input_bytes=st.floats(100, 10000),
    output_bytes=st.floats(10, 1000),
)


@settings(deadline=None, max_examples=40)
@given(COSTS, st.integers(1, 300), st.integers(1, 30000))
def test_no_computation_beats_its_bounds(costs: Costs, workers: int, samples: int) -> None:
    outcome = simulate(costs, workers, samples)
    passages = outcome.parts * costs.task + samples * (costs.input_bytes + costs.output_bytes) / costs.second_of_bytes
    work = outcome.parts * costs.run + samples * costs.sample
    assert outcome.seconds >= passages * (1 - 1e-9)
    assert outcome.seconds >= work / workers * (1 - 1e-9)
    assert outcome.seconds <= costs.start + passages + work + 1e-6 or workers > 1
    assert 0 < outcome.scheduler <= 1 + 1e-9
    assert 0 < outcome.computing <= 1 + 1e-9


@settings(deadline=None, max_examples=40)
@given(COSTS, st.integers(1, 30000))
def test_one_worker_waits_for_everything(costs: Costs, samples: int) -> None:
    outcome = simulate(costs, 1, samples)
    passages = outcome.parts * costs.task + samples * (costs.input_bytes + costs.output_bytes) / costs.second_of_bytes
    assert outcome.seconds == pytest.approx(costs.start + passages + outcome.parts * costs.run + samples * costs.sample)


def test_it_scales_until_the_scheduler_is_full() -> None:
    costs = Costs(0.001, 1e8, 1.0, 0.01, 0.0, 3000, 80)
    last = stops(costs)
    assert 50 < last < 1000
    half, twice = (simulate(costs, count, 10**7) for count in (last // 2, 2 * last))
    one = simulate(costs, 1, 10**7)
    assert one.seconds / half.seconds > 0.8 * (last // 2)
    assert (half.bound, twice.bound) == ("workers", "scheduler")
    assert one.seconds / twice.seconds < 1.2 * last
    assert simulate(replace(costs, start=1000.0), 100, 10**4).bound == "starts, runs and the last parts"


@pytest.mark.lava
@pytest.mark.slow
def test_the_measurement_is_whole(tmp_path: Path) -> None:
    scaling.everything(tmp_path, repeats=1, scale=0.01)
    modelled = json.loads((tmp_path / "scaling_model.json").read_text())["modelled"]
    for backend in scaling.BACKENDS:
        rates = modelled[backend]["samples_per_second"][str(10**9)]
        assert rates["10"] > rates["1"] > 0
        assert json.loads((tmp_path / "workers.json").read_text())[backend]["speedup"]["median"] > 0
    assert (tmp_path / "scaling.png").stat().st_size > 10_000
