"""What is measured of a verifier on answers that it has not seen: for the model card and the manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from specroute.learn.metrics import METRICS
from specroute.predictor.verifier.features import Kind
from specroute.predictor.verifier.manifest import OperatingPoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

POOLED = "pooled"


def by_source(
    sources: Sequence[str], labels: NDArray[np.float64], p: NDArray[np.float64], kinds: NDArray[np.int64]
) -> dict[str, Any]:
    """Returns AUROC, log-loss, Brier and ECE of the answers that were judged, and the share that was not.

    Args:
        sources: of each answer.
        labels: float64[n], 0 or 1.
        p: float64[n]; NaN where the verifier abstains.
        kinds: int64[n], of ``Kind``; "pooled" leaves out answers of which only the confidence is known.
    """
    names = np.array(sources)
    has_text = kinds != Kind.CONFIDENCE
    parts = {POOLED: has_text} | {str(name): names == name for name in sorted(set(sources))}
    return {name: _figures(labels[part], p[part]) for name, part in parts.items() if part.any()}


def _figures(labels: NDArray[np.float64], p: NDArray[np.float64]) -> dict[str, Any]:
    judged = ~np.isnan(p)
    figures: dict[str, Any] = {
        "rows": int(labels.size),
        "acceptable": round(float(labels.mean()), 6),
        "abstained": round(1.0 - float(judged.mean()), 6),
    }
    for name, metric in METRICS.items():
        value = metric(labels[judged], p[judged], np.ones(int(judged.sum()))) if judged.any() else float("nan")
        figures[name] = None if np.isnan(value) else round(float(value), 6)
    return figures


def cut_that_keeps(
    share: float, mini: NDArray[np.float64], large: NDArray[np.float64], p: NDArray[np.float64]
) -> float | None:
    """Returns the lowest cut at which minis that pass it, and larges elsewhere, keep ``share`` of always-large.

    Args:
        share: in (0, 1].
        mini: float64[n], 1 where the mini's answer was acceptable.
        large: float64[n], the same of the large model's.
        p: float64[n]; NaN where the verifier abstains, which sends the request to the large model.

    Returns:
        A cut that is some answer's p, or ``None`` where none of them keeps as much.
    """
    order = np.argsort(-np.where(np.isnan(p), -1.0, p), kind="stable")
    order = order[~np.isnan(p[order])]
    kept = large.sum() + np.cumsum(mini[order] - large[order])
    is_last_of_its_p = np.append(p[order][1:] < p[order][:-1], True)[: order.size]
    enough = np.flatnonzero((kept >= share * large.sum()) & is_last_of_its_p)
    return float(p[order][enough[-1]]) if enough.size else None


def operating_points(
    kinds: NDArray[np.int64], labels: NDArray[np.float64], p: NDArray[np.float64], min_p: float
) -> dict[str, OperatingPoint]:
    """Returns what the cut ``min_p`` does to answers of each kind; an abstention is not counted as either."""
    found = {}
    for kind in Kind:
        part = kinds == kind
        if part.any():
            found[kind.name.lower()] = _point(labels[part], p[part], min_p)
    return found


def _point(labels: NDArray[np.float64], p: NDArray[np.float64], min_p: float) -> OperatingPoint:
    judged = ~np.isnan(p)
    right, wrong = judged & (labels > 0.5), judged & (labels < 0.5)
    return OperatingPoint(
        rows=int(labels.size),
        sensitivity=round(float((p[right] >= min_p).mean()), 6) if right.any() else None,
        specificity=round(float((p[wrong] < min_p).mean()), 6) if wrong.any() else None,
        abstained=round(1.0 - float(judged.mean()), 6),
    )
