"""Requests and answers for the validators' tests."""

from __future__ import annotations

from specroute.core.outcome import Completion, FinishReason
from specroute.core.request import Generation, Message, Output, Role, RouteRequest, TextOutput, Tool, ToolCall


def a_request(
    output: Output | None = None, *, tools: tuple[Tool, ...] = (), tool_choice: str = "", prompt: str = "Hello"
) -> RouteRequest:
    return RouteRequest(
        "r1",
        (Message(Role.USER, prompt),),
        generation=Generation(tools=tools, tool_choice=tool_choice),
        output=output or TextOutput(),
    )


def an_answer(text: str = "", *calls: tuple[str, str], finish_reason: FinishReason = FinishReason.STOP) -> Completion:
    tool_calls = tuple(ToolCall(f"call_{index}", name, arguments) for index, (name, arguments) in enumerate(calls))
    return Completion(text, tool_calls, finish_reason, "a-model")
