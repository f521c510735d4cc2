from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from specroute.core.request import ToolCall
from specroute.edge.client.aio import Answered
from tests.demo.builders import receipt
from tests.load.recorded_rows import PAIR, ROWS, written

pytest.importorskip("pyarrow")

from specroute.load.recorded_cases import RecordedCase, recorded_cases
from specroute.upstreams.simulated.recorded import OutcomesError


@pytest.fixture
def cases(tmp_path: Path) -> Mapping[str, RecordedCase]:
    found = recorded_cases(written(tmp_path / "outcomes.parquet", ROWS), pair=PAIR)
    return {case.request.last_user_text: case for case in found.cases}


def answer(tier: str, text: str = "", *calls: tuple[str, str], model: str = "") -> Answered:
    named = tuple(ToolCall(f"call_{index}", *call) for index, call in enumerate(calls))
    return Answered("id", text, named, "stop", tier, f"{tier}-0", model or f"{tier}-exact", False, receipt())


def test_rows_without_text_or_grade_and_other_pairs_are_left_out(tmp_path: Path) -> None:
    found = recorded_cases(written(tmp_path / "outcomes.parquet", ROWS), pair=PAIR)
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


@pytest.mark.parametrize(
    ("rows", "pair", "said"),
    [
        (ROWS, "a|b", "no row of pair 'a|b' has the text and the grade of both answers"),
        ([{"prompt": "x", "pair": PAIR}], PAIR, "missing columns: output_format"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, rows: list[dict[str, Any]], pair: str, said: str
) -> None:
    with pytest.raises(OutcomesError, match=said.replace("|", r"\|")):
        recorded_cases(written(tmp_path / "outcomes.parquet", rows), pair=pair)
