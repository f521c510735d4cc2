"""A client on the event loop that speaks the service's own words: for the demo and for load tests.

Messages stay inside: what goes in is a ``core.request.RouteRequest``, what comes out are values of ``core``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from specroute.core import request as words
from specroute.core.stream import Committed, Delivered, DeliveryWish, Delta, Superseded
from specroute.edge.client.channel import open_aio_channel
from specroute.edge.client.messages import to_message as to_message
from specroute.edge.client.messages import to_stream_message
from specroute.edge.client.receipts import COMMIT_REASONS_READ, read_receipt
from specroute.edge.client.receipts import Receipt as Receipt
from specroute.v1 import decision_pb2, router_pb2, router_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import TracebackType

    from specroute.edge.client.channel import ClientTls

COMMITTED = DeliveryWish()


@dataclass(frozen=True, slots=True)
class Answered:
    """A delivered answer and its receipt."""

    request_id: str
    text: str
    tool_calls: tuple[words.ToolCall, ...]
    finish_reason: str
    tier: str
    upstream: str
    model: str
    degraded: bool
    receipt: Receipt


class RouteFailed(Exception):
    """A call that ended with a status.

    Attributes:
        code: name of the gRPC status code.
        reason: ``ErrorInfo.reason``, or "" where the server gave none.
        receipt: what had been done; ``None``: nothing was decided, or the server could not say.
        delivered: how much of a stream's answer had come for good when it broke off; ``None``: nothing.
    """

    def __init__(
        self,
        code: str,
        reason: str,
        message: str,
        receipt: Receipt | None = None,
        delivered: Delivered | None = None,
    ) -> None:
        super().__init__(f"{code} {reason}: {message}" if reason else f"{code}: {message}")
        self.code = code
        self.reason = reason
        self.receipt = receipt
        self.delivered = delivered


Event = Receipt | Delta | Superseded | Committed | Answered
"""Of a stream: first the receipt without attempts; last the answer, whole, with the full one."""


class RouterClient:
    """Calls one server over one connection of its own. ``async with RouterClient("127.0.0.1:50051") as client:``.

    ``tls`` ``None``: in plaintext. ``TlsFileError`` where one of its files cannot be used.
    """

    def __init__(self, server: str, tls: ClientTls | None = None) -> None:
        # Channels of one process to one server share a connection unless each has a pool of its own.
        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        self._channel = open_aio_channel(server, tls, options)
        self._stub = router_pb2_grpc.RouterServiceStub(self._channel)

    async def __aenter__(self) -> RouterClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def route(self, request: words.RouteRequest, *, timeout_s: float | None = None) -> Answered:
        """Sends ``request`` with a deadline ``timeout_s`` from now and returns the answer.

        Cancelling it cancels the call.

        Raises:
            RouteFailed: it ended with a status.
        """
        try:
            return answered(await self._stub.Route(to_message(request), timeout=timeout_s))
        except grpc.aio.AioRpcError as error:
            raise failure(error) from None

    async def stream(
        self, request: words.RouteRequest, wish: DeliveryWish = COMMITTED, *, timeout_s: float | None = None
    ) -> AsyncGenerator[Event, None]:
        """Sends ``request`` with a deadline ``timeout_s`` from now and yields the events of its answer as they come.

        Cancelling it, or closing it before its end (``contextlib.aclosing``), cancels the call.

        Raises:
            RouteFailed: it ended with a status.
        """
        call = self._stub.RouteStream(to_stream_message(to_message(request), wish), timeout=timeout_s)
        try:
            async for message in call:
                event = event_of(message)
                if event is not None:
                    yield event
        except grpc.aio.AioRpcError as error:
            raise failure(error) from None
        finally:
            call.cancel()


def event_of(message: router_pb2.RouteStreamResponse) -> Event | None:
    """Returns the event in the service's own words; ``None``: one that this client does not know yet."""
    match message.WhichOneof("event"):
        case "delta":
            return _delta(message.delta)
        case "decided":
            return read_receipt(message.decided.decision)
        case "superseded":
            return Superseded(message.superseded.leg, message.superseded.reason)
        case "committed":
            committed = message.committed
            return Committed(committed.leg, committed.tier, COMMIT_REASONS_READ[committed.reason])
        case "completed":
            return answered(message.completed)
        case _:
            return None


def _delta(message: router_pb2.StreamDelta) -> Delta:
    call = _tool_call(message.tool_call) if message.HasField("tool_call") else None
    return Delta(message.leg, message.text, message.provisional, call)


def answered(reply: router_pb2.RouteResponse) -> Answered:
    """Returns a delivered answer in the service's own words."""
    return Answered(
        request_id=reply.request_id,
        text=reply.output.text,
        tool_calls=tuple(_tool_call(call) for call in reply.output.tool_calls),
        finish_reason=reply.finish_reason,
        tier=reply.tier,
        upstream=reply.upstream,
        model=reply.model,
        degraded=reply.degraded,
        receipt=read_receipt(reply.decision),
    )


def _tool_call(message: router_pb2.ToolCall) -> words.ToolCall:
    return words.ToolCall(message.id, message.name, message.arguments_json)


def failure(error: grpc.Call | grpc.aio.AioRpcError) -> RouteFailed:
    """Returns the status that a call ended with, and what its details say."""
    code, message = error.code().name, " ".join((error.details() or "").split())
    status = rpc_status.from_call(error)
    if status is None:
        return RouteFailed(code, "", message)
    info, decision, partial = ErrorInfo(), decision_pb2.Decision(), router_pb2.PartialDelivery()
    receipt = delivered = None
    for detail in status.details:
        detail.Unpack(info)
        if detail.Unpack(decision):
            receipt = read_receipt(decision)
        if detail.Unpack(partial):
            delivered = Delivered(partial.leg, partial.tier, partial.output_tokens, partial.output_bytes)
    return RouteFailed(code, info.reason, message, receipt, delivered)
