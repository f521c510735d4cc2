"""Whether the cut is to bend with an answer's price is decided by what it saves."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from specroute.learn.dataset import Outcome
from specroute.learn.verification.leeway import EXPONENTS, Answers, choose_leeway

SEED = 0


def answers(count: int = 3000, *, seed: int = 1, even_risk: bool = True, is_known: bool = True) -> Answers:
    """Draws answers of very different prices. ``even_risk``: a long one is as likely right as a short one; else the
    chances given of long answers are far too high. ``is_known``: p tells right from wrong at all.
    """
    draw = np.random.default_rng(seed)
    tokens = np.exp(draw.normal(6.0, 1.0, count))
    ease = draw.normal(2.5, 1.5, count)
    p = expit(ease)
    right = draw.random(count) < (p if even_risk else p * (tokens < np.exp(6.0)))
    return Answers(
        p=p if is_known else draw.random(count),
        failure=(~right).astype(np.float64) * (draw.random(count) < 0.7),
        mini_tokens=tokens,
        large_tokens=tokens * np.exp(draw.normal(0.0, 0.2, count)),
        groups=np.arange(count) // 2,
    )


def test_where_prices_differ_and_chances_hold_a_bent_cut_saves_more_and_is_chosen() -> None:
    choice = choose_leeway(answers(), SEED, 300)

    straight, *bent = (area for _, area, _ in choice.areas)
    assert choice.leeway.exponent in EXPONENTS
    assert max(bent) > straight + 0.02
    assert abs(choice.leeway.typical_tokens / np.exp(6.0) - 1.0) < 0.1


def test_where_long_answers_are_worse_than_they_seem_the_cut_stays_straight() -> None:
    assert choose_leeway(answers(even_risk=False), SEED, 300).leeway.exponent == 0.0


def test_where_all_answers_cost_the_same_the_cut_stays_straight() -> None:
    drawn = answers()
    same = Answers(drawn.p, drawn.failure, drawn.mini_tokens * 0 + 500.0, drawn.large_tokens, drawn.groups)

    assert choose_leeway(same, SEED, 300).leeway.exponent == 0.0


def test_too_few_answers_tell_nothing() -> None:
    choice = choose_leeway(answers(299), SEED, 300)

    assert (choice.leeway.exponent, choice.areas) == (0.0, ())


def test_what_the_verifier_does_not_judge_saves_nothing() -> None:
    drawn = answers()
    silent = Answers(drawn.p * np.nan, drawn.failure, drawn.mini_tokens, drawn.large_tokens, drawn.groups)

    choice = choose_leeway(silent, SEED, 300)

    assert choice.leeway.exponent == 0.0
    assert {area for _, area, _ in choice.areas} == {0.0}


def test_the_same_seed_chooses_the_same() -> None:
    assert choose_leeway(answers(), SEED, 300) == choose_leeway(answers(), SEED, 300)


def test_only_answers_with_text_and_both_grades_are_looked_at() -> None:
    rows = [
        Outcome("a|b", "g", "prompt", "s", False, True, mini_response="x" * 40, large_response="y" * 80),
        Outcome("a|b", "h", "prompt", "s", True, None, mini_response="x"),
        Outcome("a|b", "h", "prompt", "s", True, True, mini_response=None),
        Outcome("a|b", "h", "prompt", "s", True, True, mini_response="x" * 40, large_response=None),
    ]

    found = Answers.of(rows, np.array([0.1, 0.2, 0.3, 0.4]))

    assert found.p.tolist() == [0.1, 0.4]
    assert found.failure.tolist() == [1.0, 0.0]
    assert found.mini_tokens.tolist() == [42.0, 42.0]
    assert found.large_tokens.tolist() == [82.0, 42.0]  # not recorded: taken to be as long as the mini's
    assert found.groups.tolist() == [0, 1]
