"""The lines of the tables that terminal and page both show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.tuning.findings import Answer
from specroute.tuning.recommended.words import DASH, delay_in_words, percent, plain, setting_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specroute.learn.metrics import Figure
    from specroute.tuning.findings import Found

RECOMMENDED, BEST = "recommended", "best_found"
NEVER = "never"
FRONT_HEAD = ("setting", "saved", "quality kept", "p50 x", "p99 x")
SPAN_WORDS = {
    "direct_mini": "mini alone from p",
    "direct_large": "large alone to p",
    "min_p": "mini's answer kept from",
    "hedge_delay_s": "large starts after",
}


def shown_name(name: str, found: Found) -> str:
    """Returns what a policy is called: nothing is called recommended unless it is."""
    is_mere = name == RECOMMENDED and found.advice.answer is not Answer.ROUTE
    return BEST if is_mere else name


def front_rows(found: Found, most: int | None = None) -> Iterator[tuple[str, ...]]:
    """Yields the front by falling saving: setting, saved, quality kept, p50, p99; ``most``: so many, evenly spread."""
    points = sorted(found.front, key=lambda point: -(point.effect.saved_ratio.value or 0.0))
    if most is not None and len(points) > most:
        points = [points[round(at * (len(points) - 1) / (most - 1))] for at in range(most)]
    for point in points:
        own = point.effect
        ratios = (plain(own.p50_ratio), plain(own.p99_ratio))
        yield setting_in_words(point.setting), percent(own.saved_ratio), percent(own.retention), *ratios


def policy_head(found: Found) -> tuple[str, ...]:
    """Returns the columns of ``policy_rows``."""
    return (
        *("policy", "saved", "quality kept", "USD per 1,000", "burnt", "p50 x", "p90 x", "p99 x", "p50 s", "p99 s"),
        *(("in time",) if _has_deadline(found) else ()),
        "calls",
    )


def policy_rows(found: Found) -> Iterator[tuple[str, ...]]:
    """Yields every policy's line, ``x`` meaning "of always-large's"."""
    for policy in found.policies:
        own = policy.effect
        yield (
            shown_name(policy.name, found),
            percent(own.saved_ratio),
            percent(own.retention),
            _thousand(own.cost_usd),
            _burnt(own.waste_usd, own.cost_usd),
            *(plain(figure) for figure in (own.p50_ratio, own.p90_ratio, own.p99_ratio)),
            *(_value(figure) for figure in (own.p50_s, own.p99_s)),
            *((_in_time(own.deadline_hit_ratio),) if _has_deadline(found) else ()),
            _value(own.amplification),
        )


def settings_rows(found: Found) -> Iterator[tuple[str, str]]:
    """Yields what each policy does that is a setting of the service."""
    for policy in found.policies:
        if words := setting_in_words(policy.setting):
            yield shown_name(policy.name, found), words


def optimum_rows(found: Found) -> Iterator[tuple[str, str, str]]:
    """Yields what was tuned, what was chosen, and where resampling puts it; what is never anything is left out."""
    for name, span in found.optimum.spans.items():
        if name == "hedge_delay_s":
            ends = (delay_in_words(span.lo), delay_in_words(span.hi))
            yield name, delay_in_words(found.optimum.setting.hedge_delay_s), _between(*ends)
        elif (span.chosen, span.lo, span.hi) != (None, None, None):
            yield name, _cut(span.chosen), _between(_cut(span.lo), _cut(span.hi))


def _between(lo: str, hi: str) -> str:
    return lo if lo == hi else f"{lo} to {hi}"


def _cut(value: float | None) -> str:
    return NEVER if value is None else f"{value:.3g}"


def _has_deadline(found: Found) -> bool:
    return any(policy.effect.deadline_hit_ratio is not None for policy in found.policies)


def _in_time(figure: Figure | None) -> str:
    return DASH if figure is None else percent(figure)


def _thousand(figure: Figure) -> str:
    return plain(figure, 3, 1000.0)


def _burnt(waste: Figure, cost: Figure) -> str:
    return DASH if waste.value is None or not cost.value else f"{100.0 * waste.value / cost.value:.1f} %"


def _value(figure: Figure) -> str:
    return DASH if figure.value is None else f"{figure.value:.2f}"
