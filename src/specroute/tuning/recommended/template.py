"""The configuration that is changed where the user gives none: the pair's two tiers, and nothing that is not needed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specroute.config.schema.validation import DEFAULT_VALIDATORS

if TYPE_CHECKING:
    from pathlib import Path

    from specroute.learn.prices import ModelPrice, PairPrices

PLACEHOLDER_URL = "http://127.0.0.1:8000/v1"
TIERS = ("mini", "large")
UNCERTAIN = "{kind: thresholds, thresholds: {direct_mini: 0.9, direct_large: 0.3, hedge_delay: on_rejection}}"

_BASE = """\
# The two models of {pair} at their prices. Say where each is served: base_url, and api_key_env or
# api_key_file where it wants a key. config.example.yaml explains every key.
listen: 127.0.0.1:50051
metrics_listen: 127.0.0.1:9464

tiers:
{tiers}

predictor:
  model: {model}

policy:
  kind: thresholds
  thresholds:
    direct_mini: 0.9
    direct_large: 0.3
    hedge_delay: on_rejection

validation:
  validators: [{validators}]
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the two tiers are made of.

    Attributes:
        pair: ``mini|large``.
        model: the predictor's folder.
    """

    pair: str
    prices: PairPrices
    model: Path


def base_config(shape: Shape) -> str:
    """Returns a whole configuration to start from; its endpoints are placeholders."""
    models = shape.pair.split("|")
    tiers = [
        _tier(name, price, f"{{kind: openai, base_url: {json.dumps(PLACEHOLDER_URL)}, model: {json.dumps(model)}}}")
        for name, price, model in zip(TIERS, (shape.prices.mini, shape.prices.large), models, strict=True)
    ]
    return _BASE.format(
        pair=shape.pair,
        tiers="\n".join(tiers),
        model=json.dumps(str(shape.model)),
        validators=", ".join(DEFAULT_VALIDATORS),
    )


def confirming_config(shape: Shape, policy: str, base_url: str, *, max_in_flight: int) -> str:
    """Returns a configuration whose tiers are simulated at ``base_url`` under their own names.

    Args:
        shape: prices and model.
        policy: the ``policy`` section in one line.
        base_url: where both tiers answer.
        max_in_flight: requests, and calls of each tier, at a time.
    """
    endpoints = [
        f"{{kind: openai, base_url: {json.dumps(base_url)}, model: {name}, max_concurrency: {max_in_flight}}}"
        for name in TIERS
    ]
    prices = (shape.prices.mini, shape.prices.large)
    tiers = "\n".join(
        _tier(name, price, endpoint) for name, price, endpoint in zip(TIERS, prices, endpoints, strict=True)
    )
    return (
        f"listen: 127.0.0.1:0\nmetrics_listen: 127.0.0.1:0\ntiers:\n{tiers}\n"
        f"predictor: {{model: {json.dumps(str(shape.model.absolute()))}}}\npolicy: {policy}\n"
        f"validation: {{validators: [{', '.join(DEFAULT_VALIDATORS)}]}}\nlimits: {{max_in_flight: {max_in_flight}}}\n"
    )


def _tier(name: str, price: ModelPrice, endpoint: str) -> str:
    usd = f"{{input_usd_per_mtok: {price.input_usd_per_mtok!r}, output_usd_per_mtok: {price.output_usd_per_mtok!r}}}"
    return f"  - name: {name}\n    price: {usd}\n    upstreams:\n      - {endpoint}"
