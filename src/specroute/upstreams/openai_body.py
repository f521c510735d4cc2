"""Builds the JSON body of an OpenAI-compatible chat completion from a request.

Always streamed: cancelling a call that is not streamed is still billed in full by most providers. Labels, hints,
constraints and session ids stay here; regex and choices outputs have no field in this API and are judged afterwards.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

from specroute.core.errors import UpstreamError
from specroute.core.request import JsonObjectOutput, JsonSchemaOutput

if TYPE_CHECKING:
    from specroute.core.request import Generation, Message, Output, RouteRequest, Tool

_TOOL_CHOICE_WORDS = frozenset({"auto", "none", "required"})
_NOT_A_SCHEMA_NAME = re.compile(r"[^A-Za-z0-9_-]")
_MAX_SCHEMA_NAME_CHARS = 64
_DEFAULT_SCHEMA_NAME = "answer"


def encode_body(request: RouteRequest, model: str, *, with_logprobs: bool = False) -> bytes:
    """Returns the body as UTF-8 JSON.

    Raises:
        UpstreamError: "internal": the request cannot be written as JSON, which its validation should have caught.
    """
    try:
        body: dict[str, object] = {
            "model": model,
            "messages": [_message(message) for message in request.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        _add_generation(body, request.generation)
        response_format = _response_format(request.output)
        if response_format is not None:
            body["response_format"] = response_format
        if with_logprobs:
            body["logprobs"] = True
        return orjson.dumps(body)
    except (orjson.JSONEncodeError, orjson.JSONDecodeError):
        # Without its cause, which quotes the text.
        raise UpstreamError("internal", "the request is not valid JSON or Unicode", before_first_byte=True) from None


def _message(message: Message) -> dict[str, object]:
    fields: dict[str, object] = {"role": message.role.value, "content": message.content}
    if message.name:
        fields["name"] = message.name
    if message.tool_call_id:
        fields["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        # Providers refuse an empty text beside tool calls; null is what they ask for.
        fields["content"] = message.content or None
        fields["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments_json}}
            for call in message.tool_calls
        ]
    return fields


def _add_generation(body: dict[str, object], generation: Generation) -> None:
    if generation.max_output_tokens is not None:
        # The older name of the field, and the one that every compatible server knows.
        body["max_tokens"] = generation.max_output_tokens
    if generation.temperature is not None:
        body["temperature"] = generation.temperature
    if generation.top_p is not None:
        body["top_p"] = generation.top_p
    if generation.seed is not None:
        body["seed"] = generation.seed
    if generation.stop:
        body["stop"] = generation.stop
    if generation.tools:
        body["tools"] = [_tool(tool) for tool in generation.tools]
        if generation.tool_choice:
            body["tool_choice"] = _tool_choice(generation.tool_choice)


def _tool(tool: Tool) -> dict[str, object]:
    function: dict[str, object] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters_json_schema:
        function["parameters"] = orjson.loads(tool.parameters_json_schema)
    return {"type": "function", "function": function}


def _tool_choice(choice: str) -> object:
    return choice if choice in _TOOL_CHOICE_WORDS else {"type": "function", "function": {"name": choice}}


def _response_format(output: Output) -> dict[str, object] | None:
    if isinstance(output, JsonObjectOutput):
        return {"type": "json_object"}
    if not isinstance(output, JsonSchemaOutput):
        return None
    name = _NOT_A_SCHEMA_NAME.sub("_", output.name)[:_MAX_SCHEMA_NAME_CHARS]
    schema: dict[str, object] = {"name": name or _DEFAULT_SCHEMA_NAME, "schema": orjson.loads(output.schema)}
    if output.strict:
        schema["strict"] = True
    return {"type": "json_schema", "json_schema": schema}
