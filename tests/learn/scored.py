"""Scored rows made by hand or drawn, for tests of what is computed from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.dataset import Outcome
from specroute.learn.scoring import ScoredRows

if TYPE_CHECKING:
    from collections.abc import Sequence

PAIR = "tiny|huge"
MINI_USD, LARGE_USD = 1e-4, 2e-3


def scored(
    p: Sequence[float],
    *,
    verifier_p: Sequence[float] | None = None,
    tokens: Sequence[float] | None = None,
    mini_ok: Sequence[float] | None = None,
    large_ok: Sequence[float] | None = None,
    passes: Sequence[bool] | None = None,
    width: float = 0.0,
    groups: Sequence[int] | None = None,
    sources: Sequence[str] | None = None,
    p_rescue: Sequence[float] | None = None,
) -> ScoredRows:
    """Returns one row for each of ``p``; what is not given is 1, true, or a group of its own."""
    count = len(p)
    ones = np.ones(count)
    chance = np.array(p, dtype=np.float64)
    names = ["s"] * count if sources is None else list(sources)
    minis, larges = (ones if ok is None else np.array(ok, dtype=np.float64) for ok in (mini_ok, large_ok))
    group_ids = np.arange(count) if groups is None else np.array(groups)
    return ScoredRows(
        rows=tuple(
            Outcome(PAIR, f"g{group_ids[at]}", f"prompt {at}", names[at], bool(minis[at]), bool(larges[at]))
            for at in range(count)
        ),
        p=chance,
        p_low=np.clip(chance - width / 2, 0.0, 1.0),
        p_high=np.clip(chance + width / 2, 0.0, 1.0),
        p_rescue=ones / 2 if p_rescue is None else np.array(p_rescue, dtype=np.float64),
        verifier_p=ones if verifier_p is None else np.array(verifier_p, dtype=np.float64),
        tokens_at_stake=ones * 100.0 if tokens is None else np.array(tokens, dtype=np.float64),
        passes=ones > 0 if passes is None else np.array(passes, dtype=np.bool_),
        answered=ones > 0,
        mini_ok=minis,
        large_ok=larges,
        mini_cost_usd=ones * MINI_USD,
        large_cost_usd=ones * LARGE_USD,
        groups=group_ids.astype(np.int64),
        out_of_fold=ones < 0,
        pair=PAIR,
        model_version="made-up-1",
        data_sha256="0" * 64,
    )
