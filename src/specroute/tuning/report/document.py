"""A run as plain values: what ``--json`` prints and ``tuning.json`` holds."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import msgspec

from specroute.learn.metrics import CONFIDENCE, Figure
from specroute.tuning.findings import Effect

if TYPE_CHECKING:
    from specroute.tuning.findings import Certified, Found, Optimum, Setting
    from specroute.tuning.report.run import Run
    from specroute.tuning.targets import Targets

FIGURES = tuple(field.name for field in fields(Effect))
"""What is measured of every policy, in the order of reading."""


def to_document(run: Run) -> dict[str, Any]:
    """Returns all of it: money in US dollars per request, times in seconds; null for what there is not."""
    found = run.found
    return {
        "answer": None if found is None else found.advice.answer.value,
        "headline": run.headline,
        "reasons": list(run.reasons),
        "partial": run.is_partial,
        "stage": run.stage,
        "pair": run.pair,
        "mode": run.targets.mode.value,
        "targets": _targets(run.targets),
        "left_out": run.left_out,
        **_found(found),
        "recommendation": None if run.recommendation is None else {"diff": run.recommendation.diff},
        "confirmation": None if run.confirmation is None else run.confirmation.to_json(),
        "interval": CONFIDENCE,
        "command": run.command,
    }


def _found(found: Found | None) -> dict[str, Any]:
    names = ("n_tuning", "n_holdout", "latency", "data_sha256", "model_version", "policies", "settings", "front")
    if found is None:
        return dict.fromkeys((*names, "optimum", "shuffle", "certified"))
    return {
        "n_tuning": found.n_tuning,
        "n_holdout": found.n_holdout,
        "latency": found.latency,
        "data_sha256": found.data_sha256,
        "model_version": found.model_version,
        "policies": {policy.name: effect_to_json(policy.effect) for policy in found.policies},
        "settings": {policy.name: _setting(policy.setting) for policy in found.policies},
        "front": [{"setting": _setting(point.setting), **effect_to_json(point.effect)} for point in found.front],
        "optimum": _optimum(found.optimum),
        "shuffle": None if found.shuffle is None else asdict(found.shuffle),
        "certified": None if found.certified is None else _certified(found.certified),
    }


def effect_to_json(effect: Effect) -> dict[str, Any]:
    """Returns figure -> ``{value, lo, hi}``; null for one that is not defined here."""
    values = {name: getattr(effect, name) for name in FIGURES}
    return {name: value.to_json() if isinstance(value, Figure) else None for name, value in values.items()}


def _targets(targets: Targets) -> dict[str, Any]:
    return {**asdict(targets), "mode": targets.mode.value, "p99_bound": targets.p99_bound}


def _setting(setting: Setting | None) -> dict[str, Any] | None:
    if setting is None:
        return None
    return {**msgspec.to_builtins(setting.cuts), "hedge_delay_s": setting.hedge_delay_s}


def _optimum(optimum: Optimum) -> dict[str, Any]:
    return {
        "setting": _setting(optimum.setting),
        "spans": {name: asdict(span) for name, span in optimum.spans.items()},
        "feasible": optimum.feasible,
        "missed": dict(optimum.missed),
        "candidates": optimum.candidates,
    }


def _certified(certified: Certified) -> dict[str, Any]:
    own = certified.certificate
    return {
        "statement": own.statement,
        "always_large": own.always_large,
        "alpha": own.alpha,
        "confidence": round(1.0 - own.delta, 12),
        "method": own.method,
        "n": own.n,
        "covers_recommended": certified.covers_recommended,
        "note": certified.note,
        "effect": effect_to_json(certified.effect),
    }
