"""The learnt validator: accept, reject, abstain; never an exception."""

from __future__ import annotations

import pytest

from specroute.core.outcome import Completion, FinishReason, VerdictKind
from specroute.core.request import Message, Role, RouteRequest
from specroute.predictor.verifier.leeway import Leeway, tokens_at_stake
from specroute.predictor.verifier.model import VerifierModel
from specroute.predictor.verifier.validator import Verifier, verdict_of
from tests.predictor.verifier.graphs import a_graph, a_manifest

_REQUEST = RouteRequest("r", (Message(Role.USER, "What is six times seven?"),))


def _verifier(prior: float = 0.0, min_p: float = 0.6) -> Verifier:
    return Verifier(lambda _: prior, VerifierModel(a_graph(), a_manifest()), min_p)


def _said(text: str) -> Completion:
    return Completion(text, (), FinishReason.STOP, "m")


def test_a_likely_answer_is_accepted_and_an_unlikely_one_rejected() -> None:
    right = _verifier().judge(_REQUEST, _said("6 * 7 = 42. The answer is 42"))
    wrong = _verifier().judge(_REQUEST, _said("6 * 7 = 42. The answer is 43"))

    assert (right.kind, right.reason) == (VerdictKind.ACCEPT, "likely")
    assert (wrong.kind, wrong.reason) == (VerdictKind.REJECT, "unlikely")
    assert (right.p_accept or 0.0) > 0.6 > (wrong.p_accept or 1.0)


def test_a_better_prior_lets_the_same_answer_pass() -> None:
    answer = _said("6 * 7 = 42. The answer is 43")

    assert _verifier(prior=2.0).judge(_REQUEST, answer).kind is VerdictKind.ACCEPT


def test_a_dear_answer_may_be_less_certain_than_a_cheap_one() -> None:
    leeway = Leeway(0.5, tokens_at_stake("What is six times seven?", "6 * 7 = 42. The answer is 42"))
    verifier = Verifier(lambda _: 0.0, VerifierModel(a_graph(), a_manifest()), 0.9, leeway)
    cheap, dear = _said("6 * 7 = 42. The answer is 42"), _said(f"{'Let me see. ' * 20}6 * 7 = 42. The answer is 42")

    rejected, accepted = verifier.judge(_REQUEST, cheap), verifier.judge(_REQUEST, dear)

    assert (rejected.kind, accepted.kind) == (VerdictKind.REJECT, VerdictKind.ACCEPT)
    assert (rejected.reason, accepted.reason) == ("unlikely", "worth_the_risk")
    assert rejected.p_accept == accepted.p_accept == pytest.approx(0.881, abs=1e-3)


def test_a_cheap_answer_above_the_cut_may_not_be_worth_its_risk() -> None:
    verdict = verdict_of(0.7, 0.5, 0.6)

    assert (verdict.kind, verdict.reason, verdict.p_accept) == (VerdictKind.REJECT, "not_worth_the_risk", 0.7)


def test_it_abstains_with_the_reason_and_without_a_chance() -> None:
    verdict = _verifier().judge(_REQUEST, _said("It depends on what you wish for."))

    assert (verdict.kind, verdict.reason, verdict.p_accept) == (VerdictKind.ABSTAIN, "open_ended", None)


def test_a_fault_of_its_own_is_an_abstention() -> None:
    def broken(_: str) -> float:
        raise RuntimeError("no")

    verifier = Verifier(broken, VerifierModel(a_graph(), a_manifest()), 0.5)

    assert verifier.judge(_REQUEST, _said("The answer is 42")).reason == "error"


def test_a_cut_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="min_p must be between 0 and 1"):
        _verifier(min_p=1.5)


def test_it_is_a_quality_check_and_no_contract() -> None:
    assert (Verifier.name, Verifier.is_contract) == ("verifier", False)
