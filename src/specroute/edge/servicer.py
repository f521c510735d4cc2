"""``RouterService``: bytes to words, words to the router, its answer or error to bytes. No logic of its own.

One outermost wrapper stands around every RPC. It alone sees a ``CancelledError``: one that is the RPC's own passes
through (grpc.aio needs it to end the call); any other would leave the client without a status for ever, and becomes
INTERNAL.
"""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, NoReturn

import grpc

from specroute.core.errors import Overloaded, RouteError
from specroute.edge import replies
from specroute.edge.requests import parse, to_words
from specroute.edge.statuses import internal_error, wire_error
from specroute.engine.router import Arrival
from specroute.v1 import router_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from specroute.core.deadline import DeadlinePolicy
    from specroute.core.ports import Telemetry
    from specroute.core.request import RouteRequest
    from specroute.edge.requests import RequestLimits
    from specroute.edge.statuses import WireError
    from specroute.engine.router import Router
    from specroute.guards.limits import InFlightLimit

    Context = grpc.aio.ServicerContext[bytes, pb.RouteResponse | pb.DecideResponse]
    Reply = pb.RouteResponse | pb.DecideResponse

SERVICE = pb.DESCRIPTOR.services_by_name["RouterService"].full_name

_request_id: ContextVar[str] = ContextVar("request_id", default="")


class RouterServicer:
    """Serves ``specroute.v1.RouterService``."""

    def __init__(
        self,
        router: Router,
        admission: InFlightLimit,
        *,
        limits: RequestLimits,
        deadlines: DeadlinePolicy,
        telemetry: Telemetry,
        report_bug: Callable[[str, BaseException], None],
    ) -> None:
        self._router = router
        self._admission = admission
        self._limits = limits
        self._deadlines = deadlines
        self._telemetry = telemetry
        self._report_bug = report_bug

    def handler(self) -> grpc.GenericRpcHandler:
        """Returns the handler to add to a server. Requests are parsed here, so that a bad one gets a typed error."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Route": self._unary(self._route, pb.RouteResponse),
                "Decide": self._unary(self._decide, pb.DecideResponse),
            },
        )

    def warm_up(self) -> None:
        """Runs a request through everything but the upstreams, so that the first caller does not pay for it.

        The proto's rules are compiled at their first use, and so is much of the model's run-time: 30 ms together.
        """
        sample = pb.RouteRequest(messages=[pb.Message(role="user", content="Is the service warm?")])
        request = to_words(parse(pb.RouteRequest, sample.SerializeToString()), self._limits)
        decision = self._router.decide(request, Arrival(0.0, self._deadlines.start(0.0, None, None)))
        replies.write_decision(decision, pb.DecideResponse().decision)

    async def _route(self, data: bytes, context: Context) -> pb.RouteResponse:
        received_s = asyncio.get_running_loop().time()
        remaining_s = context.time_remaining()
        permit = self._admission.admit()
        if permit is None:
            raise Overloaded("as many requests are in flight as limits.max_in_flight allows; try again later")
        with permit:
            request, arrival = self._arrive(parse(pb.RouteRequest, data), received_s, remaining_s)
            return replies.response(await self._router.route(request, arrival))

    async def _decide(self, data: bytes, context: Context) -> pb.DecideResponse:
        received_s = asyncio.get_running_loop().time()
        message = parse(pb.DecideRequest, data)
        request, arrival = self._arrive(message.request, received_s, context.time_remaining())
        reply = pb.DecideResponse()
        replies.write_decision(self._router.decide(request, arrival), reply.decision)
        return reply

    def _arrive(
        self, message: pb.RouteRequest, received_s: float, remaining_s: float | None
    ) -> tuple[RouteRequest, Arrival]:
        _request_id.set(message.request_id)
        request = to_words(message, self._limits)
        _request_id.set(request.request_id)
        deadline = self._deadlines.start(received_s, remaining_s, request.constraints.latency_budget_s)
        admit_s = asyncio.get_running_loop().time() - received_s
        return request, Arrival(time.time_ns() * 1e-9, deadline, admit_s)

    def _unary(
        self, behaviour: Callable[[bytes, Context], Awaitable[Reply]], reply: type[Reply]
    ) -> grpc.RpcMethodHandler[bytes, Reply]:
        async def answer(data: bytes, context: Context) -> Reply:
            try:
                return await behaviour(data, context)
            except RouteError as error:
                if error.decision is None:
                    self._telemetry.refused(error.reason.lower())
                await _abort(context, wire_error(error, _request_id.get()))
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                self._report_bug(_request_id.get(), error)
                await _abort(context, internal_error(_request_id.get()))
            except Exception as error:  # noqa: BLE001 - the last border: a bug becomes INTERNAL, never a stack trace
                self._telemetry.refused("internal")
                self._report_bug(_request_id.get(), error)
                await _abort(context, internal_error(_request_id.get()))

        return grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=None, response_serializer=reply.SerializeToString
        )


async def _abort(context: Context, error: WireError) -> NoReturn:
    await context.abort(error.code, error.message, error.trailing_metadata)
