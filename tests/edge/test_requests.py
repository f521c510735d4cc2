"""From the wire to words: everything that can be said arrives, everything that cannot be served names its field."""

import uuid

import pytest

from specroute.core import request as words
from specroute.core.errors import InvalidRequest
from specroute.edge.requests import RequestLimits, new_request_id, parse, to_words
from specroute.v1 import router_pb2 as pb

LIMITS = RequestLimits(tiers=("mini", "large"), max_prompt_bytes=1000, min_latency_budget_s=0.02)


def a_request(**fields: object) -> pb.RouteRequest:
    request = pb.RouteRequest(messages=[pb.Message(role="user", content="hello")])
    request.MergeFrom(pb.RouteRequest(**fields))  # type: ignore[arg-type]  # the tests name the fields
    return request


def violated(request: pb.RouteRequest) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        to_words(parse(pb.RouteRequest, request.SerializeToString()), LIMITS)
    return [violation.field for violation in caught.value.violations]


def test_a_bare_request_gets_every_default_and_an_id() -> None:
    request = to_words(a_request(), LIMITS)

    assert request.messages == (words.Message(words.Role.USER, "hello"),)
    assert request.generation == words.Generation()
    assert request.output == words.TextOutput()
    assert request.constraints == words.Constraints()
    assert uuid.UUID(request.request_id).version == 7


def test_everything_that_the_proto_can_say_arrives() -> None:
    message = a_request(
        request_id="r-1",
        generation=pb.Generation(
            max_output_tokens=5,
            temperature=0.5,
            top_p=0.9,
            stop=["."],
            seed=7,
            tools=[pb.Tool(name="find", parameters_json_schema='{"type": "object"}', server_side=True)],
            tool_choice="find",
        ),
        output=pb.Output(json_schema=pb.JsonSchemaOutput(name="n", schema='{"type": "object"}', strict=True)),
        hints=pb.Hints(task_type="math", risk=pb.RISK_HIGH, user_tier="pro", session_id="s", quality=pb.QUALITY_HIGH),
        constraints=pb.Constraints(
            max_cost_nano_usd=9,
            allowed_tiers=["large"],
            speculation=pb.SPECULATION_NEVER,
            on_budget=pb.ON_BUDGET_FAIL,
        ),
        labels={"team": "search"},
    )
    message.constraints.latency_budget.FromMilliseconds(1500)

    request = to_words(message, LIMITS)

    assert request.request_id == "r-1"
    assert request.generation == words.Generation(
        5, 0.5, 0.9, (".",), 7, (words.Tool("find", "", '{"type": "object"}', server_side=True),), "find"
    )
    assert request.output == words.JsonSchemaOutput('{"type": "object"}', "n", strict=True)
    assert request.hints == words.Hints("math", words.Risk.HIGH, "pro", "s", words.Quality.HIGH)
    assert request.constraints == words.Constraints(
        1.5, 9, ("large",), "", words.Speculation.NEVER, words.OnBudget.FAIL
    )
    assert dict(request.labels) == {"team": "search"}


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.RouteRequest(), "messages"),
        (pb.RouteRequest(messages=[pb.Message(role="user", content=" \n")]), "messages[0].content"),
        (pb.RouteRequest(messages=[pb.Message(role="robot", content="x")]), "messages[0].role"),
        (pb.RouteRequest(messages=[pb.Message(role="system", content="x")]), "messages[0].role"),
        (a_request(messages=[pb.Message(role="tool", content="x")]), "messages[1].tool_call_id"),
        (a_request(messages=[pb.Message(role="user", content="é" * 501)]), "messages"),
        (a_request(request_id="has space"), "request_id"),
        (a_request(constraints=pb.Constraints(force_tier="huge")), "constraints.force_tier"),
        (a_request(constraints=pb.Constraints(allowed_tiers=["huge"])), "constraints.allowed_tiers[0]"),
        (
            a_request(constraints=pb.Constraints(force_tier="mini", allowed_tiers=["large"])),
            "constraints.force_tier",
        ),
        (a_request(output=pb.Output(regex=pb.RegexOutput(pattern="(?=a)"))), "output.regex.pattern"),
        (a_request(output=pb.Output(json_schema=pb.JsonSchemaOutput(schema="{"))), "output.json_schema.schema"),
        (a_request(generation=pb.Generation(tool_choice="required")), "generation.tool_choice"),
    ],
)
def test_what_cannot_be_served_names_its_field(request_: pb.RouteRequest, field: str) -> None:
    assert violated(request_) == [field]


def test_all_violations_are_told_at_once() -> None:
    request = a_request(
        constraints=pb.Constraints(force_tier="huge"), output=pb.Output(regex=pb.RegexOutput(pattern="("))
    )

    assert violated(request) == ["output.regex.pattern", "constraints.force_tier"]


def test_request_ids_are_unique_and_ordered_in_time() -> None:
    ids = [new_request_id() for _ in range(1000)]

    assert len(set(ids)) == 1000
    assert [identity[:13] for identity in ids] == sorted(identity[:13] for identity in ids)
