"""The transport over real sockets, seen from the upstream's side: who closes, when, how, and what the pool keeps."""

import asyncio
import gzip
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack

import anyio
import httpx
import pytest

from specroute.upstreams.transport import AiohttpStream, AiohttpTransport
from tests.integration.scripted_upstream import (
    LAST_CHUNK,
    STREAM_HEAD,
    Do,
    Ended,
    ScriptedUpstream,
    SeenRequest,
    Send,
    Step,
    WaitFor,
    http_chunk,
)

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

SOON_S = 5.0
AT_ONCE_S = 0.25  # generous for a busy machine: it takes a fraction of a millisecond on an idle one
OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport(linger_s=0.05)
    yield transport
    await transport.aclose()
    assert transport.acquired_connections == 0


def a_request(upstream: ScriptedUpstream, body: bytes = b"{}", **headers: str) -> httpx.Request:
    return httpx.Request("POST", f"{upstream.base_url}/x", content=body, headers=headers)


def the_stream(response: httpx.Response) -> AiohttpStream:
    assert isinstance(response.stream, AiohttpStream)
    return response.stream


async def read_all(transport: AiohttpTransport, request: httpx.Request) -> bytes:
    response = await transport.handle_async_request(request)
    return b"".join([data async for data in the_stream(response)])


