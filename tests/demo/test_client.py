"""What the client sends is what the server reads."""

import pytest

from specroute.core.request import (
    ChoicesOutput,
    Constraints,
    Generation,
    Hints,
    JsonObjectOutput,
    JsonSchemaOutput,
    Message,
    OnBudget,
    Output,
    Quality,
    RegexOutput,
    Risk,
    Role,
    RouteRequest,
    Speculation,
    TextOutput,
    Tool,
    ToolCall,
)
from specroute.edge.client.aio import to_message
from specroute.edge.requests import RequestLimits, parse, to_words
from specroute.v1 import router_pb2

LIMITS = RequestLimits(("mini", "large"), 10_000, 0.01)

FULL = RouteRequest(
    request_id="r-1",
    messages=(
        Message(Role.SYSTEM, "Be brief."),
        Message(Role.USER, "Sum? ", name="ann"),
        Message(Role.ASSISTANT, "", tool_calls=(ToolCall("c1", "add", '{"a": 1}'),)),
        Message(Role.TOOL, "3", tool_call_id="c1"),
    ),
    generation=Generation(
        64, 0.5, 0.9, ("END",), 7, (Tool("add", "adds", '{"type": "object"}', not_idempotent=True),), "add"
    ),
    hints=Hints("math", Risk.HIGH, "free", "s-1", Quality.HIGH),
    constraints=Constraints(1.5, 1000, ("large",), "", Speculation.NEVER, OnBudget.FAIL),
    labels={"team": "x"},
)


def read_back(request: RouteRequest) -> RouteRequest:
    return to_words(parse(router_pb2.RouteRequest, to_message(request).SerializeToString()), LIMITS)


def test_a_request_with_every_field_reaches_the_server_as_it_is() -> None:
    assert read_back(FULL) == FULL


@pytest.mark.parametrize(
    "output",
    [
        TextOutput(),
        JsonObjectOutput(),
        JsonSchemaOutput('{"type": "object"}', "shape", strict=True),
        RegexOutput(r"\d+"),
        ChoicesOutput(("yes", "no")),
    ],
    ids=lambda output: output.kind,
)
def test_every_output_contract_reaches_the_server_as_it_is(output: Output) -> None:
    asked = RouteRequest("r-2", (Message(Role.USER, "Well?"),), output=output)
    assert read_back(asked) == asked
