import math
from typing import Any

import orjson
import pytest

from specroute.core.outcome import FinishReason
from specroute.core.request import estimated_tokens
from specroute.learn.prices import ModelPrice, answer_cost_usd
from specroute.upstreams.simulated.answers import NoAnswer, SimulatedAnswer
from specroute.upstreams.simulated.http.wire import ChatRequest, parse_chat_request
from specroute.upstreams.simulated.recorded import RecordedOutcomes

PAIR = "gpt-4o-mini|gpt-4o"


def row_of(prompt: str, **fields: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"pair": PAIR, "prompt": prompt, "output_format": "letter"}
    for tier, model in (("mini", "gpt-4o-mini-2024"), ("large", "gpt-4o-2024-08")):
        row |= {f"{tier}_model": model, f"{tier}_response": f"{tier} says {prompt}", f"{tier}_input_tokens": 12.0,
                f"{tier}_output_tokens": 3.6, f"{tier}_latency_s": math.nan}  # fmt: skip
    return row | fields


ROWS = [
    row_of("plain"),
    row_of(" spaces \n"),
    row_of("older", large_model="gpt-4o-2024-05"),
    row_of("untold", mini_response=None, large_response=None),
    row_of("half told", mini_response=None),
    row_of("timed", mini_latency_s=1.25, mini_input_tokens=None, mini_output_tokens=None),
    row_of(
        "tools",
        output_format="tool_calls",
        mini_response='[{"add": "{\\"a\\":1}"}, {"add": {"a": 2}}]',
        large_response="I cannot use a tool for this.",
    ),
    row_of("other pair", pair="a|b"),
]


def book_of(*rows: dict[str, Any]) -> RecordedOutcomes:
    return RecordedOutcomes([row for row in rows if row["pair"] == PAIR], path="outcomes.parquet", pair=PAIR)


@pytest.fixture
def book() -> RecordedOutcomes:
    return book_of(*ROWS)


def asked(prompt: str, model: str = "mini") -> ChatRequest:
    return parse_chat_request(orjson.dumps({"model": model, "messages": [{"role": "user", "content": prompt}]}))


def answered(book: RecordedOutcomes, prompt: str, model: str = "mini") -> SimulatedAnswer:
    answer = book.answer(asked(prompt, model))
    assert isinstance(answer, SimulatedAnswer)
    return answer


@pytest.mark.parametrize("model", ["mini", "gpt-4o-mini", "gpt-4o-mini-2024"])
def test_a_model_is_asked_for_by_tier_pair_or_exact_name(book: RecordedOutcomes, model: str) -> None:
    answer = answered(book, "plain", model)

    assert (answer.text, answer.tier, answer.model) == ("mini says plain", "mini", "gpt-4o-mini-2024")
    assert (answer.input_tokens, answer.output_tokens, answer.latency_s) == (12, 4, None)
    assert answer.finish_reason is FinishReason.STOP


def test_an_exact_name_answers_only_its_own_rows(book: RecordedOutcomes) -> None:
    assert answered(book, "older", "large").model == "gpt-4o-2024-05"
    assert answered(book, "older", "gpt-4o-2024-05").text == "large says older"
    other = book.answer(asked("older", "gpt-4o-2024-08"))
    assert isinstance(other, NoAnswer)
    assert "gpt-4o-2024-05" in other.message


def test_the_lookup_is_byte_for_byte(book: RecordedOutcomes) -> None:
    assert answered(book, " spaces \n").text == "mini says  spaces \n"
    for prompt in ("spaces", " spaces ", "Plain", "plain ", "other pair", "untold"):
        assert isinstance(book.answer(asked(prompt)), NoAnswer)


def test_the_message_of_a_miss_does_not_quote_the_prompt(book: RecordedOutcomes) -> None:
    miss = book.answer(asked("a secret"))

    assert isinstance(miss, NoAnswer)
    assert "a secret" not in miss.message


def test_rows_without_text_are_left_out_and_counted_per_tier(book: RecordedOutcomes) -> None:
    assert dict(book.report.served) == {"mini": 5, "large": 6}
    assert dict(book.report.without_text) == {"mini": 2, "large": 1}
    assert "left out without text: mini 2, large 1" in str(book.report)
    assert "\n" not in str(book.report)
    assert answered(book, "half told", "large").text == "large says half told"


def test_a_recorded_latency_is_kept_and_missing_tokens_are_estimated(book: RecordedOutcomes) -> None:
    answer = answered(book, "timed")

    assert answer.latency_s == 1.25
    assert answer.input_tokens == estimated_tokens(len("timed")) == 2
    assert answer.output_tokens == estimated_tokens(len("mini says timed")) == 4


def test_recorded_tool_calls_answer_as_tool_calls(book: RecordedOutcomes) -> None:
    answer = answered(book, "tools")

    assert [(call.name, call.arguments_json) for call in answer.tool_calls] == [("add", '{"a":1}'), ("add", '{"a":2}')]
    assert len({call.id for call in answer.tool_calls}) == 2
    assert (answer.text, answer.finish_reason) == ("", FinishReason.TOOL_CALLS)


def test_a_tool_prompt_that_was_answered_in_text_is_answered_in_text(book: RecordedOutcomes) -> None:
    answer = answered(book, "tools", "large")

    assert (answer.text, answer.tool_calls) == ("I cannot use a tool for this.", ())
    assert answer.finish_reason is FinishReason.STOP


def test_of_repeated_prompts_the_first_row_counts() -> None:
    book = book_of(row_of("same", mini_response="first"), row_of("same", mini_response="second"))

    assert answered(book, "same").text == "first"
    assert "1 rows repeat a prompt" in str(book.report)


def test_the_tokens_of_an_answer_are_estimated_as_they_are_for_its_price() -> None:
    text = "Здравствуй, мир"
    book = book_of(row_of("x", mini_response=text, mini_input_tokens=None, mini_output_tokens=None))
    price = ModelPrice(1.0, 1000.0)

    answer = answered(book, "x")

    assert answer_cost_usd(price, "x", text, None, None) == price.cost_usd(answer.input_tokens, answer.output_tokens)
