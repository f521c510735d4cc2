"""The pictures of an evaluation, as PNG bytes: frontier, reliability, sources; each on light and on dark ground."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from specroute.learn.evaluation.evaluate import POOLED, RANDOM, SHUFFLE
from specroute.learn.evaluation.policies.roster import CASCADE, CERTIFIED, THRESHOLD, ZONES
from specroute.learn.evaluation.report.canvas import Chart, Theme, panels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

    from specroute.learn.evaluation.evaluate import Evaluation
    from specroute.learn.evaluation.measures.calibration import Bucket
    from specroute.learn.evaluation.measures.operating import PolicyFigures
    from specroute.learn.metrics import Figure

MAX_SOURCES = 20
"""A picture shows no more sources than these, those with the most rows; the tables show all."""

_LINES = (
    (THRESHOLD, "prompt only", "#0072b2", "o"),
    (CASCADE, "verifier only", "#d55e00", "s"),
    (ZONES, "both", "#009e73", "D"),
)
_PURPLE, _YELLOW, _SKY = "#cc79a7", "#e69f00", "#56b4e9"


def charts(evaluation: Evaluation) -> tuple[Chart, ...]:
    """Draws all pictures; matplotlib is imported now and draws without a display."""
    drawn = (
        ("frontier", "What quality costs", "Quality kept against cost for each family of policies", _frontier),
        ("reliability", "Predicted and observed", "Observed share of acceptable answers against p", _reliability),
        ("sources", "Source by source", "AUROC, quality kept and saving of each source", _sources),
    )
    return tuple(
        Chart.drawn(name, title, alternative, partial(draw, evaluation)) for name, title, alternative, draw in drawn
    )


def _frontier(evaluation: Evaluation, theme: Theme) -> Picture:
    with panels(theme, 1, (7.2, 5.2)) as (picture, (axes,)):
        policies = evaluation.policies[POOLED]
        for name, label, colour, _ in _LINES:
            if name in evaluation.frontier:
                points = sorted(evaluation.frontier[name], key=lambda point: _at(point.cost_usd))
                x = [100.0 * (1.0 - _at(point.saved_ratio)) for point in points]
                axes.plot(x, [100.0 * _at(point.retention) for point in points], color=colour, label=label, lw=2)
                axes.fill_between(x, *_band([point.retention for point in points]), color=colour, alpha=0.16, lw=0)
        ends = [_xy(policies[name]) for name in ("always_mini", "always_large")]
        axes.plot(*zip(*ends, strict=True), color=theme.ink, ls=":", lw=1.5, label="random")
        for name, label, marker, colour in _marks(evaluation, theme):
            _mark(axes, policies[name], label, marker, colour)
        axes.axhline(100.0 * evaluation.options.target, color=theme.faint, lw=1, zorder=0)
        axes.set_xlabel("cost, % of always-large")
        axes.set_ylabel("quality kept, % of always-large")
        axes.legend(loc="lower right", fontsize=8, facecolor=theme.ground, edgecolor=theme.faint, labelcolor=theme.ink)
    return picture


def _marks(evaluation: Evaluation, theme: Theme) -> Iterator[tuple[str, str, str, str]]:
    yield "always_mini", "always mini", "v", theme.ink
    yield "always_large", "always large", "^", theme.ink
    for name, label, colour, marker in _LINES:
        if name in evaluation.policies[POOLED]:
            yield name, f"{label}, tuned to {evaluation.options.target:.4g}", marker, colour
    if CERTIFIED in evaluation.policies[POOLED]:
        yield CERTIFIED, "certified", "*", _PURPLE
    yield SHUFFLE, "its decisions shuffled", "x", _YELLOW
    yield RANDOM, "random, same share", "+", _SKY
    yield "oracle", "oracle", "P", theme.ink


def _mark(axes: Axes, policy: PolicyFigures, label: str, marker: str, colour: str) -> None:
    x, y = _xy(policy)
    retention = policy.figures["retention"]
    if retention.lo is not None and retention.hi is not None:
        axes.plot([x, x], [100.0 * retention.lo, 100.0 * retention.hi], color=colour, lw=1)
    size = 11 if marker == "*" else 7
    axes.plot([x], [y], marker, color=colour, ms=size, mew=2 if marker in "x+" else 0.5, label=label)


def _reliability(evaluation: Evaluation, theme: Theme) -> Picture:
    part = evaluation.parts[POOLED]
    shown = [("predictor", part.predictor_reliability, _LINES[0][2])]
    if part.verifier_reliability:
        shown.append(("verifier", part.verifier_reliability, _LINES[1][2]))
    with panels(theme, len(shown), (7.2, 4.4)) as (picture, every):
        for axes, (name, buckets, colour) in zip(every, shown, strict=True):
            _reliability_panel(axes, buckets, colour, theme)
            axes.set_title(name, color=theme.ink, fontsize=11)
            axes.set_xlabel("predicted P(acceptable)")
        every[0].set_ylabel("observed share")
    return picture


def _reliability_panel(axes: Axes, buckets: Sequence[Bucket], colour: str, theme: Theme) -> None:
    axes.plot([0, 1], [0, 1], color=theme.faint, lw=1.2, zorder=0)
    seen = [bucket for bucket in buckets if bucket.observed.value is not None]
    for bucket in seen:
        if bucket.observed.lo is not None and bucket.observed.hi is not None:
            axes.plot([bucket.predicted] * 2, [bucket.observed.lo, bucket.observed.hi], color=colour, lw=1.2)
    axes.plot([bucket.predicted for bucket in seen], [_at(bucket.observed) for bucket in seen], "o-", color=colour)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)


def _sources(evaluation: Evaluation, theme: Theme) -> Picture:
    parts = evaluation.parts
    names = sorted((name for name in parts if name != POOLED), key=lambda name: -parts[name].n)[:MAX_SOURCES]
    names = [POOLED, *names]
    with panels(theme, 3, (7.2, 1.6 + 0.5 * len(names))) as (picture, every):
        at = np.arange(len(names))
        products = [evaluation.policies[name][evaluation.roster.product].figures for name in names]
        judged = [parts[name].verifier.get("auroc") for name in names]
        _bars(every[0], at - 0.2, [parts[name].predictor["auroc"] for name in names], _LINES[0][2], theme, 0.38)
        _bars(every[0], at + 0.2, judged, _LINES[1][2], theme, 0.38)
        _bars(every[1], at, [own["retention"] for own in products], _LINES[2][2], theme, 0.6)
        _bars(every[2], at, [own["saved_ratio"] for own in products], _LINES[2][2], theme, 0.6)
        titles = ("AUROC: predictor, verifier", "quality kept", "saved")
        for axes, title, line in zip(every, titles, (0.5, evaluation.options.target, 0.0), strict=True):
            axes.set_title(title, color=theme.ink, fontsize=10)
            axes.axvline(line, color=theme.faint, lw=1.2)
            axes.set_yticks(at, [_shortened(name) for name in names] if axes is every[0] else [""] * at.size)
            axes.invert_yaxis()
        every[0].set_xlim(0.3, 1.0)
    return picture


def _bars(
    axes: Axes, at: Sequence[float] | np.ndarray[Any, Any], figures: Sequence[Figure | None], colour: str,
    theme: Theme, height: float,
) -> None:  # fmt: skip
    for y, figure in zip(at, figures, strict=True):
        if figure is None or figure.value is None:
            continue
        axes.barh(float(y), figure.value, height, color=colour, alpha=0.75)
        if figure.lo is not None and figure.hi is not None:
            axes.plot([figure.lo, figure.hi], [float(y)] * 2, color=theme.ink, lw=1.2)


def _shortened(name: str, most: int = 24) -> str:
    """Returns the name as it is drawn: matplotlib reads a dollar sign as the start of a formula."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in name).replace("$", r"\$")
    return plain if len(plain) <= most else plain[: most - 1].rstrip("\\") + "…"


def _at(figure: Figure) -> float:
    return float("nan") if figure.value is None else figure.value


def _band(figures: Sequence[Figure]) -> tuple[list[float], list[float]]:
    lows = [100.0 * (_at(figure) if figure.lo is None else figure.lo) for figure in figures]
    highs = [100.0 * (_at(figure) if figure.hi is None else figure.hi) for figure in figures]
    return lows, highs


def _xy(policy: PolicyFigures) -> tuple[float, float]:
    return 100.0 * (1.0 - _at(policy.figures["saved_ratio"])), 100.0 * _at(policy.figures["retention"])
