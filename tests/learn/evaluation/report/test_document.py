from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from specroute.learn.evaluation.report.document import to_document

if TYPE_CHECKING:
    from specroute.learn.evaluation.evaluate import Evaluation

_FIGURES = ("auroc", "log_loss", "brier", "ece", "apgr_10", "apgr_trapezoid", "apgr_usd", "cpt50", "cpt80")
_POLICY = ("quality", "cost_usd", "waste_usd", "retention", "saved_ratio", "escalation_ratio", "lo", "hi")


def _is_figure(value: Any) -> bool:
    return set(value) == {"value", "lo", "hi"}


def test_the_shape_that_others_read_is_kept(measured: Evaluation) -> None:
    document = json.loads(json.dumps(to_document(measured, {}, {}), allow_nan=False))

    assert document["n"] == 240
    assert document["pair"] == "tiny|huge"
    for part in (document["pooled"], *document["sources"].values()):
        assert all(_is_figure(part[name]) for name in _FIGURES)
        assert list(part["save_at"]) == ["0.95", "0.98", "0.99", "1.0"]
        assert all(_is_figure(figure) for figure in part["save_at"].values())
    assert len(document["sources"]) == 3
    for policy in document["policies"].values():
        assert all(isinstance(policy[name], float) for name in _POLICY)


def test_the_bounds_of_a_policy_are_those_of_its_saving(measured: Evaluation) -> None:
    policy = to_document(measured, {}, {})["policies"]["certified"]

    saved = policy["intervals"]["saved_ratio"]
    assert (policy["lo"], policy["saved_ratio"], policy["hi"]) == (saved["lo"], saved["value"], saved["hi"])
    assert policy["intervals"]["retention"]["lo"] < policy["retention"]


def test_advice_thresholds_and_origin_are_told(measured: Evaluation, cross_tuned: Evaluation) -> None:
    document = to_document(measured, {}, {"command": "specroute evaluate"})

    assert document["product"] == "certified"
    assert document["advice"]["text"] == measured.advice.text
    assert document["thresholds"]["certified"] == [{"direct_mini": 1.1, "direct_large": -0.1, "min_p": 0.5}]
    assert len(document["thresholds"]["zones"]) == 1
    assert len(to_document(cross_tuned, {}, {})["thresholds"]["zones"]) == 2
    assert document["tuned_on_rows"] == 300
    assert document["command"] == "specroute evaluate"
    assert document["left_out"] is None


def test_verifier_and_both_have_the_figures_of_their_curves(measured: Evaluation, cross_tuned: Evaluation) -> None:
    pooled = to_document(measured, {}, {})["pooled"]

    assert all(_is_figure(pooled["verifier"][name]) for name in _FIGURES)
    assert _is_figure(pooled["both"]["apgr_usd"])
    assert list(pooled["both"]["save_at"]) == ["0.95", "0.98", "0.99", "1.0"]
    assert to_document(cross_tuned, {}, {})["pooled"]["verifier"] is None


def test_what_bounds_aiq_is_told(measured: Evaluation) -> None:
    alone = to_document(measured, {}, {})["pooled"]["alone"]

    assert alone["mini_cost_usd"] == pytest.approx(measured.rows.mini_cost_usd.mean())
    assert alone["large_cost_usd"] == pytest.approx(measured.rows.large_cost_usd.mean())
