"""What is written to an OpenAI-compatible endpoint, and what never is."""

import json
from typing import Any

import pytest

from specroute.core.errors import UpstreamError
from specroute.core.request import (
    ChoicesOutput,
    Constraints,
    Generation,
    Hints,
    JsonObjectOutput,
    JsonSchemaOutput,
    Message,
    Output,
    RegexOutput,
    Role,
    RouteRequest,
    TextOutput,
    Tool,
    ToolCall,
)
from specroute.upstreams.openai_body import encode_body

HELLO = (Message(Role.USER, "hello"),)
WEATHER = Tool("weather", "Tells the weather.", '{"type": "object", "properties": {"city": {"type": "string"}}}')


def body_of(
    *,
    messages: tuple[Message, ...] = HELLO,
    generation: Generation | None = None,
    output: Output | None = None,
    with_logprobs: bool = False,
) -> dict[str, Any]:
    request = RouteRequest("r-1", messages, generation or Generation(), output or TextOutput())
    decoded: dict[str, Any] = json.loads(encode_body(request, "m-1", with_logprobs=with_logprobs))
    return decoded


def test_a_plain_request_is_streamed_with_usage_and_nothing_else_is_set() -> None:
    assert body_of() == {
        "model": "m-1",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_every_kind_of_message_is_written_in_its_form() -> None:
    call = ToolCall("call-1", "weather", '{"city": "Bern"}')
    messages = (
        Message(Role.SYSTEM, "Be brief."),
        Message(Role.USER, "Weather?", name="ada"),
        Message(Role.ASSISTANT, "", tool_calls=(call,)),
        Message(Role.TOOL, "sunny", tool_call_id="call-1"),
        Message(Role.ASSISTANT, "Let me see.", tool_calls=(call,)),
    )
    written_call = {
        "id": "call-1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Bern"}'},
    }
    assert body_of(messages=messages)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?", "name": "ada"},
        {"role": "assistant", "content": None, "tool_calls": [written_call]},
        {"role": "tool", "content": "sunny", "tool_call_id": "call-1"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [written_call]},
    ]


def test_sampling_parameters_are_passed_on_also_when_they_are_zero() -> None:
    body = body_of(generation=Generation(max_output_tokens=5, temperature=0.0, top_p=0.5, stop=("a", "b"), seed=0))
    assert {name: body[name] for name in ("max_tokens", "temperature", "top_p", "stop", "seed")} == {
        "max_tokens": 5,
        "temperature": 0.0,
        "top_p": 0.5,
        "stop": ["a", "b"],
        "seed": 0,
    }


def test_tools_carry_their_schema_as_json_and_leave_out_what_is_empty() -> None:
    assert body_of(generation=Generation(tools=(WEATHER, Tool("ping"))))["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "Tells the weather.",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
            },
        },
        {"type": "function", "function": {"name": "ping"}},
    ]


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        ("none", "none"),
        ("required", "required"),
        ("weather", {"type": "function", "function": {"name": "weather"}}),
    ],
)
def test_a_tool_choice_is_a_word_or_a_function(choice: str, written: object) -> None:
    assert body_of(generation=Generation(tools=(WEATHER,), tool_choice=choice))["tool_choice"] == written


def test_a_tool_choice_without_tools_is_not_sent() -> None:
    assert "tool_choice" not in body_of(generation=Generation(tool_choice="none"))


@pytest.mark.parametrize(
    ("output", "written"),
    [
        (JsonObjectOutput(), {"type": "json_object"}),
        (
            JsonSchemaOutput('{"type": "array"}', name="my list!", strict=True),
            {"type": "json_schema", "json_schema": {"name": "my_list_", "schema": {"type": "array"}, "strict": True}},
        ),
        (
            JsonSchemaOutput('{"type": "array"}'),
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "array"}}},
        ),
    ],
)
def test_json_outputs_have_a_response_format(output: Output, written: object) -> None:
    assert body_of(output=output)["response_format"] == written


@pytest.mark.parametrize("output", [TextOutput(), RegexOutput("[a-z]+"), ChoicesOutput(("yes", "no"))])
def test_other_outputs_have_none(output: Output) -> None:
    assert "response_format" not in body_of(output=output)


def test_logprobs_are_asked_for_only_when_wanted() -> None:
    assert "logprobs" not in body_of()
    assert body_of(with_logprobs=True)["logprobs"] is True


def test_labels_hints_and_constraints_stay_here() -> None:
    request = RouteRequest(
        "r-1",
        HELLO,
        hints=Hints(task_type="secret-task", user_tier="secret-tier", session_id="secret-session"),
        constraints=Constraints(force_tier="secret-force", allowed_tiers=("secret-allowed",)),
        labels={"secret-label": "secret-value"},
    )
    assert b"secret" not in encode_body(request, "m-1")


@pytest.mark.parametrize(
    "request_",
    [
        RouteRequest("r-1", (Message(Role.USER, "private \ud800"),)),
        RouteRequest("r-1", HELLO, output=JsonSchemaOutput("{private")),
        RouteRequest("r-1", HELLO, Generation(tools=(Tool("t", parameters_json_schema="private"),))),
    ],
)
def test_what_cannot_be_written_is_an_error_that_does_not_quote_it(request_: RouteRequest) -> None:
    with pytest.raises(UpstreamError, match="internal") as caught:
        encode_body(request_, "m-1")
    assert "private" not in str(caught.value)
    assert caught.value.__suppress_context__
