"""The walk along the path: one test after the other, until the first that fails.

Each policy is tested at the full delta. The first one on the path whose loss is truly above alpha passes with
probability at most delta, and unless it does, nothing after it is tested: so with probability at least 1 - delta no bad
policy is deployed, however many are on the path (fixed-sequence testing: Bauer, Multiple testing in clinical trials,
1991; in Learn then Test: Angelopoulos et al., 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.certificate.evidence import best_bet, betting_p_value, binomial_p_value, losses
from specroute.learn.certificate.split import cluster_weights
from specroute.learn.play import play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.play import Cuts
    from specroute.learn.scoring import ScoredRows
    from specroute.predictor.certificate import Method

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trace:
    """What each policy of a path does with n rows.

    Attributes:
        signed: float64[steps, n], the signed loss: -1, 0 or 1.
        cost_usd: float64[steps, n], all calls.
        large_cost_usd: float64[n], of always-large.
    """

    signed: Floats
    cost_usd: Floats
    large_cost_usd: Floats

    @classmethod
    def of(cls, rows: ScoredRows, path: Sequence[Cuts]) -> Trace:
        """Returns the trace of ``path`` on ``rows``."""
        played = [play(rows, cuts) for cuts in path]
        shape = (len(path), rows.large_ok.size)
        signed = np.array([losses(rows, each.correct, "betting") for each in played]).reshape(shape)
        return cls(signed, np.array([each.cost_usd for each in played]).reshape(shape), rows.large_cost_usd)

    def take(self, index: NDArray[np.int64]) -> Trace:
        """Returns the trace on the rows at ``index``, which may repeat."""
        return Trace(self.signed[:, index], self.cost_usd[:, index], self.large_cost_usd[index])

    def losses(self, method: Method) -> Floats:
        """Returns float64[steps, n] of the loss that ``method`` tests."""
        return np.maximum(self.signed, 0.0) if method == "binomial" else self.signed

    def saved(self) -> Floats:
        """Returns float64[steps]: the share of always-large's money that is not spent."""
        saved: Floats = 1.0 - self.cost_usd.sum(axis=1) / self.large_cost_usd.sum()
        return saved


@dataclass(frozen=True, slots=True)
class LossTest:
    """The test of "this policy's expected loss is above alpha".

    Attributes:
        bets: the stake for each policy of the path; not used by ``binomial``.
    """

    method: Method
    alpha: float
    delta: float
    bets: tuple[float, ...]

    def p_value(self, step: int, signed: Floats) -> float:
        """Returns the p-value of the policy at ``step``, which lost ``signed`` (float64[n], in drawn order)."""
        if self.method == "binomial":
            return binomial_p_value(int((signed > 0.0).sum()), signed.size, self.alpha)
        return betting_p_value(signed, self.alpha, self.bets[step])

    def walk(self, signed: Floats) -> list[float]:
        """Returns the p-values of the steps that are tested: all but the last of them are at most delta."""
        tested: list[float] = []
        for step, row in enumerate(signed):
            tested.append(self.p_value(step, row))
            if tested[-1] > self.delta:
                break
        return tested

    def passed(self, signed: Floats) -> int:
        """Returns how many steps pass before the first that does not."""
        tested = self.walk(signed)
        return len(tested) - (bool(tested) and tested[-1] > self.delta)


def rescue_rates(rows: ScoredRows, trace: Trace) -> Floats:
    """Returns float64[steps]: the share of clusters that each policy rescues, drawn a little from 0."""
    weights = cluster_weights(rows.groups)
    rates: Floats = ((trace.signed < 0.0) @ weights + 0.5) / (weights.sum() + 1.0)
    return rates


def prepare(tuning: ScoredRows, path: Sequence[Cuts], method: Method, n: int, level: tuple[float, float]) -> LossTest:
    """Returns the test of ``path`` on ``n`` rows at ``level`` (alpha, delta), with stakes chosen on the tuning rows."""
    alpha, delta = level
    if method == "binomial":
        return LossTest(method, alpha, delta, ())
    rates = rescue_rates(tuning, Trace.of(tuning, path))
    return LossTest(method, alpha, delta, tuple(best_bet(float(rate), n, alpha, delta) for rate in rates))
