from __future__ import annotations

import pytest

from specroute.core.outcome import VerdictKind
from specroute.validators.quality.consistent import Consistent
from tests.validators.builders import a_request, an_answer


def verdict_on(text: str) -> tuple[VerdictKind, str]:
    verdict = Consistent().judge(a_request(), an_answer(text))
    assert verdict.validator == "consistent"
    return verdict.kind, verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        "12 * 3 = 36",
        '{"reasoning": "She pays 12 * 3 = 36.", "answer": "36"}',
        "She pays 12 * 3 = $36.\n#### 36",
        "The answer is (B). So the correct answer is (B).",
        "3 boxes of 4 pens = 12 pens. The answer is 12.",
        "The share is 1 - 0.75 = 0.25.\nAnswer: 25%",
        "It costs 40 now and 2 * 20 = 40 later, and 90 before; he has 50 left.\nThe answer is 50.",
        "Die Summe ist 2 + 3 = 5. Die Antwort ist 5.",
    ],
)
def test_an_answer_that_says_one_thing_is_accepted(text: str) -> None:
    assert verdict_on(text) == (VerdictKind.ACCEPT, "consistent")


@pytest.mark.parametrize("text", ["12 * 7 = 82", "2 + 2 = 4, and 4 * 5 = 25. The answer is 25."])
def test_a_wrong_sum_is_rejected(text: str) -> None:
    assert verdict_on(text) == (VerdictKind.REJECT, "arithmetic_wrong")


@pytest.mark.parametrize(
    "text",
    [
        '{"reasoning": "She pays for all of them = 36.", "answer": "38"}',
        '{"reasoning": "The answer is 36.", "answer": "38"}',
        "Total = $36.\n#### 38",
        "\\boxed{36} and so the answer is 38.",
        "The correct answer is (B).\n\nThe answer is (C).",
        "在这里总数 = 36。答案是38",
    ],
)
def test_an_answer_that_is_not_what_it_reasons_is_rejected(text: str) -> None:
    assert verdict_on(text) == (VerdictKind.REJECT, "answer_differs")


@pytest.mark.parametrize(
    "text", ["", "Paris is the capital of France.", "The answer is (B).", "The answer is 7.", "x = 3"]
)
def test_where_nothing_can_be_compared_it_abstains(text: str) -> None:
    assert verdict_on(text) == (VerdictKind.ABSTAIN, "nothing_to_check")
