from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.outcome import Completion, Prefix, PrefixKind, VerdictKind
from specroute.validators.quality.confidence import Confidence
from tests.validators.builders import a_request, an_answer


def answered(*logprobs: float) -> Completion:
    return dataclasses.replace(an_answer("text"), logprobs=logprobs)


@pytest.mark.parametrize(
    ("logprobs", "kind", "reason"),
    [
        ([], VerdictKind.ABSTAIN, "no_logprobs"),
        ([-9.0] * 19, VerdictKind.ABSTAIN, "too_few_tokens"),
        ([-0.1] * 20, VerdictKind.ACCEPT, "sure"),
        ([-0.1] * 19 + [-9.0], VerdictKind.ACCEPT, "sure"),
        ([-0.1] * 18 + [-9.0] * 2, VerdictKind.REJECT, "unsure"),
        ([-4.0] * 20, VerdictKind.ACCEPT, "sure"),
    ],
)
def test_the_least_likely_tokens_decide(logprobs: list[float], kind: VerdictKind, reason: str) -> None:
    verdict = Confidence().judge(a_request(), answered(*logprobs))

    assert (verdict.kind, verdict.reason) == (kind, reason)


@given(st.lists(st.floats(-20, 0), min_size=20, max_size=200), st.integers(1, 99), st.floats(-10, 0))
def test_it_is_the_quantile_that_is_compared(logprobs: list[float], percent: int, bound: float) -> None:
    quantile = percent / 100
    # The lower quantile: the least value that at least this share of the values does not exceed.
    below = [value for value in logprobs if sum(each <= value for each in logprobs) >= quantile * len(logprobs)]
    is_unsure = min(below) < bound

    verdict = Confidence(quantile, bound).judge(a_request(), answered(*logprobs))

    assert (verdict.kind is VerdictKind.REJECT) == is_unsure


@pytest.mark.parametrize(
    ("bound", "kind"), [(None, VerdictKind.ACCEPT), (-0.5, VerdictKind.REJECT), (-0.6, VerdictKind.ACCEPT)]
)
def test_the_mean_is_looked_at_where_it_has_a_bound(bound: float | None, kind: VerdictKind) -> None:
    verdict = Confidence(min_mean_logprob=bound).judge(a_request(), answered(*([-0.1] * 10 + [-1.0] * 10)))

    assert (verdict.kind, verdict.reason) == (kind, "unsure" if kind is VerdictKind.REJECT else "sure")


def test_a_mean_above_its_bound_does_not_excuse_unlikely_tokens() -> None:
    verdict = Confidence(min_mean_logprob=-5.0).judge(a_request(), answered(*([-0.1] * 18 + [-9.0] * 2)))

    assert verdict.kind is VerdictKind.REJECT


@pytest.mark.parametrize(
    ("text", "kind", "reason", "p_accept"),
    [
        ("Confidence: 60%", VerdictKind.REJECT, "stated_unsure", 0.6),
        ("Confidence: 85%", VerdictKind.ACCEPT, "stated_sure", 0.85),
        ("B", VerdictKind.ABSTAIN, "no_logprobs", None),
    ],
)
def test_without_log_probabilities_counts_what_the_answer_states(
    text: str, kind: VerdictKind, reason: str, p_accept: float | None
) -> None:
    verdict = Confidence().judge(a_request(), an_answer(text))

    assert (verdict.kind, verdict.reason, verdict.p_accept) == (kind, reason, p_accept)


def test_log_probabilities_count_more_than_what_the_answer_states() -> None:
    stated = an_answer("Confidence: 10%")
    sure = dataclasses.replace(stated, logprobs=(-0.1,) * 20)
    few = dataclasses.replace(stated, logprobs=(-0.1,) * 19)

    assert Confidence().judge(a_request(), sure).reason == "sure"
    assert Confidence().judge(a_request(), few).reason == "stated_unsure"


def test_a_statement_is_not_read_where_it_has_no_bound() -> None:
    verdict = Confidence(min_stated=None).judge(a_request(), an_answer("Confidence: 10%"))

    assert (verdict.kind, verdict.reason) == (VerdictKind.ABSTAIN, "no_logprobs")


def test_a_beginning_is_judged_by_its_tokens_and_never_settled() -> None:
    ask = Confidence(min_tokens=3).judge_prefix

    assert ask(a_request(), Prefix("text")).kind is PrefixKind.ACCEPT
    assert ask(a_request(), Prefix("text", logprobs=[-0.1, -9.0])).kind is PrefixKind.UNDECIDED
    assert ask(a_request(), Prefix("text", logprobs=[-0.1, -9.0, -9.0])).kind is PrefixKind.REJECT
    sure = ask(a_request(), Prefix("text", logprobs=[-0.1] * 30))
    assert (sure.kind, sure.is_settled) == (PrefixKind.ACCEPT, False)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"quantile": 0.0}, "quantile"),
        ({"quantile": 1.0}, "quantile"),
        ({"quantile": float("nan")}, "quantile"),
        ({"min_logprob": 0.5}, "min_logprob"),
        ({"min_logprob": float("nan")}, "min_logprob"),
        ({"min_tokens": 0}, "min_tokens"),
        ({"min_mean_logprob": 0.1}, "min_mean_logprob"),
        ({"min_stated": 1.1}, "min_stated"),
        ({"min_stated": float("nan")}, "min_stated"),
    ],
)
def test_an_option_out_of_its_range_is_refused(options: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Confidence(**options)  # type: ignore[arg-type]  # one of them
