"""From the service's own words to its messages, as a client sends them."""

from __future__ import annotations

from specroute.core import request as words
from specroute.core.stream import DeliveryMode, DeliveryWish
from specroute.edge.replies import write_duration
from specroute.edge.requests import RISKS, SPECULATIONS
from specroute.v1 import router_pb2

_RISKS = {risk: value for value, risk in RISKS.items()}
_QUALITIES = {
    words.Quality.STANDARD: router_pb2.QUALITY_STANDARD,
    words.Quality.HIGH: router_pb2.QUALITY_HIGH,
}
_SPECULATIONS = {wish: value for value, wish in SPECULATIONS.items()}


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


def to_stream_message(request: router_pb2.RouteRequest, wish: DeliveryWish) -> router_pb2.RouteStreamRequest:
    """Returns ``request`` as one whose answer is streamed."""
    message = router_pb2.RouteStreamRequest(request=request)
    match wish.mode:
        case DeliveryMode.COMMITTED:
            message.committed.SetInParent()
        case DeliveryMode.PROVISIONAL:
            message.provisional.SetInParent()
        case DeliveryMode.HOLD_BACK:
            message.hold_back.SetInParent()
            message.hold_back.tokens = wish.hold_tokens or 0
            if wish.hold_s is not None:
                message.hold_back.duration.SetInParent()
                write_duration(wish.hold_s, message.hold_back.duration)
    return message


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
