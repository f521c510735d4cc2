"""Whether the tool calls of an answer are ones that the caller can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.validators.structured.json_text import NotJson, parse_json
from specroute.validators.structured.patterns import TooComplex
from specroute.validators.structured.schema import SchemaError, compile_schema

if TYPE_CHECKING:
    from specroute.core.request import Generation, Tool, ToolCall

ANY_CHOICE = ("", "auto")
NO_TOOL = "none"
SOME_TOOL = "required"


def missing_call_fault(generation: Generation) -> str | None:
    """Returns why an answer without tool calls breaks the request, or ``None``."""
    return None if generation.tool_choice in (*ANY_CHOICE, NO_TOOL) else "tool_call_missing"


def tool_calls_fault(generation: Generation, calls: tuple[ToolCall, ...]) -> str | None:
    """Returns why ``calls``, at least one, break the request, or ``None``.

    A request may list its functions in the prompt's text and declare none. An upstream that answers it with tool calls
    is then held to JSON objects as arguments, and to nothing more.
    """
    tools = {tool.name: tool for tool in generation.tools}
    if not tools:
        return next((fault for call in calls if (fault := _arguments_fault(call, None))), None)
    if generation.tool_choice == NO_TOOL:
        return "unexpected_tool_call"
    for call in calls:
        if fault := _call_fault(generation.tool_choice, tools, call):
            return fault
    return None


def _call_fault(tool_choice: str, tools: dict[str, Tool], call: ToolCall) -> str | None:
    tool = tools.get(call.name)
    if tool is None:
        return "unknown_tool"
    if tool_choice not in (*ANY_CHOICE, SOME_TOOL, call.name):
        return "wrong_tool"
    return _arguments_fault(call, tool)


def _arguments_fault(call: ToolCall, tool: Tool | None) -> str | None:
    try:
        arguments = parse_json(call.arguments_json)
    except NotJson:
        return "tool_arguments_not_json"
    if not isinstance(arguments, dict):
        return "tool_arguments_not_json"
    if tool is None or not tool.parameters_json_schema:
        return None
    try:
        fits = compile_schema(tool.parameters_json_schema).accepts(arguments, call.arguments_json)
    except SchemaError:
        # The edge refuses such a request before any upstream is called; an answer to it cannot be shown to fit.
        return "invalid_schema"
    except TooComplex:
        return "too_complex"
    return None if fits else "tool_arguments_schema"
