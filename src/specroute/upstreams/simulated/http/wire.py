"""What a client asks, parsed from the OpenAI chat completions request, and the error bodies it may get back.

Sans-IO: bytes in, values out. Parameters that a simulation has no use for (temperature, stop ...) are accepted and
ignored, as a client that is tested here must not have to change what it sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec
import orjson

Schema = dict[str, Any]
"""A JSON Schema as it came over the wire: untyped by nature."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that may be called, and the JSON Schema of its arguments."""

    name: str
    parameters: Schema


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat completions request, as far as a simulation reads it.

    Attributes:
        prompt: the content of the last user message, unchanged; "" where there is none.
        fingerprint: 32 hex digits of the whole conversation: what random draws are seeded with.
        max_tokens: bound on the answer in tokens, >= 1; ``None``: unbounded.
        tool_choice: "none", "auto", "required", or the name of the one tool to call.
        json_schema: what the answer must satisfy; ``{}`` is any object; ``None``: no JSON asked for.
    """

    model: str
    prompt: str
    fingerprint: str
    input_bytes: int
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"
    json_schema: Schema | None = None
    logprobs: bool = False

    @property
    def called_tool(self) -> ToolSpec | None:
        """The tool that the answer must call; ``None``: it answers in text."""
        if self.tool_choice in ("none", "auto") or not self.tools:
            return None
        return next((tool for tool in self.tools if tool.name == self.tool_choice), self.tools[0])


@dataclass(frozen=True, slots=True)
class ApiError:
    """An error as OpenAI reports it; ``retry_after_s`` becomes a header."""

    status: int
    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None
    retry_after_s: int | None = None

    def body(self) -> bytes:
        """Returns the JSON body."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return orjson.dumps({"error": error})


class BadRequestError(Exception):
    """The request breaks the API; carries the answer to it."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.error = ApiError(400, message, param=param)


class _Part(msgspec.Struct):
    type: str = "text"
    text: str = ""


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _Function(msgspec.Struct):
    name: str
    parameters: Schema | None = None


class _Tool(msgspec.Struct):
    function: _Function
    type: str = "function"


class _Named(msgspec.Struct):
    name: str


class _NamedTool(msgspec.Struct):
    function: _Named


class _SchemaFormat(msgspec.Struct):
    schema: Schema | None = None


class _ResponseFormat(msgspec.Struct):
    type: str
    json_schema: _SchemaFormat | None = None


class _Body(msgspec.Struct):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _NamedTool | None = None
    response_format: _ResponseFormat | None = None
    logprobs: bool | None = None
    n: int | None = None


_decoder = msgspec.json.Decoder(_Body)


def parse_chat_request(body: bytes) -> ChatRequest:
    """Returns what ``body`` asks.

    Raises:
        BadRequestError: it is not JSON, or a field that is read here is missing or of the wrong type.
    """
    try:
        parsed = _decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadRequestError(f"We could not parse the JSON body of your request: {error}") from error
    _refuse_what_breaks_the_api(parsed)
    texts = [(message.role, _text_of(message)) for message in parsed.messages]
    choice = parsed.tool_choice
    return ChatRequest(
        model=parsed.model,
        prompt=next((text for role, text in reversed(texts) if role == "user"), ""),
        fingerprint=blake2b(repr(texts).encode("utf-8"), digest_size=16).hexdigest(),
        input_bytes=sum(len(text.encode("utf-8")) for _, text in texts),
        stream=parsed.stream or False,
        include_usage=parsed.stream_options is not None and parsed.stream_options.include_usage,
        max_tokens=parsed.max_completion_tokens if parsed.max_completion_tokens is not None else parsed.max_tokens,
        tools=tuple(ToolSpec(tool.function.name, tool.function.parameters or {}) for tool in parsed.tools or ()),
        tool_choice=choice.function.name if isinstance(choice, _NamedTool) else choice or "auto",
        json_schema=_schema_of(parsed.response_format),
        logprobs=parsed.logprobs or False,
    )


def _refuse_what_breaks_the_api(body: _Body) -> None:
    if not body.messages:
        raise BadRequestError("messages must hold at least one message", "messages")
    if body.n not in (None, 1):
        raise BadRequestError("n must be 1: one answer a request is simulated", "n")
    for param in ("max_tokens", "max_completion_tokens"):
        value = getattr(body, param)
        if value is not None and value < 1:
            raise BadRequestError(f"{param} must be at least 1", param)
    if body.stream_options is not None and not body.stream:
        raise BadRequestError("stream_options is only allowed when stream is true", "stream_options")
    names = [tool.function.name for tool in body.tools or ()]
    if isinstance(body.tool_choice, _NamedTool) and body.tool_choice.function.name not in names:
        raise BadRequestError(f"tool_choice names a tool that is not in tools: {names}", "tool_choice")
    if isinstance(body.tool_choice, str) and body.tool_choice not in ("none", "auto", "required"):
        raise BadRequestError("tool_choice must be none, auto, required or a named function", "tool_choice")
    if body.tool_choice == "required" and not names:
        raise BadRequestError("tool_choice is only allowed when tools are given", "tool_choice")


def _text_of(message: _Message) -> str:
    if isinstance(message.content, list):
        return "".join(part.text for part in message.content)
    return message.content or ""


def _schema_of(response_format: _ResponseFormat | None) -> Schema | None:
    if response_format is None or response_format.type == "text":
        return None
    if response_format.type == "json_object":
        return {}
    if response_format.type != "json_schema":
        raise BadRequestError("response_format.type must be text, json_object or json_schema", "response_format")
    if response_format.json_schema is None or response_format.json_schema.schema is None:
        raise BadRequestError("response_format.json_schema.schema is missing", "response_format")
    return response_format.json_schema.schema
