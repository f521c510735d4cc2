"""A point as a configuration of the service. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from load_tests.sweeping.points import ON_REJECTION
from specroute.config.durations import format_duration
from specroute.config.schema.validation import DEFAULT_VALIDATORS
from specroute.demo.policies import PRIOR, TIER_PRICES
from specroute.predictor.verifier.manifest import VERIFIER_FILE

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from load_tests.sweeping.points import Point

MAX_IN_FLIGHT = 1024


def config_text(point: Point, base_url: str, *, model: Path | None, speed: float, is_recorded: bool) -> str:
    """Returns the whole configuration file.

    Args:
        point: what is told of the policy.
        base_url: where the tiers answer under their own names.
        model: folder of the predictor; ``None``: a fixed prior.
        speed: what the tiers' delays are divided by, and with them the hedge delay.
        is_recorded: whether answers are recorded ones, of the kind that the verifier learnt from: one that it cannot
            judge is then rejected, else taken as it is.
    """
    tiers = [point.tier] if point.tier else list(TIER_PRICES)
    document: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "metrics_listen": "127.0.0.1:0",
        "tiers": [_tier(name, base_url) for name in tiers],
        "policy": {"kind": "always", "tier": point.tier} if point.tier else _thresholds(point, speed),
        "limits": {"max_in_flight": MAX_IN_FLIGHT},
        "drain": {"delay": "0s", "grace": "5s"},
    }
    if not point.tier:
        document["predictor"] = {"prior": PRIOR} if model is None else {"model": str(model)}
        if has_verifier(model):
            verifier: dict[str, Any] = {"name": "verifier", "on_abstain": "reject" if is_recorded else "accept"}
            if point.min_p is not None:
                verifier["min_p"] = point.min_p
            document["validation"] = {"validators": [*DEFAULT_VALIDATORS, verifier]}
    return yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False)


def has_verifier(model: Path | None) -> bool:
    """Returns whether the model comes with a verifier."""
    return model is not None and (model / VERIFIER_FILE).is_file()


def _tier(name: str, base_url: str) -> dict[str, Any]:
    upstream = {"kind": "openai", "base_url": base_url, "model": name, "max_concurrency": MAX_IN_FLIGHT}
    return {"name": name, "price": yaml.safe_load(TIER_PRICES[name]), "upstreams": [upstream]}


def _thresholds(point: Point, speed: float) -> dict[str, Any]:
    delay = ON_REJECTION if point.hedge_s is None else format_duration(round(point.hedge_s / speed, 4))
    cuts = {"direct_mini": point.direct_mini, "direct_large": point.direct_large, "hedge_delay": delay}
    return {"kind": "thresholds", "thresholds": cuts}
