"""Every run of Lava ends, says why if it failed, and leaves nothing behind."""

# ruff: noqa: PT012 - what raises in many of these tests is a whole block, often by its end.

from __future__ import annotations

import contextlib
import errno
import gc
import math
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from lava.magma.compiler.channels.pypychannel import CspRecvPort, CspSelector, CspSendPort
from lava.magma.compiler.exceptions import NoProcessModelFound
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import RunConfig
from lava.proc.io.extractor import Extractor
from lava.proc.io.injector import Injector

from lava_qsnn.errors import ConfigurationError, RunError, TimeLimitError
from lava_qsnn.guard import GuardedRuntime, run
from lava_qsnn.guard._actors import interrupts_deferred
from tests.helpers.faulty.processes import ORPHAN, Pair, Sink, Source, Unimplemented
from tests.helpers.guarded import (
    ASYNCHRONOUS,
    LOIHI,
    PATIENCE,
    actor,
    actors_of,
    all_end,
    footprint,
    is_alive,
    late,
    network,
    program,
    settle,
    until,
)


class Mixed(RunConfig):
    """Chooses the Loihi protocol for sources and the asynchronous one for sinks: two runtime services."""

    def select(self, process: AbstractProcess, proc_models: list[Any]) -> Any:
        return (LOIHI if isinstance(process, Source) else ASYNCHRONOUS).select(process, proc_models)


def bridge() -> tuple[Injector, Extractor]:
    """A way into Lava and straight out again."""
    injector, extractor = Injector(shape=(2,)), Extractor(shape=(2,))
    injector.out_port.connect(extractor.in_port)
    return injector, extractor


def fail_to_open() -> tuple[int, int]:
    raise OSError(errno.EMFILE, "too many files")


def system_threads() -> int:
    """Threads of this process; a fork may end those of a numerical library."""
    return psutil.Process().num_threads()


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    gc.collect()
    before, threads = footprint(), system_threads()
    yield
    settle(before)
    assert footprint() == before
    assert system_threads() <= threads


