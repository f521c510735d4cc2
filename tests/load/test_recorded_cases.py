import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from specroute.core.request import ToolCall
from specroute.edge.client.aio import Answered
from tests.demo.builders import receipt
from tests.load.recorded_rows import PAIR, ROWS, row, written

pytest.importorskip("pyarrow")

from specroute.learn.dataset import read_outcomes
from specroute.learn.readers import OutcomesError
from specroute.load.recorded_cases import RecordedCase, recorded_book, recorded_workload
from specroute.upstreams.simulated.answers import AnswerBook, NoAnswer, SimulatedAnswer
from specroute.upstreams.simulated.http.wire import ChatRequest


@pytest.fixture
def cases(tmp_path: Path) -> Mapping[str, RecordedCase]:
    found = recorded_workload(written(tmp_path / "outcomes.parquet", ROWS), PAIR)
    return {case.request.last_user_text: case for case in found.cases}


def answer(tier: str, text: str = "", *calls: tuple[str, str], model: str = "") -> Answered:
    named = tuple(ToolCall(f"call_{index}", *call) for index, call in enumerate(calls))
    return Answered("id", text, named, "stop", tier, f"{tier}-0", model or f"{tier}-exact", False, receipt())


def test_rows_without_text_or_grade_and_other_pairs_are_left_out(tmp_path: Path) -> None:
    found = recorded_workload(written(tmp_path / "outcomes.parquet", ROWS), PAIR)
    assert len(found.cases) == 6
    assert found.left_out == 3
    assert {case.source for case in found.cases} == {"sums", "calls", "capitals"}


def test_the_grade_is_that_of_the_tier_that_answered(cases: Mapping[str, RecordedCase]) -> None:
    case = cases["What is 17 * 3?"]
    assert not case.is_right(answer("mini", "54"))
    assert case.is_right(answer("large", "51"))


def test_text_is_compared_byte_for_byte_with_what_the_named_tier_said(cases: Mapping[str, RecordedCase]) -> None:
    case = cases["What is 17 * 3?"]
    assert case.is_from_its_tier(answer("mini", "54"))
    assert not case.is_from_its_tier(answer("large", "54"))
    assert not case.is_from_its_tier(answer("mini", "54 "))
    assert not case.is_from_its_tier(answer("mini", "54", model="another"))
    assert not case.is_from_its_tier(answer("medium", "54"))


def test_tool_calls_are_compared_in_order_with_their_arguments(cases: Mapping[str, RecordedCase]) -> None:
    case = cases["Add 1 and 2, then 3 and 4."]
    calls = (("add", '{"a": 1, "b": 2}'), ("add", '{"a": 3, "b": 4}'))
    assert case.is_from_its_tier(answer("large", "", *calls))
    assert not case.is_from_its_tier(answer("large", "", *reversed(calls)))
    assert not case.is_from_its_tier(answer("large", "", calls[0]))
    assert not case.is_from_its_tier(answer("large", "and text", *calls))
    assert case.is_from_its_tier(answer("mini", "I have no function for that."))


def test_every_format_gives_the_same_cases_and_answers(tmp_path: Path) -> None:
    lines = tmp_path / "outcomes.jsonl"
    lines.write_text("\n".join(json.dumps(row) for row in ROWS))

    from_parquet = recorded_workload(written(tmp_path / "outcomes.parquet", ROWS), PAIR)
    from_lines = recorded_workload(lines, PAIR)
    from_rows = recorded_workload(read_outcomes(lines), PAIR)

    assert from_parquet.cases == from_lines.cases == from_rows.cases
    assert from_parquet.book.prompts("large") == from_lines.book.prompts("large")


def test_the_book_has_what_only_one_model_answered_and_what_an_empty_answer_says(tmp_path: Path) -> None:
    book = recorded_workload(written(tmp_path / "outcomes.parquet", ROWS), PAIR).book

    assert answer_of(book, "large", "Untold") == "Rome"
    assert answer_of(book, "mini", "Untold") is None
    assert answer_of(book, "mini", "Capital of Chad?") == ""
    assert dict(book.report.served) == {"mini": 7, "large": 8}


def answer_of(book: AnswerBook, tier: str, prompt: str) -> str | None:
    found = book.answer(ChatRequest(tier, prompt, "", input_bytes=0))
    assert isinstance(found, (SimulatedAnswer, NoAnswer))
    return found.text if isinstance(found, SimulatedAnswer) else None


@pytest.mark.parametrize(
    ("rows", "pair", "said"),
    [
        (ROWS, "a|b", "no rows of pair 'a|b'; --pair is one of: gpt-4o-mini|gpt-4o, x|y"),
        ([row("s", "p", None, None, "rr")], PAIR, "none of the 1 rows of pair 'gpt-4o-mini|gpt-4o' has the text"),
        ([{"prompt": "x", "pair": PAIR}], PAIR, "has no column 'mini_correct'"),
        ([row("s", "p", "m", "l", "rr") | {"mini_response": 1.5}], PAIR, "make 'mini_response' a text column"),
    ],
)
def test_a_file_that_cannot_be_served_is_refused_in_one_line(
    tmp_path: Path, rows: list[dict[str, Any]], pair: str, said: str
) -> None:
    with pytest.raises(OutcomesError, match=r"outcomes\.parquet: ") as caught:
        recorded_book(written(tmp_path / "outcomes.parquet", rows), pair)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pair_without_a_row_that_has_everything_has_no_cases(tmp_path: Path) -> None:
    path = written(tmp_path / "outcomes.parquet", [row("s", "half", None, "l", "rr"), row("s", "bare", "m", "l", "r.")])

    with pytest.raises(OutcomesError, match="has the text and the grade of both answers"):
        recorded_workload(path, PAIR)
    assert recorded_book(path, PAIR).prompts("large") == ("bare", "half")
