"""Scored rows drawn like a real pair's: the predictor knows something of what is hard, the verifier more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.dataset import Outcome
from specroute.learn.scoring import ScoredRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAIR = "tiny|huge"
SUBJECTS = ("law", "maths", "history")

Floats = "NDArray[np.float64]"


def drawn(
    count: int = 300,
    *,
    seed: int = 3,
    sources: tuple[str, ...] = ("easy", "hard"),
    prefix: str = "g",
    knows: float = 2.0,
    has_verifier: bool = True,
) -> ScoredRows:
    """Returns ``count`` rows in groups of two. ``knows``: how much the predictor sees of what makes a row hard."""
    draw = np.random.default_rng(seed)
    source = draw.integers(len(sources), size=count)
    ease = draw.normal(size=count) - source
    mini_ok = (draw.random(count) < _sigmoid(ease + 1.0)).astype(np.float64)
    large_ok = (draw.random(count) < _sigmoid(ease + 2.2)).astype(np.float64)
    p = _sigmoid(knows * ease / 2.0 + 1.0)
    verifier_p = _sigmoid(ease + 1.0 + 1.5 * (2.0 * mini_ok - 1.0) + draw.normal(size=count))
    verifier_p[draw.random(count) < 0.1] = np.nan
    rows = tuple(
        Outcome(
            PAIR,
            f"{prefix}{at // 2}",
            f"{'puzzle' if ease[at] < 0 else 'greeting'} {SUBJECTS[at % 3]} number {at} {'x' * (at % 17)}",
            sources[source[at]],
            bool(mini_ok[at]),
            bool(large_ok[at]),
            subject=SUBJECTS[at % 3] if source[at] else "",
            prompt_id=f"{prefix}:{at}",
        )
        for at in range(count)
    )
    return ScoredRows(
        rows=rows,
        p=p,
        p_low=np.clip(p - 0.05, 0.0, 1.0),
        p_high=np.clip(p + 0.05, 0.0, 1.0),
        p_rescue=_sigmoid(ease + 1.0),
        verifier_p=verifier_p if has_verifier else np.full(count, np.nan),
        tokens_at_stake=np.random.default_rng(seed).choice([50.0, 100.0, np.nan], count),
        passes=draw.random(count) > 0.03,
        answered=np.ones(count, dtype=np.bool_),
        mini_ok=mini_ok,
        large_ok=large_ok,
        mini_cost_usd=1e-4 * draw.uniform(0.5, 1.5, count),
        large_cost_usd=2e-3 * draw.uniform(0.5, 1.5, count),
        groups=np.arange(count) // 2,
        out_of_fold=np.zeros(count, dtype=np.bool_),
        pair=PAIR,
        model_version="made-up-1",
        data_sha256="0" * 64,
    )


def with_labels(rows: ScoredRows, mini_ok: NDArray[np.float64], large_ok: NDArray[np.float64]) -> ScoredRows:
    """Returns ``rows`` with other grades, and no validator in the way."""
    return replace(rows, mini_ok=mini_ok, large_ok=large_ok, passes=np.ones(mini_ok.size, dtype=np.bool_))


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-x))
