"""The open loop against a scripted server: when things are sent, what is noted, and how it ends."""

from __future__ import annotations

import threading
from collections import Counter

import anyio
import pytest

from specroute.core.errors import AllUpstreamsFailed
from specroute.load.arrivals import poisson
from specroute.load.generator import LoadOptions, LoadRun, run_open_loop
from tests.demo.builders import FakeCase
from tests.edge.scripted_server import WAIT_S, Step, committed, completed, decided, delta, scripted, superseded

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

ANSWER: tuple[Step, ...] = (decided("mini", "large"), committed(0, "mini"), delta("4"), completed("4"))
UNREACHABLE = "127.0.0.1:1"


class Noted:
    """Sets ``stop`` once so many requests were sent."""

    def __init__(self, stop_after: int = 0) -> None:
        self.stop = anyio.Event()
        self.counts: Counter[str] = Counter()
        self._stop_after = stop_after

    def sent(self) -> None:
        self.counts["sent"] += 1
        if self.counts["sent"] == self._stop_after:
            self.stop.set()

    def finished(self, status: str) -> None:
        self.counts[status] += 1


def streaming(server: str, *, channels: int = 4, max_in_flight: int = 2000) -> LoadOptions:
    return LoadOptions(server, stream=True, deadline_s=WAIT_S, channels=channels, max_in_flight=max_in_flight)


async def load(server: str, count: int, rate: float = 500.0, **fields: int) -> LoadRun:
    return await run_open_loop(streaming(server, **fields), [FakeCase()], poisson(rate, count=count, seed=0))


async def test_every_call_is_noted_with_its_times_its_answer_and_its_grade() -> None:
    noted, cases = Noted(), [FakeCase("a"), FakeCase("b")]
    schedule = poisson(500.0, count=5, seed=0)

    with scripted(*ANSWER) as (address, router):
        run = await run_open_loop(streaming(address), cases, schedule, progress=noted)

    assert len(router.requests) == run.intended == 5
    assert [record.index for record in run.records] == list(range(5))
    assert [record.case.source for record in run.records] == ["a", "b", "a", "b", "a"]
    assert noted.counts == {"sent": 5, "OK": 5}
    assert not run.is_partial
    for record, due_s in zip(run.records, schedule, strict=True):
        assert record.intended_s == due_s
        assert record.first_token_s is not None
        assert due_s <= record.sent_s <= record.first_token_s <= record.done_s
        assert record.answer is not None
        assert (record.status, record.answer.text, record.is_right, record.is_from_its_tier) == ("OK", "4", True, False)
        assert record.receipt is record.answer.receipt


@pytest.mark.parametrize(("after", "has_first_token"), [((), False), ((delta("4", 1),), True)])
async def test_only_a_token_that_is_not_taken_back_is_a_first_token(
    after: tuple[Step, ...], has_first_token: bool
) -> None:
    with scripted(decided("mini", "large"), delta("I'm"), superseded(0, "refusal"), *after, completed("4")) as (
        address,
        _,
    ):
        run = await load(address, 1)

    assert (run.records[0].first_token_s is not None) is has_first_token


async def test_a_failed_call_is_noted_with_the_services_reason() -> None:
    with scripted(decided("mini"), AllUpstreamsFailed("all failed")) as (address, _):
        run = await load(address, 3)

    assert [record.status for record in run.records] == ["ALL_UPSTREAMS_FAILED"] * 3
    assert not any(record.is_right for record in run.records)
    assert all(record.is_from_its_tier for record in run.records)
    assert all(record.first_token_s is None for record in run.records)


async def test_a_stream_that_ends_without_an_answer_has_failed() -> None:
    with scripted(decided("mini")) as (address, _):
        run = await load(address, 1)

    assert [record.status for record in run.records] == ["UNKNOWN"]


async def test_a_server_that_nobody_reaches_fails_every_call_and_the_run_goes_on() -> None:
    run = await load(UNREACHABLE, 5)

    assert [record.status for record in run.records] == ["UNAVAILABLE"] * 5
    assert not run.is_partial


async def test_above_the_ceiling_requests_are_counted_and_not_sent() -> None:
    never = threading.Event()
    stop = anyio.Event()

    with scripted(decided("mini"), never) as (address, router):
        async with anyio.create_task_group() as group:
            runs: list[LoadRun] = []

            async def run() -> None:
                options = streaming(address, max_in_flight=2)
                runs.append(await run_open_loop(options, [FakeCase()], [0.0] * 5, stop=stop))

            group.start_soon(run)
            with anyio.fail_after(WAIT_S):
                while len(router.requests) < 2:
                    await anyio.lowlevel.checkpoint()
            stop.set()
    assert (runs[0].not_sent, runs[0].unfinished, len(runs[0].records)) == (3, 2, 0)
    assert runs[0].is_partial


async def test_a_stop_gives_up_what_is_in_flight_and_keeps_what_has_finished() -> None:
    noted = Noted(stop_after=3)
    schedule = [0.0, 0.001, 0.002, 3600.0]

    with scripted(*ANSWER) as (address, _), anyio.fail_after(WAIT_S):
        run = await run_open_loop(streaming(address), [FakeCase()], schedule, progress=noted, stop=noted.stop)

    assert run.is_partial
    assert len(run.records) + run.unfinished == 3
    assert run.intended == 4


async def test_a_stop_before_the_first_request_sends_none() -> None:
    stop = anyio.Event()
    stop.set()

    run = await run_open_loop(LoadOptions(UNREACHABLE), [FakeCase()], [3600.0], stop=stop)

    assert (run.records, run.unfinished, run.is_partial) == ([], 0, True)


def test_the_warm_up_is_left_out_and_the_clock_starts_behind_it() -> None:
    from tests.load.records import call, run_of

    measured = run_of(*(call(index) for index in range(5))).after(2.0, 2)

    assert [(record.index, record.intended_s) for record in measured.records] == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert [record.latency_s for record in measured.records] == [1.0] * 3
    assert measured.intended == 3


@pytest.mark.parametrize(("deadline_s", "channels", "max_in_flight"), [(0.0, 1, 1), (1.0, 0, 1), (1.0, 1, 0)])
def test_options_out_of_range_are_refused(deadline_s: float, channels: int, max_in_flight: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        LoadOptions("x", deadline_s=deadline_s, channels=channels, max_in_flight=max_in_flight)
