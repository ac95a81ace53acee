"""Networks built by hand, of extreme numbers, on inputs of every layout: judged by plain loops, not by an engine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netx_export
from lava_qsnn import integer
from lava_qsnn.integer import _packed, _tiled
from tests import oracle, plain_tiles
from tests.direct import Direct, direct_cases

many = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
few = settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])

Outputs = dict[str, np.ndarray]


def judged(case: Direct) -> Outputs:
    """What plain loops say: every layer, int64 (N, *shape, T)."""
    samples = [oracle.run(case.network, sample) for sample in np.array(case.x).astype(np.int64)]
    steps = case.x.shape[-1]
    return {
        name: np.array([sample[name] for sample in samples], np.int64).reshape(
            len(samples), *case.network.shapes[name], steps
        )
        for name in case.network
    }


def assert_right(case: Direct, actual: Outputs) -> None:
    expected = judged(case)
    for name in case.network:
        assert actual[name].dtype == np.int64
        assert actual[name].shape == expected[name].shape
        wrong = np.argwhere(actual[name] != expected[name])
        assert not len(wrong), (name, wrong[:5], case.network)


@many
@given(direct_cases())
def test_the_reference_is_right(case: Direct) -> None:
    assert_right(case, integer.run_reference(case.network, case.x))


@pytest.mark.parametrize("loops", ["all", "plain tiles", "numpy alone"])
@many
@given(direct_cases(), st.sampled_from([1, 97, 2**20]))
def test_fast_is_right(loops: str, case: Direct, chunk: int) -> None:
    tiles = {"all": _tiled.compiled, "plain tiles": lambda: plain_tiles, "numpy alone": lambda: None}[loops]
    packed = (lambda: None) if loops == "numpy alone" else _packed.compiled
    with patch.object(_tiled, "compiled", tiles), patch.object(_packed, "compiled", packed):
        assert_right(case, integer.run_fast(case.network, case.x, chunk=chunk))


@pytest.mark.lava
@many
@given(direct_cases(), st.booleans())
def test_message_engines_are_right(case: Direct, single_steps: bool) -> None:
    """What lava-async and lava-fused compute in their processes, without Lava around it."""
    from lava_qsnn.process.engine import NetworkEngine
    from lava_qsnn.process.messages import layer_format

    engine = NetworkEngine(case.network)
    length = 1 if single_steps else case.x.shape[-1]
    form = layer_format(case.network, integer.INPUT, len(case.x), length)
    frames = np.moveaxis(integer.check_input(case.network, case.x), -1, 1)
    parts = [
        engine(form.read(form.write(frames[:, start : start + length], start))[0], start == 0)
        for start in range(0, case.x.shape[-1], length)
    ]
    outputs = {name: np.concatenate([part[name] for part in parts], 1) for name in case.network}
    for name, values in outputs.items():
        sent = layer_format(case.network, name, len(case.x), case.x.shape[-1])
        outputs[name] = np.moveaxis(sent.read(sent.write(values, 0))[0], 1, -1).astype(np.int64)
    assert_right(case, outputs)


@many
@given(direct_cases())
def test_whatever_can_be_built_can_be_written_and_read(case: Direct) -> None:
    with tempfile.TemporaryDirectory() as folder:
        netx_export.write(case.network, Path(folder) / "network.net")
        assert netx_export.load(Path(folder) / "network.net") == case.network


@pytest.mark.lava
@few
@given(direct_cases(tame=True))
def test_backends_are_right_or_refuse(case: Direct) -> None:
    for name, backend in netx_export.BACKENDS.items():
        if backend.refusal(case.network) is None:
            assert_right(case, netx_export.simulate_layers(case.network, case.x, name))
