from typing import Any

import orjson
import pytest

from specroute.upstreams.simulated.http.wire import ApiError, BadRequestError, ToolSpec, parse_chat_request

USER = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def parsed(**fields: Any) -> Any:
    return parse_chat_request(orjson.dumps({"model": "mini", "messages": USER} | fields))


def test_the_prompt_is_the_last_user_message_unchanged() -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": None},
        {"role": "user", "content": " last \n"},
        {"role": "tool", "content": "result", "tool_call_id": "c"},
    ]

    assert parsed(messages=messages).prompt == " last \n"


def test_content_parts_are_joined() -> None:
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "b"},
    ]

    assert parsed(messages=[{"role": "user", "content": parts}]).prompt == "ab"


def test_the_fingerprint_follows_the_whole_conversation() -> None:
    system = [{"role": "system", "content": "x"}, *USER]

    assert parsed().fingerprint == parsed(stream=True).fingerprint
    assert parsed(messages=system).fingerprint != parsed().fingerprint


def test_options_are_read_as_clients_send_them() -> None:
    asked = parsed(
        stream=True,
        stream_options={"include_usage": True},
        max_tokens=5,
        max_completion_tokens=9,
        tools=[TOOL],
        tool_choice="required",
        logprobs=True,
        temperature=0.2,
        n=1,
    )

    assert (asked.stream, asked.include_usage, asked.max_tokens, asked.logprobs) == (True, True, 9, True)
    assert asked.called_tool == ToolSpec("look_up", {"type": "object"})


def test_a_tool_is_called_only_where_it_must_be() -> None:
    named = {"type": "function", "function": {"name": "look_up"}}

    assert parsed(tools=[TOOL]).called_tool is None
    assert parsed(tools=[TOOL], tool_choice="none").called_tool is None
    assert parsed(tools=[TOOL], tool_choice=named).called_tool.name == "look_up"


def test_the_schema_comes_from_the_response_format() -> None:
    schema = {"type": "object"}

    assert parsed().json_schema is None
    assert parsed(response_format={"type": "text"}).json_schema is None
    assert parsed(response_format={"type": "json_object"}).json_schema == {}
    wrapped = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    assert parsed(response_format=wrapped).json_schema == schema


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"n": 2}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "other"}}, "tools": [TOOL]}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"model": 3}, None),
        ({"messages": "hi"}, None),
    ],
)
def test_what_breaks_the_api_is_refused_with_the_field_named(fields: dict[str, Any], param: str | None) -> None:
    with pytest.raises(BadRequestError) as caught:
        parsed(**fields)

    assert caught.value.error.param == param
    assert caught.value.error.status == 400


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"model":"\xff"}', b"[" * 100_000, b'{"model":"a","messages":[{"content":"a"}]}']
)
def test_what_is_not_a_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequestError, match="could not parse"):
        parse_chat_request(body)


def test_an_error_has_the_shape_that_clients_read() -> None:
    body = orjson.loads(ApiError(404, "no such model", param="model", code="model_not_found").body())

    assert body == {
        "error": {
            "message": "no such model",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
    }
