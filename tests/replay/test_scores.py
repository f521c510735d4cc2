"""Predictor and verifier of a replay: each row once, out of fold where the model has learnt from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from specroute.core.outcome import Completion, FinishReason, Verdict, VerdictKind
from specroute.core.plan import Interval, Prediction
from specroute.core.request import Message, Role, RouteRequest
from specroute.learn.training.out_of_fold import OutOfFoldScore
from specroute.predictor.verifier.leeway import Cut, Leeway
from specroute.replay.scores import ScoredOnce, Scores, VerifiedOnce
from tests.replay.world import MODEL, PAIR, row, settings

if TYPE_CHECKING:
    from collections.abc import Hashable

LEARNT = OutOfFoldScore(p=0.4, p_low=0.3, p_high=0.5, p_rescue=0.2, p_large_if_ok=0.9, verifier_p=0.7)


def asked(prompt: str) -> RouteRequest:
    return RouteRequest("0", (Message(Role.USER, prompt),))


def said(text: str) -> Completion:
    return Completion(text, (), FinishReason.STOP, "m")


class Counting:
    """A predictor and a verifier that count how often they are asked."""

    version = "counting"
    name = "verifier"
    is_contract = False

    def __init__(self, p: float | None = 0.6) -> None:
        self.calls = 0
        self._p = p

    def predict(self, request: RouteRequest) -> Prediction:
        self.calls += 1
        return Prediction({"small": 0.8}, intervals={"small": Interval(0.7, 0.9)}, output_tokens=17)

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        self.calls += 1
        kind = VerdictKind.ABSTAIN if self._p is None else VerdictKind.ACCEPT
        return Verdict(self.name, kind, "said", p_accept=self._p)


def nothing(prompt: str) -> OutOfFoldScore | None:
    return None


def learnt(prompt: str) -> OutOfFoldScore | None:
    return LEARNT if prompt == "learnt" else None


def test_a_prompt_is_scored_once() -> None:
    inner = Counting()
    predictor = ScoredOnce(inner, nothing, ("small", "big"))

    assert predictor.predict(asked("a")) == predictor.predict(asked("a")) == inner.predict(asked("a"))
    assert inner.calls == 2  # one of them by this test
    assert predictor.version == "counting"


def test_what_was_learnt_from_has_the_scores_of_models_that_did_not_see_it() -> None:
    predictor = ScoredOnce(Counting(), learnt, ("small", "big"))

    known, other = predictor.predict(asked("learnt")), predictor.predict(asked("other"))

    assert known.interval("small") == Interval(0.3, 0.5)
    assert known.p_accept == pytest.approx({"small": 0.4, "big": 0.4 * 0.9 + 0.6 * 0.2})
    assert known.p_rescue == 0.2
    assert known.output_tokens == 17
    assert other.p_accept == {"small": 0.8}


@pytest.mark.parametrize(
    ("min_p", "kind"), [(0.59, VerdictKind.ACCEPT), (0.6, VerdictKind.ACCEPT), (0.61, VerdictKind.REJECT)]
)
def test_the_cut_decides_what_becomes_of_a_verdict(min_p: float, kind: VerdictKind) -> None:
    verifier = VerifiedOnce(Counting(), nothing, min_p, verdicts={})

    assert verifier.judge(asked("a"), said("x")).kind is kind


def test_the_cut_bends_with_what_an_answer_costs() -> None:
    verifier = VerifiedOnce(Counting(0.6), nothing, 0.7, Leeway(0.5, 100.0), verdicts={})

    dear, cheap = (verifier.judge(asked("a"), said("x" * size)) for size in (400, 4))

    assert dear == Verdict("verifier", VerdictKind.ACCEPT, "worth_the_risk", p_accept=0.6)
    assert cheap == Verdict("verifier", VerdictKind.REJECT, "unlikely", p_accept=0.6)


def test_an_answer_is_verified_once_whatever_the_cut() -> None:
    inner = Counting()
    verdicts: dict[Hashable, Verdict] = {}
    for min_p in (0.2, 0.9, 0.2):
        verifier = VerifiedOnce(inner, nothing, min_p, verdicts=verdicts)
        assert verifier.judge(asked("a"), said("x")).p_accept == 0.6
        verifier.judge(asked("a"), said("another answer"))

    assert inner.calls == 2


def test_the_verifier_has_not_seen_what_it_learnt_from_either() -> None:
    inner = Counting(p=0.99)
    verifier = VerifiedOnce(inner, learnt, 0.8, verdicts={})

    verdict = verifier.judge(asked("learnt"), said("x"))

    assert (verdict.kind, verdict.p_accept) == (VerdictKind.REJECT, 0.7)
    assert inner.calls == 0


def test_where_training_has_no_score_the_verifier_abstains() -> None:
    def unscored(prompt: str) -> OutOfFoldScore | None:
        return LEARNT._replace(verifier_p=math.nan)

    verdict = VerifiedOnce(Counting(), unscored, 0.1, verdicts={}).judge(asked("a"), said("x"))

    assert (verdict.kind, verdict.p_accept) == (VerdictKind.ABSTAIN, None)


def test_a_model_is_loaded_once_for_all_policies() -> None:
    scores = Scores(PAIR)
    own = settings(predictor={"model": str(MODEL)})

    assert scores.predictor(own) is scores.predictor(own)
    assert scores.learnt_from(own, [row(1)]) == 0
    assert scores.learnt_from(settings(), [row(1)]) == 0


def test_the_default_models_verdicts_are_those_of_the_service() -> None:
    from specroute.predictor.verifier.loading import load_verifier

    mine, own = Scores(PAIR).verifier(MODEL, Cut(0.5)), load_verifier(MODEL, Cut(0.5))
    request = asked("What is 17 * 3? Answer with the number alone.")

    for text in ("51", "54", "", "I do not know."):
        assert mine.judge(request, said(text)) == own.judge(request, said(text))
