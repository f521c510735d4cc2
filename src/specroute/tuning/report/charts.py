"""The picture of a run: money against the tail, and money against quality, with every policy and the front."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from specroute.learn.evaluation.report.canvas import Chart, Theme, panels
from specroute.tuning.report.rows import RECOMMENDED, shown_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

    from specroute.learn.metrics import Figure
    from specroute.tuning.findings import Effect, Found

_BLUE, _ORANGE, _GREEN, _PURPLE, _YELLOW, _SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
_INK = ""
CERTIFIED = "certified"


class Mark(NamedTuple):
    """How a policy is drawn; the colour "" is that of the ink."""

    label: str
    marker: str
    colour: str


MARKS = {
    "always_mini": Mark("always mini", "v", _INK),
    "always_large": Mark("always large", "^", _INK),
    "random": Mark("random, at its cost", "+", _SKY),
    "cascade": Mark("cascade", "s", _ORANGE),
    "race_all": Mark("race all", "s", _BLUE),
    "fixed_hedge": Mark("fixed hedge", "s", _PURPLE),
    "zones_cascade": Mark("zones, cascade", "o", _ORANGE),
    "zones_race": Mark("zones, race", "o", _BLUE),
    "cost_matched_shuffle": Mark("its decisions shuffled", "x", _YELLOW),
    "clairvoyant": Mark("clairvoyant (a bound)", "P", _INK),
    CERTIFIED: Mark("certified", "*", _PURPLE),
    RECOMMENDED: Mark("recommended", "*", _GREEN),
}


class Axis(NamedTuple):
    """What a panel's upright axis shows: ``line`` is the target; ``None``: there is none."""

    title: str
    label: str
    value: Callable[[Effect], Figure]
    scale: float
    line: float | None


def charts(found: Found) -> tuple[Chart, ...]:
    """Draws the picture; matplotlib is imported now and draws without a display."""
    words = "Cost of every policy against its 99th percentile of latency, and against the quality that it keeps"
    return (Chart.drawn("front", "What time and quality cost", words, partial(_front, found)),)


def _front(found: Found, theme: Theme) -> Picture:
    tail = Axis("the tail", "p99, share of always-large's", lambda own: own.p99_ratio, 1.0, found.targets.p99_bound)
    least = 100.0 * (1.0 - found.targets.max_quality_loss)
    kept = Axis("the quality", "quality kept, % of always-large's", lambda own: own.retention, 100.0, least)
    with panels(theme, 2, (11.0, 5.8)) as (picture, every):
        for axes, axis in zip(every, (tail, kept), strict=True):
            _panel(axes, found, axis, theme)
        handles, labels = every[0].get_legend_handles_labels()
        picture.legend(
            handles, labels, loc="outside lower center", ncols=5, fontsize=8.5, facecolor=theme.ground,
            edgecolor=theme.faint, labelcolor=theme.ink,
        )  # fmt: skip
    return picture


def _panel(axes: Axes, found: Found, axis: Axis, theme: Theme) -> None:
    _front_points(axes, found, axis)
    effects = {policy.name: policy.effect for policy in found.policies}
    if found.certified is not None and not found.certified.certificate.always_large:
        effects[CERTIFIED] = found.certified.effect
    for name in (*(name for name in MARKS if name in effects), *(name for name in effects if name not in MARKS)):
        mark = MARKS.get(name, Mark(name.replace("_", " "), "d", _SKY))
        label = shown_name(name, found).replace("_", " ") if name == RECOMMENDED else mark.label
        _policy(axes, effects[name], mark._replace(label=label), axis, theme)
    if axis.line is not None:
        axes.axhline(axis.line, color=theme.ink, lw=1, ls="--", alpha=0.5, zorder=0)
        axes.annotate(
            f"target {axis.line:g}", (0.995, axis.line), xycoords=("axes fraction", "data"), ha="right", va="bottom",
            fontsize=8, color=theme.ink,
        )  # fmt: skip
    axes.set_xlabel("money, waste included, % of always-large's")
    axes.set_ylabel(axis.label)
    axes.set_title(axis.title, color=theme.ink, fontsize=11)


def _front_points(axes: Axes, found: Found, axis: Axis) -> None:
    """Draws the front: filled where a setting keeps the wanted quality."""
    least = 1.0 - found.targets.max_quality_loss
    for keeps, label in ((True, "front, keeps the quality"), (False, "front, does not")):
        points = [point.effect for point in found.front if (_at(point.effect.retention) >= least) is keeps]
        for effect in points:
            own = axis.value(effect)
            if own.lo is not None and own.hi is not None:
                ends = [axis.scale * own.lo, axis.scale * own.hi]
                axes.plot([_cost(effect)] * 2, ends, color=_GREEN, lw=1, alpha=0.16, zorder=1)
        x, y = [_cost(effect) for effect in points], [_height(effect, axis) for effect in points]
        inside = _GREEN if keeps else "none"
        axes.plot(x, y, "o", ms=4, mfc=inside, mec=_GREEN, mew=0.8, alpha=0.75, ls="", label=label, zorder=2)


def _policy(axes: Axes, effect: Effect, mark: Mark, axis: Axis, theme: Theme) -> None:
    """Draws a policy; stars lie below and rings around the others, so that policies that coincide are all seen."""
    colour = mark.colour or theme.ink
    _crossed(axes, effect, axis, colour)
    is_ring, is_star, is_thin = mark.marker == "o", mark.marker == "*", mark.marker in "x+"
    axes.plot(
        [_cost(effect)], [_height(effect, axis)], mark.marker, color=colour, label=mark.label, ls="",
        ms=16 if is_star else 11 if is_ring else 6, mfc="none" if is_ring else colour,
        mew=2 if is_thin else 1.6 if is_ring else 0.6, mec=colour if is_thin or is_ring else theme.ground,
        zorder=3 if is_star else 4,
    )  # fmt: skip


def _crossed(axes: Axes, effect: Effect, axis: Axis, colour: str) -> None:
    """Draws the intervals of both figures as a cross."""
    x, y = _cost(effect), _height(effect, axis)
    own, saved = axis.value(effect), effect.saved_ratio
    if own.lo is not None and own.hi is not None:
        axes.plot([x, x], [axis.scale * own.lo, axis.scale * own.hi], color=colour, lw=1, alpha=0.8, zorder=3)
    if saved.lo is not None and saved.hi is not None:
        axes.plot([100.0 * (1.0 - saved.hi), 100.0 * (1.0 - saved.lo)], [y, y], color=colour, lw=1, alpha=0.8, zorder=3)


def _cost(effect: Effect) -> float:
    return 100.0 * (1.0 - _at(effect.saved_ratio))


def _height(effect: Effect, axis: Axis) -> float:
    return axis.scale * _at(axis.value(effect))


def _at(figure: Figure) -> float:
    return float("nan") if figure.value is None else figure.value
