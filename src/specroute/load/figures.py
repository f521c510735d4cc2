"""From calls to numbers. Pure; money is summed from the service's own receipts, time is the caller's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from specroute.core.outcome import AttemptEnd
from specroute.learn.metrics import CONFIDENCE, Figure, resamples
from specroute.load.records import DEADLINE, OK
from specroute.load.slo import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from specroute.edge.client.aio import Receipt
    from specroute.load.records import CallRecord, LoadRun

    Floats = NDArray[np.float64]

NANO_USD = 1e9
MAX_LATENESS_S, MAX_LATENESS_RATIO = 0.005, 0.05
"""The generator is saturated where it is later than both: that long, and that share of the median latency."""
MAX_CPU_SHARE = 0.8
MAX_ERROR_RATIO = 0.01
_CHUNK = 50
_TICK_S = 1e-9


@dataclass(frozen=True, slots=True)
class LoadSummary:
    """What a service did under load. All shares are in [0, 1] and of the calls that came to their end.

    Attributes:
        calls: calls that came to their end.
        figures: name -> value: the metrics of objectives as ``load.slo`` describes them, and beside them
            ``service_p50/p95/p99`` (latency from the actual sending), ``lateness_p50/p99`` (of sending),
            ``saved_ratio`` (against always-large by the receipts' own estimate; may be negative), ``delivered_usd``,
            ``waste_usd`` and ``always_large_usd`` (sums). What cannot be known is absent: quality without grades, ttft
            without streaming.
        intervals: of p50, p99, quality and cost_usd: 95 %, bootstrap by case.
        ends: status -> calls.
        plans: kind of plan -> calls.
        answered_by: tier -> delivered answers.
        rejected: ``tier: reason`` -> answers that did not pass the validators.
        not_from_tier: delivered answers that are not what the named tier is known to have said.
        warnings: why figures are not to be trusted, a line each; none: nothing speaks against them.
    """

    calls: int
    intended: int
    not_sent: int
    unfinished: int
    is_partial: bool
    cpu_share: float
    figures: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, Figure] = field(default_factory=dict)
    ends: Mapping[str, int] = field(default_factory=dict)
    plans: Mapping[str, int] = field(default_factory=dict)
    answered_by: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    not_from_tier: int = 0
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, float]:
        """Returns all figures by name, those of objectives first; what is not known is absent."""
        return {name: self.figures[name] for name in (*METRICS, *self.figures) if name in self.figures}


def summarise(run: LoadRun, *, seed: int = 0, is_recorded: bool = False) -> LoadSummary:
    """Returns the summary of ``run``.

    Args:
        run: any number of calls; without one there are no figures.
        seed: of the intervals.
        is_recorded: whether a grade holds for the recorded answer alone: where another one came, quality is unknown.
    """
    records = run.records
    strangers = sum(not record.is_from_its_tier for record in records)
    figures = _figures(records) if records else {}
    if is_recorded and strangers:
        figures.pop("quality", None)
    receipts = _receipts(records)
    return LoadSummary(
        calls=len(records),
        intended=run.intended,
        not_sent=run.not_sent,
        unfinished=run.unfinished,
        is_partial=run.is_partial,
        cpu_share=run.cpu_share,
        figures=figures,
        intervals=_intervals(records, figures, seed) if records else {},
        ends=_ordered(Counter(record.status for record in records)),
        plans=_ordered(Counter(receipt.plan.value for receipt in receipts if receipt.plan is not None)),
        answered_by=_ordered(Counter(record.answer.tier for record in records if record.answer is not None)),
        rejected=_ordered(Counter(reason for receipt in receipts for reason in rejections(receipt))),
        not_from_tier=strangers,
        warnings=tuple(_warnings(run, figures, strangers if is_recorded else 0)),
    )


def percentile(values: Floats, percent: float) -> float:
    """Returns the smallest value that at least ``percent`` % of ``values`` do not exceed: one that was measured."""
    return float(np.percentile(values, percent, method="inverted_cdf"))


def escalated(receipt: Receipt) -> bool:
    """Returns whether a leg was launched for no other reason than that the ones before it had failed."""
    return any(
        attempt.leg > 0 and not attempt.speculative and attempt.end is not AttemptEnd.NOT_LAUNCHED
        for attempt in receipt.attempts
    )


def rejections(receipt: Receipt) -> list[str]:
    """Returns ``tier: reason`` of every answer that the validators rejected."""
    return [f"{attempt.tier}: {attempt.reason}" for attempt in receipt.attempts if attempt.end is AttemptEnd.REJECTED]


def _figures(records: Sequence[CallRecord]) -> dict[str, float]:
    calls = len(records)
    receipts = _receipts(records)
    latency = np.array([record.latency_s for record in records])
    answered = sum(record.status == OK for record in records)
    delivered, waste, always_large = _money_usd(receipts)
    figures = {
        **{name: percentile(latency, float(name[1:])) for name in ("p50", "p90", "p95", "p99")},
        "max": float(latency.max()),
        "mean": float(latency.mean()),
        "error_ratio": 1.0 - answered / calls,
        "escalation_ratio": sum(map(escalated, receipts)) / calls,
        "degraded_ratio": sum(record.answer is not None and record.answer.degraded for record in records) / calls,
        "deadline_ratio": sum(record.status == DEADLINE for record in records) / calls,
        "quality": sum(record.is_right for record in records) / calls,
        "cost_usd": (delivered + waste) / calls,
        "rps": _answered_per_s(records),
        "delivered_usd": delivered,
        "waste_usd": waste,
        "always_large_usd": always_large,
    }
    if delivered + waste > 0.0:
        figures["waste_ratio"] = waste / (delivered + waste)
    if always_large > 0.0:
        figures["saved_ratio"] = 1.0 - (delivered + waste) / always_large
    first = np.array([record.ttft_s for record in records if record.ttft_s is not None])
    others = (
        ("ttft", first, (50, 95, 99)),
        ("service", np.array([record.service_s for record in records]), (50, 95, 99)),
        ("lateness", np.array([record.lateness_s for record in records]), (50, 99)),
    )
    for name, values, percents in others:
        figures |= {f"{name}_p{percent}": percentile(values, percent) for percent in percents if values.size}
    return figures


def _answered_per_s(records: Sequence[CallRecord]) -> float:
    """Returns how fast answers came, the first and the last twentieth left out: a single straggler is no slow service.

    A service that keeps up gives back the rate at which requests were sent, one that does not what it can do.
    """
    done = sorted(record.done_s for record in records if record.status == OK)
    edge = len(done) // 20
    inner = done[edge : len(done) - edge]
    if len(inner) < 2:
        return len(done) / max(_TICK_S, max(record.latency_s for record in records))
    return (len(inner) - 1) / max(_TICK_S, inner[-1] - inner[0])


def _money_usd(receipts: Sequence[Receipt]) -> tuple[float, float, float]:
    """Returns what was delivered, what was burnt, and what the strongest tier alone is estimated to have cost."""
    money = [receipt.money for receipt in receipts]
    return (
        sum(paid.delivered_nano_usd for paid in money) / NANO_USD,
        sum(paid.waste_nano_usd for paid in money) / NANO_USD,
        sum(paid.always_large_estimate_nano_usd for paid in money) / NANO_USD,
    )


def _intervals(records: Sequence[CallRecord], figures: Mapping[str, float], seed: int) -> dict[str, Figure]:
    # Calls of one case resemble one another, so cases are drawn, each with all of its calls.
    numbers: dict[int, int] = {}
    group = np.array([numbers.setdefault(id(record.case), len(numbers)) for record in records])
    draws = resamples(np.arange(len(numbers)), seed)
    sizes = draws @ np.bincount(group)
    latency = np.array([record.latency_s for record in records])
    paid = np.array([0.0 if record.receipt is None else sum(_paid_usd(record.receipt)) for record in records])
    right = np.array([float(record.is_right) for record in records])
    drawn = {
        **_drawn_percentiles(latency, draws, group),
        "quality": draws @ np.bincount(group, right) / sizes,
        "cost_usd": draws @ np.bincount(group, paid) / sizes,
    }
    return {name: _figure(figures[name], values) for name, values in drawn.items() if name in figures}


def _paid_usd(receipt: Receipt) -> tuple[float, float]:
    return receipt.money.delivered_nano_usd / NANO_USD, receipt.money.waste_nano_usd / NANO_USD


def _drawn_percentiles(latency: Floats, draws: Floats, group: NDArray[np.int64]) -> dict[str, Floats]:
    """Returns p50 and p99 of every resample: float64[resamples] each; a few resamples at a time, to spare memory."""
    order = np.argsort(latency, kind="stable")
    ascending, group = latency[order], group[order]
    found: dict[str, list[float]] = {"p50": [], "p99": []}
    for start in range(0, len(draws), _CHUNK):
        for weights in np.cumsum(draws[start : start + _CHUNK, group], axis=1):
            for name, values in found.items():
                at = np.searchsorted(weights, weights[-1] * float(name[1:]) / 100.0 - 1e-9)
                values.append(float(ascending[min(int(at), len(ascending) - 1)]))
    return {name: np.array(values) for name, values in found.items()}


def _figure(value: float, drawn: Floats) -> Figure:
    tail = 50.0 * (1.0 - CONFIDENCE)
    lo, hi = np.percentile(drawn, [tail, 100.0 - tail])
    return Figure(round(value, 9), round(float(lo), 9), round(float(hi), 9))


def _warnings(run: LoadRun, figures: Mapping[str, float], strangers: int) -> list[str]:
    found: list[str] = []
    late_s = figures.get("lateness_p99", 0.0)
    allowed_s = max(MAX_LATENESS_S, MAX_LATENESS_RATIO * figures.get("p50", 0.0))
    if late_s > allowed_s:
        found.append(
            f"the generator is saturated: 1 % of requests left more than {1000 * late_s:.0f} ms late (allowed "
            f"{1000 * allowed_s:.0f} ms); lower --rate, or give it a processor of its own"
        )
    if run.cpu_share > MAX_CPU_SHARE:
        found.append(
            f"the generator is saturated: it used {run.cpu_share:.0%} of a processor (allowed {MAX_CPU_SHARE:.0%}), so "
            "it may have seen answers late; lower --rate, or start several"
        )
    if run.not_sent:
        found.append(f"{run.not_sent} requests were not sent: --max-in-flight others were still running")
    failed = Counter(record.status for record in run.records if record.status != OK)
    if figures.get("error_ratio", 0.0) > MAX_ERROR_RATIO:
        status, count = failed.most_common(1)[0]
        found.append(
            f"{figures['error_ratio']:.1%} of calls failed, {count} with {status}; latencies include what they took"
        )
    if strangers:
        found.append(
            f"{strangers} answers are not those that their tier is recorded with, so the grades do not hold; are the "
            "service's upstreams `specroute simulate --outcomes` with the same file and pair?"
        )
    return found


def _receipts(records: Sequence[CallRecord]) -> list[Receipt]:
    return [record.receipt for record in records if record.receipt is not None]


def _ordered(counts: Counter[str]) -> dict[str, int]:
    """Returns the counts, the largest first."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
