"""The OpenAI-compatible upstream over real sockets: what a caller gets, and what the endpoint sees of it."""

import asyncio
import gzip
import random
import time
from collections.abc import AsyncIterator, Iterable, Iterator

import anyio
import pytest

from specroute.core.errors import UpstreamError
from specroute.core.outcome import Chunk, FinishReason, Usage
from specroute.core.request import Message, Role, RouteRequest
from specroute.upstreams.openai_http import Endpoint, OpenAIHttpUpstream, Secret
from specroute.upstreams.transport import AiohttpTransport
from tests.integration.scripted_upstream import (
    DONE_EVENT,
    LAST_CHUNK,
    STREAM_HEAD,
    Do,
    Ended,
    ScriptedUpstream,
    SeenRequest,
    Send,
    Step,
    finish_event,
    http_chunk,
    text_event,
    usage_event,
    whole_answer,
)

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

SOON_S = 5.0
AT_ONCE_S = 0.25
REQUEST = RouteRequest("req-1", (Message(Role.USER, "hello"),))


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport(linger_s=0.05)
    yield transport
    await transport.aclose()


def calling(endpoint: ScriptedUpstream, transport: AiohttpTransport) -> OpenAIHttpUpstream:
    return OpenAIHttpUpstream(Endpoint("mini-0", endpoint.base_url, "m-1", Secret("sk-secret")), transport)


async def text_of(upstream: OpenAIHttpUpstream, request: RouteRequest = REQUEST) -> str:
    return "".join([chunk.text async for chunk in upstream.stream(request)])


async def failure_of(upstream: OpenAIHttpUpstream) -> UpstreamError:
    with anyio.fail_after(SOON_S), pytest.raises(UpstreamError) as caught:
        await text_of(upstream)
    assert "sk-secret" not in f"{caught.value!r} {caught.value.detail}"
    return caught.value


async def test_an_answer_comes_through_and_its_connection_serves_the_next_call(transport: AiohttpTransport) -> None:
    async with ScriptedUpstream(lambda _: [Send(whole_answer("hi"))]) as endpoint:
        upstream = calling(endpoint, transport)
        with anyio.fail_after(SOON_S):
            for _ in range(3):
                chunks = [chunk async for chunk in upstream.stream(REQUEST)]
                assert chunks == [Chunk("hi", finish_reason=FinishReason.STOP, usage=Usage(3, 0, 2), model="m-1")]
        assert len(endpoint.connections) == 1
        assert {request.headers["x-request-id"] for request in endpoint.requests} == {"req-1"}
    assert transport.acquired_connections == 0


async def test_the_answer_is_over_at_its_done_also_when_the_body_never_ends(transport: AiohttpTransport) -> None:
    events = http_chunk(text_event("hi") + finish_event() + DONE_EVENT)
    async with ScriptedUpstream(lambda _: [Send(STREAM_HEAD + events), Do.HANG]) as endpoint:
        with anyio.fail_after(SOON_S):
            assert await text_of(calling(endpoint, transport)) == "hi"
            await endpoint.connections[0].ended.wait()
        assert endpoint.connections[0].how is Ended.PEER_RST
    assert transport.acquired_connections == 0


@pytest.mark.parametrize("end", [Do.RST, Do.FIN])
async def test_a_connection_that_breaks_after_done_was_a_success(transport: AiohttpTransport, end: Do) -> None:
    broken: Iterator[Iterable[Step]] = iter(
        [
            [Send(STREAM_HEAD + http_chunk(text_event("hi") + finish_event())), Send(http_chunk(DONE_EVENT)), end],
            [Send(whole_answer("next"))],
        ]
    )
    async with ScriptedUpstream(lambda _: next(broken)) as endpoint:
        upstream = calling(endpoint, transport)
        with anyio.fail_after(SOON_S):
            async for chunk in upstream.stream(REQUEST):
                assert chunk.text in ("hi", "")
            assert await text_of(upstream) == "next"


@pytest.mark.parametrize(
    ("window", "way"),
    [
        ("before the first byte", "cancel"),
        ("after the head", "cancel"),
        ("in mid-stream", "cancel"),
        ("in mid-stream", "aclose"),  # a generator can be closed from outside only between two chunks
    ],
)
async def test_going_away_resets_the_endpoints_connection_at_once(
    transport: AiohttpTransport, window: str, way: str
) -> None:
    sent: dict[str, list[Step]] = {
        "before the first byte": [],
        "after the head": [Send(STREAM_HEAD)],
        "in mid-stream": [Send(STREAM_HEAD + http_chunk(text_event("half")))],
    }
    async with ScriptedUpstream(lambda _: [*sent[window], Do.HANG]) as endpoint:
        answer = calling(endpoint, transport).stream(REQUEST)
        came = asyncio.Event()

        async def reader() -> None:
            async for _ in answer:
                came.set()
                if way == "aclose":
                    return

        with anyio.fail_after(SOON_S):
            async with anyio.create_task_group() as group:
                group.start_soon(reader)
                await endpoint.wait_for_requests(1)
                if window == "in mid-stream":
                    await came.wait()
                gone_at_s = time.monotonic()
                if way == "cancel":
                    group.cancel_scope.cancel()
                else:
                    await answer.aclose()
            seen = endpoint.connections[0]
            await seen.ended.wait()
        assert seen.how is Ended.PEER_RST
        assert seen.ended_at_s is not None
        assert seen.ended_at_s - gone_at_s < AT_ONCE_S
    assert transport.acquired_connections == 0


