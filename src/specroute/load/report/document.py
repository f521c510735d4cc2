"""A load run as one JSON object: what was asked for, what was found, and which objectives held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from specroute.load.figures import LoadSummary
    from specroute.load.generator import LoadOptions
    from specroute.load.slo import Slo


@dataclass(frozen=True, slots=True)
class Bench:
    """One load run and its setting.

    Attributes:
        mix: what was sent, in words.
        rate: requests per second, as ``load.arrivals.parse_rate`` reads it.
        arrivals: ``poisson`` or ``constant``.
        warmup_s: seconds at the start that no figure is of.
        missed: objective -> how it was missed; "" where it held.
    """

    options: LoadOptions
    mix: str
    rate: str
    arrivals: str
    warmup_s: float
    seed: int
    summary: LoadSummary
    missed: Mapping[Slo, str]


def judged(summary: LoadSummary, slos: Sequence[Slo]) -> dict[Slo, str]:
    """Returns how each objective was missed; "" where it held."""
    figures = summary.as_dict()
    return {slo: slo.judge(figures) for slo in slos}


def document(bench: Bench) -> dict[str, Any]:
    """Returns the run for machines; figures that are not known are absent."""
    summary, options = bench.summary, bench.options
    return {
        "partial": summary.is_partial,
        "server": options.server,
        "rpc": "RouteStream" if options.stream else "Route",
        "mix": bench.mix,
        "rate_per_s": bench.rate,
        "arrivals": bench.arrivals,
        "seed": bench.seed,
        "warmup_s": bench.warmup_s,
        "deadline_s": options.deadline_s,
        "channels": options.channels,
        "max_in_flight": options.max_in_flight,
        "intended": summary.intended,
        "calls": summary.calls,
        "not_sent": summary.not_sent,
        "unfinished": summary.unfinished,
        "generator_cpu_share": round(summary.cpu_share, 4),
        "figures": {name: round(value, 9) for name, value in summary.as_dict().items()},
        "intervals": {name: figure.to_json() for name, figure in summary.intervals.items()},
        "ends": dict(summary.ends),
        "plans": dict(summary.plans),
        "answered_by": dict(summary.answered_by),
        "rejected": dict(summary.rejected),
        "not_from_tier": summary.not_from_tier,
        "slo": [{"objective": str(slo), "kept": not line, "missed": line} for slo, line in bench.missed.items()],
        "warnings": list(summary.warnings),
    }
