"""What the verifier is shown of a request and a completion."""

from __future__ import annotations

import pytest

from specroute.core.outcome import Completion, FinishReason, Usage
from specroute.core.request import Generation, Message, Role, RouteRequest, Tool, ToolCall
from specroute.predictor.verifier.calling.calls import find_calls
from specroute.predictor.verifier.calling.tools import find_tools
from specroute.predictor.verifier.evidence import evidence_of, stated_confidence

_TOOL = Tool("add", "Adds.", '{"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}')


def _request(*tools: Tool) -> RouteRequest:
    return RouteRequest("r", (Message(Role.USER, "Add 4."),), generation=Generation(tools=tools))


def test_text_is_shown_as_it_is() -> None:
    evidence = evidence_of(_request(), Completion("Four.", (), FinishReason.STOP, "m"))

    assert (evidence.prompt, evidence.answer, evidence.mean_logprob) == ("Add 4.", "Four.", None)


def test_tools_and_tool_calls_are_rendered_as_recorded_ones() -> None:
    calls = (ToolCall("c1", "add", '{"x": 4}'),)
    evidence = evidence_of(_request(_TOOL), Completion("", calls, FinishReason.TOOL_CALLS, "m"))

    assert evidence.answer == '[{"add": "{\\"x\\": 4}"}]'
    assert find_calls(evidence.answer).calls[0].arguments == {"x": 4}
    assert find_tools(evidence.prompt).tools["add"].required == ("x",)
    assert find_tools(evidence.prompt).request.strip() == "Add 4."


def test_a_schema_that_is_no_json_is_shown_as_empty() -> None:
    evidence = evidence_of(_request(Tool("add", "", "{")), Completion("", (), FinishReason.STOP, "m"))

    assert find_tools(evidence.prompt).tools["add"].parameters == {}


def test_logprobs_are_averaged_and_tokens_taken_from_the_usage() -> None:
    usage = Usage(output_tokens=3)
    evidence = evidence_of(_request(), Completion("B", (), FinishReason.STOP, "m", usage, (-0.1, -0.3)))

    assert evidence.mean_logprob == pytest.approx(-0.2)
    assert evidence.output_tokens == 3


@pytest.mark.parametrize(
    ("answer", "confidence"),
    [
        ("B. Confidence: 0.85", 0.85),
        ("Confidence level: 90%", 0.9),
        ("I answer with confidence.", None),
        ("Confidence: 900", None),
        ("B", None),
    ],
)
def test_a_stated_confidence_is_read(answer: str, confidence: float | None) -> None:
    assert stated_confidence(answer) == confidence
