"""Figures and settings in words, as diff, tables and page have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.config import format_duration
from specroute.learn.play import ALWAYS_LARGE, ALWAYS_MINI

if TYPE_CHECKING:
    from specroute.learn.metrics import Figure
    from specroute.predictor.verifier.leeway import Leeway
    from specroute.tuning.findings import Effect, Setting

DASH = "-"


def effect_in_words(effect: Effect) -> tuple[str, ...]:
    """Returns the expected effect against always-large, a line each."""
    return (
        f"saves {percent(effect.saved_ratio)} of the money, calls that were not delivered paid",
        f"keeps {percent(effect.retention)} of the quality",
        f"p50 x {plain(effect.p50_ratio)}, p99 x {plain(effect.p99_ratio)} of always-large's",
    )


def setting_in_words(setting: Setting | None) -> str:
    """Returns what a policy does, in a line; "": it is no setting of the service."""
    if setting is None:
        return ""
    cuts = setting.cuts
    if cuts == ALWAYS_LARGE:
        return "all to large"
    if cuts == ALWAYS_MINI:
        return "all to mini"
    mini = "never mini alone" if cuts.direct_mini > 1.0 else f"mini alone from p {cuts.direct_mini:.3g}"
    large = "never large alone" if cuts.direct_large < 0.0 else f"large alone to p {cuts.direct_large:.3g}"
    verifier = "no verifier" if cuts.min_p is None else f"mini's answer kept from {cuts.min_p:.3g}{_bent(cuts.leeway)}"
    return f"{mini}, {large}; between: {verifier}, large {delay_in_words(setting.hedge_delay_s)}"


def _bent(leeway: Leeway) -> str:
    """Returns how the cut bends; "": it does not."""
    return f" (its risk times {leeway.in_words})" if leeway.in_words else ""


def delay_in_words(seconds: float | None) -> str:
    """Returns when the large leg starts."""
    if seconds is None:
        return "on rejection"
    return "at once" if seconds == 0.0 else f"after {format_duration(round(seconds, 3))}"


def percent(figure: Figure, digits: int = 1) -> str:
    """Returns ``72.6 % (70.1 to 74.8)``."""
    if figure.value is None:
        return DASH
    value = f"{100.0 * figure.value:.{digits}f} %"
    if figure.lo is None or figure.hi is None:
        return value
    return f"{value} ({100.0 * figure.lo:.{digits}f} to {100.0 * figure.hi:.{digits}f})"


def plain(figure: Figure, digits: int = 2, scale: float = 1.0) -> str:
    """Returns ``0.93 (0.91 to 0.95)``."""
    if figure.value is None:
        return DASH
    value = f"{scale * figure.value:.{digits}f}"
    if figure.lo is None or figure.hi is None:
        return value
    return f"{value} ({scale * figure.lo:.{digits}f} to {scale * figure.hi:.{digits}f})"