class TestHealthyRun:
    def test_run_returns_when_the_steps_are_done(self) -> None:
        source, _ = network()
        run(source, 3, LOIHI)

    def test_vars_can_be_read_and_written_inside_the_block(self) -> None:
        source, sink = network()
        with GuardedRuntime(source, LOIHI) as runtime:
            runtime.run(4)
            assert sink.total.get().tolist() == [10, 10]
            sink.total.set(np.array([100, 200]))
            assert sink.total.get().tolist() == [100, 200]

    def test_a_second_run_goes_on_from_the_first(self) -> None:
        source, sink = network()
        with GuardedRuntime(source, LOIHI) as runtime:
            runtime.run(4)
            runtime.run(2)
            assert sink.total.get().tolist() == [21, 21]

    def test_start_and_wait_are_run_in_two_halves(self) -> None:
        source, sink = network()
        with GuardedRuntime(source, LOIHI) as runtime:
            runtime.start(4)
            runtime.wait()
            runtime.wait()
            assert sink.total.get().tolist() == [10, 10]

    @pytest.mark.parametrize("steps", [5, 100_000, None])
    def test_leaving_the_block_stops_a_network_that_runs(self, steps: int | None) -> None:
        source, _ = network()
        with GuardedRuntime(source, LOIHI) as runtime:
            runtime.start(steps)
            time.sleep(0.05)
            runtime.check()

    def test_a_block_without_a_run_ends_cleanly(self) -> None:
        source, _ = network()
        with GuardedRuntime(source, LOIHI) as runtime:
            runtime.check()

    def test_lava_s_own_calls_work_inside_the_block(self) -> None:
        source, sink = network()
        with GuardedRuntime(source, LOIHI):
            source.run(RunSteps(4))
            assert sink.total.get().tolist() == [10, 10]
            source.stop()

    def test_the_inner_processes_of_a_process_are_run(self) -> None:
        pair = Pair()
        with GuardedRuntime(pair, LOIHI) as runtime:
            runtime.run(4)
            assert pair.total.get().tolist() == [10, 10]

    def test_no_shared_memory_has_a_name(self) -> None:
        # What has no name while a run lives cannot stay behind, however the run and its parent end.
        source, _ = network()
        before = set(psutil.Process().children(recursive=True))
        with GuardedRuntime(source, LOIHI) as runtime:
            runtime.start()
            actors = [one for one in psutil.Process().children(recursive=True) if one not in before]
            everyone = [psutil.Process(), *actors]
            mappings = [Path(f"/proc/{one.pid}/maps").read_text().splitlines() for one in everyone]
        named = [line for lines in mappings for line in lines if "/dev/shm/" in line and "(deleted)" not in line]
        assert len(actors) == 3
        assert named == []

    def test_compiler_options_are_passed_on_and_left_as_they_were(self) -> None:
        source, sink = network()
        options = {"pypy_channel_size": 2}
        with GuardedRuntime(source, LOIHI, compile_config=options) as runtime:
            runtime.run(10)
            assert sink.total.get().tolist() == [55, 55]
        assert options == {"pypy_channel_size": 2}

    def test_progress_is_told_the_seconds_since_the_start(self) -> None:
        told: list[float] = []

        def listen(seconds: float) -> None:
            told.append(seconds)
            if len(told) == 3:
                raise LookupError("enough")

        source, _ = network("never_end")
        start = time.monotonic()
        with pytest.raises(LookupError, match="enough"):
            run(source, 3, LOIHI, progress=listen)
        assert 0.1 <= told[0] < told[1] < told[2] <= time.monotonic() - start

    def test_an_error_in_progress_ends_the_run(self) -> None:
        def fail(seconds: float) -> None:
            raise LookupError("no screen to draw on")

        source, _ = network("never_end")
        with pytest.raises(LookupError, match="no screen"):
            run(source, 3, LOIHI, progress=fail)

    def test_there_may_be_no_time_limit(self) -> None:
        source, _ = network()
        run(source, 3, LOIHI, time_limit=math.inf)

    def test_it_works_in_any_thread(self) -> None:
        errors: list[BaseException] = []

        def work(failure: str | None) -> None:
            try:
                run(network(failure)[0], 3, LOIHI)
            except RunError as error:
                errors.append(error)

        for failure in (None, "raise_error"):
            thread = threading.Thread(target=work, args=(failure,))
            thread.start()
            thread.join()
        assert [type(error.__cause__) for error in errors] == [ValueError]

    def test_what_a_model_prints_is_seen(self, capfd: pytest.CaptureFixture[str]) -> None:
        source, _ = network("print_something")
        run(source, 3, LOIHI)
        assert capfd.readouterr().out == "a word from the model\n"

    def test_a_model_may_stop_the_network(self) -> None:
        source, _ = network("request_stop")
        with GuardedRuntime(source, LOIHI) as runtime:
            runtime.run(1000)
            with pytest.raises(RunError, match="a model has stopped the network"):
                runtime.run(1)

    def test_a_model_may_pause_the_network(self) -> None:
        source, sink = network("request_pause")
        with GuardedRuntime(source, LOIHI) as runtime:
            runtime.run(1000)
            assert sink.count.get().item() == 2


FAILURES = {
    "raise_error": ["ValueError: the weights are upside down", "in raise_error", "in {place}"],
    "raise_unpicklable": ["UnpicklableError: no way to carry this", "in raise_unpicklable", "in {place}"],
    "raise_one_way": ["OneWayError: only there, not back", "in raise_one_way", "in {place}"],
    "raise_slowly": ["SlowError: better late than never", "in raise_slowly", "in {place}"],
    "raise_large": ["ValueError: ('more than a pipe holds at once'", "in raise_large", "in {place}"],
    "raise_beside_a_thread": ["ValueError: the weights are upside down", "in raise_error", "in {place}"],
    "exit_politely": ["SystemExit: 3", "in exit_politely", "in {place}"],
    "exit_at_once": ["ended with exit code 3 before the run was over"],
    "exit_without_error": ["ended with exit code 0 before the run was over"],
    "kill_itself": ["was ended by signal SIGKILL (9)", "Remedy: ", "memory"],
    "leave_a_child_and_die": ["was ended by signal SIGKILL (9)"],
    "crash": ["was ended by signal SIGSEGV (11)", "in crash", "in {place}"],
}


MOMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "before send": ("run_spk", {"after_send": False}),
    "after send": ("run_spk", {"after_send": True}),
    "while built": ("__init__", {"step": 0}),
    "when told to stop": ("_stop", {"step": -1}),
}
CASES = [
    (failure, moment)
    for failure in FAILURES
    for moment in MOMENTS
    if failure != "exit_without_error" or moment == "before send"
]


