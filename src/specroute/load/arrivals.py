"""When requests are sent: an open loop, whose clock runs on however long answers take.

Users do not wait for one another. A closed loop, where each waits for its answer before it asks again, sends least when
the service is slowest and so hides how long a queue gets. Poisson arrivals are what many independent users amount to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_REQUESTS = 1_000_000
"""A schedule with more is a slip: its results would not fit into memory."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests per second: constant, or rising or falling in a straight line over the run.

    Attributes:
        start_per_s: at the beginning, > 0.
        end_per_s: at the end, > 0.
    """

    start_per_s: float
    end_per_s: float

    def __post_init__(self) -> None:
        if not (0.0 < self.start_per_s < math.inf and 0.0 < self.end_per_s < math.inf):
            raise ValueError("--rate must be more than 0 requests per second")

    @property
    def mean_per_s(self) -> float:
        """The mean over the run."""
        return (self.start_per_s + self.end_per_s) / 2.0

    def __str__(self) -> str:
        """Returns it as ``parse_rate`` reads it."""
        if self.start_per_s == self.end_per_s:
            return f"{self.start_per_s:g}"
        return f"{self.start_per_s:g}..{self.end_per_s:g}"


def parse_rate(text: str) -> Rate:
    """Returns the rate that ``20`` or ``10..50`` stands for.

    Raises:
        ValueError: it is none; one line that says how to write one.
    """
    start, dots, end = text.partition("..")
    try:
        first = float(start)
        return Rate(first, float(end) if dots else first)
    except ValueError:
        raise ValueError(f"--rate {text!r}: write requests per second, more than 0: 20, or 10..50 for a ramp") from None


def poisson(rate_per_s: float, *, count: int, seed: int) -> tuple[float, ...]:
    """Returns when each of ``count`` requests is to be sent, in seconds from the start, ascending.

    The gaps are exponential with mean ``1 / rate_per_s``; the same arguments give the same schedule.
    """
    return schedule(Rate(rate_per_s, rate_per_s), count=count, seed=seed)


def schedule(
    rate: Rate, *, seed: int, duration_s: float | None = None, count: int | None = None, is_constant: bool = False
) -> tuple[float, ...]:
    """Returns when each request is to be sent, in seconds from the start, ascending.

    Args:
        rate: of the requests.
        seed: of the exponential gaps.
        duration_s: as many requests as fall into so many seconds; give this or ``count``.
        count: so many requests; a ramp ends at the time at which that many are due.
        is_constant: even gaps instead of exponential ones.

    Raises:
        ValueError: there would be none, or more than ``MAX_REQUESTS``.
    """
    if (duration_s is None) == (count is None):
        raise ValueError("give --duration or --requests, not both")
    span_s = duration_s if duration_s is not None else (count or 0) / rate.mean_per_s
    due = rate.mean_per_s * span_s
    if not 0.0 < due <= MAX_REQUESTS:
        wrong = "no request is due" if due <= 0.0 else f"{due:,.0f} requests are due, more than {MAX_REQUESTS:,}"
        raise ValueError(f"{wrong}; change --rate, --duration or --requests")
    drawn = count if count is not None else math.ceil(due + 6.0 * math.sqrt(due) + 20.0)
    # In "expected requests so far" every rate is one per unit, so the ramp is bent in afterwards.
    gaps = np.ones(drawn) if is_constant else np.random.default_rng(seed).exponential(size=drawn)
    times = _when_due(np.cumsum(gaps) - (1.0 if is_constant else 0.0), rate, span_s)
    kept = times if duration_s is None else times[times < duration_s]
    return tuple(kept.tolist())


def _when_due(expected: NDArray[np.float64], rate: Rate, span_s: float) -> NDArray[np.float64]:
    """Returns float64[n]: when so many requests are due; past ``span_s`` the last rate stays."""
    slope = (rate.end_per_s - rate.start_per_s) / span_s
    whole = rate.mean_per_s * span_s
    inside = np.minimum(expected, whole)
    # Of start * t + slope * t^2 / 2 = expected, the root in the form that loses no digits where the slope is small.
    times = 2.0 * inside / (rate.start_per_s + np.sqrt(rate.start_per_s**2 + 2.0 * slope * inside))
    late: NDArray[np.float64] = times + (expected - inside) / rate.end_per_s
    return late
