"""Sends requests when they are due, whether or not earlier ones have been answered, and notes what came of each.

Every latency counts from the moment at which the schedule wanted the request sent. A generator that falls behind would
otherwise stop its clock just when the queue is longest ("coordinated omission", Tene 2015).
"""

from __future__ import annotations

import itertools
import time
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import anyio

from specroute.core.stream import Delta, Superseded
from specroute.edge.client.aio import Answered, RouteFailed, RouterClient
from specroute.load.records import OK
from specroute.load.records import CallRecord as CallRecord
from specroute.load.records import LoadRun as LoadRun

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from specroute.core.request import RouteRequest
    from specroute.edge.client.aio import Event, Receipt
    from specroute.edge.client.channel import ClientTls
    from specroute.load.cases import Case


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How requests are sent.

    Attributes:
        server: HOST:PORT.
        stream: whether answers are streamed (``RouteStream``, committed delivery) or come whole (``Route``).
        deadline_s: of every request, from the moment at which it is sent, > 0.
        channels: connections, >= 1; they are used in turn. A server commonly allows 100 calls on each.
        max_in_flight: calls at a time, >= 1; a request that is due while so many run is not sent, and counted.
        tls: how connections are secured; ``None``: they are in plaintext.
    """

    server: str
    stream: bool = False
    deadline_s: float = 30.0
    channels: int = 4
    max_in_flight: int = 2000
    tls: ClientTls | None = None

    def __post_init__(self) -> None:
        if not self.deadline_s > 0.0:
            raise ValueError("--deadline must be more than 0 s")
        if self.channels < 1 or self.max_in_flight < 1:
            raise ValueError("--channels and --max-in-flight must be at least 1")


class Progress(Protocol):
    """Told how far the run is."""

    def sent(self) -> None:
        """One more request is on its way."""
        ...

    def finished(self, status: str) -> None:
        """One more call came to its end."""
        ...


class NoProgress:
    """Tells nobody."""

    def sent(self) -> None:
        """Does nothing."""

    def finished(self, status: str) -> None:
        """Does nothing."""


_QUIET = NoProgress()


async def run_open_loop(
    options: LoadOptions,
    cases: Sequence[Case],
    schedule: Sequence[float],
    *,
    progress: Progress = _QUIET,
    stop: anyio.Event | None = None,
) -> LoadRun:
    """Sends one request per entry of ``schedule``, in seconds from now, ascending, and waits for all answers.

    Args:
        options: how.
        cases: what, in this order and over again where they are fewer than the schedule's entries; at least one.
        schedule: when.
        progress: told of every call.
        stop: once it is set nothing more is sent, what is in flight is given up, and what has finished is returned.
    """
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(RouterClient(options.server, options.tls)) for _ in range(options.channels)
        ]
        return await _Generator(options, clients, cases, schedule, progress).run(stop)


class _Ended(NamedTuple):
    """A call's end, ungraded: what grading takes is not taken from the calls in flight."""

    number: int
    sent_s: float
    first_token_s: float | None
    done_s: float
    answer: Answered | None
    status: str
    receipt: Receipt | None


class _Generator:
    """One run."""

    def __init__(
        self,
        options: LoadOptions,
        clients: Sequence[RouterClient],
        cases: Sequence[Case],
        schedule: Sequence[float],
        progress: Progress,
    ) -> None:
        self._options = options
        self._clients: Iterator[RouterClient] = itertools.cycle(clients)
        self._cases, self._schedule = cases, schedule
        self._progress = progress
        self._ended: list[_Ended] = []
        self._in_flight = self._sent = self._not_sent = 0
        self._start_s = 0.0

    async def run(self, stop: anyio.Event | None) -> LoadRun:
        """Sends everything and returns what came of it."""
        self._start_s, cpu_s = time.perf_counter(), time.thread_time()
        async with anyio.create_task_group() as group:
            if stop is not None:
                group.start_soon(_cancel_on, stop, group.cancel_scope)
            async with anyio.create_task_group() as calls:
                await self._send_when_due(calls)
            group.cancel_scope.cancel()
        spent_s, cpu_s = self._now_s(), time.thread_time() - cpu_s
        return LoadRun(
            records=[self._graded(ended) for ended in sorted(self._ended, key=_number)],
            intended=len(self._schedule),
            not_sent=self._not_sent,
            unfinished=self._sent - len(self._ended),
            is_partial=len(self._ended) + self._not_sent < len(self._schedule),
            cpu_share=min(1.0, cpu_s / spent_s) if spent_s > 0.0 else 0.0,
        )

    async def _send_when_due(self, calls: anyio.abc.TaskGroup) -> None:
        for index, due_s in enumerate(self._schedule):
            # Also when it is late: the loop has to serve the calls in flight in between.
            await anyio.sleep(max(0.0, due_s - self._now_s()))
            if self._in_flight >= self._options.max_in_flight:
                self._not_sent += 1
                continue
            self._in_flight += 1
            self._sent += 1
            self._progress.sent()
            calls.start_soon(self._call, index)

    async def _call(self, index: int) -> None:
        request = self._cases[index % len(self._cases)].request
        client = next(self._clients)
        firsts: dict[int, float] = {}
        answer: Answered | None = None
        receipt: Receipt | None = None
        sent_s = self._now_s()
        try:
            answer = await self._ask(client, request, firsts)
            status, receipt = OK, answer.receipt
        except RouteFailed as error:
            status, receipt = error.reason or error.code, error.receipt
        finally:
            done_s = self._now_s()
            self._in_flight -= 1
        self._ended.append(_Ended(index, sent_s, min(firsts.values(), default=None), done_s, answer, status, receipt))
        self._progress.finished(status)

    async def _ask(self, client: RouterClient, request: RouteRequest, firsts: dict[int, float]) -> Answered:
        """Returns the answer; ``firsts`` gets leg -> when its first delta came, of the legs not taken back."""
        if not self._options.stream:
            return await client.route(request, timeout_s=self._options.deadline_s)
        async with aclosing(client.stream(request, timeout_s=self._options.deadline_s)) as events:
            answer = await self._read(events, firsts)
        if answer is None:
            raise RouteFailed("UNKNOWN", "", "the stream ended without an answer")
        return answer

    async def _read(self, events: AsyncIterator[Event], firsts: dict[int, float]) -> Answered | None:
        async for event in events:
            match event:
                case Delta():
                    firsts.setdefault(event.leg, self._now_s())
                case Superseded():
                    firsts.pop(event.leg, None)
                case Answered():
                    return event
                case _:
                    pass
        return None

    def _graded(self, ended: _Ended) -> CallRecord:
        case, answer = self._cases[ended.number % len(self._cases)], ended.answer
        return CallRecord(
            index=ended.number,
            case=case,
            intended_s=self._schedule[ended.number],
            sent_s=ended.sent_s,
            first_token_s=ended.first_token_s,
            done_s=ended.done_s,
            status=ended.status,
            answer=answer,
            receipt=ended.receipt,
            is_right=answer is not None and case.is_right(answer),
            is_from_its_tier=answer is None or case.is_from_its_tier(answer),
        )

    def _now_s(self) -> float:
        return time.perf_counter() - self._start_s


async def _cancel_on(stop: anyio.Event, scope: anyio.CancelScope) -> None:
    await stop.wait()
    scope.cancel()


def _number(ended: _Ended) -> int:
    return ended.number
