"""``RouteStream`` over a real socket, with a router that plays a script."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from specroute.core.deadline import DeadlinePolicy
from specroute.core.errors import ReaderStalled, StreamInterrupted
from specroute.core.outcome import Completion, Delivery, FinishReason
from specroute.core.stream import (
    Commit,
    CommitReason,
    Committed,
    Decided,
    Delivered,
    DeliveryMode,
    DeliveryWish,
    Delta,
    StreamEvent,
)
from specroute.edge.requests import RequestLimits
from specroute.edge.rpc import Border
from specroute.edge.server import RouterServer
from specroute.edge.servicer import SERVICE, RouterServicer
from specroute.engine.router import Arrival, Routed, Router
from specroute.guards.limits import InFlightLimit
from specroute.v1 import router_pb2 as pb
from tests.edge.test_replies import a_decision
from tests.fakes import RecordingTelemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from specroute.core.ports import EventSink
    from specroute.core.request import RouteRequest

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

STALL_S = 0.3
FLOOD = "x" * 100_000
COMMIT = Commit(0, "mini", CommitReason.VALIDATED, 0.1, 1)
EVENTS: tuple[StreamEvent, ...] = (Decided(a_decision()), Committed(0, "mini", CommitReason.VALIDATED), Delta(0, "Hi."))
HI = pb.RouteRequest(request_id="r-1", messages=[pb.Message(role="user", content="Hi")])


def routed(text: str = "Hi.") -> Routed:
    completion = Completion(text, (), FinishReason.STOP, "m")
    return Routed(Delivery(completion, text, "mini", "mini-0"), a_decision(commit=COMMIT))


class FakeRouter(Router):
    """Plays a story into the sink of each stream."""

    def __init__(self, story: Callable[[EventSink], Awaitable[Routed]]) -> None:
        self._story = story
        self.asked: list[tuple[RouteRequest, DeliveryWish]] = []

    async def stream(self, request: RouteRequest, _: Arrival, wish: DeliveryWish, sink: EventSink) -> Routed:
        self.asked.append((request, wish))
        return await self._story(sink)


@dataclass
class Served:
    """A server of a fake router, and all it tells of."""

    router: FakeRouter
    admission: InFlightLimit
    telemetry: RecordingTelemetry
    bugs: list[tuple[str, BaseException]]
    channel: grpc.aio.Channel = field(init=False)

    def start(self, data: bytes | None = None) -> grpc.aio.UnaryStreamCall[bytes, pb.RouteStreamResponse]:
        method: grpc.aio.UnaryStreamMultiCallable[bytes, pb.RouteStreamResponse] = self.channel.unary_stream(
            f"/{SERVICE}/RouteStream", response_deserializer=pb.RouteStreamResponse.FromString
        )
        return method(pb.RouteStreamRequest(request=HI).SerializeToString() if data is None else data, timeout=20)

    async def until_idle(self) -> None:
        with anyio.fail_after(5):
            while self.admission.in_flight:  # noqa: ASYNC110 - the guard is a pure state machine and has no event
                await anyio.sleep(0.001)


@asynccontextmanager
async def serving(story: Callable[[EventSink], Awaitable[Routed]], *, limit: int = 8) -> AsyncIterator[Served]:
    served = Served(FakeRouter(story), InFlightLimit(limit), RecordingTelemetry(), [])
    servicer = RouterServicer(
        served.router,
        served.admission,
        Border(served.telemetry, lambda identity, error: served.bugs.append((identity, error))),
        limits=RequestLimits(("mini", "large"), 1_000, 0.01),
        deadlines=DeadlinePolicy(60.0, 600.0, 0.02),
        write_stall_timeout_s=STALL_S,
    )
    server = RouterServer(servicer, lambda: served.admission.in_flight, max_prompt_bytes=1_000)
    port = await server.start("127.0.0.1", 0)
    # Without probing the window stays at 64 KiB, so that a reader that stops is soon felt.
    options = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.http2.bdp_probe", 0),
    ]
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as served.channel:
            yield served
    finally:
        await server.stop()


async def plays(sink: EventSink) -> Routed:
    for event in EVENTS:
        assert await sink.send(event)
    return routed()


async def floods(sink: EventSink) -> Routed:
    """Sends until there is no reader."""
    for event in EVENTS[:2]:
        assert await sink.send(event)
    while await sink.send(Delta(0, FLOOD)):
        pass
    raise ReaderStalled("the reader stalled", a_decision(), Delivered(0, "mini", 1, 3))


async def failure(call: grpc.aio.UnaryStreamCall[bytes, pb.RouteStreamResponse]) -> tuple[str, Status]:
    """Reads to the end and returns the code and the status."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _drain(call)
    trailers = dict(caught.value.trailing_metadata() or ())
    data = trailers.get("grpc-status-details-bin", b"")
    assert isinstance(data, bytes)
    return caught.value.code().name, Status.FromString(data)


async def _drain(call: grpc.aio.UnaryStreamCall[bytes, pb.RouteStreamResponse]) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


def reason_of(status: Status) -> str:
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    return str(info.reason)


