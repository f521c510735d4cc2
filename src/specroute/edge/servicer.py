"""``RouterService``: bytes to words, words to the router, its answer or error to bytes. No logic of its own."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import grpc

from specroute.core.errors import Overloaded, ReaderStalled
from specroute.edge import replies
from specroute.edge.requests import parse, to_words
from specroute.edge.rpc import Border, end_stream, request_id
from specroute.edge.statuses import WireError
from specroute.edge.streaming.messages import completed_bytes, delivered_whole, to_stream_words
from specroute.edge.streaming.writer import StreamWriter
from specroute.engine.router import Arrival
from specroute.v1 import router_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from specroute.core.deadline import DeadlinePolicy
    from specroute.core.request import RouteRequest
    from specroute.edge.requests import RequestLimits
    from specroute.engine.router import Router
    from specroute.guards.limits import InFlightLimit, Permit

    Reply = pb.RouteResponse | pb.DecideResponse
    Context = grpc.aio.ServicerContext[bytes, Reply]
    StreamContext = grpc.aio.ServicerContext[bytes, bytes]

SERVICE = pb.DESCRIPTOR.services_by_name["RouterService"].full_name


class RouterServicer:
    """Serves ``specroute.v1.RouterService``."""

    def __init__(
        self,
        router: Router,
        admission: InFlightLimit,
        border: Border,
        *,
        limits: RequestLimits,
        deadlines: DeadlinePolicy,
        write_stall_timeout_s: float,
    ) -> None:
        self._router = router
        self._admission = admission
        self._limits = limits
        self._deadlines = deadlines
        self._write_stall_timeout_s = write_stall_timeout_s
        self._border = border

    def handler(self) -> grpc.GenericRpcHandler:
        """Returns the handler to add to a server. Requests are parsed here, so that a bad one gets a typed error."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Route": self._unary(self._route, pb.RouteResponse),
                "RouteStream": self._streaming(self._route_stream),
                "Decide": self._unary(self._decide, pb.DecideResponse),
            },
        )

    def warm_up(self) -> None:
        """Runs a request through everything but the upstreams, so that the first caller does not pay for it.

        The proto's rules are compiled at their first use, and so is much of the model's run-time: 30 ms together.
        """
        sample = pb.RouteRequest(messages=[pb.Message(role="user", content="Is the service warm?")])
        request = to_words(parse(pb.RouteRequest, sample.SerializeToString()), self._limits)
        parse(pb.RouteStreamRequest, pb.RouteStreamRequest(request=sample).SerializeToString())
        decision = self._router.decide(request, Arrival(0.0, self._deadlines.start(0.0, None, None)))
        replies.write_decision(decision, pb.DecideResponse().decision)

    async def _route(self, data: bytes, context: Context) -> pb.RouteResponse:
        received_s = asyncio.get_running_loop().time()
        remaining_s = context.time_remaining()
        with self._admit():
            message = parse(pb.RouteRequest, data)
            request_id.set(message.request_id)
            request = to_words(message, self._limits)
            return replies.response(await self._router.route(request, self._arrive(request, received_s, remaining_s)))

    async def _route_stream(self, data: bytes, context: StreamContext) -> None:
        received_s = asyncio.get_running_loop().time()
        remaining_s = context.time_remaining()
        with self._admit(), StreamWriter(context, self._write_stall_timeout_s) as writer:
            message = parse(pb.RouteStreamRequest, data)
            request_id.set(message.request.request_id)
            request, wish = to_stream_words(message, self._limits)
            arrival = self._arrive(request, received_s, remaining_s)
            # Not left to the first write: were that one to stall, grpc.aio could not send a status any more.
            await context.send_initial_metadata(())
            routed = await self._router.stream(request, arrival, wish, writer)
            if not await writer.write(completed_bytes(routed)):
                stalled = "the reader stopped before the last event; read every event as it comes"
                raise ReaderStalled(stalled, routed.decision, delivered_whole(routed))

    async def _decide(self, data: bytes, context: Context) -> pb.DecideResponse:
        received_s = asyncio.get_running_loop().time()
        message = parse(pb.DecideRequest, data)
        request_id.set(message.request.request_id)
        request = to_words(message.request, self._limits, place="request.")
        reply = pb.DecideResponse()
        arrival = self._arrive(request, received_s, context.time_remaining())
        replies.write_decision(self._router.decide(request, arrival), reply.decision)
        return reply

    def _admit(self) -> Permit:
        permit = self._admission.admit()
        if permit is None:
            raise Overloaded("as many requests are in flight as limits.max_in_flight allows; try again later")
        return permit

    def _arrive(self, request: RouteRequest, received_s: float, remaining_s: float | None) -> Arrival:
        request_id.set(request.request_id)
        deadline = self._deadlines.start(received_s, remaining_s, request.constraints.latency_budget_s)
        admit_s = asyncio.get_running_loop().time() - received_s
        return Arrival(time.time_ns() * 1e-9, deadline, admit_s)

    def _unary(
        self, behaviour: Callable[[bytes, Context], Awaitable[Reply]], reply: type[Reply]
    ) -> grpc.RpcMethodHandler[bytes, Reply]:
        async def answer(data: bytes, context: Context) -> Reply:
            outcome = await self._border.outcome(behaviour(data, context))
            if isinstance(outcome, WireError):
                await context.abort(outcome.code, outcome.message, outcome.trailing_metadata)
            return outcome

        return grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=None, response_serializer=reply.SerializeToString
        )

    def _streaming(
        self, behaviour: Callable[[bytes, StreamContext], Awaitable[None]]
    ) -> grpc.RpcMethodHandler[bytes, bytes]:
        async def answer(data: bytes, context: StreamContext) -> None:
            error = await self._border.outcome(behaviour(data, context))
            if error is not None:
                await end_stream(context, error)

        return grpc.unary_stream_rpc_method_handler(answer, request_deserializer=None, response_serializer=None)
