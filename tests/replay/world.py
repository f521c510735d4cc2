"""A small made-up world to replay in: rows, a configuration and constant latencies."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from specroute.config import Settings, parse_settings
from specroute.core.outcome import Completion, Verdict, VerdictKind
from specroute.core.plan import Interval, Prediction
from specroute.learn.dataset import Outcome
from specroute.replay.scores import Scores
from specroute.upstreams.simulated.latency import LatencyModel
from specroute.upstreams.simulated.profile import LatencyProfile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from specroute.core.ports import Predictor, Validator
    from specroute.core.request import RouteRequest
    from specroute.predictor.verifier.leeway import Cut

PAIR = "tiny|huge"
MODEL = Path(__file__).parents[2] / "router_models" / "default"
MINI_USD, LARGE_USD = 1e-4, 2e-3
"""What a call with 50 tokens in and 50 out costs."""


def row(number: int, *, mini_ok: bool = True, large_ok: bool = True, **fields: Any) -> Outcome:
    """Both answers of 50 tokens, without a recorded latency."""
    given: dict[str, Any] = {
        "mini_response": f"The mini says {number}.",
        "large_response": f"The large model says {number}.",
        **{f"{tier}_{kind}_tokens": 50.0 for tier in ("mini", "large") for kind in ("input", "output")},
        "prompt_id": f"made-up:{number}",
        "mini_model": "tiny",
        "large_model": "huge",
    }
    prompt = fields.pop("prompt", f"prompt {number}")
    return Outcome(PAIR, f"g{number}", prompt, "made-up", mini_ok, large_ok, **given | fields)


def document(**sections: Any) -> dict[str, Any]:
    """A configuration whose calls of 50 tokens in and out cost ``MINI_USD`` and ``LARGE_USD``; a race."""

    def tier(name: str, price: float) -> dict[str, Any]:
        key = {"api_key_env": "NO_SUCH_VARIABLE_IS_SET"}
        endpoint = {"kind": "openai", "base_url": "https://nowhere.invalid/v1", "model": name} | key
        prices = {"input_usd_per_mtok": price, "output_usd_per_mtok": price}
        return {"name": name, "price": prices, "upstreams": [endpoint]}

    policy = {"kind": "thresholds", "thresholds": {"direct_mini": 0.9, "direct_large": 0.1, "hedge_delay": "0s"}}
    made = {
        "tiers": [tier("small", 1.0), tier("big", 20.0)],
        "predictor": {"prior": 0.5},
        "policy": policy,
    }
    return made | sections


def settings(hedge_delay: str = "0s", **sections: Any) -> Settings:
    made = document(**sections)
    if "policy" not in sections:
        made["policy"]["thresholds"]["hedge_delay"] = hedge_delay
    return parse_settings(json.dumps(made), folder=Path.cwd(), environ=None)


def written(folder: Path, name: str = "config.yaml", **sections: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps(document(**sections)), encoding="utf-8")
    return path


def constant(mini_s: float, large_s: float, *, first_share: float = 0.2) -> LatencyModel:
    """Every answer of 50 tokens takes so long, the first token a fifth of it."""

    def profile(whole_s: float) -> LatencyProfile:
        first_s = first_share * whole_s
        return LatencyProfile(first_s, first_s, 50.0 / (whole_s - first_s))

    return LatencyModel("constant", {"mini": profile(mini_s), "large": profile(large_s)}, prefers_recorded=False)


class MadeUpScores(Scores):
    """Gives each prompt its own chances; NaN: the verifier abstains."""

    def __init__(
        self, intervals: Mapping[str, tuple[float, float, float]], verifier_p: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(PAIR)
        self._intervals = intervals
        self._verifier_p = {} if verifier_p is None else verifier_p

    def predictor(self, settings: Settings) -> Predictor:
        return _Told(self._intervals, settings.tier_names[0])

    def verifier(self, folder: Path, cut: Cut) -> Validator:
        assert cut.min_p is not None
        return _Sees(self._verifier_p, cut.min_p)

    def learnt_from(self, settings: Settings, rows: Sequence[Outcome]) -> int:
        return 0


class _Told:
    version = "told"

    def __init__(self, intervals: Mapping[str, tuple[float, float, float]], tier: str) -> None:
        self._intervals = intervals
        self._tier = tier

    def predict(self, request: RouteRequest) -> Prediction:
        low, p, high = self._intervals[request.last_user_text]
        return Prediction(MappingProxyType({self._tier: p}), intervals={self._tier: Interval(low, high)})


class _Sees:
    name = "verifier"
    is_contract = False
    is_learnt = True

    def __init__(self, verifier_p: Mapping[str, float], min_p: float) -> None:
        self._verifier_p = verifier_p
        self._min_p = min_p

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        p = self._verifier_p[request.last_user_text]
        if math.isnan(p):
            return Verdict(self.name, VerdictKind.ABSTAIN, "unfamiliar")
        kind = VerdictKind.ACCEPT if p >= self._min_p else VerdictKind.REJECT
        return Verdict(self.name, kind, "said", p_accept=p)
