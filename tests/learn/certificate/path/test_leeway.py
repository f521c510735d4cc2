"""Whether the cut is to bend with an answer's price is decided by what that saves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from specroute.learn.certificate.options import CalibrateOptions
from specroute.learn.certificate.path.fixing import COARSE, fix_path
from specroute.learn.certificate.path.leeway import EXPONENTS, MIN_ROWS, choose_leeway
from specroute.predictor.verifier.leeway import STRAIGHT
from tests.learn.scored import LARGE_USD, scored

if TYPE_CHECKING:
    from specroute.learn.scoring import ScoredRows

OPTIONS = CalibrateOptions(policy="cascade")


def answers(count: int = 3000, *, seed: int = 1, even_risk: bool = True) -> ScoredRows:
    """Draws answers of very different prices.

    ``even_risk``: a long one is as likely right as a short one of the same chance; else its risk grows as its price.
    """
    draw = np.random.default_rng(seed)
    tokens = np.exp(draw.normal(6.0, 1.0, count))
    p = expit(draw.normal(2.5, 1.5, count))
    right = draw.random(count) < 1.0 - (1.0 - p) * (1.0 if even_risk else np.clip(tokens / np.exp(6.0), 0.2, 5.0))
    rows = scored(
        p.tolist(),
        verifier_p=p.tolist(),
        mini_ok=right.astype(np.float64).tolist(),
        large_ok=(right | (draw.random(count) < 0.7)).astype(np.float64).tolist(),
        tokens=tokens.tolist(),
        groups=(np.arange(count) // 2).tolist(),
    )
    return replace(rows, large_cost_usd=LARGE_USD * tokens / np.exp(6.0) * np.exp(draw.normal(0.0, 0.2, count)))


def test_where_prices_differ_and_chances_hold_the_cut_bends() -> None:
    leeway = choose_leeway(answers(), OPTIONS)

    assert leeway.exponent in EXPONENTS[1:]
    assert abs(leeway.typical_tokens / np.exp(6.0) - 1.0) < 0.1


def test_the_whole_path_bends_alike() -> None:
    rows = answers()

    path = fix_path(rows, OPTIONS, COARSE)

    assert {cuts.leeway for cuts in path} == {choose_leeway(rows, OPTIONS)}


def test_where_long_answers_are_worse_than_they_seem_the_cut_stays_straight() -> None:
    assert choose_leeway(answers(even_risk=False), OPTIONS) == STRAIGHT


def test_where_all_answers_cost_the_same_the_cut_stays_straight() -> None:
    rows = answers()

    assert choose_leeway(replace(rows, tokens_at_stake=np.full(3000, 500.0)), OPTIONS) == STRAIGHT


def test_too_few_answers_tell_nothing() -> None:
    assert choose_leeway(answers(MIN_ROWS - 1), OPTIONS) == STRAIGHT


def test_answers_that_cannot_be_kept_tell_nothing() -> None:
    rows = answers()

    for unkept in (
        replace(rows, verifier_p=np.full(3000, np.nan)),
        replace(rows, passes=np.zeros(3000, dtype=np.bool_)),
        replace(rows, tokens_at_stake=np.full(3000, np.nan)),
    ):
        assert choose_leeway(unkept, OPTIONS) == STRAIGHT
    assert choose_leeway(rows, CalibrateOptions(policy="direct")) == STRAIGHT


def test_for_the_signed_loss_the_cut_stays_straight() -> None:
    assert choose_leeway(answers(), CalibrateOptions(policy="cascade", method="betting")) == STRAIGHT


def test_the_same_seed_chooses_the_same() -> None:
    assert choose_leeway(answers(), OPTIONS) == choose_leeway(answers(), OPTIONS)
