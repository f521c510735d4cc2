"""How often is the promise broken? The whole procedure, again and again, where the truth is known.

- *draws*: the calibration clusters of a certificate are the population. n rows are drawn from it with replacement, the
  path is tested on them, and the deployed policy's true loss is its loss on the population. The path is fixed once, on
  the tuning rows.
- *splits*: all clusters are split anew into tuning rows, on which a new path is fixed, and two halves. One half
  calibrates. The truth is the loss on both halves together, of which the calibrating half is a random sample. The loss
  on the other half alone is shown as well; it is noisier than what is promised, and above alpha more often.

Beside each certificate stands naive tuning: the cheapest policy of the same path whose loss *on the same rows* is at
most alpha, without a test.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.certificate.evidence import binomial_bounds, least_rows
from specroute.learn.certificate.path.fixing import COARSE, fix_path
from specroute.learn.certificate.path.sequence import LossTest, Trace, prepare
from specroute.learn.certificate.split import answered_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from specroute.learn.certificate.certify import Certified
    from specroute.learn.certificate.options import CalibrateOptions
    from specroute.learn.scoring import ScoredRows
    from specroute.predictor.certificate import Method

    Index = NDArray[np.int64]

METHODS: tuple[Method, ...] = ("binomial", "betting")


@dataclass(frozen=True, slots=True)
class Deployment:
    """What one draw led to.

    Attributes:
        saved: share of always-large's money, on the population.
        loss: on the population, as the method counts it.
        held_out_loss: on the rows that neither tuned nor calibrated; NaN where there are none.
    """

    saved: float
    loss: float
    held_out_loss: float


@dataclass(frozen=True, slots=True)
class Record:
    """What became of the promise over all draws.

    Attributes:
        how: ``draws`` or ``splits``.
        n: rows that calibrated, the mean over the draws.
        saved: mean over the draws; ``saved_lo`` and ``saved_hi`` hold 95 % of them.
        loss: mean.
        broken: share of the draws with a true loss above alpha, and its 95 % Clopper-Pearson interval.
        held_out_broken: share with a loss above alpha on the held-out half; ``None`` for draws.
    """

    how: str
    method: Method
    is_certified: bool
    n: int
    draws: int
    saved: float
    saved_lo: float
    saved_hi: float
    loss: float
    broken: float
    broken_lo: float
    broken_hi: float
    held_out_broken: float | None


def redraw(
    certified: Certified,
    *,
    draws: int,
    n: int,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> list[Record]:
    """Returns the records of both methods over ``draws`` samples of ``n`` rows of the calibration clusters."""
    split, records = certified.split, []
    for method in METHODS:
        options = replace(certified.options, method=method)
        path = certified.path if method == certified.options.method else fix_path(split.tuning, options)
        test = prepare(split.tuning, path, method, n, (options.alpha, options.delta))
        population = Trace.of(split.calibration, path)
        generator = np.random.default_rng(seed)
        found: list[tuple[Deployment, Deployment]] = []
        for _ in range(draws):
            drawn = generator.integers(0, population.large_cost_usd.size, n)
            found.append(_both(test, population.take(drawn), population))
            advance()
        records += _records("draws", options, [n] * draws, found)
    return records


def resplit(
    rows: ScoredRows, options: CalibrateOptions, *, draws: int, advance: Callable[[], None] = lambda: None
) -> list[Record]:
    """Returns the records of both methods over ``draws`` random splits of all clusters, the path fixed anew in each.

    Args:
        rows: all rows, scored.
        options: ``seed`` and ``tuning_share`` decide the splits; ``method`` is not used.
        draws: how many.
        advance: called after each split.
    """
    rows = answered_rows(rows) if options.answered_only else rows
    generator = np.random.default_rng(options.seed)
    found: dict[Method, list[tuple[Deployment, Deployment]]] = {method: [] for method in METHODS}
    sizes: list[int] = []
    for _ in range(draws):
        tuning, calibrating, held_out = _three(rows, generator, options.tuning_share)
        sizes.append(calibrating.size)
        for method in METHODS:
            own = replace(options, method=method)
            tuned = rows.take(tuning)
            path = fix_path(tuned, own, COARSE)
            test = prepare(tuned, path, method, calibrating.size, (own.alpha, own.delta))
            population = Trace.of(rows.take(np.concatenate([calibrating, held_out])), path)
            half = population.take(np.arange(calibrating.size))
            rest = population.take(np.arange(calibrating.size, population.large_cost_usd.size))
            found[method].append(_both(test, half, population, rest))
        advance()
    return [
        record
        for method in METHODS
        for record in _records("splits", replace(options, method=method), sizes, found[method])
    ]


def _three(rows: ScoredRows, generator: np.random.Generator, tuning_share: float) -> tuple[Index, Index, Index]:
    """Returns all rows of the tuning clusters, and one row of each other cluster, in two halves."""
    groups = generator.permutation(np.unique(rows.groups))
    tuning = np.isin(rows.groups, groups[: round(tuning_share * groups.size)])
    shuffled = generator.permutation(np.flatnonzero(~tuning))
    _, first = np.unique(rows.groups[shuffled], return_index=True)
    chosen = generator.permutation(shuffled[first])
    half = chosen.size // 2
    return np.flatnonzero(tuning), chosen[:half], chosen[half:]


def _both(test: LossTest, sample: Trace, population: Trace, rest: Trace | None = None) -> tuple[Deployment, Deployment]:
    """Returns what the certificate of ``sample`` deploys, and what naive tuning on it does."""
    enough = sample.large_cost_usd.size >= least_rows(test.alpha, test.delta)
    certified = test.passed(sample.signed) - 1 if enough else -1
    fits = sample.losses(test.method).mean(axis=1) <= test.alpha
    saved = np.where(fits, sample.saved(), -np.inf)
    naive = int(saved.argmax()) if fits.any() else -1
    return _deployment(certified, test, population, rest), _deployment(naive, test, population, rest)


def _deployment(step: int, test: LossTest, population: Trace, rest: Trace | None) -> Deployment:
    if step < 0:
        return Deployment(0.0, 0.0, 0.0)
    held_out = float("nan") if rest is None else float(rest.losses(test.method)[step].mean())
    return Deployment(float(population.saved()[step]), float(population.losses(test.method)[step].mean()), held_out)


def _records(
    how: str, options: CalibrateOptions, sizes: Sequence[int], found: Sequence[tuple[Deployment, Deployment]]
) -> list[Record]:
    records = []
    for at, is_certified in enumerate((True, False)):
        deployed = [pair[at] for pair in found]
        broken = sum(each.loss > options.alpha for each in deployed)
        held_out = sum(each.held_out_loss > options.alpha for each in deployed) / len(deployed)
        saved = [each.saved for each in deployed]
        records.append(
            Record(
                how=how,
                method=options.method,
                is_certified=is_certified,
                n=round(float(np.mean(sizes))),
                draws=len(deployed),
                saved=float(np.mean(saved)),
                saved_lo=float(np.percentile(saved, 2.5)),
                saved_hi=float(np.percentile(saved, 97.5)),
                loss=float(np.mean([each.loss for each in deployed])),
                broken=broken / len(deployed),
                broken_lo=binomial_bounds(broken, len(deployed), 0.025)[0],
                broken_hi=binomial_bounds(broken, len(deployed), 0.025)[1],
                held_out_broken=held_out if how == "splits" else None,
            )
        )
    return records
