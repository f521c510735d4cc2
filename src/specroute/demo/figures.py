"""From results to numbers. Pure; money is summed from the service's own receipts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.metrics import CONFIDENCE, Figure, resamples
from specroute.load.figures import NANO_USD as NANO_USD
from specroute.load.figures import escalated as escalated
from specroute.load.figures import percentile as percentile
from specroute.load.figures import rejections as rejections
from specroute.load.records import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from specroute.demo.run import PolicyRun, Result

    Floats = NDArray[np.float64]

POOLED = "all"


@dataclass(frozen=True, slots=True)
class Summary:
    """What one policy did with the cases of one source, or with all of them.

    Attributes:
        results: cases with a result; less than ``cases`` where the demo was stopped.
        quality: share of right answers, in [0, 1]; a call that failed has none.
        retention: quality as a share of always-large's on the same cases; ``None``: that is not known.
        delivered_nano_usd, burnt_nano_usd: the winners' cost and everything else that was paid.
        saved: share of always-large's whole cost that was not spent; may be negative; ``None``: it is not known.
        p50_s, p99_s: latency as the client saw it, of failed calls too.
        deadline_hits: calls that ended because their time was up.
        errors: reason -> other calls that failed.
        plans: kind of plan -> requests.
        answered_by: tier -> delivered answers.
        escalations: requests for which a stronger tier was called because a weaker one's answer did not do.
        rejected: ``tier: reason`` -> answers that did not pass the validators.
        not_from_tier: delivered answers that are not what the named tier said; anything but 0 is a bug.
    """

    policy: str
    source: str
    cases: int
    results: int
    quality: Figure
    retention: Figure | None
    delivered_nano_usd: int
    burnt_nano_usd: int
    saved: Figure | None
    p50_s: float
    p99_s: float
    deadline_hits: int
    errors: Mapping[str, int]
    plans: Mapping[str, int]
    answered_by: Mapping[str, int]
    escalations: int
    rejected: Mapping[str, int]
    not_from_tier: int


def sources(runs: Sequence[PolicyRun]) -> list[str]:
    """Returns the sources that have results, by name."""
    return sorted({result.case.source for run in runs for result in run.results.values()})


def summarise(
    run: PolicyRun, *, baseline: PolicyRun | None, source: str = POOLED, cases: int | None = None, seed: int = 0
) -> Summary | None:
    """Returns the summary of ``run``; ``None`` where it has no result of ``source``.

    ``baseline`` is always-large's run; it must be whole to be compared with. ``cases``: how many there are of
    ``source``; default: as many as the run expects.
    """
    indexes = [index for index, result in sorted(run.results.items()) if source in (POOLED, result.case.source)]
    if not indexes:
        return None
    results = [run.results[index] for index in indexes]
    # Prompt by prompt, each with what always-large made of it, so that the two are resampled together.
    draws = resamples(np.arange(len(results)), seed)
    right = np.array([float(result.is_right) for result in results])
    retention = saved = None
    if baseline is not None and baseline.is_whole:
        others = [baseline.results[index] for index in indexes]
        retention = _ratio(right, np.array([float(other.is_right) for other in others]), draws)
        always_large = _paid(others)
        saved = _ratio(always_large - _paid(results), always_large, draws)
    receipts = [result.receipt for result in results if result.receipt is not None]
    latencies = np.array([result.latency_s for result in results])
    failures = Counter(result.failure for result in results if result.failure)
    return Summary(
        policy=run.policy,
        source=source,
        cases=run.expected if cases is None else cases,
        results=len(results),
        quality=_figure(float(right.mean()), draws @ right / draws.sum(axis=1)),
        retention=retention,
        delivered_nano_usd=sum(receipt.money.delivered_nano_usd for receipt in receipts),
        burnt_nano_usd=sum(receipt.money.waste_nano_usd for receipt in receipts),
        saved=saved,
        p50_s=percentile(latencies, 50.0),
        p99_s=percentile(latencies, 99.0),
        deadline_hits=failures.pop(DEADLINE, 0),
        errors=_ordered(failures),
        plans=_ordered(Counter(receipt.plan.value for receipt in receipts if receipt.plan is not None)),
        answered_by=_ordered(Counter(result.answer.tier for result in results if result.answer is not None)),
        escalations=sum(map(escalated, receipts)),
        rejected=_ordered(Counter(reason for receipt in receipts for reason in rejections(receipt))),
        not_from_tier=sum(not result.is_from_its_tier for result in results),
    )


def _paid(results: Sequence[Result]) -> Floats:
    """Returns what each result cost, delivered or burnt: float64[results], nano-USD."""
    money = [None if result.receipt is None else result.receipt.money for result in results]
    return np.array([0.0 if paid is None else paid.delivered_nano_usd + paid.waste_nano_usd for paid in money])


def _ratio(above: Floats, below: Floats, draws: Floats) -> Figure | None:
    """Returns the ratio of the sums; ``None`` where it is not defined."""
    if not below.sum() > 0.0:
        return None
    drawn_below = draws @ below
    usable = drawn_below > 0.0
    return _figure(above.sum() / below.sum(), (draws @ above)[usable] / drawn_below[usable])


def _figure(value: float, drawn: Floats) -> Figure:
    tail = 50.0 * (1.0 - CONFIDENCE)
    lo, hi = np.percentile(drawn, [tail, 100.0 - tail])
    return Figure(round(float(value), 6), round(float(lo), 6), round(float(hi), 6))


def _ordered(counts: Counter[str]) -> dict[str, int]:
    """Returns the counts, the largest first."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
