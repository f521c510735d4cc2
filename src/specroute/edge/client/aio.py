"""A client on the event loop that speaks the service's own words: for the demo and for load tests.

Messages stay inside: what goes in is a ``core.request.RouteRequest``, what comes out are values of ``core.outcome``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from specroute.core import request as words
from specroute.core.outcome import Attempt, AttemptCost, MoneySummary, Usage, Verdict
from specroute.edge.client.explain import explain
from specroute.edge.replies import ATTEMPT_ENDS, COST_BASES, NANOS, PLAN_KINDS, VERDICT_KINDS, write_duration
from specroute.edge.requests import RISKS, SPECULATIONS
from specroute.v1 import decision_pb2, router_pb2, router_pb2_grpc

if TYPE_CHECKING:
    from types import TracebackType

    from google.protobuf.duration_pb2 import Duration

    from specroute.core.plan import PlanKind

_KINDS = {value: kind for kind, value in PLAN_KINDS.items()}
_ENDS = {value: end for end, value in ATTEMPT_ENDS.items()}
_BASES = {value: basis for basis, value in COST_BASES.items()}
_VERDICTS = {value: kind for kind, value in VERDICT_KINDS.items()}
_RISKS = {risk: value for value, risk in RISKS.items()}
_QUALITIES = {
    words.Quality.STANDARD: router_pb2.QUALITY_STANDARD,
    words.Quality.HIGH: router_pb2.QUALITY_HIGH,
}
_SPECULATIONS = {wish: value for value, wish in SPECULATIONS.items()}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the service says it did for one request.

    Attributes:
        plan: ``None`` where an error's cut decision had no room for it.
        reason: why the plan was chosen: threshold, always, rule:<name> ...
        used_s: seconds from arrival to the end, on the server's clock.
        message: the whole decision as it came.
    """

    plan: PlanKind | None
    reason: str
    attempts: tuple[Attempt, ...]
    money: MoneySummary
    used_s: float
    message: decision_pb2.Decision

    def in_words(self) -> str:
        """Returns it for people: what was predicted, planned, run, judged and paid, a line each."""
        return explain(self.message)


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
    """

    def __init__(self, code: str, reason: str, message: str, receipt: Receipt | None = None) -> None:
        super().__init__(f"{code} {reason}: {message}" if reason else f"{code}: {message}")
        self.code = code
        self.reason = reason
        self.receipt = receipt


class RouterClient:
    """Calls one server over one connection. ``async with RouterClient("127.0.0.1:50051") as client:``."""

    def __init__(self, server: str) -> None:
        self._channel = grpc.aio.insecure_channel(server, options=[("grpc.max_receive_message_length", -1)])
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
            reply = await self._stub.Route(to_message(request), timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise _failure(error) from None
        calls = tuple(words.ToolCall(call.id, call.name, call.arguments_json) for call in reply.output.tool_calls)
        return Answered(
            request_id=reply.request_id,
            text=reply.output.text,
            tool_calls=calls,
            finish_reason=reply.finish_reason,
            tier=reply.tier,
            upstream=reply.upstream,
            model=reply.model,
            degraded=reply.degraded,
            receipt=_receipt(reply.decision),
        )


def to_message(request: words.RouteRequest) -> router_pb2.RouteRequest:
    """Returns the request as the wire has it; the server reads it back as an equal one."""
    return router_pb2.RouteRequest(
        request_id=request.request_id,
        messages=[
            router_pb2.Message(
                role=turn.role.value,
                content=turn.content,
                tool_calls=[
                    router_pb2.ToolCall(id=call.id, name=call.name, arguments_json=call.arguments_json)
                    for call in turn.tool_calls
                ],
                tool_call_id=turn.tool_call_id,
                name=turn.name,
            )
            for turn in request.messages
        ],
        generation=_generation(request.generation),
        output=_output(request.output),
        hints=router_pb2.Hints(
            task_type=request.hints.task_type,
            risk=_RISKS[request.hints.risk] if request.hints.risk else router_pb2.RISK_UNSPECIFIED,
            user_tier=request.hints.user_tier,
            session_id=request.hints.session_id,
            quality=_QUALITIES[request.hints.quality],
        ),
        constraints=_constraints(request.constraints),
        labels=dict(request.labels),
    )


def _generation(generation: words.Generation) -> router_pb2.Generation:
    return router_pb2.Generation(
        max_output_tokens=generation.max_output_tokens,
        temperature=generation.temperature,
        top_p=generation.top_p,
        stop=generation.stop,
        seed=generation.seed,
        tools=[
            router_pb2.Tool(
                name=tool.name,
                description=tool.description,
                parameters_json_schema=tool.parameters_json_schema,
                server_side=tool.server_side,
                not_idempotent=tool.not_idempotent,
            )
            for tool in generation.tools
        ],
        tool_choice=generation.tool_choice,
    )


def _output(output: words.Output) -> router_pb2.Output:
    match output:
        case words.JsonObjectOutput():
            return router_pb2.Output(json_object=router_pb2.JsonObjectOutput())
        case words.JsonSchemaOutput():
            schema = router_pb2.JsonSchemaOutput(name=output.name, schema=output.schema, strict=output.strict)
            return router_pb2.Output(json_schema=schema)
        case words.RegexOutput():
            return router_pb2.Output(regex=router_pb2.RegexOutput(pattern=output.pattern))
        case words.ChoicesOutput():
            return router_pb2.Output(choices=router_pb2.ChoicesOutput(values=output.values))
        case words.TextOutput():
            return router_pb2.Output(text=router_pb2.TextOutput())


def _constraints(constraints: words.Constraints) -> router_pb2.Constraints:
    fail = constraints.on_budget is words.OnBudget.FAIL
    message = router_pb2.Constraints(
        max_cost_nano_usd=constraints.max_cost_nano_usd,
        allowed_tiers=constraints.allowed_tiers,
        force_tier=constraints.force_tier,
        speculation=_SPECULATIONS.get(constraints.speculation, router_pb2.SPECULATION_UNSPECIFIED),
        on_budget=router_pb2.ON_BUDGET_FAIL if fail else router_pb2.ON_BUDGET_BEST_EFFORT,
    )
    if constraints.latency_budget_s is not None:
        write_duration(constraints.latency_budget_s, message.latency_budget)
    return message


def _receipt(message: decision_pb2.Decision) -> Receipt:
    return Receipt(
        plan=_KINDS.get(message.plan.kind),
        reason=message.plan.reason,
        attempts=tuple(_attempt(attempt) for attempt in message.attempts),
        money=MoneySummary(
            message.cost.delivered_nano_usd,
            message.cost.waste_nano_usd,
            message.cost.always_large_estimate_nano_usd,
        ),
        used_s=_seconds(message.deadline.used),
        message=message,
    )


def _attempt(message: decision_pb2.Attempt) -> Attempt:
    usage = message.usage
    first_s, cancel_s = (
        _seconds(getattr(message, name)) if message.HasField(name) else None
        for name in ("time_to_first_token", "cancel_latency")
    )
    return Attempt(
        tier=message.tier,
        upstream=message.upstream,
        model=message.model,
        leg=message.leg,
        speculative=message.speculative,
        end=_ENDS[message.end],
        reason=message.reason,
        launched_after_s=_seconds(message.launched_after),
        time_to_first_token_s=first_s,
        ended_after_s=_seconds(message.ended_after),
        verdicts=tuple(
            Verdict(
                verdict.validator,
                _VERDICTS[verdict.kind],
                verdict.reason,
                verdict.p_accept if verdict.HasField("p_accept") else None,
            )
            for verdict in message.verdicts
        ),
        usage=Usage(usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.reasoning_output_tokens)
        if message.HasField("usage")
        else None,
        cost=AttemptCost(
            _BASES[message.cost_basis], message.cost_nano_usd, message.cost_low_nano_usd, message.cost_high_nano_usd
        ),
        cancel_latency_s=cancel_s,
    )


def _seconds(value: Duration) -> float:
    return value.seconds + value.nanos / NANOS


def _failure(error: grpc.aio.AioRpcError) -> RouteFailed:
    code, message = error.code().name, " ".join((error.details() or "").split())
    status = rpc_status.from_call(error)
    if status is None:
        return RouteFailed(code, "", message)
    info, decision = ErrorInfo(), decision_pb2.Decision()
    receipt = None
    for detail in status.details:
        detail.Unpack(info)
        if detail.Unpack(decision):
            receipt = _receipt(decision)
    return RouteFailed(code, info.reason, message, receipt)
