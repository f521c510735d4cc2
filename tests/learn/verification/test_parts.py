"""The stack and the centres: what they promise whatever the data."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.learn.verification.parts.novelty import fit_region
from specroute.learn.verification.parts.stack import LEAST_PRIOR, LEAST_SLOPE, Stack
from specroute.learn.verification.report import cut_that_keeps
from specroute.predictor.verifier.features import FEATURE_NAMES, Kind


def test_a_stack_recovers_the_odds_that_the_labels_were_drawn_from() -> None:
    draw = np.random.default_rng(1)
    scores, priors = draw.normal(size=(2, 6000))
    labels = (draw.random(6000) < 1.0 / (1.0 + np.exp(-(1.5 * scores + 0.5 * priors - 0.3)))).astype(float)
    kinds = np.full(6000, int(Kind.RESULT))
    stack = Stack.fit(scores, priors, kinds, labels)

    found = [float(part[Kind.RESULT]) for part in (stack.slope, stack.prior, stack.offset)]
    np.testing.assert_allclose(found, [1.5, 0.5, -0.3], atol=0.15)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_no_labels_make_evidence_or_prior_count_against_an_answer(seed: int) -> None:
    draw = np.random.default_rng(seed)
    scores, priors = draw.normal(size=(2, 120))
    labels = (draw.random(120) < 0.5).astype(float)
    stack = Stack.fit(scores, priors, draw.integers(1, 5, 120), labels)

    assert (stack.slope >= LEAST_SLOPE).all()
    assert (stack.prior >= LEAST_PRIOR).all()


def test_the_default_cut_is_the_lowest_that_keeps_the_quality() -> None:
    mini = np.array([1.0, 1.0, 1.0, 0.0, 0.0])
    large = np.array([1.0, 1.0, 1.0, 1.0, 1.0])
    p = np.array([0.9, 0.8, 0.7, 0.4, np.nan])

    assert cut_that_keeps(1.0, mini, large, p) == 0.7
    assert cut_that_keeps(0.8, mini, large, p) == 0.4
    assert cut_that_keeps(1.0, 1.0 - mini, large, p) is None


def test_what_was_learnt_from_is_near_and_what_was_not_is_far() -> None:
    draw = np.random.default_rng(2)
    values = draw.normal(size=(400, len(FEATURE_NAMES))).astype(np.float32)
    region = fit_region(values, Kind.RESULT, 0)
    stranger = values[:50] + 8.0

    assert region.distance(stranger).min() > np.quantile(region.distance(values), 0.98)
