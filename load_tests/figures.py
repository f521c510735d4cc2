"""Numbers from calls: what an SLO is judged by and what reports show. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from specroute.load.figures import NANO_USD, percentile
from specroute.load.records import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from load_tests.rows import CallRow

LATE_S = 0.005
"""A call that was sent later than this after its intended time counts as late."""

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


def figures_of(rows: Sequence[CallRow]) -> dict[str, float]:
    """Returns the figures by the names that SLOs use; one that is not known is missing.

    ``p50`` to ``max`` and ``mean`` are seconds until the end of every call, failed ones too; ``ttft_*`` until the first
    token of streams; ``*_ratio`` lie in [0, 1], ``saved_ratio`` may be negative; ``cost_usd`` is the mean of a call.
    """
    if not rows:
        return {}
    latencies = np.array([row.latency_s for row in rows])
    found = {"calls": float(len(rows)), "rps": _rate(rows), "mean": float(latencies.mean())}
    found |= {name: percentile(latencies, percent) for name, percent in PERCENTILES.items()}
    first = np.array([row.first_token_s for row in rows if row.first_token_s is not None])
    if first.size:
        found |= {f"ttft_{name}": percentile(first, PERCENTILES[name]) for name in ("p50", "p95", "p99")}
    found |= {
        "error_ratio": _share(row.has_failed or not row.is_from_its_tier for row in rows),
        "deadline_ratio": _share(row.status == DEADLINE for row in rows),
        "escalation_ratio": _share(row.escalated for row in rows),
        "degraded_ratio": _share(row.degraded for row in rows),
        "late_ratio": _share(row.late_s > LATE_S for row in rows),
    }
    if any(row.is_right is not None for row in rows):
        # A graded workload: what was not delivered is not right.
        found["quality"] = _share(bool(row.is_right) for row in rows)
    return found | _money(rows)


def counts_of(rows: Sequence[CallRow]) -> dict[str, dict[str, int]]:
    """Returns how many calls had which plan, were answered by which tier and failed for which reason."""
    return {
        "plans": _ordered(row.plan for row in rows if row.plan),
        "answered_by": _ordered(row.tier for row in rows if row.tier),
        "failures": _ordered(row.reason or row.status for row in rows if row.has_failed),
        "mixed_up": {"answers": mixed} if (mixed := sum(not row.is_from_its_tier for row in rows)) else {},
    }


def summary(rows: Sequence[CallRow]) -> dict[str, Any]:
    """Returns figures and counts of all calls, and of each RPC: first tokens and whole calls are never mixed."""
    names = sorted({row.rpc for row in rows})
    parts = {name: [row for row in rows if row.rpc == name] for name in names}
    return {
        "figures": figures_of(rows),
        "counts": counts_of(rows),
        "by_rpc": {name: {"figures": figures_of(part), "counts": counts_of(part)} for name, part in parts.items()},
    }


def _money(rows: Sequence[CallRow]) -> dict[str, float]:
    waste = sum(row.waste_nano_usd for row in rows)
    paid = waste + sum(row.delivered_nano_usd for row in rows)
    always_large = sum(row.always_large_nano_usd for row in rows)
    found = {"cost_usd": paid / len(rows) / NANO_USD, "waste_ratio": waste / paid if paid else 0.0}
    if always_large:
        found["saved_ratio"] = 1.0 - paid / always_large
    return found


def _rate(rows: Sequence[CallRow]) -> float:
    """Returns answered calls per second from the first one's beginning to the last one's end."""
    span_s = max(row.began_s + row.latency_s for row in rows) - min(row.began_s for row in rows)
    return sum(not row.has_failed for row in rows) / span_s if span_s > 0.0 else 0.0


def _share(holds: Iterable[bool]) -> float:
    found = list(holds)
    return sum(found) / len(found)


def _ordered(names: Iterable[str]) -> dict[str, int]:
    """Returns the counts, the largest first."""
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))
