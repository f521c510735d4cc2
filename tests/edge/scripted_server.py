"""A gRPC server that answers ``RouteStream`` from a script, without any router behind it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import grpc

from specroute.core.errors import RouteError
from specroute.edge.statuses import wire_error
from specroute.v1 import decision_pb2
from specroute.v1 import router_pb2 as pb
from specroute.v1.router_pb2_grpc import RouterServiceServicer, add_RouterServiceServicer_to_server

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_S = 20.0

Step = pb.RouteStreamResponse | threading.Event | RouteError


@dataclass
class ScriptedRouter(RouterServiceServicer):
    """Sends the messages of ``script`` in turn, waits for its events, and ends with its error if there is one."""

    script: list[Step]
    requests: list[pb.RouteStreamRequest] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def RouteStream(
        self, request: pb.RouteStreamRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.RouteStreamResponse]:
        self.requests.append(request)
        context.add_callback(self.ended.set)
        for step in self.script:
            if isinstance(step, threading.Event):
                assert step.wait(WAIT_S)
            elif isinstance(step, RouteError):
                error = wire_error(step, request.request.request_id)
                context.set_trailing_metadata(error.trailing_metadata)
                context.abort(error.code, error.message)
            else:
                yield step

    def Route(self, request: pb.RouteRequest, context: grpc.ServicerContext) -> NoReturn:
        raise NotImplementedError

    def Decide(self, request: pb.DecideRequest, context: grpc.ServicerContext) -> NoReturn:
        raise NotImplementedError


@contextmanager
def scripted(*script: Step) -> Iterator[tuple[str, ScriptedRouter]]:
    """Runs the server; gives its address and what it sees."""
    router = ScriptedRouter(list(script))
    server = grpc.server(ThreadPoolExecutor(4))
    add_RouterServiceServicer_to_server(router, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", router
    finally:
        for step in script:
            if isinstance(step, threading.Event):
                step.set()
        server.stop(None).wait()


def decided(*tiers: str) -> pb.RouteStreamResponse:
    plan = decision_pb2.Plan(legs=[decision_pb2.Leg(tier=tier) for tier in tiers])
    return pb.RouteStreamResponse(decided=pb.StreamDecided(decision=decision_pb2.Decision(plan=plan)))


def delta(text: str, leg: int = 0, *, provisional: bool = False) -> pb.RouteStreamResponse:
    return pb.RouteStreamResponse(delta=pb.StreamDelta(leg=leg, text=text, provisional=provisional))


def calls(name: str, arguments: str, leg: int = 0) -> pb.RouteStreamResponse:
    tool = pb.ToolCall(id="c", name=name, arguments_json=arguments)
    return pb.RouteStreamResponse(delta=pb.StreamDelta(leg=leg, tool_call=tool))


def superseded(leg: int, reason: str) -> pb.RouteStreamResponse:
    return pb.RouteStreamResponse(superseded=pb.StreamSuperseded(leg=leg, reason=reason))


def committed(leg: int, tier: str) -> pb.RouteStreamResponse:
    reason = decision_pb2.COMMIT_REASON_VALIDATED
    return pb.RouteStreamResponse(committed=pb.StreamCommitted(leg=leg, tier=tier, reason=reason))


def completed(text: str, tier: str = "mini") -> pb.RouteStreamResponse:
    commit = decision_pb2.Commit(tier=tier, reason=decision_pb2.COMMIT_REASON_VALIDATED, upheld=True)
    reply = pb.RouteResponse(
        output=pb.Answer(text=text),
        tier=tier,
        upstream=f"{tier}-0",
        model=f"{tier}-v1",
        decision=decision_pb2.Decision(commit=commit),
    )
    return pb.RouteStreamResponse(completed=reply)
