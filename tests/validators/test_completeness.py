from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.core.outcome import FinishReason, Prefix, PrefixKind, PrefixVerdict, VerdictKind
from specroute.validators.completeness import BLANK_CHARACTERS, Complete
from tests.validators.builders import a_request, an_answer


@pytest.mark.parametrize(
    "text", ["", " \n\t", "\u200b", "\u3000\ufeff\u200d \u2060", "\x00\x1f", "\u00a0" * 100 + "\u200b"]
)
def test_an_answer_that_shows_nothing_is_empty(text: str) -> None:
    verdict = Complete().judge(a_request(), an_answer(text))

    assert (verdict.kind, verdict.reason) == (VerdictKind.REJECT, "empty")


@pytest.mark.parametrize("text", ["a", " " * 200 + "é", "\u200b0", "。"])
def test_an_answer_that_shows_something_is_complete(text: str) -> None:
    assert Complete().judge(a_request(), an_answer(text)).kind is VerdictKind.ACCEPT


def test_tool_calls_alone_are_an_answer() -> None:
    answer = an_answer("", ("lookup", "{}"), finish_reason=FinishReason.TOOL_CALLS)

    assert Complete().judge(a_request(), answer).kind is VerdictKind.ACCEPT


@pytest.mark.parametrize(
    ("finish_reason", "reason"), [(FinishReason.LENGTH, "cut_off"), (FinishReason.CONTENT_FILTER, "content_filter")]
)
def test_an_answer_that_did_not_end_by_itself_is_rejected(finish_reason: FinishReason, reason: str) -> None:
    verdict = Complete().judge(a_request(), an_answer("Once upon a", ("f", "{"), finish_reason=finish_reason))

    assert (verdict.kind, verdict.reason) == (VerdictKind.REJECT, reason)


@settings(deadline=None)
@given(st.text(alphabet=BLANK_CHARACTERS + " \n\t\r"))
def test_blank_characters_never_make_an_answer(text: str) -> None:
    assert Complete().judge(a_request(), an_answer(text)).reason == "empty"


@pytest.mark.parametrize("prefix", [Prefix(" a"), Prefix("", has_tool_calls=True)])
def test_an_answer_settles_with_the_first_thing_that_it_shows(prefix: Prefix) -> None:
    verdict = Complete().judge_prefix(a_request(), prefix)

    assert verdict == PrefixVerdict(PrefixKind.ACCEPT, "visible", is_settled=True)


def test_an_answer_that_shows_nothing_yet_is_undecided() -> None:
    assert Complete().judge_prefix(a_request(), Prefix(" \n\u200b")).kind is PrefixKind.UNDECIDED


@pytest.mark.parametrize("finish_reason", [FinishReason.LENGTH, FinishReason.CONTENT_FILTER])
def test_what_may_still_be_wrong_after_that_only_the_end_shows(finish_reason: FinishReason) -> None:
    verdict = Complete().judge(a_request(), an_answer("a", finish_reason=finish_reason))

    assert verdict.reason in Complete.end_reasons
