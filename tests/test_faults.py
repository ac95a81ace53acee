"""The failure table, row by row, for every backend that runs on Lava.

Rows that hold for any process are in test_guard, rows of messages in test_flow, rows of endless runs in test_stream;
here are those of `lava`, those of a network inside a larger Lava program, and full channels and many runs for all.
"""

# ruff: noqa: PT012 - what raises in many of these tests is a whole block, often by its end.

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import RunConfig
from lava.proc.io.extractor import Extractor, PyLoihiExtractorModel
from lava.proc.io.injector import Injector, PyLoihiInjectorModel

import netx_export
from lava_qsnn import integer
from lava_qsnn.engines.message_format import Messages
from lava_qsnn.errors import ConfigurationError, RunError
from lava_qsnn.guard import GuardedRuntime, run
from lava_qsnn.process.configurations import ModelsBeside
from lava_qsnn.process.loihi import memory_free
from lava_qsnn.process.messages.flow import Flow, through_layers, through_one
from netx_export import fixed_point, fused
from tests.helpers.flows import (
    be_killed,
    interrupt_parent,
    network,
    raise_error,
    samples,
    send_wrong_shape,
    sleep_for_ever,
)
from tests.helpers.guarded import PATIENCE, actors_of, all_end, footprint, late, program

pytestmark = [pytest.mark.lava, pytest.mark.usefixtures("nothing_is_left_behind")]

Configuration = Callable[[], RunConfig]

CONFIGURATIONS = pytest.mark.parametrize("configuration", [fixed_point, fused])
FLOWS = pytest.mark.parametrize("make", [through_layers, through_one])
STEPS = pytest.mark.parametrize("steps", [5, 1], ids=["sample", "step"])


class WithPipes(ModelsBeside):
    """Finds the models of Lava's own ways in and out, too, which have no tags."""

    def _models(self, process: AbstractProcess) -> list[Any]:
        pipes = {Injector: PyLoihiInjectorModel, Extractor: PyLoihiExtractorModel}
        return [pipes[type(process)]] if type(process) in pipes else super()._models(process)


def with_pipes(configuration: RunConfig) -> RunConfig:
    configuration.exception_proc_model_map = WithPipes(*configuration.exception_proc_model_map.tags)
    return configuration


def break_history(monkeypatch: pytest.MonkeyPatch, fault: Callable[..., Any], call: int) -> None:
    """Make the input's history process of `lava` fail when it computes so many times, in all processes to come."""
    healthy, calls = memory_free.PyHistoryModel.trace, [0]

    def trace(self: memory_free.PyHistoryModel, spikes: np.ndarray) -> Any:
        calls[0] += 1
        return fault() if calls[0] == call else healthy(self, spikes)

    monkeypatch.setattr(memory_free.PyHistoryModel, "trace", trace)


@pytest.mark.usefixtures("promptness")
class TestLava:
    @pytest.mark.parametrize("call", [1, 7])
    def test_a_process_that_raises(self, call: int, monkeypatch: pytest.MonkeyPatch) -> None:
        break_history(monkeypatch, raise_error, call)
        with pytest.raises(RunError, match=r"PyHistoryModel of process[\s\S]*upside down") as caught:
            netx_export.simulate(network(), samples(20), "lava")
        assert isinstance(caught.value.__cause__, ValueError)

    def test_a_process_that_is_killed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        break_history(monkeypatch, be_killed, 3)
        with pytest.raises(RunError, match="PyHistoryModel.*SIGKILL"):
            netx_export.simulate(network(), samples(20), "lava")

    def test_a_message_of_the_wrong_shape(self, monkeypatch: pytest.MonkeyPatch) -> None:
        break_history(monkeypatch, send_wrong_shape, 3)
        with pytest.raises(RunError, match="Mismatch"):
            netx_export.simulate(network(), samples(20), "lava")

    def test_an_interrupt_from_the_keyboard(self, monkeypatch: pytest.MonkeyPatch) -> None:
        break_history(monkeypatch, interrupt_parent, 3)
        with pytest.raises(KeyboardInterrupt):
            netx_export.simulate(network(), samples(20), "lava")

    def test_a_run_that_takes_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        break_history(monkeypatch, sleep_for_ever, 3)
        late(lambda limit: netx_export.simulate(network(), samples(20), "lava", time_limit=limit), "in run_spk")


