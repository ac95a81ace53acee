"""The deployed network as a Lava process inside a larger Lava program."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_configs import Loihi1SimCfg, Loihi2SimCfg, RunConfig
from lava.proc.dense.process import Dense as LavaDense
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source

import netx_export
from lava_qsnn import integer
from lava_qsnn.engines import layerwise as engine
from lava_qsnn.errors import ConfigurationError, FileFormatError, RangeError, RunError
from lava_qsnn.guard import GuardedRuntime, run
from netx_export import fixed_point, fused
from tests.helpers.flows import network
from tests.helpers.guarded import PATIENCE


@pytest.mark.parametrize("configuration", [fixed_point, fused])
def test_it_answers_frames_after_its_latency(tmp_path: Path, configuration: Callable[[], RunConfig]) -> None:
    """Lava's own source in front, Lava's own synapse and sink behind: samples back to back, W H C frames."""
    deployed = network()
    netx_export.write(deployed, tmp_path / "network.net")
    x = np.random.default_rng(1).integers(0, 4, (3, 2, 4, 3, 5))
    process = netx_export.Network(tmp_path / "network.net")
    assert process.inp.shape == (3, 4, 2)
    assert process.latency == 3
    steps = 3 * 5 + process.latency + 1  # Lava's synapse behind it takes one step more
    frames = x.transpose(3, 2, 1, 0, 4).reshape(3, 4, 2, 15)
    source = Source(data=np.concatenate([frames, np.zeros((3, 4, 2, steps - 15), int)], -1))
    actuator = LavaDense(weights=2 * np.eye(3, dtype=int), num_message_bits=24)
    sink = Sink(shape=(3,), buffer=steps)
    source.s_out.connect(process.inp)
    process.out.connect(actuator.s_in)
    actuator.a_out.connect(sink.a_in)
    with GuardedRuntime(sink, configuration(), time_limit=PATIENCE) as runtime:
        runtime.run(steps)
        received = sink.data.get()
    expected = netx_export.simulate(deployed, x)
    answers = received[:, process.latency + 1 :].reshape(3, 3, 5).transpose(1, 0, 2)
    assert (answers == 2 * expected).all()
    assert len(np.unique(expected)) > 5


def actors_during(process: AbstractProcess, configuration: RunConfig) -> int:
    others = set(multiprocessing.active_children())
    with GuardedRuntime(process, configuration, time_limit=PATIENCE) as runtime:
        runtime.run(2)
        return len(set(multiprocessing.active_children()) - others)


def test_the_run_configuration_alone_tells_how_many_processes_it_is() -> None:
    service = 1
    assert actors_during(netx_export.Network(network()), fused()) == 1 + service
    assert actors_during(netx_export.Network(network()), fixed_point()) == 1 + 2 * 3 + service  # a history, 3 pairs


@pytest.mark.parametrize(
    "configuration",
    [
        Loihi1SimCfg(),
        Loihi2SimCfg(select_tag="fixed_pt"),
    ],
)
def test_lavas_own_run_configurations_run_it(configuration: RunConfig) -> None:
    """Without a tag, too, by which Lava's synapses would be of floating point, and take other weights."""
    deployed = network()
    x = np.random.default_rng(1).integers(0, 4, (2, 2, 4, 3, 5))
    process = netx_export.Network(deployed)
    steps = 2 * 5 + process.latency
    frames = x.transpose(3, 2, 1, 0, 4).reshape(3, 4, 2, 10)
    source = Source(data=np.concatenate([frames, np.zeros((3, 4, 2, process.latency), int)], -1))
    answers, spikes = Sink(shape=(3,), buffer=steps), Sink(shape=process.spikes["dense2"].shape, buffer=steps)
    source.s_out.connect(process.inp)
    process.out.connect(answers.a_in)
    process.spikes["dense2"].connect(spikes.a_in)
    with GuardedRuntime(process, configuration, time_limit=30) as runtime:
        runtime.run(steps)
        received = [sink.data.get().reshape(-1, steps) for sink in (answers, spikes)]
    expected = netx_export.simulate_layers(deployed, x)
    for values, name in zip(received, ("output", "dense2")):
        depth = process.depths[name]
        found = values[:, depth : depth + 10].reshape(-1, 2, 5).transpose(1, 0, 2)
        assert (found == expected[name]).all()
        assert len(np.unique(found)) > 1


def test_spikes_inside_of_a_fused_network_cannot_be_received() -> None:
    process, sink = netx_export.Network(network()), Sink(shape=(8,), buffer=4)
    process.spikes["dense2"].connect(sink.a_in)
    with pytest.raises(ConfigurationError, match="no inner processes.*fixed_point"):
        run(process, 4, fused(), time_limit=30)


@pytest.mark.parametrize("timesteps", [0, -1, 6, True, 2.0])
def test_samples_are_no_longer_than_the_network_was_exported_for(timesteps: int) -> None:
    with pytest.raises(ConfigurationError, match="timesteps must be an integer from 1 to 5"):
        netx_export.Network(network(), timesteps)


