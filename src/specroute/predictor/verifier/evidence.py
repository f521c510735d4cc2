"""What the verifier sees of a request and its answer, in the form in which recorded outcomes hold both."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specroute.predictor.verifier.reading.text import read_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.core.outcome import Completion
    from specroute.core.request import RouteRequest, Tool, ToolCall

_CONFIDENCE = "confidence"
_TAIL_CHARS = 600
_NEAR_CHARS = 24


@dataclass(frozen=True, slots=True)
class Evidence:
    """One answer to one prompt.

    Attributes:
        prompt: the last user message, before it the functions on offer where there are any.
        answer: its text, or its tool calls as ``[{name: arguments as JSON text}, ...]``; ``None``: not recorded.
        mean_logprob: mean natural-log probability of its tokens, <= 0; ``None``: not given.
        stated_confidence: the confidence that the answer states, in [0, 1]; ``None``: it states none.
        output_tokens: of the answer, >= 0; ``None``: not known.
    """

    prompt: str
    answer: str | None
    mean_logprob: float | None = None
    stated_confidence: float | None = None
    output_tokens: int | None = None


def evidence_of(request: RouteRequest, completion: Completion) -> Evidence:
    """Returns what a completion shows; tools and tool calls are rendered as recorded outcomes write them."""
    logprobs = completion.logprobs
    return Evidence(
        prompt=prompt_of(request.last_user_text, request.generation.tools),
        answer=_rendered_calls(completion.tool_calls) if completion.tool_calls else completion.text,
        mean_logprob=sum(logprobs) / len(logprobs) if logprobs else None,
        stated_confidence=stated_confidence(completion.text),
        output_tokens=completion.usage.output_tokens if completion.usage is not None else None,
    )


def stated_confidence(answer: str) -> float | None:
    """Returns the confidence that the end of an answer states ("Confidence: 0.85", "85 %"), in [0, 1], or ``None``."""
    tail = answer[-_TAIL_CHARS:]
    lower = tail.lower()
    start = lower.rfind(_CONFIDENCE)
    if start < 0:
        return None
    value = read_number(tail[start + len(_CONFIDENCE) :][:_NEAR_CHARS])
    if value is None or not 0.0 <= value <= 100.0:
        return None
    return value if value <= 1.0 else value / 100.0


def prompt_of(text: str, tools: Sequence[Tool]) -> str:
    """Returns ``text``, below the function list where tools are declared beside it."""
    if not tools:
        return text
    listed = [{"name": tool.name, "description": tool.description, "parameters": _schema(tool)} for tool in tools]
    return f"Available functions (JSON):\n{json.dumps(listed, ensure_ascii=False)}\n\nUser request:\n{text}"


def _schema(tool: Tool) -> object:
    try:
        return json.loads(tool.parameters_json_schema or "{}")
    except (ValueError, RecursionError):
        return {}


def _rendered_calls(calls: Sequence[ToolCall]) -> str:
    return json.dumps([{call.name: call.arguments_json} for call in calls], ensure_ascii=False)