@pytest.mark.parametrize(
    ("steps", "reason", "before_first_byte"),
    [
        ([Do.RST], "reset", True),
        ([Do.FIN], "reset", True),
        ([Send(STREAM_HEAD), Do.RST], "reset", False),
        ([Send(STREAM_HEAD + http_chunk(text_event("half"))), Do.RST], "reset", False),
        ([Send(STREAM_HEAD + b"400\r\ndata: {"), Do.FIN], "reset", False),
        ([Send(STREAM_HEAD + http_chunk(text_event("half")) + LAST_CHUNK)], "stream_ended_early", False),
        ([Send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), Do.FIN], "garbage", False),
        ([Send(STREAM_HEAD + b"zz\r\n"), Do.HANG], "garbage", False),
        ([Send(b"HTTP/1.1 307 X\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n")], "redirect", False),
        ([Send(b"HTTP/1.1 429 X\r\nContent-Length: 2\r\n\r\n{}")], "http_429", False),
    ],
    ids=[
        *("rst-after-accept", "fin-after-accept", "rst-after-head", "rst-in-mid-stream", "fin-in-chunk"),
        *("no-finish", "not-http", "bad-chunk", "redirect", "status"),
    ],
)
async def test_a_failing_endpoint_gives_one_typed_error_and_no_dirty_connection(
    transport: AiohttpTransport, steps: list[Step], reason: str, before_first_byte: bool
) -> None:
    scripts: Iterator[Iterable[Step]] = iter([steps, [Send(whole_answer("next"))]])
    async with ScriptedUpstream(lambda _: next(scripts)) as endpoint:
        upstream = calling(endpoint, transport)
        error = await failure_of(upstream)
        assert (error.reason, error.before_first_byte) == (reason, before_first_byte)
        assert transport.acquired_connections == 0
        with anyio.fail_after(SOON_S):
            assert await text_of(upstream) == "next"


async def test_an_endpoint_that_is_not_there_is_a_connect_error(transport: AiohttpTransport) -> None:
    async with ScriptedUpstream(lambda _: []) as endpoint:
        pass
    error = await failure_of(calling(endpoint, transport))
    assert (error.reason, error.before_first_byte) == ("connect", True)
    assert error.detail == "ConnectError: ClientConnectorError ECONNREFUSED"


async def test_a_gzip_bomb_is_cut_at_the_bound(transport: AiohttpTransport) -> None:
    bomb = gzip.compress(b": ping\n\n" * (8 << 20), 1)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    async with ScriptedUpstream(lambda _: [Send(head % len(bomb) + bomb), Do.HANG]) as endpoint:
        error = await failure_of(calling(endpoint, transport))
        assert error.reason == "too_large"
        with anyio.fail_after(SOON_S):
            await endpoint.connections[0].ended.wait()
        assert endpoint.connections[0].how is Ended.PEER_RST
    assert transport.acquired_connections == 0


class TestManyCancels:
    """The nonce of a request comes back in every piece of its answer; a piece of another's answer would show."""

    CALLERS = 40
    CALLS_EACH = 50

    @staticmethod
    def script(request: SeenRequest) -> list[Step]:
        nonce = request.headers["x-request-id"]
        assert nonce.encode() in request.body
        piece: list[Step] = [Do.TICK, Send(http_chunk(text_event(f"<{nonce}>")))]
        end = Send(http_chunk(finish_event() + usage_event() + DONE_EVENT))
        return [Send(STREAM_HEAD), *piece * 4, end, Do.TICK, Send(LAST_CHUNK)]

    @staticmethod
    async def call(upstream: OpenAIHttpUpstream, nonce: str, patience_ticks: int | None = None) -> bool:
        """Returns whether the whole answer came before the patience was over."""
        text = ""
        async with anyio.create_task_group() as leg:
            if patience_ticks is not None:
                leg.start_soon(cancel_after, leg.cancel_scope, patience_ticks)
            async for chunk in upstream.stream(RouteRequest(nonce, (Message(Role.USER, nonce),))):
                text += chunk.text
                assert text == f"<{nonce}>" * (len(text) // (len(nonce) + 2))
            leg.cancel_scope.cancel()
        return text == f"<{nonce}>" * 4

    async def test_two_thousand_cancelled_calls_mix_nothing_up_and_leave_nothing(
        self, transport: AiohttpTransport
    ) -> None:
        rng = random.Random(7)
        whole: list[bool] = []

        async def caller(name: int) -> None:
            for number in range(self.CALLS_EACH):
                patience = rng.randrange(40) if rng.random() < 0.6 else None
                whole.append(await self.call(upstream, f"n-{name}-{number}-{rng.getrandbits(40):x}", patience))

        tasks_before = len(asyncio.all_tasks())
        async with ScriptedUpstream(self.script) as endpoint:
            upstream = calling(endpoint, transport)
            with anyio.fail_after(60):
                async with anyio.create_task_group() as callers:
                    for name in range(self.CALLERS):
                        callers.start_soon(caller, name)
            assert len(whole) == self.CALLERS * self.CALLS_EACH
            assert len(whole) / 10 < sum(whole) < len(whole) * 9 / 10
            with anyio.fail_after(SOON_S):
                assert all([await self.call(upstream, f"probe-{number}") for number in range(40)])
                while transport.acquired_connections:  # noqa: ASYNC110 - lingering connections settle tick by tick
                    await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) <= tasks_before


async def cancel_after(scope: anyio.CancelScope, ticks: int) -> None:
    for _ in range(ticks):
        await asyncio.sleep(0)
    scope.cancel()