def test_layers_may_be_named_as_attributes_of_processes() -> None:
    names = ["inp", "out", "network", "spikes", "vars", "process_0", "inp_synapse", "b ä%s"]
    random = np.random.default_rng(1)
    layers = [
        integer.Layer(
            name,
            (integer.Connection(source, integer.Dense(random.choice([-1, 1], (12, 12)))),),
            integer.MemoryFree((2, 1), random.integers(-3, 4, 12)),
        )
        for name, source in zip(names, ["input", *names])
    ]
    deployed = integer.IntegerNetwork(integer.Input((12,)), 4, tuple(layers))
    assert list(netx_export.Network(deployed).neurons) == names
    report = netx_export.verify(deployed, random.integers(0, 2, (5, 12, 4)), backends=["lava", "lava-async"])
    assert report.exact
    assert all(0.1 * row.values < row.spikes < 0.9 * row.values for row in report.rows)


@pytest.mark.parametrize("configuration", [fixed_point, fused])
def test_it_may_be_part_of_a_loop(configuration: Callable[[], RunConfig]) -> None:
    """Answers leave before frames are taken, so what it says may decide what it sees."""
    weight = np.ones((2, 2), int)
    layers = (integer.Layer("one", (integer.Connection("input", integer.Dense(weight)),), integer.Readout((1,))),)
    process = netx_export.Network(integer.IntegerNetwork(integer.Input((2,), 2**10), 1, layers))
    constant = Source(data=np.ones((2, 8), int))
    sink = Sink(shape=(2,), buffer=8)
    constant.s_out.connect(process.inp)
    process.out.connect(process.inp)
    process.out.connect(sink.a_in)
    with GuardedRuntime(sink, configuration(), time_limit=PATIENCE) as runtime:
        runtime.run(8)
        assert sink.data.get()[0].tolist() == [0, 2, 6, 14, 30, 62, 126, 254]


def test_a_fused_network_that_fails_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("the weights are upside down")

    monkeypatch.setattr(engine.LayerEngine, "__call__", fail)
    with pytest.raises(RunError, match=r"PyNetworkModel of process[\s\S]*upside down"):
        run(netx_export.Network(network()), 4, fused(), time_limit=PATIENCE)


def test_its_state_is_the_spikes_of_the_last_steps() -> None:
    deployed = network()
    process = netx_export.Network(deployed)
    assert process.neurons["conv1"].history.shape == (2, 2, 3, 3)  # dense2 looks back two steps; W H C
    assert process.neurons["dense2"].history.shape == (1, 8)


def test_a_batch_is_one_run_of_any_length() -> None:
    deployed = network(timesteps=6)
    x = np.random.default_rng(2).integers(0, 4, (7, 2, 4, 3, 6))
    for steps in (1, 4, 6):
        expected = netx_export.simulate(deployed, x[..., :steps])
        assert (netx_export.simulate(deployed, x[..., :steps], backend="lava") == expected).all()


def test_progress_is_told_in_fractions() -> None:
    told: list[float] = []
    x = np.random.default_rng(3).integers(0, 4, (60, 2, 4, 3, 5))
    netx_export.simulate(network(), x, backend="lava", progress=told.append)
    assert told == sorted(told)
    assert all(0 <= fraction <= 1 for fraction in told)
    told.clear()
    netx_export.simulate(network(), x, progress=told.append)
    assert told[-1] == 1


def test_what_lava_would_wrap_is_refused_before_it_is_built(tmp_path: Path) -> None:
    wide = integer.Dense(np.ones((1, 2**17), int))
    layer = integer.Layer("wide", (integer.Connection("input", wide),), integer.Readout((2, 1)))
    deployed = integer.IntegerNetwork(integer.Input((2**17,)), 2, (layer,))
    with pytest.raises(RangeError, match="layer 'wide'.*393,216"):
        netx_export.Network(deployed)
    (tmp_path / "broken.net").write_bytes(b"nothing")
    with pytest.raises(FileFormatError):
        netx_export.Network(tmp_path / "broken.net")


def test_a_run_that_takes_too_long_is_ended_with_advice() -> None:
    from lava_qsnn.errors import TimeLimitError

    x = np.random.default_rng(4).integers(0, 4, (3000, 2, 4, 3, 5))
    with pytest.raises(TimeLimitError):
        netx_export.simulate(network(), x, backend="lava", time_limit=1.0)


def test_a_sink_forgotten_is_no_hang() -> None:
    process = netx_export.Network(network())
    run(process, 4, fixed_point(), time_limit=PATIENCE)  # inputs that nobody feeds are zeros


def test_lava_runs_where_a_start_method_was_chosen_before() -> None:
    """Lightning, among others, fixes Python's start method; Lava's own import fails then."""
    code = (
        "import multiprocessing; multiprocessing.set_start_method('spawn');"
        "import lava_qsnn.process.loihi.network; print(multiprocessing.get_start_method())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "fork"
