"""An endless run: fed from Python, answered as it goes, stopped at any moment, in bounded memory."""

# ruff: noqa: PT012 - what raises in many of these tests is a whole block, often by its end.

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
import tracemalloc
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

import netx_export
from lava_qsnn.engines import layerwise as engine
from lava_qsnn.errors import ConfigurationError, InputError, RunError, TimeLimitError
from lava_qsnn.process.loihi.recording import shared_array
from tests.helpers.flows import (
    be_killed,
    break_engine,
    endless,
    interrupt_parent,
    items,
    network,
    raise_error,
    samples,
    sleep_for_ever,
)
from tests.helpers.guarded import PATIENCE, actor, actors_of, all_end, program, until

pytestmark = [pytest.mark.lava, pytest.mark.usefixtures("nothing_is_left_behind")]

GRAINS = pytest.mark.parametrize("grain", ["sample", "step"])


def put_all(stream: netx_export.Stream, x: np.ndarray) -> None:
    for sample in x:
        stream.put(sample)


def expected(x: np.ndarray, grain: str) -> list[np.ndarray]:
    return list(items(netx_export.simulate(network(), x), grain))


def watch_layers(monkeypatch: pytest.MonkeyPatch, count: int) -> np.ndarray:
    """Bytes that Python and numpy hold after each sample: a row for each layer, which it fills, and an empty one."""
    shapes = [network().shapes[name] for name in network()]
    held = shared_array((len(shapes) + 1, count), np.int64)
    compute, calls = engine.LayerEngine.__call__, itertools.count()

    def watched(self: engine.LayerEngine, *arguments: Any) -> Any:
        held[shapes.index(self.shape), next(calls)] = tracemalloc.get_traced_memory()[0]
        return compute(self, *arguments)

    monkeypatch.setattr(engine.LayerEngine, "__call__", watched)
    return held


@pytest.mark.usefixtures("promptness")
class TestHealthyStream:
    @GRAINS
    def test_what_is_fed_is_answered_in_order(self, grain: str) -> None:
        x = samples(30)
        with netx_export.Stream(network(), grain=grain) as stream:
            for part in (x[:20], x[20:]):
                stream.feed(items(part, grain))
                answers = list(stream)
                assert (np.array(answers) == np.array(expected(part, grain))).all()
                assert answers[0].dtype == np.int64

    @GRAINS
    def test_an_answer_comes_before_the_next_input(self, grain: str) -> None:
        x = samples(4)
        with netx_export.Stream(network(), grain=grain) as stream:
            for value, answer in zip(items(x, grain), expected(x, grain), strict=True):
                stream.put(value)
                assert (stream.get() == answer).all()

    def test_a_live_source_is_answered_while_it_thinks(self) -> None:
        x, answered = samples(3), threading.Event()

        def live() -> Iterator[np.ndarray]:
            yield x[0]
            assert answered.wait(PATIENCE)
            yield x[1]

        with netx_export.Stream(network()) as stream:
            stream.feed(live())
            answers = []
            for answer in stream:
                answers.append(answer)
                answered.set()
        assert (np.array(answers) == np.array(expected(x[:2], "sample"))).all()

    def test_two_threads_put_in_and_take_out(self) -> None:
        x = samples(40)
        with netx_export.Stream(network(), slots=1) as stream:
            thread = threading.Thread(target=put_all, args=(stream, x))
            thread.start()
            answers = [stream.get() for _ in x]
            thread.join()
        assert (np.array(answers) == np.array(expected(x, "sample"))).all()

    def test_samples_may_be_shorter_than_the_network_allows(self) -> None:
        x = samples(4)[..., :3]
        with netx_export.Stream(network(), timesteps=3) as stream:
            stream.feed(x)
            assert (np.array(list(stream)) == netx_export.simulate(network(), x)).all()

    def test_a_sample_of_steps_may_be_cut_short(self) -> None:
        x = samples(2)
        with netx_export.Stream(network(), grain="step") as stream:
            stream.feed(items(x[:1, ..., :2], "step"))
            list(stream)
            stream.begin_sample()
            stream.feed(items(x[1:], "step"))
            assert (np.array(list(stream)) == np.array(expected(x[1:], "step"))).all()

    @GRAINS
    def test_it_stops_at_any_moment(self, grain: str) -> None:
        with netx_export.Stream(network(), grain=grain) as stream:
            stream.feed(endless(grain))
            for count, _ in enumerate(stream):
                if count == 20:
                    break

    @GRAINS
    def test_it_stops_when_all_channels_are_full(self, grain: str) -> None:
        asked = Counted(endless(grain))
        with netx_export.Stream(network(), grain=grain, slots=2) as stream:
            stream.feed(asked)
            until(partial(asked.has_given, 4 * 2))

    def test_it_stops_while_a_live_source_thinks(self) -> None:
        thought = threading.Event()

        def live() -> Iterator[np.ndarray]:
            yield samples(1)[0]
            thought.wait(PATIENCE)
            yield samples(1)[0]

        with netx_export.Stream(network()) as stream:
            stream.feed(live())
            next(iter(stream))
        thought.set()
        for thread in threading.enumerate():
            if thread.name == "lava-qsnn feed":
                thread.join()

    def test_it_stops_without_having_been_used(self) -> None:
        with netx_export.Stream(network()):
            pass


