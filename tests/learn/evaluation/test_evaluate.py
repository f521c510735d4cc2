from __future__ import annotations

import numpy as np
import pytest

from specroute.learn.evaluation.advice import OFF, advise
from specroute.learn.evaluation.evaluate import EvaluateOptions, Evaluation, EvaluationError, evaluate
from specroute.learn.evaluation.measures.operating import PolicyFigures
from specroute.learn.metrics import Figure, auroc, log_loss
from tests.learn.evaluation.drawn import drawn, with_labels


def test_every_source_and_all_rows_are_measured(measured: Evaluation) -> None:
    parts = measured.parts

    assert sum(part.n for name, part in parts.items() if name != "pooled") == parts["pooled"].n == 240
    assert parts["pooled"].predictor["auroc"].value == pytest.approx(auroc(measured.rows.mini_ok, measured.rows.p))
    judged = ~np.isnan(measured.rows.verifier_p)
    expected = log_loss(measured.rows.mini_ok[judged], measured.rows.verifier_p[judged])
    assert parts["pooled"].verifier["log_loss"].value == pytest.approx(expected)
    assert parts["pooled"].judged == judged.sum()


def test_all_policies_are_there_and_the_certified_one_is_the_product(measured: Evaluation) -> None:
    assert set(measured.policies["pooled"]) == {
        *("always_mini", "always_large", "length", "source_mean", "subject_mean", "knn", "threshold", "expected_gain"),
        *("cascade", "zones", "certified", "random", "random_at_target", "cost_matched_shuffle", "oracle"),
    }
    assert measured.roster.product == "certified"


def test_what_knows_more_is_better_than_what_knows_less(measured: Evaluation) -> None:
    gains = measured.parts["pooled"].gain_over

    assert set(gains) == {"length", "source_mean", "subject_mean", "knn", "cost_matched_shuffle"}
    for baseline in ("length", "cost_matched_shuffle"):
        for metric in ("auroc", "log_loss"):
            low = gains[baseline][metric].lo
            assert low is not None
            assert low > 0.0
    gain = measured.gain_over["cost_matched_shuffle"]
    assert gain.lo is not None
    assert gain.lo > 0.0


def test_the_interval_of_a_policy_holds_its_value(measured: Evaluation) -> None:
    for policy in measured.policies["pooled"].values():
        for figure in policy.figures.values():
            if figure.lo is not None and figure.hi is not None and figure.value is not None:
                assert figure.lo - 1e-9 <= figure.value <= figure.hi + 1e-9


def test_without_a_verifier_the_zones_are_the_product_and_there_is_no_cascade(cross_tuned: Evaluation) -> None:
    assert cross_tuned.roster.product == "zones"
    assert "cascade" not in cross_tuned.policies["pooled"]
    assert cross_tuned.parts["pooled"].verifier == {}
    assert cross_tuned.parts["pooled"].verifier_reliability == ()
    assert "subject_mean" not in cross_tuned.policies["pooled"]
    assert len(cross_tuned.roster.cuts["zones"]) == 2


def test_the_same_rows_give_the_same_figures() -> None:
    first, second = (evaluate(drawn(30, sources=("only",)), EvaluateOptions(seed=3)) for _ in range(2))

    assert first.parts == second.parts
    assert first.policies == second.policies
    assert first.permutations == second.permutations


def test_a_group_in_both_files_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"30 groups are in both --outcomes and --tuning; give files without"):
        evaluate(drawn(60), EvaluateOptions(), tuning=drawn(80))


def test_rows_of_one_group_are_too_few() -> None:
    with pytest.raises(EvaluationError, match="2 rows of fewer than 2 groups; give more rows"):
        evaluate(drawn(2), EvaluateOptions())


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_of_one_kind_leave_figures_undefined_and_break_nothing(label: float) -> None:
    rows = drawn(40, sources=("easy",))
    same = np.full(40, label)

    found = evaluate(with_labels(rows, same, same), EvaluateOptions())

    assert found.parts["pooled"].predictor["auroc"].value is None
    assert found.parts["pooled"].predictor["apgr_10"].value is None
    assert found.policies["pooled"]["oracle"].figures["quality"].value == label


_KNOWING = Figure(0.05, 0.02, 0.08)


def _figures(saved: tuple[float, float, float], kept: tuple[float, float, float]) -> PolicyFigures:
    return PolicyFigures({"saved_ratio": Figure(*saved), "retention": Figure(*kept)}, {})


def test_routing_that_may_save_nothing_is_to_be_turned_off() -> None:
    advice = advise(_figures((0.05, 0.0, 0.1), (0.99, 0.98, 1.0)), "zones", 0.98, _KNOWING)

    assert advice.is_off
    assert advice.text.startswith(OFF)
    assert "the saving's lower bound is not above zero" in advice.text


def test_routing_that_surely_misses_the_target_is_to_be_turned_off() -> None:
    advice = advise(_figures((0.5, 0.4, 0.6), (0.95, 0.93, 0.97)), "zones", 0.98, _KNOWING)

    assert advice.is_off
    assert "all of that interval is below the target of 0.98" in advice.text


def test_routing_that_saves_and_keeps_is_said_to_pay_and_what_is_not_proven_is_said() -> None:
    proven = advise(_figures((0.5, 0.4, 0.6), (1.0, 0.985, 1.01)), "zones", 0.98, _KNOWING)
    unproven = advise(_figures((0.5, 0.4, 0.6), (0.98, 0.96, 1.0)), "zones", 0.98, Figure(0.01, -0.01, 0.02))

    assert not proven.is_off
    assert proven.text == (
        "routing pays: zones saves 50.0 % (40.0 to 60.0) of always-large's cost and keeps 100.0 % (98.5 to 101.0) of "
        "its quality"
    )
    assert not unproven.is_off
    assert "does not prove the target of 0.98, a certificate does" in unproven.text
    assert "not shown to be better than the same ones dealt out at random" in unproven.text