async def becomes_true(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(SOON_S):
        while not condition():  # noqa: ASYNC110 - nothing signals what is awaited, so one tick of the loop at a time
            await asyncio.sleep(0)


async def nothing_acquired(transport: AiohttpTransport) -> None:
    await becomes_true(lambda: transport.acquired_connections == 0)


async def test_a_cancel_before_the_first_byte_resets_the_connection_at_once(transport: AiohttpTransport) -> None:
    async with ScriptedUpstream(lambda _: [Do.HANG]) as upstream:
        with anyio.fail_after(SOON_S):
            async with anyio.create_task_group() as group:
                group.start_soon(transport.handle_async_request, a_request(upstream))
                await upstream.wait_for_requests(1)
                cancelled_at_s = time.monotonic()
                group.cancel_scope.cancel()
            seen = upstream.connections[0]
            await seen.ended.wait()
        assert seen.how is Ended.PEER_RST
        assert seen.ended_at_s is not None
        assert seen.ended_at_s - cancelled_at_s < AT_ONCE_S
        assert transport.acquired_connections == 0


async def test_a_cancel_in_mid_stream_resets_the_connection_at_once(transport: AiohttpTransport) -> None:
    async with ScriptedUpstream(lambda _: [Send(STREAM_HEAD + http_chunk(b"first")), Do.HANG]) as upstream:
        read = asyncio.Event()

        async def reader() -> None:
            response = await transport.handle_async_request(a_request(upstream))
            async for data in the_stream(response):
                assert data == b"first"
                read.set()

        with anyio.fail_after(SOON_S):
            async with anyio.create_task_group() as group:
                group.start_soon(reader)
                await read.wait()
                cancelled_at_s = time.monotonic()
                group.cancel_scope.cancel()
            seen = upstream.connections[0]
            await seen.ended.wait()
        assert seen.how is Ended.PEER_RST
        assert seen.ended_at_s is not None
        assert seen.ended_at_s - cancelled_at_s < AT_ONCE_S
        assert transport.acquired_connections == 0


async def test_a_body_read_to_its_end_leaves_its_connection_for_the_next_request(transport: AiohttpTransport) -> None:
    async with ScriptedUpstream(lambda _: [Send(OK_HEAD + b"ok")]) as upstream:
        with anyio.fail_after(SOON_S):
            assert [await read_all(transport, a_request(upstream)) for _ in range(3)] == [b"ok"] * 3
        assert len(upstream.connections) == 1
        assert upstream.connections[0].how is None
        assert transport.acquired_connections == 0


async def test_closing_after_the_end_leaves_the_connection_in_the_pool(transport: AiohttpTransport) -> None:
    async with ScriptedUpstream(lambda _: [Send(OK_HEAD + b"ok")]) as upstream:
        with anyio.fail_after(SOON_S):
            for _ in range(2):
                response = await transport.handle_async_request(a_request(upstream))
                stream = the_stream(response)
                assert [data async for data in stream] == [b"ok"]
                stream.abort()
                await stream.aclose()
        assert len(upstream.connections) == 1


async def test_a_finished_stream_goes_back_to_the_pool_when_its_last_chunk_comes_a_little_later(
    transport: AiohttpTransport,
) -> None:
    last_chunk = asyncio.Event()

    def script(_: SeenRequest) -> list[Step]:
        return [Send(STREAM_HEAD + http_chunk(b"all that matters")), WaitFor(last_chunk), Send(LAST_CHUNK)]

    async with ScriptedUpstream(script) as upstream:
        with anyio.fail_after(SOON_S):
            response = await transport.handle_async_request(a_request(upstream))
            stream = the_stream(response)
            assert await anext(stream) == b"all that matters"
            stream.finish()
            await stream.aclose()
            assert transport.acquired_connections == 1
            last_chunk.set()
            await nothing_acquired(transport)
            assert await read_all(transport, a_request(upstream)) == b"all that matters"
        assert len(upstream.connections) == 1


async def test_a_finished_stream_without_its_last_chunk_is_reset_after_the_linger_time(
    transport: AiohttpTransport,
) -> None:
    script: list[Step] = [Send(STREAM_HEAD + http_chunk(b"all that matters")), Do.HANG]
    async with ScriptedUpstream(lambda _: script) as upstream:
        with anyio.fail_after(SOON_S):
            response = await transport.handle_async_request(a_request(upstream))
            stream = the_stream(response)
            assert await anext(stream) == b"all that matters"
            stream.finish()
            await upstream.connections[0].ended.wait()
        assert upstream.connections[0].how is Ended.PEER_RST
        assert transport.acquired_connections == 0


async def test_an_upstream_that_answers_without_taking_the_request_body_does_not_keep_the_connection(
    transport: AiohttpTransport,
) -> None:
    tasks_before = asyncio.all_tasks()
    steps: list[Step] = [Do.STOP_READING, Send(OK_HEAD + b"ok")]
    async with ScriptedUpstream(lambda _: steps) as upstream:
        request = a_request(upstream, bytes(16 << 20), **{"x-answer-early": "1"})
        with anyio.fail_after(SOON_S):
            assert await read_all(transport, request) == b"ok"
        assert transport.acquired_connections == 0
    await becomes_true(lambda: asyncio.all_tasks() <= tasks_before)


async def test_a_cancel_while_the_request_body_is_stuck_closes_at_once(transport: AiohttpTransport) -> None:
    async with ScriptedUpstream(lambda _: [Do.STOP_READING, Do.HANG]) as upstream:
        request = a_request(upstream, bytes(16 << 20), **{"x-answer-early": "1"})
        with anyio.fail_after(SOON_S):
            async with anyio.create_task_group() as group:
                group.start_soon(transport.handle_async_request, request)
                await upstream.wait_for_requests(1)
                group.cancel_scope.cancel()
        assert transport.acquired_connections == 0


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([Do.RST], httpx.ReadError),
        ([Do.FIN], httpx.ReadError),
        ([Send(b"HTTP/1.1 200 OK\r\nContent-Le"), Do.FIN], httpx.RemoteProtocolError),
        ([Send(b"220 mail.example ESMTP\r\n\r\n"), Do.HANG], httpx.RemoteProtocolError),
        ([Send(STREAM_HEAD), Do.RST], httpx.ReadError),
        ([Send(STREAM_HEAD), Do.FIN], httpx.ReadError),
        ([Send(STREAM_HEAD + b"10\r\nhalf"), Do.RST], httpx.ReadError),
        ([Send(STREAM_HEAD + b"10\r\nhalf"), Do.FIN], httpx.ReadError),
        ([Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), Do.FIN], httpx.ReadError),
        (
            [Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")],
            httpx.RemoteProtocolError,
        ),
        (
            [Send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain"), Do.HANG],
            httpx.DecodingError,
        ),
    ],
    ids=[
        *("rst-after-accept", "fin-after-accept", "fin-in-head", "not-http", "rst-after-head", "fin-after-head"),
        *("rst-in-chunk", "fin-in-chunk", "short-length", "length-and-chunks", "plain-called-gzip"),
    ],
)
async def test_what_an_upstream_breaks_becomes_an_error_and_the_connection_is_not_used_again(
    transport: AiohttpTransport, steps: list[Step], expected: type[httpx.HTTPError]
) -> None:
    scripts: Iterator[Iterable[Step]] = iter([steps, [Send(OK_HEAD + b"ok")]])
    async with ScriptedUpstream(lambda _: next(scripts)) as upstream:
        with anyio.fail_after(SOON_S):
            with pytest.raises(expected) as caught:
                await read_all(transport, a_request(upstream))
            assert type(caught.value) is expected
            assert await read_all(transport, a_request(upstream)) == b"ok"
        assert len(upstream.connections) == 2
        assert transport.acquired_connections == 0


