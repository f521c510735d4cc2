from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyarrow import parquet

from specroute.learn.evaluation.report.rows_file import write_rows
from specroute.learn.metrics import auroc

if TYPE_CHECKING:
    from pathlib import Path

    from specroute.learn.evaluation.evaluate import Evaluation

_PROMISED = {
    *("prompt_id", "pair", "p_accept", "p_low", "p_high", "verifier_p", "plan", "delivered_tier", "delivered_correct"),
    *("tokens_at_stake", "cost_usd", "waste_usd", "policy", "source", "group_id", "mini_correct", "large_correct"),
    *("mini_cost_usd", "large_cost_usd"),
}


def _columns(evaluation: Evaluation, tmp_path: Path) -> dict[str, np.ndarray[Any, Any]]:
    path = tmp_path / "new" / "rows.parquet"
    write_rows(evaluation, path)
    table = parquet.read_table(path)
    return {name: np.array(table[name].to_pylist()) for name in table.column_names}


def test_the_figures_of_every_policy_can_be_computed_again(measured: Evaluation, tmp_path: Path) -> None:
    columns = _columns(measured, tmp_path)

    assert set(columns) >= _PROMISED
    for name, policy in measured.policies["pooled"].items():
        own = {column: values[columns["policy"] == name] for column, values in columns.items()}
        assert own["policy"].size == 240
        quality, cost = own["delivered_correct"].mean(), own["cost_usd"].mean()
        expected = {
            "quality": quality,
            "cost_usd": cost,
            "waste_usd": own["waste_usd"].mean(),
            "retention": quality / own["large_correct"].mean(),
            "saved_ratio": 1.0 - cost / own["large_cost_usd"].mean(),
            "escalation_ratio": own["escalation_ratio"].mean(),
            "under_routing_ratio": ((1 - own["large_ratio"]) * ~own["mini_correct"] * own["large_correct"]).mean(),
            "over_routing_ratio": (own["large_ratio"] * own["mini_correct"]).mean(),
        }
        for figure, value in expected.items():
            assert policy.figures[figure].value == pytest.approx(value, rel=1e-6, abs=1e-9), (name, figure)


def test_the_figures_of_every_source_can_be_computed_again(measured: Evaluation, tmp_path: Path) -> None:
    columns = _columns(measured, tmp_path)

    for source, part in measured.parts.items():
        own = (columns["policy"] == "zones") & ((columns["source"] == source) | (source == "pooled"))
        found = auroc(columns["mini_correct"][own].astype(np.float64), columns["p_accept"][own])
        assert part.predictor["auroc"].value == pytest.approx(found)


def test_the_scores_of_a_baseline_are_there(measured: Evaluation, tmp_path: Path) -> None:
    columns = _columns(measured, tmp_path)
    own = columns["policy"] == "knn"

    found = auroc(columns["mini_correct"][own].astype(np.float64), columns["baseline_p"][own].astype(np.float64))

    assert measured.parts["pooled"].baselines["knn"]["auroc"].value == pytest.approx(found)
    assert set(columns["baseline_p"][columns["policy"] == "zones"]) == {None}


def test_what_was_decided_is_told_row_by_row(measured: Evaluation, tmp_path: Path) -> None:
    columns = _columns(measured, tmp_path)

    for name, words in (("always_large", {"direct_large"}), ("certified", {"cascade"}), ("random", {"mixture"})):
        assert set(columns["plan"][columns["policy"] == name]) == words
    certified = columns["policy"] == "certified"
    to_large = columns["delivered_tier"][certified] == "large"
    accepted = np.array([p is not None and p >= 0.5 for p in columns["verifier_p"][certified]])
    assert (to_large == ~(accepted & columns["passes"][certified])).all()
    right = np.where(to_large, columns["large_correct"][certified], columns["mini_correct"][certified])
    assert (columns["delivered_correct"][certified] == right).all()
