"""``--rows``: one row per prompt and policy, from which every figure of a policy can be computed again.

A policy that draws lots (random, shuffled) has its expected values: ``delivered_correct`` and ``large_ratio`` between 0
and 1, ``plan`` mixture and ``delivered_tier`` mixed. The mean of a column over a policy's rows is the reported figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow
from pyarrow import parquet

from specroute.learn.evaluation.policies.delivered import MIXTURE, PLAN_NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from specroute.learn.evaluation.evaluate import Evaluation
    from specroute.learn.evaluation.policies.delivered import Delivered
    from specroute.learn.scoring import ScoredRows

    Floats = NDArray[np.float64]

MINI, LARGE, MIXED = "mini", "large", "mixed"


def write_rows(evaluation: Evaluation, path: Path) -> int:
    """Writes the rows of all policies to ``path``, Parquet, and returns how many.

    Raises:
        OSError: ``path`` cannot be written.
    """
    rows, roster = evaluation.rows, evaluation.roster
    tables = [
        pyarrow.table(_about(rows) | _done(name, delivered) | _scores(rows, roster.scores.get(name)))
        for name, delivered in roster.policies.items()
    ]
    table = pyarrow.concat_tables(tables)
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, compression="zstd")
    return int(table.num_rows)


def _about(rows: ScoredRows) -> dict[str, Any]:
    return {
        "prompt_id": [row.prompt_id for row in rows.rows],
        "pair": [row.pair for row in rows.rows],
        "source": [row.source for row in rows.rows],
        "subject": [row.subject for row in rows.rows],
        "group_id": [row.group_id for row in rows.rows],
        "p_accept": rows.p,
        "p_low": rows.p_low,
        "p_high": rows.p_high,
        "p_rescue": rows.p_rescue,
        "verifier_p": pyarrow.array(rows.verifier_p, mask=np.isnan(rows.verifier_p)),
        "tokens_at_stake": pyarrow.array(rows.tokens_at_stake, mask=np.isnan(rows.tokens_at_stake)),
        "passes": rows.passes,
        "answered": rows.answered,
        "out_of_fold": rows.out_of_fold,
        "mini_correct": rows.mini_ok > 0.0,
        "large_correct": rows.large_ok > 0.0,
        "mini_cost_usd": rows.mini_cost_usd,
        "large_cost_usd": rows.large_cost_usd,
    }


def _done(policy: str, delivered: Delivered) -> dict[str, Any]:
    is_mixed = delivered.plan == MIXTURE
    tier = np.where(is_mixed, MIXED, np.where(delivered.large > 0.0, LARGE, MINI))
    return {
        "policy": [policy] * delivered.plan.size,
        "plan": [PLAN_NAMES[int(plan)] for plan in delivered.plan],
        "delivered_tier": tier.tolist(),
        "delivered_correct": delivered.correct,
        "cost_usd": delivered.cost_usd,
        "waste_usd": delivered.waste_usd,
        "large_ratio": delivered.large,
        "escalation_ratio": delivered.escalated,
    }


def _scores(rows: ScoredRows, scores: Floats | None) -> dict[str, Any]:
    """Returns what a baseline read in place of the predictor's scores; null for the other policies."""
    if scores is None:
        none = pyarrow.nulls(rows.p.size, pyarrow.float64())
        return {"baseline_p": none, "baseline_gain": none}
    return {"baseline_p": scores[:, 0], "baseline_gain": scores[:, 1]}