async def test_every_event_arrives_in_order_and_the_whole_reply_last() -> None:
    async with serving(plays) as served:
        events = [event async for event in served.start()]

    assert [event.WhichOneof("event") for event in events] == ["decided", "committed", "delta", "completed"]
    assert events[2].delta.text == "Hi."
    assert events[3].completed.output.text == "Hi."
    assert events[3].completed.decision.commit.tier == "mini"
    ((request, wish),) = served.router.asked
    assert (request.request_id, wish) == ("r-1", DeliveryWish(DeliveryMode.COMMITTED))
    assert (served.admission.in_flight, served.bugs) == (0, [])


async def test_the_wish_reaches_the_router() -> None:
    message = pb.RouteStreamRequest(request=HI, hold_back=pb.HoldBackDelivery(tokens=8))
    async with serving(plays) as served:
        assert [event async for event in served.start(message.SerializeToString())]

    assert served.router.asked[0][1] == DeliveryWish(DeliveryMode.HOLD_BACK, hold_tokens=8)


async def test_a_stream_that_breaks_off_ends_with_its_status() -> None:
    async def breaks(sink: EventSink) -> Routed:
        for event in EVENTS:
            assert await sink.send(event)
        raise StreamInterrupted("the upstream failed", a_decision(), Delivered(0, "mini", 1, 3))

    async with serving(breaks) as served:
        code, status = await failure(served.start())

    partial = pb.PartialDelivery()
    assert (code, reason_of(status)) == ("UNAVAILABLE", "STREAM_INTERRUPTED")
    assert status.details[-1].Unpack(partial)
    assert (partial.tier, partial.output_bytes) == ("mini", 3)
    assert (served.telemetry.refusals, served.bugs) == ([], [])


async def test_a_bug_in_the_middle_of_a_stream_is_internal() -> None:
    async def trips(sink: EventSink) -> Routed:
        assert await sink.send(EVENTS[0])
        raise ValueError("a secret")

    async with serving(trips) as served:
        code, status = await failure(served.start())

    assert (code, reason_of(status)) == ("INTERNAL", "INTERNAL")
    assert "secret" not in status.message
    assert [identity for identity, _ in served.bugs] == ["r-1"]


@pytest.mark.parametrize(
    ("data", "field_"),
    [
        (b"", "request"),
        (b"\xff\xff\xff", ""),
        (
            pb.RouteStreamRequest(request=HI, hold_back=pb.HoldBackDelivery()).SerializeToString(),
            "hold_back.tokens",
        ),
        (
            pb.RouteStreamRequest(
                request=pb.RouteRequest(messages=[pb.Message(role="user", content="")])
            ).SerializeToString(),
            "request.messages[0].content",
        ),
        (b"\x0a\x08\x12\x06\x12\x04caf\xe9", "request.messages[0].content"),
    ],
)
async def test_a_bad_request_is_refused_with_its_field(data: bytes, field_: str) -> None:
    async with serving(plays) as served:
        code, status = await failure(served.start(data))

    bad = BadRequest()
    assert (code, reason_of(status)) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert any(detail.Unpack(bad) for detail in status.details)
    assert bad.field_violations[0].field == field_
    assert (served.router.asked, served.telemetry.refusals) == ([], ["invalid_request"])


async def test_a_stream_beyond_the_limit_is_shed() -> None:
    async with serving(floods, limit=1) as served:
        running = served.start()
        assert await running.read()
        code, status = await failure(served.start())
        running.cancel()
        await served.until_idle()

    assert (code, reason_of(status)) == ("RESOURCE_EXHAUSTED", "OVERLOADED")


async def test_a_reader_that_stalls_frees_its_place_at_once_and_is_told_when_it_reads_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handlers: set[asyncio.Task[object]] = set()

    async def floods_and_is_seen(sink: EventSink) -> Routed:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        return await floods(sink)

    async with serving(floods_and_is_seen) as served:
        tasks = len(asyncio.all_tasks())
        call = served.start()
        assert await call.read()
        await served.until_idle()
        await asyncio.wait(handlers, timeout=5)
        assert all(task.done() for task in handlers)

        code, status = await failure(call)
        assert (code, reason_of(status)) == ("ABORTED", "READER_STALLED")
        with anyio.fail_after(5):
            while len(asyncio.all_tasks()) > tasks:  # noqa: ASYNC110 - grpc's own tasks end as they like
                await anyio.sleep(0.001)

    assert served.bugs == []
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_reader_that_stalls_at_the_last_event_is_told_what_it_was_sent() -> None:
    text = FLOOD * 20

    async def ends_with_a_flood(sink: EventSink) -> Routed:
        assert await sink.send(EVENTS[0])
        return routed(text)

    async with serving(ends_with_a_flood) as served:
        call = served.start()
        assert await call.read()
        await served.until_idle()
        code, status = await failure(call)

    partial = pb.PartialDelivery()
    assert (code, reason_of(status)) == ("ABORTED", "READER_STALLED")
    assert status.details[-1].Unpack(partial)
    assert partial.output_bytes == len(text)
    assert served.bugs == []


async def test_a_client_that_goes_while_it_is_written_to_is_a_cancellation_and_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str] = []

    async def watches(sink: EventSink) -> Routed:
        try:
            return await floods(sink)
        except BaseException as error:
            seen.append(type(error).__name__)
            raise

    async with serving(watches) as served:
        for number in range(20):
            call = served.start()
            for _ in range(1 + number % 5):
                assert await call.read()
            call.cancel()
        await served.until_idle()

    assert seen == ["CancelledError"] * 20
    assert (served.telemetry.refusals, served.bugs) == ([], [])
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
