from dataclasses import replace
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.outcome import FinishReason
from specroute.core.request import ToolCall
from specroute.upstreams.simulated.answers import (
    REFUSAL,
    KnownAnswer,
    KnownAnswers,
    NoAnswer,
    SimulatedAnswer,
    Synthetic,
    pieces_of,
)
from specroute.upstreams.simulated.http.wire import BadRequestError, ChatRequest, parse_chat_request
from specroute.upstreams.simulated.profile import AnswerKind, LatencyProfile, QualityProfile, TierProfile

LATENCY = LatencyProfile(0.1, 0.2, tokens_per_s=100)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def request_of(prompt: str = "hi", **fields: Any) -> ChatRequest:
    body = {"model": "mini", "messages": [{"role": "user", "content": prompt}]} | fields
    return parse_chat_request(orjson.dumps(body))


def tier_of(**quality: Any) -> TierProfile:
    return TierProfile("mini", LATENCY, replace(QualityProfile(correct=0.0), **quality))


def synthetic_answer(request: ChatRequest, **quality: float) -> SimulatedAnswer:
    return Synthetic([tier_of(**quality)]).answer(request)


@given(st.text())
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(pieces_of(text)) == text


@given(text=st.text(), tokens=st.integers(0, 200), bound=st.integers(1, 250))
def test_a_cut_answer_is_a_prefix_that_says_so(text: str, tokens: int, bound: int) -> None:
    answer = SimulatedAnswer("mini", "mini", text, input_tokens=1, output_tokens=tokens, latency_s=2.0)

    cut = answer.cut_to(bound)

    assert text.startswith(cut.text)
    assert cut.output_tokens == min(tokens, bound)
    assert (cut == answer) if tokens <= bound else cut.finish_reason is FinishReason.LENGTH


def test_a_cut_tool_call_loses_the_end_of_its_arguments() -> None:
    calls = (ToolCall("1", "f", '{"city": "Oslo"}'), ToolCall("2", "g", '{"city": "Rome"}'))
    answer = SimulatedAnswer("mini", "mini", "", input_tokens=1, output_tokens=100, tool_calls=calls)

    (only,) = answer.cut_to(30).tool_calls

    assert only.name == "f"
    assert calls[0].arguments_json.startswith(only.arguments_json)


KNOWN = [
    KnownAnswer(f"question {index}", "hard" if index % 2 else "easy", f"right {index}", "wrong") for index in range(40)
]


def test_known_prompts_are_answered_by_the_quality_of_the_tier_and_the_level_of_the_prompt() -> None:
    quality = QualityProfile(correct=0.0, correct_by_level=(("easy", 1.0),))
    book = KnownAnswers(KNOWN, [TierProfile("mini", LATENCY, quality)], seed=3)

    for known in KNOWN:
        answer = book.answer(request_of(known.prompt))
        assert isinstance(answer, SimulatedAnswer)
        assert answer.text == (known.right if known.level == "easy" else known.wrong)


def test_a_known_answer_is_told_beforehand_and_stays_the_same() -> None:
    tier = TierProfile("mini", LATENCY, QualityProfile(correct=0.5))
    book, again = (KnownAnswers(KNOWN, [tier], seed=4) for _ in range(2))

    kinds = {known.prompt: book.kind_of("mini", known.prompt) for known in KNOWN}

    assert set(kinds.values()) == {AnswerKind.CORRECT, AnswerKind.WRONG}
    for known in KNOWN:
        answer = again.answer(request_of(known.prompt))
        assert isinstance(answer, SimulatedAnswer)
        assert answer.kind is kinds[known.prompt]
        assert book.answer(request_of(known.prompt)) == answer


def test_a_prompt_that_is_not_known_has_no_answer() -> None:
    book = KnownAnswers(KNOWN, [tier_of(correct=1.0)])

    assert isinstance(book.answer(request_of("question 1 ")), NoAnswer)


def test_prose_is_as_long_as_it_says_and_the_same_every_time() -> None:
    for index in range(50):
        request = request_of(f"tell me {index}")
        answer = synthetic_answer(request, correct=1.0)

        assert answer == synthetic_answer(request, correct=1.0)
        assert answer.output_tokens == len(pieces_of(answer.text)) > 0
        assert answer.text[0].isupper()
        assert answer.finish_reason is FinishReason.STOP


def test_json_satisfies_the_schema_asked_for() -> None:
    wrapped = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}

    answer = synthetic_answer(request_of(response_format=wrapped), correct=1.0)

    jsonschema_rs.validate(SCHEMA, orjson.loads(answer.text))
    anything = synthetic_answer(request_of(response_format={"type": "json_object"}), correct=1.0)
    assert isinstance(orjson.loads(anything.text), dict)


TOOLS: dict[str, Any] = {
    "tools": [{"type": "function", "function": {"name": "look_up", "parameters": SCHEMA}}],
    "tool_choice": "required",
}


def test_a_required_tool_is_called_with_arguments_of_its_schema() -> None:
    answer = synthetic_answer(request_of(**TOOLS), correct=1.0)

    (call,) = answer.tool_calls
    jsonschema_rs.validate(SCHEMA, orjson.loads(call.arguments_json))
    assert (call.name, answer.text, answer.finish_reason) == ("look_up", "", FinishReason.TOOL_CALLS)
    assert answer.output_tokens > 0


def test_a_schema_that_cannot_be_answered_is_a_bad_request() -> None:
    wrapped = {"type": "json_schema", "json_schema": {"schema": {"properties": 3}}}

    with pytest.raises(BadRequestError) as caught:
        synthetic_answer(request_of(response_format=wrapped), correct=1.0)

    assert caught.value.error.param == "response_format"


def test_failures_look_like_failures() -> None:
    request = request_of(response_format={"type": "json_object"})

    assert synthetic_answer(request, refusal=1.0).text == REFUSAL
    empty = synthetic_answer(request, empty=1.0)
    assert (empty.text, empty.output_tokens, empty.finish_reason) == ("", 0, FinishReason.STOP)
    truncated = synthetic_answer(request, truncated=1.0)
    assert truncated.finish_reason is FinishReason.LENGTH
    malformed = synthetic_answer(request, malformed=1.0)
    assert malformed.finish_reason is FinishReason.STOP
    for answer in (truncated, malformed, synthetic_answer(request_of(), malformed=1.0)):
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(answer.text)


def test_failures_of_tool_calls_look_like_failures() -> None:
    request = request_of(**TOOLS)

    malformed = synthetic_answer(request, malformed=1.0)
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(malformed.tool_calls[0].arguments_json)
    assert synthetic_answer(request, truncated=1.0).finish_reason is FinishReason.LENGTH
    refused = synthetic_answer(request, refusal=1.0)
    assert (refused.text, refused.tool_calls, refused.finish_reason) == (REFUSAL, (), FinishReason.STOP)


def test_right_answers_are_surer_than_wrong_ones_on_average_only() -> None:
    def logprobs(**quality: float) -> list[float]:
        answers = (synthetic_answer(request_of(str(index)), **quality) for index in range(300))
        return [answer.mean_logprob for answer in answers if answer.mean_logprob is not None]

    right, wrong = logprobs(correct=1.0), logprobs(correct=0.0)

    assert len(right) == len(wrong) == 300
    assert max(right + wrong) < 0
    assert sum(right) > sum(wrong)
    assert min(right) < max(wrong)
