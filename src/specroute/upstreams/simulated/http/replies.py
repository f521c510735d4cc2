"""Writes one reply over a connection: an answer at its pace, an error, or a fault."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from aiohttp import web

from specroute.upstreams.simulated.http.faults import Fault, FaultKind
from specroute.upstreams.simulated.http.frames import event

if TYPE_CHECKING:
    from specroute.upstreams.simulated.http.frames import AnswerFrames
    from specroute.upstreams.simulated.http.request_log import Exchange
    from specroute.upstreams.simulated.http.wire import ApiError
    from specroute.upstreams.simulated.profile import Pace

WRITES_PER_YIELD = 16
"""Without delays the loop still runs now and then, so that a client that left is noticed."""

GARBAGE = b"<html><body><h1>Bad gateway</h1>\xff\xfe</body></html>"

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to send, and how. ``fault`` is one that strikes in the middle of it."""

    frames: AnswerFrames
    pace: Pace
    stream: bool
    fault: Fault | None = None

    @property
    def whole_s(self) -> float:
        """Seconds from the request to the last token."""
        return self.pace.ttft_s + self.frames.answer.output_tokens * self.pace.per_token_s


async def send_error(request: web.Request, exchange: Exchange, error: ApiError) -> web.StreamResponse:
    """Sends an error body; a simulated fault counts as closed by the fault."""
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return await _send_body(request, exchange, error.body(), status=error.status, headers=headers)


async def send_fault(request: web.Request, exchange: Exchange, fault: Fault, *, stream: bool) -> web.StreamResponse:
    """Sends, or withholds, what a fault that strikes before the answer looks like."""
    match fault.kind:
        case FaultKind.HANG:
            await _wait_for_the_client_to_leave()
        case FaultKind.RESET:
            _reset(request, exchange)
        case FaultKind.GARBAGE:
            body, kind = (event(GARBAGE), "text/event-stream") if stream else (GARBAGE, "application/json")
            return await _send_body(request, exchange, body, content_type=kind)
    return await send_error(request, exchange, fault.error())


async def send_answer(request: web.Request, exchange: Exchange, reply: Reply) -> web.StreamResponse:
    """Sends an answer at its pace, streamed or whole, up to its fault where it has one."""
    if reply.stream:
        return await _send_streamed(request, exchange, reply)
    await _until(exchange.start_s + reply.whole_s)
    body = reply.frames.whole()
    if reply.fault is None:
        exchange.output_tokens = reply.frames.answer.output_tokens
        exchange.finish_reason = reply.frames.answer.finish_reason.value
        return await _send_body(request, exchange, body)
    if reply.fault.kind is FaultKind.MID_STREAM_ERROR:
        return await send_error(request, exchange, reply.fault.error())
    half = body[: len(body) // 2]
    if reply.fault.kind is FaultKind.EARLY_END:
        return await _send_body(request, exchange, half)
    response = await _begin(request, exchange, content_type="application/json", length=len(body))
    await response.write(half)
    return await _break_off(request, exchange, reply.fault)


async def _send_streamed(request: web.Request, exchange: Exchange, reply: Reply) -> web.StreamResponse:
    deltas = reply.frames.deltas()
    if reply.fault is not None:
        deltas = deltas[: (len(deltas) + 1) // 2]
    first_token_at_s = exchange.start_s + reply.pace.ttft_s
    await _until(first_token_at_s)
    response = await _begin(request, exchange, content_type="text/event-stream")
    await response.write(reply.frames.role())
    for index, delta in enumerate(deltas):
        # A delta leaves when its first token is there: the first at once, the others at the pace of the tokens before.
        await _until(first_token_at_s + exchange.output_tokens * reply.pace.per_token_s, index)
        await response.write(delta.frame)
        exchange.output_tokens = delta.tokens_sent
    if reply.fault is not None and reply.fault.kind in (FaultKind.CUT, FaultKind.STALL):
        return await _break_off(request, exchange, reply.fault)
    if reply.fault is None:
        await _until(exchange.start_s + reply.whole_s)
        exchange.finish_reason = reply.frames.answer.finish_reason.value
        for frame in reply.frames.finish():
            await response.write(frame)
    elif reply.fault.kind is FaultKind.MID_STREAM_ERROR:
        await response.write(event(reply.fault.error().body()))
    return await _end(response, exchange)


async def _send_body(
    request: web.Request,
    exchange: Exchange,
    body: bytes,
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> web.StreamResponse:
    response = web.Response(body=body, status=status, content_type=content_type, headers=headers)
    if exchange.request_id:
        response.headers["x-request-id"] = exchange.request_id
    exchange.sending(status)
    await response.prepare(request)
    return await _end(response, exchange)


async def _begin(
    request: web.Request, exchange: Exchange, *, content_type: str, length: int | None = None
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": content_type, "Cache-Control": "no-cache"})
    response.content_length = length
    if exchange.request_id:
        response.headers["x-request-id"] = exchange.request_id
    exchange.sending(200)
    await response.prepare(request)
    return response


async def _end(response: web.StreamResponse, exchange: Exchange) -> web.StreamResponse:
    # Written here and not by the framework after the handler, so that "finished" is noted after the last byte.
    await response.write_eof()
    exchange.end("fault" if exchange.fault else "server", finished=True)
    return response


async def _break_off(request: web.Request, exchange: Exchange, fault: Fault) -> NoReturn:
    if fault.kind is FaultKind.STALL:
        await _wait_for_the_client_to_leave()
    if request.transport is not None:
        request.transport.close()
    exchange.end("fault")
    raise ConnectionResetError("cut off by a simulated fault")


def _reset(request: web.Request, exchange: Exchange) -> NoReturn:
    if request.transport is not None:
        # Closing a socket that lingers for 0 s sends RST in place of FIN.
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        request.transport.abort()
    exchange.end("fault")
    raise ConnectionResetError("reset by a simulated fault")


async def _wait_for_the_client_to_leave() -> NoReturn:
    await asyncio.get_running_loop().create_future()
    raise AssertionError("only a cancel ends this wait")


async def _until(instant_s: float, index: int = 1) -> None:
    delay_s = instant_s - time.monotonic()
    if delay_s > 0:
        await asyncio.sleep(delay_s)
    elif index % WRITES_PER_YIELD == 0:
        await asyncio.sleep(0)
