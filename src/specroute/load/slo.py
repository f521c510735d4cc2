"""What is good enough: service level objectives such as ``p99<=1.5s`` or ``waste_ratio<=0.3``, and whether they held.

An objective names a figure, a comparison and a limit. It judges any mapping of figures, whoever measured them.
"""

from __future__ import annotations

import difflib
import math
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECONDS = ("p50", "p90", "p95", "p99", "max", "mean", "ttft_p50", "ttft_p95", "ttft_p99")
"""Latency and time to the first token, in seconds, from the moment at which a call was meant to be sent."""

RATIOS = ("error_ratio", "waste_ratio", "escalation_ratio", "degraded_ratio", "deadline_ratio", "quality")
"""In [0, 1]. error, escalation, degraded, deadline: of all calls. waste: of all money. quality: right answers."""

METRICS = (*SECONDS, *RATIOS, "cost_usd", "rps")
"""``cost_usd``: mean per request, burnt money included. ``rps``: answered calls per second."""

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(r"\s*([A-Za-z0-9_]*)\s*(<=|>=|<|>)\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*(ms|s|%)?\s*")
_EXAMPLE = "'p99<=1.5s' or 'waste_ratio<=0.3'"


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective.

    Attributes:
        metric: one of ``METRICS``.
        comparison: ``<=``, ``>=``, ``<`` or ``>``.
        limit: in the metric's unit: seconds, a ratio, USD or calls per second.
    """

    metric: str
    comparison: str
    limit: float

    def __str__(self) -> str:
        """Returns it as ``parse_slo`` reads it."""
        unit = "s" if self.metric in SECONDS else ""
        return f"{self.metric}{self.comparison}{self.limit:g}{unit}"

    def judge(self, figures: Mapping[str, float]) -> str:
        """Returns "" where the objective holds, else one line that says what was found and what was wanted.

        A figure that is absent or not a number misses the objective: what nobody measured is not good enough.
        """
        wanted = f"wanted {self.comparison} {_shown(self.metric, self.limit)}"
        found = figures.get(self.metric, math.nan)
        if math.isnan(found):
            return f"{self.metric} is not known here, {wanted}"
        if _COMPARISONS[self.comparison](found, self.limit):
            return ""
        return f"{self.metric} {_shown(self.metric, found)}, {wanted}"


def parse_slo(text: str) -> Slo:
    """Returns the objective that ``text`` is: metric, comparison, limit, such as ``p99<=1.5s``.

    Times bear ``s`` or ``ms``; ratios are numbers from 0 to 1 or bear ``%``.

    Raises:
        ValueError: it is none; one line that says how to mend it.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"--slo {text!r} is not METRIC, one of <= >= < >, and a limit, such as {_EXAMPLE}")
    metric, comparison, number, unit = match.groups()
    if metric not in METRICS:
        nearest = difflib.get_close_matches(metric, METRICS, n=1, cutoff=0.4)
        hint = f"did you mean {nearest[0]}?" if nearest else f"one of {', '.join(METRICS)}"
        raise ValueError(f"--slo {text!r}: there is no metric {metric!r}; {hint}")
    limit = float(number)
    if metric in SECONDS:
        if unit not in ("s", "ms"):
            raise ValueError(f"--slo {text!r}: {metric} is a time; write {metric}{comparison}{number}s or ..ms")
        return Slo(metric, comparison, limit / 1000.0 if unit == "ms" else limit)
    if metric in RATIOS:
        limit = limit / 100.0 if unit == "%" else limit
        if unit in ("s", "ms") or limit > 1.0:
            raise ValueError(f"--slo {text!r}: {metric} is a share; give a limit from 0 to 1, or in %")
        return Slo(metric, comparison, limit)
    if unit is not None:
        raise ValueError(f"--slo {text!r}: {metric} takes a plain number; leave out {unit!r}")
    return Slo(metric, comparison, limit)


def _shown(metric: str, value: float) -> str:
    if metric in SECONDS:
        return f"{value:.3g} s"
    return f"{value:.4g} USD" if metric == "cost_usd" else f"{value:.4g}"