async def test_a_bad_chunk_size_ends_the_read_instead_of_hanging_it(transport: AiohttpTransport) -> None:
    bad_size = asyncio.Event()

    def script(_: SeenRequest) -> list[Step]:
        return [Send(STREAM_HEAD + http_chunk(b"good")), WaitFor(bad_size), Send(b"zz\r\nbad"), Do.HANG]

    async with ScriptedUpstream(script) as upstream:
        with anyio.fail_after(SOON_S):
            response = await transport.handle_async_request(a_request(upstream))
            stream = the_stream(response)
            assert await anext(stream) == b"good"
            bad_size.set()
            with pytest.raises(httpx.RemoteProtocolError):
                await anext(stream)
        assert transport.acquired_connections == 0


async def test_a_refused_connection_is_a_connect_error_that_names_no_header(transport: AiohttpTransport) -> None:
    async with ScriptedUpstream(lambda _: []) as upstream:
        pass
    with pytest.raises(httpx.ConnectError) as caught:
        await transport.handle_async_request(a_request(upstream, authorization="Bearer sk-secret"))
    assert str(caught.value) == "ClientConnectorError ECONNREFUSED"
    assert caught.value.__cause__ is None


async def test_the_connect_timeout_of_a_request_fires(transport: AiohttpTransport) -> None:
    # Nobody accepts, and the queue of the listener is full: the next handshake gets no answer.
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        for _ in range(4):
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        request = httpx.Request("POST", f"http://127.0.0.1:{address[1]}/", extensions={"timeout": {"connect": 0.05}})
        with anyio.fail_after(SOON_S), pytest.raises(httpx.ConnectTimeout):
            await transport.handle_async_request(request)
    assert transport.acquired_connections == 0


async def test_a_redirect_is_handed_back_and_not_followed(transport: AiohttpTransport) -> None:
    def script(request: SeenRequest) -> list[Step]:
        return [Send(b"HTTP/1.1 307 X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")]

    async with ScriptedUpstream(script) as upstream:
        with anyio.fail_after(SOON_S):
            response = await transport.handle_async_request(a_request(upstream))
        assert response.status_code == 307
        await the_stream(response).aclose()
        assert [request.path for request in upstream.requests] == ["/v1/x"]


async def test_cookies_are_not_kept(transport: AiohttpTransport) -> None:
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\nok"
    async with ScriptedUpstream(lambda _: [Send(head)]) as upstream:
        with anyio.fail_after(SOON_S):
            for _ in range(2):
                await read_all(transport, a_request(upstream))
        assert all("cookie" not in request.headers for request in upstream.requests)


