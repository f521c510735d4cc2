"""The points of the sweep: which plans the service is told to make. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from specroute.config.durations import format_duration, parse_duration_s
from specroute.demo.policies import DIRECT_LARGE, DIRECT_MINI

ON_REJECTION = "on_rejection"
DEFAULT_MODEL = Path("router_models/default")
BASELINES = ("always-mini", "always-large")


@dataclass(frozen=True, slots=True)
class Point:
    """One configuration.

    Attributes:
        name: unique, fit for a file name.
        family: ``baseline``, ``hedge``, ``thresholds`` or ``verifier``: points of one are drawn as one curve.
        tier: the only tier of a baseline; "" where there are both.
        hedge_s: when the large leg starts, in seconds as the tiers' profiles count them; ``None``: on rejection.
        direct_mini, direct_large: cuts on p.
        min_p: the verifier's cut; ``None``: the one that it comes with.
    """

    name: str
    family: str
    tier: str = ""
    hedge_s: float | None = None
    direct_mini: float = DIRECT_MINI
    direct_large: float = DIRECT_LARGE
    min_p: float | None = None

    @property
    def label(self) -> str:
        """What stands beside it in the picture."""
        if self.family == "hedge":
            return {None: "cascade", 0.0: "race"}.get(self.hedge_s, f"{format_duration(self.hedge_s or 0.0)}")
        if self.family == "thresholds":
            return f"p {self.direct_large:g}-{self.direct_mini:g}"
        return f"verifier {self.min_p:g}" if self.family == "verifier" else self.name


def default_points(*, has_verifier: bool) -> tuple[Point, ...]:
    """Returns the baselines, the hedge curve with cascade and race at its ends, cuts on p, and the verifier's cut."""
    points = [Point(name, "baseline", tier=name.removeprefix("always-")) for name in BASELINES]
    points += [
        Point(f"hedge-{delay_text(delay_s)}", "hedge", hedge_s=delay_s) for delay_s in (None, 1.5, 0.8, 0.4, 0.2, 0.0)
    ]
    points += [
        Point(f"direct-{large:g}-{mini:g}", "thresholds", direct_mini=mini, direct_large=large)
        for mini, large in ((0.75, 0.40), (0.85, 0.50), (0.97, 0.85))
    ]
    if has_verifier:
        points += [Point(f"verifier-{cut:g}", "verifier", min_p=cut) for cut in (0.3, 0.6, 0.8)]
    return tuple(points)


def chosen(points: tuple[Point, ...], names: list[str]) -> tuple[Point, ...]:
    """Returns the points called ``names``, all where none is named.

    Raises:
        ValueError: there is no such point; one line with the names.
    """
    known = {point.name: point for point in points}
    for name in names:
        if name not in known:
            raise ValueError(f"--only {name}: choose among {', '.join(known)}")
    return tuple(known[name] for name in names) if names else points


def delay_text(delay_s: float | None) -> str:
    """Returns the delay as configurations have it."""
    return ON_REJECTION if delay_s is None else format_duration(delay_s)


def read_delay(text: str) -> float | None:
    """Returns the seconds; ``None``: on rejection.

    Raises:
        ValueError: it is no delay.
    """
    return None if text == ON_REJECTION else parse_duration_s(text)


def model_folder(given: Path | None) -> Path | None:
    """Returns the predictor's folder; ``None``: there is none, and a fixed prior stands for it."""
    found = given or (DEFAULT_MODEL if DEFAULT_MODEL.is_dir() else None)
    return None if found is None else found.resolve()