@pytest.mark.usefixtures("promptness")
@CONFIGURATIONS
class TestInsideALargerProgram:
    def test_a_network_is_run_once(self, configuration: Configuration) -> None:
        process = netx_export.Network(network())
        run(process, 4, configuration())
        with pytest.raises(ConfigurationError, match=r"compiled before.*build new processes"):
            run(process, 4, configuration())

    def test_after_the_end_it_does_not_run(self, configuration: Configuration) -> None:
        process = netx_export.Network(network())
        run(process, 4, configuration())
        for call in (lambda: process.run(RunSteps(1), configuration()), process.wait, process.pause):
            with pytest.raises(RunError, match="has ended"):
                call()
        process.stop()

    def test_a_slow_consumer_misses_nothing(self, configuration: Configuration) -> None:
        process, injector, extractor = in_pipes()
        x = samples(4)
        frames = x.transpose(0, 4, 3, 2, 1).reshape(20, 3, 4, 2)
        steps, answers = len(frames) + process.latency, []
        with GuardedRuntime(injector, with_pipes(configuration()), time_limit=PATIENCE) as runtime:
            runtime.start(steps)
            for step in range(steps + 8):  # It takes answers eight frames late, and so fills what holds two.
                if step < steps:
                    injector.send(frames[step] if step < len(frames) else np.zeros_like(frames[0]))
                if step >= 8:
                    answers.append(extractor.receive())
            runtime.wait()
        received = np.array(answers)[process.latency :].reshape(4, 5, 3).transpose(0, 2, 1)
        assert (received == netx_export.simulate(network(), x)).all()

    def test_a_full_channel_ends_with_the_time_limit(self, configuration: Configuration) -> None:
        def start(limit: float) -> None:
            _, injector, _ = in_pipes()
            with GuardedRuntime(injector, with_pipes(configuration()), time_limit=limit) as runtime:
                runtime.start()
                while True:
                    injector.send(np.zeros((3, 4, 2), int))

        late(start, "room in channel")

    @pytest.mark.parametrize(("sent", "seconds"), [(0, 0.0), (1, 0.0), (3, 0.3), (7, 0.3)])
    def test_an_endless_run_stops_at_any_moment(self, configuration: Configuration, sent: int, seconds: float) -> None:
        """While it computes, waits for input, or, after seven frames, for room in a channel that nobody empties."""
        _, injector, _ = in_pipes(buffer_size=3)
        with GuardedRuntime(injector, with_pipes(configuration()), time_limit=PATIENCE) as runtime:
            runtime.start()
            for _ in range(sent):
                injector.send(np.ones((3, 4, 2), int))
            time.sleep(seconds)

    def test_a_pause_that_would_wait_for_its_caller_is_an_error(self, configuration: Configuration) -> None:
        _, injector, extractor = in_pipes()
        with (
            pytest.raises(RunError, match="waits in the midst of a time step.*send or receive"),
            GuardedRuntime(injector, with_pipes(configuration()), time_limit=PATIENCE) as runtime,
        ):
            for exponent in range(-2, 7):
                runtime.start()
                injector.send(np.zeros((3, 4, 2), int))
                extractor.receive()
                time.sleep(2.0**exponent)  # By now it is in the next step, unless the machine is too busy.
                injector.pause()

    def test_it_stops_when_lava_s_own_call_says_so(self, configuration: Configuration) -> None:
        _, injector, extractor = in_pipes()
        with GuardedRuntime(injector, with_pipes(configuration()), time_limit=PATIENCE) as runtime:
            runtime.start()
            injector.send(np.zeros((3, 4, 2), int))
            extractor.receive()
            injector.stop()
            with pytest.raises(RunError, match="stopped"):
                runtime.run(1)


def in_pipes(**options: Any) -> tuple[Any, Injector, Extractor]:
    """A network with a way in and a way out."""
    process = netx_export.Network(network())
    injector, extractor = Injector(process.inp.shape, **options), Extractor(process.out.shape, **options)
    injector.out_port.connect(process.inp)
    process.out.connect(extractor.in_port)
    return process, injector, extractor


@pytest.mark.usefixtures("promptness")
@STEPS
def test_a_full_channel_takes_no_more_and_loses_nothing(steps: int) -> None:
    flow, x = through_layers(network(), Messages(1, steps, 2)), samples(40)
    messages = np.moveaxis(x, -1, 1).reshape(-1, 1, steps, 2, 4, 3)
    sent = 0
    with flow.runtime(PATIENCE) as runtime, flow:
        runtime.start()
        while flow.wait_for_room(runtime, 0.3):
            flow.send(messages[sent], sent * steps % 5)
            sent += 1
        assert sent <= 4 * 2 + 3  # what four channels of three layers hold, and each layer
        answers = []
        for _ in range(sent):
            assert runtime.take(flow.answers, "an answer", PATIENCE)
            answers.append(flow.receive()[0][0])
    expected = np.moveaxis(netx_export.simulate(network(), x), -1, 1).reshape(-1, 3)[: sent * steps]
    assert (np.concatenate(answers) == expected).all()


