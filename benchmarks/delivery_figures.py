"""From what was seen to figures: quantiles, shares and sums with 95 % intervals."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest

from benchmarks.delivery_cases import Damage, Kind
from specroute.core.stream import CommitReason
from specroute.learn.metrics import CONFIDENCE, Figure, resamples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.delivery_runs import Seen, WayRun

    Floats = NDArray[np.float64]

EARLY = (CommitReason.PREFIX_SETTLED, CommitReason.HELD_BACK)


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``of``; the interval is exact (Clopper-Pearson)."""

    hits: int
    of: int

    @property
    def figure(self) -> Figure:
        """The share with its interval; without a single trial nothing is known."""
        if not self.of:
            return Figure(None, None, None)
        interval = binomtest(self.hits, self.of).proportion_ci(CONFIDENCE, method="exact")
        return Figure(self.hits / self.of, float(interval.low), float(interval.high))


@dataclass(frozen=True, slots=True)
class Summary:
    """One row.

    Attributes:
        p50_s, p99_s: time to the first useful token.
        p50_ratio, p99_ratio: the same over always-large's, on the same prompts.
        early: streams whose winner was fixed before its answer was whole while another leg could answer.
        wrong: of those, the ones whose whole answer was rejected in the end.
        taken_back: streams that superseded something that they had shown.
        failed: requests that ended without an answer.
        large_tokens: output tokens of large's calls; ``large_tokens_saved``: share of race-by-whole-answers' not spent.
        cost_saved: share of always-large's money not spent, waste counted.
    """

    name: str
    n: int
    p50_s: Figure
    p99_s: Figure
    p50_ratio: Figure
    p99_ratio: Figure
    early: Share
    wrong: Share
    taken_back: Share
    failed: Share
    large_tokens: int
    large_tokens_saved: Figure
    quality: Figure
    cost_saved: Figure


@dataclass(frozen=True, slots=True)
class KindSummary:
    """When answers of one kind were committed in one delivery; ``reasons``: commit reason -> streams.

    ``early_tokens_p50``: how many tokens had come at the median early commit.
    """

    name: str
    kind: str
    n: int
    p50_s: float
    reasons: Mapping[str, int]
    early_tokens_p50: float | None
    guarded: int


@dataclass(frozen=True, slots=True)
class StressSummary:
    """What early commits did with broken answers; ``committed``: kind of damage -> early commits of those so broken."""

    name: str
    early: Share
    wrong: Share
    committed: Mapping[str, Share]
    guarded: int
    degraded: int
    failed: int
    error_ratios: Mapping[str, float]


class Bootstrap:
    """Resamples whole groups of near-duplicate prompts, the same ones for every figure of a table."""

    def __init__(self, seen: Sequence[Seen], seed: int) -> None:
        _, groups = np.unique([each.case.group for each in seen], return_inverse=True)
        self._draws = np.vstack([np.ones(len(seen)), resamples(groups, seed)])

    def quantile(self, values: Floats, q: float) -> Floats:
        """Returns the smallest value that a share ``q`` does not exceed: as measured, then of each resample."""
        order = np.argsort(values, kind="stable")
        reached = np.cumsum(self._draws[:, order], axis=1)
        quantiles: Floats = values[order][(reached < q * reached[:, -1:]).sum(axis=1)]
        return quantiles

    def mean(self, values: Floats) -> Floats:
        """Returns the mean, as measured and of each resample."""
        means: Floats = (self._draws @ values) / self._draws.sum(axis=1)
        return means