class Counted:
    """A source that counts what was asked of it."""

    def __init__(self, source: Iterator[np.ndarray]) -> None:
        self.source, self.count = source, 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for value in self.source:
            self.count += 1
            yield value

    def has_given(self, count: int) -> bool:
        return self.count >= count


@pytest.mark.usefixtures("promptness")
class TestSlowConsumer:
    @GRAINS
    def test_it_holds_the_source_back(self, grain: str) -> None:
        asked = Counted(endless(grain))
        with netx_export.Stream(network(), grain=grain, slots=4) as stream:
            stream.feed(asked)
            answers = iter(stream)
            for taken in range(1, 6):
                next(answers)
                # Four channels of three layers hold 4 each, the layers one each, the feeder one.
                until(partial(asked.has_given, taken + 4 * 4))
                assert asked.count - taken <= 4 * 4 + 3 + 1

    def test_input_that_finds_no_room_is_told_and_does_no_harm(self) -> None:
        x = samples(60)
        put = 0
        with netx_export.Stream(network(), slots=2) as stream:
            with pytest.raises(TimeLimitError, match=r"no room for more input.*take answers"):
                for sample in x:
                    stream.put(sample, time_limit=0.2)
                    put += 1
            answers = [stream.get() for _ in range(put)]
            stream.put(x[put])
            answers.append(stream.get())
        assert (np.array(answers) == np.array(expected(x[: put + 1], "sample"))).all()

    def test_a_long_run_holds_no_more_than_a_short_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Memory that Python and numpy hold, in this process and in that of each layer, and the handles of this one."""
        count, window = 1200, 300
        held, handles = watch_layers(monkeypatch, count), []
        tracemalloc.start()
        try:
            with netx_export.Stream(network()) as stream:
                stream.feed(itertools.islice(endless("sample"), count))
                for number, _ in enumerate(stream):
                    held[-1, number] = tracemalloc.get_traced_memory()[0]
                    if number % window == 0:
                        handles.append((os.listdir("/proc/self/fd"), threading.active_count()))
        finally:
            tracemalloc.stop()
        growth = held[:, -window:].min(1) - held[:, window : 2 * window].min(1)
        assert (held > 0).all()
        assert (growth < 8 * (count - 2 * window)).all(), "the smallest object takes 16 bytes a sample"
        assert handles[1:] == handles[1:2] * 3


@pytest.mark.usefixtures("promptness")
class TestFaults:
    @GRAINS
    def test_a_process_that_raises(self, grain: str, monkeypatch: pytest.MonkeyPatch) -> None:
        break_engine(monkeypatch, raise_error, 5)
        with pytest.raises(RunError, match="upside down"), netx_export.Stream(network(), grain=grain) as stream:
            stream.feed(endless(grain))
            list(stream)

    def test_a_process_that_raises_while_nobody_looks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        break_engine(monkeypatch, raise_error, 2)
        with pytest.raises(RunError, match="upside down"), netx_export.Stream(network()) as stream:
            crowd = len(multiprocessing.active_children())
            stream.feed(endless("sample"))
            until(lambda: len(multiprocessing.active_children()) < crowd)

    def test_a_process_that_is_killed_by_itself_or_another(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(RunError, match="'dense2'.*SIGKILL"), netx_export.Stream(network()) as stream:
            stream.feed(endless("sample"))
            for _ in stream:
                actor("'dense2'").kill()
        break_engine(monkeypatch, be_killed, 5)
        with pytest.raises(RunError, match="'conv1'.*SIGKILL"), netx_export.Stream(network()) as stream:
            stream.feed(endless("sample"))
            list(stream)

    def test_a_process_that_never_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        break_engine(monkeypatch, sleep_for_ever, 3)
        stream = netx_export.Stream(network(), time_limit=0.3)
        with pytest.raises(TimeLimitError, match="no answer came within 0.3 s"), stream:
            stream.feed(endless("sample"))
            list(stream)

    def test_an_answer_to_nothing(self) -> None:
        with pytest.raises(TimeLimitError, match="0 are due"), netx_export.Stream(network()) as stream:
            stream.get(time_limit=0.1)

    def test_an_interrupt_from_the_keyboard(self, monkeypatch: pytest.MonkeyPatch) -> None:
        break_engine(monkeypatch, interrupt_parent, 4)
        with pytest.raises(KeyboardInterrupt), netx_export.Stream(network()) as stream:
            stream.feed(endless("sample"))
            list(stream)

    def test_a_source_that_raises(self) -> None:
        def source() -> Iterator[np.ndarray]:
            yield samples(1)[0]
            raise LookupError("no camera")

        answers = []
        with netx_export.Stream(network()) as stream:
            stream.feed(source())
            with pytest.raises(LookupError, match="no camera"):
                for answer in stream:
                    answers.append(answer)
            assert len(answers) == 1
            stream.feed(samples(3))
            assert len(list(stream)) == 3

    def test_an_error_of_the_caller_ends_the_run_and_stays_itself(self) -> None:
        with pytest.raises(LookupError, match="of the caller"), netx_export.Stream(network()) as stream:
            stream.feed(endless("sample"))
            raise LookupError("of the caller")

    @pytest.mark.parametrize(
        ("value", "problem"),
        [
            (np.zeros((2, 4, 3, 4), int), "4 time steps, not 5"),
            (np.zeros((2, 4, 4, 5), int), "must have shape"),
            (np.full((2, 4, 3, 5), 4), "range 0 to 3"),
            (np.zeros((2, 4, 3, 5)), "must be integers"),
            (3, "must have shape"),
        ],
    )
    def test_input_that_does_not_fit_is_refused_and_does_no_harm(self, value: Any, problem: str) -> None:
        x = samples(1)
        with netx_export.Stream(network()) as stream:
            with pytest.raises(InputError, match=problem):
                stream.put(value)
            stream.put(x[0])
            assert (stream.get() == expected(x, "sample")[0]).all()


class TestRefusal:
    def test_a_stream_is_used_inside_its_block(self) -> None:
        stream = netx_export.Stream(network())
        for use in (stream.get, lambda: stream.put(samples(1)[0]), lambda: stream.feed([]), lambda: list(stream)):
            with pytest.raises(RunError, match="outside its with block"):
                use()
        with stream:
            pass
        with pytest.raises(RunError, match="outside its with block"):
            stream.get()

    def test_a_stream_is_entered_once(self) -> None:
        stream = netx_export.Stream(network())
        with stream, pytest.raises(ConfigurationError, match="twice"):
            stream.__enter__()
        with pytest.raises(ConfigurationError, match="twice"):
            stream.__enter__()

    def test_one_source_at_a_time(self) -> None:
        with netx_export.Stream(network()) as stream:
            stream.feed(endless("sample"))
            with pytest.raises(ConfigurationError, match="fed already"):
                stream.feed([])

    @pytest.mark.parametrize("option", [{"grain": "layer"}, {"timesteps": 6}, {"timesteps": 0}, {"slots": 0}])
    def test_options_that_make_no_sense_are_refused(self, option: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError):
            netx_export.Stream(network(), **option)


class TestProgram:
    TEXT = """
import netx_export
from tests.helpers.flows import endless, network
stream = netx_export.Stream(network())
with stream:
    stream.feed(endless("sample"))
    tell(*[child.pid for child in multiprocessing.active_children()][:3])
    for _ in stream: pass
"""

    def test_its_death_takes_all_layers_along(self) -> None:
        with program(self.TEXT) as child:
            actors = actors_of(child)
            child.kill()
            assert all_end(actors)

    def test_a_stream_that_is_never_left_does_not_keep_it_from_ending(self) -> None:
        text = self.TEXT.replace("with stream:", "stream.__enter__()\nif True:").replace("pass", "break")
        with program(text) as child:
            actors = actors_of(child)
            _, errors = child.communicate(timeout=PATIENCE)
            assert all_end(actors)
        assert (child.returncode, errors) == (0, "")

    def test_an_interrupt_from_the_keyboard_ends_it(self) -> None:
        with program(self.TEXT) as child:
            actors = actors_of(child)
            os.killpg(child.pid, signal.SIGINT)
            _, errors = child.communicate(timeout=PATIENCE)
            assert all_end(actors)
        assert errors.endswith("KeyboardInterrupt\n")
