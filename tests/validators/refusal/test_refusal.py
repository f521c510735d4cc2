from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.core.outcome import VerdictKind
from specroute.validators.refusal import MAX_REFUSAL_CHARACTERS, NotRefusal, is_refusal
from tests.validators.builders import a_request, an_answer
from tests.validators.refusal.refusal_examples import ANSWERS, MORE_REFUSALS, REFUSALS

EVERY_REFUSAL = [*(text for texts in REFUSALS.values() for text in texts), *MORE_REFUSALS]
MAX_FALSE_ALARM_RATIO = 0.001


@pytest.mark.parametrize("text", EVERY_REFUSAL)
def test_a_refusal_is_rejected_in_its_language(text: str) -> None:
    verdict = NotRefusal().judge(a_request(), an_answer(text))

    assert (verdict.kind, verdict.reason) == (VerdictKind.REJECT, "refusal")


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_that_only_sounds_like_a_refusal_passes(text: str) -> None:
    assert NotRefusal().judge(a_request(), an_answer(text)).kind is VerdictKind.ACCEPT


@pytest.mark.parametrize("text", EVERY_REFUSAL)
@pytest.mark.parametrize("prefix", ["The usual wording of a model is: ", '{"text": "', "```json\n"])
def test_a_refusal_that_is_only_quoted_passes(prefix: str, text: str) -> None:
    assert not is_refusal(prefix + text)


@pytest.mark.parametrize("decorate", ["**{}**", "> {}", "# {}", "\n\n  {}\n", "- {}", "_{}_", "\ufeff{}", "“{}”"])
def test_markdown_and_quotes_around_a_refusal_hide_nothing(decorate: str) -> None:
    assert is_refusal(decorate.format("I’m sorry, but I can’t assist with that."))


def test_letter_case_and_wide_letters_hide_nothing() -> None:
    assert is_refusal("I'M SORRY, BUT I CAN'T ASSIST WITH THAT.")
    assert is_refusal("Ｉ ｃａｎｎｏｔ ａｓｓｉｓｔ ｗｉｔｈ ｔｈａｔ．")


def test_a_long_answer_is_more_than_a_refusal() -> None:
    assert not is_refusal("I can't help with that part. " + "Here is the rest. " * (MAX_REFUSAL_CHARACTERS // 10))


def test_a_tool_call_is_not_a_refusal_whatever_is_said_beside_it() -> None:
    answer = an_answer("I'm sorry, but I can't assist with that.", ("lookup", "{}"))

    assert NotRefusal().judge(a_request(), answer).kind is VerdictKind.ACCEPT


@settings(deadline=None)
@given(st.text())
def test_any_text_gets_a_verdict(text: str) -> None:
    assert NotRefusal().judge(a_request(), an_answer(text)).kind in (VerdictKind.ACCEPT, VerdictKind.REJECT)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(categories=["Cs", "Mn", "Cf", "Lo"])))
def test_lone_surrogates_and_marks_get_a_verdict(text: str) -> None:
    is_refusal("I'm sorry " + text)


def test_right_answers_that_were_recorded_are_not_called_refusals() -> None:
    path = os.environ.get("SPECROUTE_OUTCOMES")
    if not path or not Path(path).is_file():
        pytest.skip("SPECROUTE_OUTCOMES names no file of recorded outcomes.")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = ["mini_response", "mini_correct", "large_response", "large_correct"]
    rows = parquet.read_table(path, columns=columns).to_pylist()
    right = [row[f"{tier}_response"] for row in rows for tier in ("mini", "large") if row[f"{tier}_correct"]]
    texts = [text for text in right if text]

    assert sum(map(is_refusal, texts)) <= MAX_FALSE_ALARM_RATIO * len(texts)