def summarise(runs: Mapping[str, WayRun], *, baseline: str, race: str, seed: int) -> list[Summary]:
    """Returns a row for each of ``runs``; ``baseline`` and ``race`` name always-large and the race by whole answers."""
    bootstrap = Bootstrap(runs[baseline].seen, seed)
    large, raced = runs[baseline].seen, runs[race].seen
    at_large = {q: bootstrap.quantile(_useful(large), q) for q in (0.5, 0.99)}
    spent_large, raced_tokens = bootstrap.mean(_spent(large)), bootstrap.mean(_large_tokens(raced))
    rows = []
    for name, run in runs.items():
        seen = run.seen
        p50, p99 = (bootstrap.quantile(_useful(seen), q) for q in (0.5, 0.99))
        rows.append(
            Summary(
                name=name,
                n=len(seen),
                p50_s=_figure(p50),
                p99_s=_figure(p99),
                p50_ratio=_figure(p50 / at_large[0.5]),
                p99_ratio=_figure(p99 / at_large[0.99]),
                early=Share(len(_early(seen)), len(seen)),
                wrong=_wrong(_early(seen)),
                taken_back=Share(sum(each.taken_back for each in seen), len(seen)),
                failed=Share(sum(not each.tier for each in seen), len(seen)),
                large_tokens=int(_large_tokens(seen).sum()),
                large_tokens_saved=_figure(1.0 - bootstrap.mean(_large_tokens(seen)) / raced_tokens),
                quality=_figure(bootstrap.mean(np.array([float(each.is_right) for each in seen]))),
                cost_saved=_figure(1.0 - bootstrap.mean(_spent(seen)) / spent_large),
            )
        )
    return rows


def by_kind(runs: Sequence[WayRun]) -> list[KindSummary]:
    """Returns a row for each of ``runs`` and kind of answer that occurs."""
    rows = []
    for run in runs:
        for kind in Kind:
            seen = [each for each in run.seen if each.case.kind is kind]
            if not seen:
                continue
            early = [each.commit.tokens for each in _early(seen) if each.commit is not None]
            rows.append(
                KindSummary(
                    name=run.way.name,
                    kind=kind.value,
                    n=len(seen),
                    p50_s=float(np.percentile(_useful(seen), 50.0, method="inverted_cdf")),
                    reasons=dict(Counter(each.commit.reason.value for each in seen if each.commit is not None)),
                    early_tokens_p50=float(np.median(early)) if early else None,
                    guarded=sum(each.guarded for each in seen),
                )
            )
    return rows


def under_stress(runs: Mapping[str, WayRun]) -> list[StressSummary]:
    """Returns a row for each of ``runs``."""
    return [
        StressSummary(
            name=name,
            early=Share(len(_early(run.seen)), len(run.seen)),
            wrong=_wrong(_early(run.seen)),
            committed={damage.value: _committed_despite(run.seen, damage) for damage in Damage},
            guarded=sum(each.guarded for each in run.seen),
            degraded=sum(each.degraded for each in run.seen),
            failed=sum(not each.tier for each in run.seen),
            error_ratios=run.error_ratios,
        )
        for name, run in runs.items()
    ]


def to_json(row: Summary | KindSummary | StressSummary) -> dict[str, Any]:
    """Returns the row as plain values; an instant that never came is null."""
    return {name: _finite(value) for name, value in asdict(row).items()}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _early(seen: Sequence[Seen]) -> list[Seen]:
    return [each for each in seen if each.commit is not None and each.commit.reason in EARLY]


def _wrong(early: Sequence[Seen]) -> Share:
    return Share(sum(each.commit is not None and not each.commit.upheld for each in early), len(early))


def _committed_despite(seen: Sequence[Seen], damage: Damage) -> Share:
    """Returns how many answers so broken were committed early, to mini."""
    broken = [each for each in seen if each.case.damage is damage]
    committed = [each for each in _early(broken) if each.commit is not None and each.commit.tier == "mini"]
    return Share(len(committed), len(broken))


def _useful(seen: Sequence[Seen]) -> Floats:
    return np.array([np.inf if each.useful_s is None else each.useful_s for each in seen])


def _large_tokens(seen: Sequence[Seen]) -> Floats:
    return np.array([float(each.large_tokens) for each in seen])


def _spent(seen: Sequence[Seen]) -> Floats:
    return np.array([float(each.spent_nano_usd) for each in seen])


def _figure(measured_and_drawn: Floats) -> Figure:
    tail = 50.0 * (1.0 - CONFIDENCE)
    lo, hi = np.percentile(measured_and_drawn[1:], [tail, 100.0 - tail], method="inverted_cdf")
    return Figure(float(measured_and_drawn[0]), float(lo), float(hi))