@pytest.mark.usefixtures("promptness")
@FLOWS
@STEPS
class TestMessages:
    @pytest.mark.parametrize("sent", [0, 1, 3])
    def test_an_endless_run_stops_at_any_moment(self, make: Callable[..., Flow], steps: int, sent: int) -> None:
        flow = make(network(), Messages(1, steps, 2))
        with flow.runtime(PATIENCE) as runtime, flow:
            runtime.start()
            for _ in range(sent):
                assert flow.wait_for_room(runtime, PATIENCE)
                flow.send(np.zeros((1, steps, 2, 4, 3), int), 0)

    def test_an_endless_run_pauses_at_any_moment_and_goes_on(self, make: Callable[..., Flow], steps: int) -> None:
        flow, x, answers = make(network(), Messages(1, steps, 2)), samples(4), []
        with flow.runtime(PATIENCE) as runtime, flow:
            runtime.start()
            for number, message in enumerate(np.moveaxis(x, -1, 1).reshape(-1, 1, steps, 2, 4, 3)):
                if number % 2 == 0:
                    flow._process.pause()
                    runtime.start()
                flow.send(message, number * steps % 5)
                if number % 3 == 0:
                    flow._process.pause()
                    runtime.start()
                assert runtime.take(flow.answers, "an answer", PATIENCE)
                answers.append(flow.receive()[0][0])
        expected = np.moveaxis(netx_export.simulate(network(), x), -1, 1).reshape(-1, 3)
        assert (np.concatenate(answers) == expected).all()

    def test_processes_run_only_once(self, make: Callable[..., Flow], steps: int) -> None:
        flow = make(network(), Messages(1, steps, 2))
        with flow.runtime(PATIENCE) as runtime, flow:
            runtime.start(1)
            flow.send(np.zeros((1, steps, 2, 4, 3), int), 0)
            runtime.wait()
        with pytest.raises(ConfigurationError, match="compiled before"):
            flow.runtime(PATIENCE).__enter__()
        with pytest.raises(ConfigurationError, match="outside"):
            runtime.run(1)


class TestForgottenStop:
    @CONFIGURATIONS
    def test_a_network_that_is_never_left_does_not_keep_a_program_from_ending(
        self, configuration: Configuration
    ) -> None:
        self.ends(f"""
import netx_export
from lava_qsnn.process.loihi.network import fixed_point, fused
from tests.helpers.flows import network
runtime = GuardedRuntime(netx_export.Network(network()), {configuration.__name__}())
runtime.__enter__()
runtime.start()
""")

    @pytest.mark.parametrize("grain", ["sample", "step"])
    def test_nor_does_a_stream(self, grain: str) -> None:
        self.ends(f"""
import netx_export
from tests.helpers.flows import endless, network
stream = netx_export.Stream(network(), grain={grain!r})
stream.__enter__()
stream.feed(endless({grain!r}))
for _ in stream: break
""")

    @FLOWS
    @STEPS
    def test_nor_do_messages(self, make: Callable[..., Flow], steps: int) -> None:
        self.ends(f"""
from lava_qsnn.process.configurations import ModelsBeside
from lava_qsnn.engines.message_format import Messages
from lava_qsnn.process.messages.flow import {make.__name__}
from tests.helpers.flows import network
flow = {make.__name__}(network(), Messages(1, {steps}, 2))
runtime = flow.runtime(60.0)
runtime.__enter__()
flow.__enter__()
runtime.start()
""")

    def ends(self, text: str) -> None:
        """True if such a program ends by itself, in silence, and its processes with it."""
        tell = "tell(*(3 * [child.pid for child in multiprocessing.active_children()])[:3])\n"
        with program(text + tell + "time.sleep(0.5)\n") as child:
            actors = actors_of(child)
            _, errors = child.communicate(timeout=PATIENCE)
            assert all_end(actors)
        assert (child.returncode, errors) == (0, "")


def smallest() -> integer.IntegerNetwork:
    layer = integer.Layer(
        "one", (integer.Connection("input", integer.Dense(np.ones((2, 2), int))),), integer.Readout((1,))
    )
    return integer.IntegerNetwork(integer.Input((2,), 3), 2, (layer,))


@pytest.mark.parametrize("runs", [40, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("backend", "options"),
    [
        ("lava", {}),
        ("lava-async", {"grain": "sample"}),
        ("lava-async", {"grain": "step"}),
        ("lava-fused", {"grain": "sample"}),
        ("lava-fused", {"grain": "step"}),
    ],
)
def test_many_runs_leave_no_more_than_one(backend: str, options: dict[str, Any], runs: int) -> None:
    x = np.array([[[1, 2], [3, 0]]])
    footprints = []
    for round_number in range(runs + 1):
        assert (netx_export.simulate(smallest(), x, backend, **options) == [[[4, 2], [4, 2]]]).all()
        if round_number % (runs // 4) == 0:
            gc.collect()
            footprints.append(footprint())
    assert len(footprints) == 5
    assert all(later == footprints[0] for later in footprints)
