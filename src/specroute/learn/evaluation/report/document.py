"""An evaluation as plain values: what ``--json`` prints and ``evaluation.json`` holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from specroute.learn.evaluation.evaluate import POOLED
from specroute.learn.evaluation.measures.curves import SAVE_AT
from specroute.learn.metrics import CONFIDENCE, RESAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from specroute.learn.evaluation.evaluate import Evaluation
    from specroute.learn.evaluation.left_out import LeftOut
    from specroute.learn.evaluation.measures.calibration import Bucket
    from specroute.learn.evaluation.measures.operating import PolicyFigures
    from specroute.learn.evaluation.parts import PartFigures
    from specroute.learn.metrics import Figure
    from specroute.learn.play import Cuts

_PLAIN = ("quality", "cost_usd", "waste_usd", "retention", "saved_ratio", "escalation_ratio")
_ALONE = ("large_ratio", "under_routing_ratio", "over_routing_ratio", "routing_accuracy", "oracle_gap")


def to_document(evaluation: Evaluation, left_out: Mapping[str, LeftOut], about: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all figures; money in US dollars per request, and null for what is not defined.

    Args:
        evaluation: what was measured.
        left_out: source -> what models trained without it do; empty: not asked for.
        about: what the caller says of the run: files, options.
    """
    rows, roster = evaluation.rows, evaluation.roster
    return {
        "n": rows.p.size,
        "pair": rows.pair,
        "sources": {name: _part(part) for name, part in evaluation.parts.items() if name != POOLED},
        "pooled": _part(evaluation.parts[POOLED]),
        "policies": _policies(evaluation.policies[POOLED]),
        "policies_by_source": {
            name: _policies(own) for name, own in evaluation.policies.items() if name != POOLED
        },
        "product": roster.product,
        "advice": {"turn_routing_off": evaluation.advice.is_off, "text": evaluation.advice.text},
        "thresholds": {name: [_cuts(own) for own in cuts] for name, cuts in roster.cuts.items()},
        "gain_over": {name: figure.to_json() for name, figure in evaluation.gain_over.items()},
        "permutations": asdict(evaluation.permutations),
        "frontier": {
            name: [
                {
                    "target": point.target,
                    "cost_usd": point.cost_usd.to_json(),
                    "saved_ratio": point.saved_ratio.to_json(),
                    "retention": point.retention.to_json(),
                }
                for point in points
            ]
            for name, points in evaluation.frontier.items()
        },
        "left_out": {name: _left_out(own) for name, own in left_out.items()} or None,
        "model_version": rows.model_version,
        "data_sha256": rows.data_sha256,
        "out_of_fold_rows": int(rows.out_of_fold.sum()),
        "groups": len(set(rows.groups.tolist())),
        "tuned_on_rows": evaluation.tuned_on,
        "target": evaluation.options.target,
        "seed": evaluation.options.seed,
        "resamples": RESAMPLES,
        "confidence": CONFIDENCE,
        **about,
    }  # fmt: skip


def _part(part: PartFigures) -> dict[str, Any]:
    verifier = {"n": part.judged, **_curve(part.verifier)} if part.verifier else None
    return {
        "n": part.n,
        **_curve(part.predictor),
        "verifier": verifier,
        "both": _curve(part.both),
        "alone": asdict(part.alone),
        "gain_over": {name: _figures(own) for name, own in part.gain_over.items()},
        "baselines": {name: _figures(own) for name, own in part.baselines.items()},
        "interval_width": part.interval_width,
        "reliability": _buckets(part.predictor_reliability),
        "verifier_reliability": _buckets(part.verifier_reliability),
    }


def _curve(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Returns the figures with those of ``save_at`` under their targets."""
    plain = {name: figure.to_json() for name, figure in figures.items() if not name.startswith("save_at_")}
    return {**plain, "save_at": {str(target): figures[f"save_at_{target}"].to_json() for target in SAVE_AT}}


def _figures(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {name: figure.to_json() for name, figure in figures.items()}


def _policies(policies: Mapping[str, PolicyFigures]) -> dict[str, Any]:
    return {name: _policy(own) for name, own in policies.items()}


def _policy(policy: PolicyFigures) -> dict[str, Any]:
    figures = policy.figures
    return {
        **{name: figures[name].value for name in _PLAIN},
        "lo": figures["saved_ratio"].lo,
        "hi": figures["saved_ratio"].hi,
        **{name: figures[name].value for name in _ALONE},
        "plans": policy.plans,
        "intervals": _figures(figures),
    }


def _left_out(own: LeftOut) -> dict[str, Any]:
    return {
        "n": own.n,
        **_figures(own.predictor),
        "verifier": _figures(own.verifier) or None,
        "interval_width": own.interval_width,
        "interval_width_seen": own.interval_width_seen,
        "interval_width_pooled": own.interval_width_pooled,
        "product": _policy(own.product),
        "quality_gain": own.quality_gain.to_json(),
    }


def _buckets(buckets: Sequence[Bucket]) -> list[dict[str, Any]]:
    return [
        {
            "p_from": bucket.p_from,
            "p_to": bucket.p_to,
            "n": bucket.rows,
            "predicted": bucket.predicted,
            "observed": bucket.observed.to_json(),
        }
        for bucket in buckets
    ]


def _cuts(cuts: Cuts) -> dict[str, float | None]:
    return {"direct_mini": cuts.direct_mini, "direct_large": cuts.direct_large, "min_p": cuts.min_p}
