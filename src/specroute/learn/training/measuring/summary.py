"""What is known of a trained model without a test file: how it does out of fold, and on sources that were left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from specroute.learn.metrics import METRICS, apgr, log_loss
from specroute.learn.training.doubt.interval import COVERAGE, cells, covered, sigmoid
from specroute.learn.training.models.cross import FOLDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.learn.training.train import Trained

    Floats = NDArray[np.float64]

DIRECT_P = 0.85
"""A lower end at which a service may well send to the mini directly: left-out sources should hardly ever reach it."""


def summary(trained: Trained) -> dict[str, Any]:
    """Returns plain values for manifest and card."""
    return {
        "cross_validation": _cross_validation(trained),
        "out_of_fold": _out_of_fold(trained),
        "interval": _interval(trained),
        "left_out": _left_out(trained),
        "intents": trained.intents.metrics if trained.intents else None,
        "verifier": dict(trained.verifier.metrics) if trained.verifier else None,
    }


def _cross_validation(trained: Trained) -> dict[str, Any]:
    table, crossed = trained.table, trained.crossed
    own = table.pairs == 0
    tried = [
        {
            "kind": item.kind,
            "inverse_penalty": _number(item.settings.inverse_penalty),
            "auxiliary_weight": _number(item.settings.auxiliary_weight),
            **_figures(table.mini[own], sigmoid(item.logits[own])),
            "apgr_deciles": _apgr(table.mini[own], table.large[own], -item.logits[own]),
        }
        for item in crossed.tried
    ]
    return {"folds": FOLDS, "tried": tried}


def _out_of_fold(trained: Trained) -> dict[str, Any]:
    """Returns figures of the calibrated scores, pooled and by source; ``worth`` is what a large call is ranked by."""
    own, table = trained.own, trained.table
    is_own = table.pairs == 0
    mini, large, sources = table.mini[is_own], table.large[is_own], table.sources[is_own]
    worth = (1.0 - own.p) * own.p_large_if_bad - own.p * (1.0 - own.p_large_if_ok)
    parts = {"pooled": np.ones(mini.size, dtype=np.bool_)} | {str(name): sources == name for name in np.unique(sources)}
    return {
        name: {
            "rows": int(part.sum()),
            "mean": round(float(mini[part].mean()), 6),
            **_figures(mini[part], own.p[part]),
            "log_loss_of_mean": round(log_loss(mini[part], np.full(part.sum(), mini[part].mean())), 6),
            "apgr_deciles": _apgr(mini[part], large[part], worth[part]),
        }
        for name, part in parts.items()
    }


def _interval(trained: Trained) -> dict[str, Any]:
    own, table, widths = trained.own, trained.table, trained.folded.widths
    is_own = table.pairs == 0
    found = cells(table.mini[is_own], own.p, table.sources[is_own])
    return {
        "known_half_width": round(widths.known, 4),
        "novel_half_width": round(widths.novel, 4),
        "intended_coverage": COVERAGE,
        "coverage": round(covered(found, own.p_low, own.p_high), 4),
        "median_width": round(float(np.median(own.p_high - own.p_low)), 4),
        "novelty": {"median": round(float(np.median(own.novelty)), 4), "p95": _quantile(own.novelty, 0.95)},
    }


def _left_out(trained: Trained) -> list[dict[str, Any]]:
    own, table, widths = trained.own, trained.table, trained.folded.widths
    own_rows = np.flatnonzero(table.pairs == 0)
    found = []
    for item in trained.left_out:
        labels, p = table.mini[item.rows], sigmoid(item.logit)
        low, high = widths.bounds(item.logit, item.novelty)
        inside = np.isin(own_rows, item.rows)
        bins = cells(labels, p, table.sources[item.rows])
        found.append(
            {
                "source": item.source,
                "rows": labels.size,
                "predicted": round(float(p.mean()), 4),
                "observed": round(float(labels.mean()), 4),
                **_figures(labels, p),
                "median_width": round(float(np.median(high - low)), 4),
                "median_width_seen": round(float(np.median((own.p_high - own.p_low)[inside])), 4),
                "median_novelty": round(float(np.median(item.novelty)), 4),
                "median_novelty_seen": round(float(np.median(own.novelty[inside])), 4),
                "share_of_p_low_above": round(float((low >= DIRECT_P).mean()), 4),
                "share_of_p_low_above_seen": round(float((own.p_low[inside] >= DIRECT_P).mean()), 4),
                "coverage": round(covered(bins, low, high), 4),
            }
        )
    return found


def _figures(labels: Floats, p: Floats) -> dict[str, float | None]:
    return {name: _number(metric(labels, p, np.ones_like(p))) for name, metric in METRICS.items()}


def _apgr(mini: Floats, large: Floats, score: Floats) -> float | None:
    graded = ~np.isnan(large)
    return _number(apgr(mini[graded], large[graded], score[graded], bins=10)) if graded.any() else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


def _quantile(values: Floats, share: float) -> float:
    return round(float(np.quantile(values, share)), 4)