async def test_proxy_variables_of_the_environment_are_ignored(
    transport: AiohttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with ScriptedUpstream(lambda _: [Send(OK_HEAD + b"ok")]) as upstream:
        with anyio.fail_after(SOON_S):
            assert await read_all(transport, a_request(upstream)) == b"ok"
        assert upstream.requests[0].path == "/v1/x"


async def test_a_compressed_body_comes_out_plain_in_bounded_reads_and_without_the_header(
    transport: AiohttpTransport,
) -> None:
    packed = gzip.compress(bytes(32 << 20))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with ScriptedUpstream(lambda _: [Send(head + packed), Do.HANG]) as upstream:
        with anyio.fail_after(SOON_S):
            response = await transport.handle_async_request(a_request(upstream))
            assert "content-encoding" not in response.headers
            assert "content-length" not in response.headers
            stream = the_stream(response)
            reads = [len(await anext(stream)) for _ in range(8)]
            stream.abort()
        assert max(reads) <= 1 << 20


async def test_a_cancellation_let_out_by_the_library_is_an_error(transport: AiohttpTransport) -> None:
    async with ScriptedUpstream(lambda _: [Do.HANG]) as upstream:
        with anyio.fail_after(SOON_S):
            call = asyncio.create_task(transport.handle_async_request(a_request(upstream)))
            await upstream.wait_for_requests(1)
            inner = call._fut_waiter  # type: ignore[attr-defined] # what the library waits for; nobody cancels the task
            inner.cancel()
            with pytest.raises(httpx.ReadError, match="cancelled by the HTTP library"):
                await call
        await upstream.connections[0].ended.wait()
    assert transport.acquired_connections == 0


async def test_a_closed_transport_refuses_requests() -> None:
    transport = AiohttpTransport()
    await transport.start()
    await transport.aclose()
    with pytest.raises(httpx.ConnectError, match="closed"):
        await transport.handle_async_request(httpx.Request("GET", "http://127.0.0.1:9/"))


class TestManyCancels:
    """Each answer carries the nonce of its request in head and body: an answer that reaches another is seen."""

    CALLS = 2_000
    AT_ONCE = 40
    PROBES = 40

    @staticmethod
    def script(request: SeenRequest) -> list[Step]:
        nonce = request.headers["x-nonce"].encode()
        head = b"HTTP/1.1 200 OK\r\nX-Nonce: " + nonce + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert request.body == nonce
        piece: list[Step] = [Do.TICK, Send(http_chunk(nonce + b";"))]
        return [Send(head), *piece * 5, Do.TICK, Send(LAST_CHUNK)]

    async def call(self, transport: AiohttpTransport, upstream: ScriptedUpstream, nonce: str) -> None:
        response = await transport.handle_async_request(a_request(upstream, nonce.encode(), **{"x-nonce": nonce}))
        stream = the_stream(response)
        try:
            assert response.headers["x-nonce"] == nonce
            body = b"".join([data async for data in stream])
            assert body == f"{nonce};".encode() * 5
        finally:
            await stream.aclose()

    async def check_afterwards(self, transport: AiohttpTransport, upstream: ScriptedUpstream) -> None:
        with anyio.fail_after(SOON_S):
            await nothing_acquired(transport)
            async with anyio.create_task_group() as group:
                for number in range(self.PROBES):
                    group.start_soon(self.call, transport, upstream, f"probe-{number}")
            await nothing_acquired(transport)

    @pytest.mark.parametrize("cancels", [1, 2], ids=["cancelled once", "cancelled twice in adjacent ticks"])
    async def test_no_answer_is_mixed_up_and_nothing_is_left(self, transport: AiohttpTransport, cancels: int) -> None:
        rng = random.Random(cancels)
        outcomes = {"done": 0, "cancelled": 0}
        tasks_before = len(asyncio.all_tasks())
        async with ScriptedUpstream(self.script) as upstream:
            with anyio.fail_after(60):
                pending: set[asyncio.Task[None]] = set()
                for number in range(self.CALLS):
                    task = asyncio.create_task(self.call(transport, upstream, f"{number}-{rng.getrandbits(64):x}"))
                    pending.add(task)
                    if rng.random() < 0.5:
                        asyncio.create_task(cancel_after(task, rng.randrange(12), cancels)).add_done_callback(
                            lambda done: done.result()
                        )
                    if len(pending) >= self.AT_ONCE:
                        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                        count(outcomes, done)
                done, _ = await asyncio.wait(pending)
                count(outcomes, done)
            await self.check_afterwards(transport, upstream)
            assert outcomes["done"] + outcomes["cancelled"] == self.CALLS
            assert min(outcomes.values()) > self.CALLS / 10
        await becomes_true(lambda: len(asyncio.all_tasks()) <= tasks_before)


async def cancel_after(task: "asyncio.Task[None]", ticks: int, cancels: int) -> None:
    for _ in range(ticks):
        await asyncio.sleep(0)
    for _ in range(cancels):
        task.cancel()
        await asyncio.sleep(0)


def count(outcomes: dict[str, int], done: "set[asyncio.Task[None]]") -> None:
    for task in done:
        if task.cancelled():
            outcomes["cancelled"] += 1
        else:
            task.result()
            outcomes["done"] += 1