@pytest.mark.usefixtures("promptness")
class TestFailingModel:
    @pytest.mark.parametrize(("failure", "moment"), CASES)
    def test_the_error_has_the_name_and_the_traceback(
        self, failure: str, moment: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        place, options = MOMENTS[moment]
        source, _ = network(failure, name="culprit", **options)
        with pytest.raises(RunError) as caught:
            run(source, 10, LOIHI)
        if failure == "leave_a_child_and_die":
            os.kill(ORPHAN.value, signal.SIGKILL)  # The run has not waited for it: it is there.
        text = str(caught.value)
        assert text.startswith("the process model SourceModel of process 'culprit' (Source) ")
        for part in FAILURES[failure]:
            assert part.format(place=place) in text
        assert capfd.readouterr() == ("", "")

    def test_a_message_of_the_wrong_shape_is_an_error(self) -> None:
        source, _ = network("send_wrong_shape")
        with pytest.raises(RunError, match=r"data.shape=\(3,\).*Mismatch") as caught:
            run(source, 10, LOIHI)
        assert "in send_wrong_shape" in str(caught.value)

    @pytest.mark.parametrize(
        ("failure", "cause"),
        [
            ("raise_error", ValueError),
            ("raise_large", ValueError),
            ("exit_politely", SystemExit),
            ("raise_unpicklable", None),
            ("raise_one_way", None),
            ("kill_itself", None),
        ],
    )
    def test_the_cause_is_the_model_s_exception_if_it_can_be_carried(
        self, failure: str, cause: type[BaseException] | None
    ) -> None:
        source, _ = network(failure)
        with pytest.raises(RunError) as caught:
            run(source, 10, LOIHI)
        assert type(caught.value.__cause__) is (cause or type(None))

    @pytest.mark.parametrize("name", ["SinkModel of process 'sink' (Sink)", "the runtime service Loihi"])
    def test_whichever_process_is_killed_is_named(self, name: str) -> None:
        source, _ = network()
        with pytest.raises(RunError, match="SIGKILL") as caught, GuardedRuntime(source, LOIHI) as runtime:
            runtime.start()
            actor(name).kill()
            runtime.wait()
        assert name in str(caught.value)

    def test_check_tells_of_a_failure_without_waiting(self) -> None:
        source, _ = network("raise_error")
        with pytest.raises(RunError, match="upside down"), GuardedRuntime(source, LOIHI) as runtime:
            runtime.start()
            while True:
                runtime.check()
                time.sleep(0.01)

    def test_leaving_the_block_tells_of_a_failure_nobody_waited_for(self) -> None:
        source, _ = network("raise_error")
        with pytest.raises(RunError, match="upside down"), GuardedRuntime(source, LOIHI) as runtime:
            runtime.start()
            culprit = psutil.Process(actor("SourceModel").pid)
            until(lambda: not is_alive(culprit))

    def test_reading_a_var_of_a_dead_process_is_an_error(self) -> None:
        source, sink = network()
        with pytest.raises(RunError, match=r"SinkModel .* SIGKILL"), GuardedRuntime(source, LOIHI) as runtime:
            runtime.run(3)
            actor("SinkModel").kill()
            sink.total.get()

    def test_an_error_of_the_caller_ends_the_run_and_stays_itself(self) -> None:
        source, _ = network("never_end")
        with pytest.raises(LookupError, match="of the caller"), GuardedRuntime(source, LOIHI) as runtime:
            runtime.start()
            raise LookupError("of the caller")

    def test_a_system_without_file_descriptors_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pipes = iter([os.pipe, os.pipe, os.pipe, fail_to_open])  # Enough for the first process.
        monkeypatch.setattr(os, "pipe", lambda: next(pipes)())
        source, _ = network()
        with pytest.raises(OSError, match="too many files"):
            run(source, 10, LOIHI)

    def test_an_error_caught_inside_the_block_is_raised_again_by_leaving_it(self) -> None:
        source, _ = network("raise_error")
        with pytest.raises(RunError, match="upside down"), GuardedRuntime(source, LOIHI) as runtime:
            with pytest.raises(RunError, match="upside down"):
                runtime.run(10)
            with pytest.raises(RunError, match="upside down"):
                runtime.wait()


@pytest.mark.usefixtures("promptness")
class TestTimeLimit:
    def test_it_tells_the_limit_the_place_and_the_remedy(self) -> None:
        text = late(
            lambda limit: run(network("never_end", name="culprit")[0], 10, LOIHI, time_limit=limit), "in run_spk"
        )
        assert re.search(r"time limit of [0-9.]+ s", text)
        assert "the steps to be run" in text
        assert "SourceModel of process 'culprit' (Source): File " in text
        assert "Remedy: raise time_limit" in text

    def test_processes_that_wait_for_each_other_are_all_named(self) -> None:
        def start(limit: float) -> None:
            sinks = [Sink("first"), Sink("second")]
            sources = [Source("never_end", name="silent"), Source(name="healthy")]
            for source, sink in zip(sources, sinks, strict=True):
                source.output.connect(sink.input)
            sources[1].output.connect(sinks[0].input)
            run(sources[0], 10, LOIHI, time_limit=limit)

        text = late(start, r"'silent'[\s\S]*'first'|'first'[\s\S]*'silent'")
        assert "'healthy'" not in text
        assert "runtime service" not in text

    def test_it_covers_the_building_of_the_models(self) -> None:
        text = late(lambda limit: run(network("never_end", step=0)[0], 10, LOIHI, time_limit=limit), "in __init__")
        assert "the process models to be built" in text

    def test_it_covers_the_compiler(self) -> None:
        source, _ = network()
        with pytest.raises(TimeLimitError, match="waited for the compiler"):
            run(source, 10, LOIHI, time_limit=1e-6)

    def test_it_covers_the_stop(self) -> None:
        def start(limit: float) -> None:
            with GuardedRuntime(network("never_end", step=1)[0], LOIHI, time_limit=limit) as runtime:
                runtime.start()

        late(start, "in run_spk")

    def test_a_process_that_ends_without_an_answer_to_the_stop_is_named(self) -> None:
        late(
            lambda limit: run(network("exit_without_error", step=-1)[0], 3, LOIHI, time_limit=limit),
            "SourceModel.*: ended",
        )

    def test_a_process_that_ignores_signals_is_ended_too(self) -> None:
        source, _ = network("never_end_whatever_the_signal")
        with pytest.raises(TimeLimitError):
            run(source, 3, LOIHI, time_limit=0.5)

    def test_it_covers_the_caller_s_own_time(self) -> None:
        source, _ = network()
        with pytest.raises(TimeLimitError), GuardedRuntime(source, LOIHI, time_limit=0.2) as runtime:
            runtime.start()
            while True:
                time.sleep(0.01)
                runtime.check()


@pytest.mark.usefixtures("promptness")
class TestInterrupt:
    @pytest.mark.parametrize("step", [0, 2], ids=["while built", "while running"])
    def test_it_ends_the_run_and_reaches_the_caller(self, step: int) -> None:
        source, _ = network("interrupt_parent", step=step)
        with pytest.raises(KeyboardInterrupt):
            run(source, 10, LOIHI)

    def test_it_waits_until_a_new_process_is_known(self) -> None:
        reached = False
        with pytest.raises(KeyboardInterrupt), interrupts_deferred():
            signal.raise_signal(signal.SIGINT)
            reached = True
        assert reached


class TestRefusal:
    def test_a_compile_error_is_raised_as_it_is(self) -> None:
        source, sink = Unimplemented(), Sink()
        source.output.connect(sink.input)
        with pytest.raises(NoProcessModelFound):
            run(sink, 10, LOIHI)

    @pytest.mark.parametrize("failure", [None, "raise_error"])
    def test_processes_run_only_once(self, failure: str | None) -> None:
        source, sink = network(failure)
        with contextlib.suppress(RunError):
            run(source, 3, LOIHI)
        with pytest.raises(ConfigurationError, match=r"compiled before.*build new processes"):
            run(sink, 3, LOIHI)

    def test_after_the_end_lava_s_own_calls_raise_instead_of_crashing(self) -> None:
        source, sink = network()
        run(source, 3, LOIHI)
        for call in (lambda: source.run(RunSteps(1)), source.wait, source.pause, sink.total.get):
            with pytest.raises(RunError, match="has ended"):
                call()
        source.stop()

    def test_after_the_end_the_var_of_an_outer_process_raises_too(self) -> None:
        pair = Pair()
        run(pair, 3, LOIHI)
        with pytest.raises(RunError, match="has ended"):
            pair.total.get()

    def test_a_runtime_is_entered_once(self) -> None:
        source, _ = network()
        runtime = GuardedRuntime(source, LOIHI)
        with runtime, pytest.raises(ConfigurationError, match="twice"):
            runtime.__enter__()

    def test_a_runtime_is_used_inside_its_block(self) -> None:
        source, _ = network()
        runtime = GuardedRuntime(source, LOIHI)
        with pytest.raises(ConfigurationError, match="outside"):
            runtime.run(1)
        with runtime:
            runtime.run(1)
        with pytest.raises(ConfigurationError, match="outside"):
            runtime.check()

    def test_a_running_network_is_not_started_again(self) -> None:
        source, _ = network()
        with GuardedRuntime(source, LOIHI) as runtime:
            runtime.start()
            with pytest.raises(ConfigurationError, match="still running"):
                runtime.run(1)

    @pytest.mark.parametrize("steps", [0, -1, 1.5, True, "3", math.nan])
    def test_the_number_of_steps_is_a_whole_number_from_1(self, steps: Any) -> None:
        source, _ = network()
        with pytest.raises(ConfigurationError, match=r"num_steps is .*Remedy"):
            run(source, steps, LOIHI)

    @pytest.mark.parametrize("limit", [0, -1.0, math.nan, None, "60"])
    def test_the_time_limit_is_above_zero(self, limit: Any) -> None:
        source, _ = network()
        with pytest.raises(ConfigurationError, match=r"time_limit is .*Remedy"):
            run(source, 1, LOIHI, time_limit=limit)

    def test_lava_s_watchdog_is_refused(self) -> None:
        source, _ = network()
        with pytest.raises(ConfigurationError, match=r"watchdog.*time_limit"):
            run(source, 1, LOIHI, compile_config={"use_watchdog": True})

    def test_refused_arguments_leave_the_processes_usable(self) -> None:
        source, _ = network()
        with pytest.raises(ConfigurationError):
            run(source, 0, LOIHI)
        run(source, 1, LOIHI)


class TestAsynchronousProtocol:
    def test_runs_end_with_their_results(self) -> None:
        source, sink = network()
        with GuardedRuntime(source, ASYNCHRONOUS) as runtime:
            runtime.run(100)
            assert sink.total.get().tolist() == [5050, 5050]
            runtime.run(4)
            assert sink.total.get().tolist() == [5060, 5060]

    def test_leaving_the_block_stops_a_network_that_runs(self) -> None:
        source, _ = network()
        with GuardedRuntime(source, ASYNCHRONOUS) as runtime:
            runtime.start()
            time.sleep(0.05)

    def test_it_mixes_with_the_loihi_protocol(self) -> None:
        source, sink = network()
        with GuardedRuntime(source, Mixed()) as runtime:
            runtime.run(100)
            assert sink.total.get().tolist() == [5050, 5050]
            runtime.start()
            time.sleep(0.05)

    def test_a_failure_beside_it_is_told(self) -> None:
        source, _ = network("raise_error")
        with pytest.raises(RunError, match="upside down"):
            run(source, 10, Mixed())

    @pytest.mark.parametrize("failure", ["raise_error", "exit_at_once", "kill_itself"])
    def test_failures_are_told(self, failure: str) -> None:
        source, _ = network(failure)
        with pytest.raises(RunError) as caught:
            run(source, 10, ASYNCHRONOUS)
        assert "AsyncSourceModel of process 'source' (Source)" in str(caught.value)
        assert FAILURES[failure][0] in str(caught.value)


class LeavesBeforeTheCall:
    """An observer that a selector takes away in the worst moment: after the port has seen it, before the port calls it.

    The selector that is told of the message reads it, and takes its observers away, while the port still asks.
    """

    def __init__(self, port: Any, observer: Any) -> None:
        self.port, self.observer = port, observer

    def __bool__(self) -> bool:
        self.observer()
        while vars(self.port)["observer"] is self:
            time.sleep(0.0001)
        return True

    def __call__(self) -> None:
        self.observer()


class TestObservers:
    @pytest.mark.parametrize(
        ("protocol", "total"),
        [(LOIHI, 465), (Mixed(), 465), (ASYNCHRONOUS, 165)],  # which counts steps anew in each run
        ids=["Loihi", "both", "asynchronous"],
    )
    def test_a_selector_that_takes_them_away_ends_no_port(
        self, protocol: RunConfig, total: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In unmodified Lava, the first message of such a run would be the last one that its actor ever sees."""

        def set_observer(channel_actions: Any, observer: Any) -> None:
            for channel, _ in channel_actions:
                channel.observer = None if observer is None else LeavesBeforeTheCall(channel, observer)

        monkeypatch.setattr(CspSelector, "_set_observer", staticmethod(set_observer))
        source, sink = network()
        with GuardedRuntime(source, protocol) as runtime:
            for _ in range(3):
                runtime.run(10)
            assert sink.total.get().tolist() == [total, total]

    def test_only_the_actors_are_changed(self) -> None:
        source, _ = network()
        run(source, 3, LOIHI)
        assert not any(hasattr(kind, "observer") for kind in (CspRecvPort, CspSendPort))


class TestExternalPipes:
    def test_data_go_in_and_come_out_while_the_network_runs(self) -> None:
        injector, extractor = bridge()
        with GuardedRuntime(injector, LOIHI) as runtime:
            runtime.start(100)
            for value in range(100):
                injector.send(np.full(2, value))
                assert extractor.receive().tolist() == [value, value]
            runtime.wait()

    def test_receiving_from_a_dead_network_is_an_error(self) -> None:
        injector, extractor = bridge()
        with pytest.raises(RunError, match="InjectorModel"), GuardedRuntime(injector, LOIHI) as runtime:
            runtime.start(100)
            actor("PyLoihiInjectorModel").kill()
            extractor.receive()

    def test_sending_to_a_network_that_does_not_read_ends_with_the_time_limit(self) -> None:
        def start(limit: float) -> None:
            injector, _ = bridge()
            with GuardedRuntime(injector, LOIHI, time_limit=limit):
                while True:
                    injector.send(np.zeros(2))

        late(start, "room in channel")

    def test_after_the_end_the_pipes_are_gone(self) -> None:
        injector, extractor = bridge()
        with GuardedRuntime(injector, LOIHI) as runtime:
            kept = extractor.out_port.external_pipe_csp_recv_port
            injector.send(np.zeros(2))
            runtime.run(1)
        with pytest.raises(AssertionError, match="needs to be created"):
            injector.send(np.zeros(2))
        with pytest.raises(AssertionError, match="needs to be created"):
            extractor.receive()
        with pytest.raises(RunError, match="has ended"):
            kept.recv()


def test_many_runs_leave_no_more_than_one() -> None:
    footprints = []
    for round_number in range(51):
        failure = ["raise_error", None, "kill_itself"][round_number % 3]
        source, _ = network(failure, step=round_number % 2 * 2)
        try:
            run(source, 3, LOIHI)
        except RunError:
            assert failure
        else:
            assert not failure
        if round_number % 10 == 0:
            footprints.append(footprint())
    assert len(footprints) == 6
    assert all(later == footprints[0] for later in footprints)


# --- Whole programs -----------------------------------------------------------------------------------------


class TestProgram:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("attempt(None)", ""),
            (
                "attempt('print_and_raise'); attempt('raise_error', step=0); attempt('kill_itself')\n"
                "attempt('never_end', time_limit=0.5)",
                "last words RunError RunError RunError TimeLimitError",
            ),
            ("GuardedRuntime(network()[0], LOIHI).__enter__().start()", ""),
        ],
        ids=["after success", "after failures", "inside the block"],
    )
    def test_it_ends_quietly(self, text: str, told: str) -> None:
        with program(text) as child:
            output, errors = child.communicate(timeout=PATIENCE)
        assert output.split() == told.split()
        assert child.returncode == 0
        assert errors == ""

    def test_its_death_takes_all_actors_along(self) -> None:
        with program("start(GuardedRuntime(network()[0], LOIHI).__enter__()); time.sleep(60)") as child:
            actors = actors_of(child)
            child.kill()
            assert all_end(actors)

    def test_an_interrupt_from_the_keyboard_ends_it_without_a_word_of_the_actors(self) -> None:
        with program("with GuardedRuntime(network()[0], LOIHI) as r: start(r); r.wait()") as child:
            actors = actors_of(child)
            os.killpg(child.pid, signal.SIGINT)
            _, errors = child.communicate(timeout=PATIENCE)
            assert all_end(actors)
        assert errors.count("Traceback") == 1
        assert errors.endswith("KeyboardInterrupt\n")

    def test_a_program_that_handles_the_interrupt_itself_can_let_the_run_end(self) -> None:
        text = """
signal.signal(signal.SIGINT, lambda *_: tell('noted'))
with GuardedRuntime(network('sleep_briefly', step=1)[0], LOIHI) as runtime:
    start(runtime, 3)
    runtime.wait()
tell('done')
"""
        with program(text) as child:
            actors_of(child)
            os.killpg(child.pid, signal.SIGINT)
            output, errors = child.communicate(timeout=PATIENCE)
        assert output.split() == ["noted", "done"]
        assert errors == ""
