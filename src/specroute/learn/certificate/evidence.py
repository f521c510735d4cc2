"""Finite-sample evidence that an expected loss is at most alpha, and bounds of it.

Two losses of a policy against always-large, per prompt:

- *failures* Z in {0, 1}: the large answer is acceptable and the delivered one is not. Their number is binomial, and
  the test is exact. Sending anything to the large model can only lower Z.
- *signed loss* D in {-1, 0, 1}: large acceptable less delivered acceptable, so that a prompt which the mini rescues
  pays for one that it loses. Tested by betting (Waudby-Smith and Ramdas, Estimating means of bounded random variables
  by betting, JRSS B 2024): the capital of a gambler who bets on a small loss is a non-negative supermartingale where
  the loss is above alpha, so by Ville's inequality it ever reaches 1/delta with probability at most delta.

Both assume prompts that are independent draws of one mix.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import beta, binom

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from specroute.learn.scoring import ScoredRows
    from specroute.predictor.certificate import Method

    Floats = NDArray[np.float64]

_BISECTIONS = 30
_MOST_BET = 0.98  # of the capital that a single loss could cost, so that one is never the ruin


def losses(rows: ScoredRows, correct: Floats, method: Method) -> Floats:
    """Returns float64[n]: failures (0 or 1) or the signed loss (-1, 0 or 1) of delivering what is ``correct``."""
    signed = rows.large_ok - correct
    return np.maximum(signed, 0.0) if method == "binomial" else signed


def least_rows(alpha: float, delta: float) -> int:
    """Returns the fewest rows with which a policy that never failed passes the binomial test: 149 for 2 % and 5 %."""
    return math.ceil(math.log(delta) / math.log1p(-alpha))


def binomial_p_value(failures: int, n: int, alpha: float) -> float:
    """Returns P(at most ``failures`` of ``n`` | failure rate alpha): exact, of "the rate is above alpha"."""
    return float(binom.cdf(failures, n, alpha))


def binomial_bounds(failures: int, n: int, delta: float) -> tuple[float, float]:
    """Returns the lower and the upper bound of a rate, each wrong with probability at most delta (Clopper-Pearson)."""
    lower = float(beta.ppf(delta, failures, n - failures + 1)) if failures else 0.0
    upper = float(beta.ppf(1.0 - delta, failures + 1, n - failures)) if failures < n else 1.0
    return lower, upper


def betting_p_value(losses: Floats, alpha: float, bet: float) -> float:
    """Returns 1 / the most capital ever held: of "the expected signed loss is above alpha".

    Args:
        losses: float64[n] in [-1, 1], in an order that does not depend on them.
        alpha: in (-1, 1).
        bet: share that is staked on every row, in [0, 1 / (1 - alpha)), chosen without a look at the losses.
    """
    logarithm = np.cumsum(np.log1p(-bet * (losses - alpha)))
    return math.exp(-max(0.0, float(logarithm.max(initial=0.0))))


def best_bet(rescue_rate: float, n: int, alpha: float, delta: float) -> float:
    """Returns the stake with which the largest loss rate is still told from alpha on ``n`` rows.

    A gambler who knew the rates would stake what makes the capital grow fastest. The rates of a policy at the border of
    what ``n`` rows can show are found by bisection: at them the capital just reaches 1/delta. Stakes are best there,
    where a test is close; anywhere else it is clear.

    Args:
        rescue_rate: expected share of prompts with D = -1, in [0, 1], from rows that are not tested.
        n: rows that will be tested.
        alpha: in (-1, 1).
        delta: in (0, 1).
    """
    rescues = min(max(rescue_rate, 0.0), 0.5)
    low, high = 0.0, min(1.0 - rescues, max(0.0, rescues + alpha))
    for _ in range(_BISECTIONS):
        failures = (low + high) / 2.0
        if n * _growth(rescues, failures, alpha, _kelly(rescues, failures, alpha)) >= math.log(1.0 / delta):
            low = failures
        else:
            high = failures
    return _kelly(rescues, low, alpha)


def betting_bounds(losses: Floats, delta: float, rescue_rate: float, failure_rate: float) -> tuple[float, float]:
    """Returns the lower and the upper bound of the expected signed loss, each by inverting the betting test.

    The rates only choose the stakes; the bounds hold whatever they are.
    """

    def upper(signed: Floats, rescues: float) -> float:
        def above(level: float) -> bool:
            return betting_p_value(signed, level, best_bet(rescues, signed.size, level, delta)) > delta

        return _last(above, float(signed.mean()), 1.0)

    return -upper(-losses, failure_rate), upper(losses, rescue_rate)


def _last(holds: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(_BISECTIONS if low < high else 0):
        middle = (low + high) / 2.0
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high


def _growth(rescues: float, failures: float, alpha: float, bet: float) -> float:
    """Returns the expected logarithm of the capital's growth on one row."""
    even = max(0.0, 1.0 - rescues - failures)
    return (
        rescues * math.log1p(bet * (1.0 + alpha))
        + even * math.log1p(bet * alpha)
        + failures * math.log1p(-bet * (1.0 - alpha))
    )


def _kelly(rescues: float, failures: float, alpha: float) -> float:
    """Returns the bet at which the expected logarithm grows fastest; its slope falls as the bet grows."""
    even = max(0.0, 1.0 - rescues - failures)
    low, high = 0.0, _MOST_BET / (1.0 - alpha)
    for _ in range(_BISECTIONS):
        bet = (low + high) / 2.0
        slope = (
            rescues * (1.0 + alpha) / (1.0 + bet * (1.0 + alpha))
            + even * alpha / (1.0 + bet * alpha)
            - failures * (1.0 - alpha) / (1.0 - bet * (1.0 - alpha))
        )
        low, high = (bet, high) if slope > 0.0 else (low, bet)
    return low
