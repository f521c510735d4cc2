"""The picture: money against p95, the hedge curve labelled by its delay, quality in colour. Needs matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

WIDTH_IN, HEIGHT_IN, DPI = 8.6, 5.2, 150
INK, GREY, PALE = "#222222", "#777777", "#c9c9c9"
MARKERS = {
    "baseline": ("s", "one tier alone"),
    "hedge": ("o", "hedge delay, from cascade to race"),
    "thresholds": ("^", "cuts on p: both tiers between them"),
    "verifier": ("D", "verifier's cut, cascade"),
}
MAX_REACH = 1.25
"""Intervals that reach further than this beyond the last point are cut off; the tables have them whole."""

MONEY_TICKS = (1.0, 2.0, 5.0)
DISTANCE_PT = 8.0
MARKER_PX = 8.0
"""About half a marker: how far a label keeps from other points."""


def draw(told: Mapping[str, Any], path: Path) -> None:
    """Writes a PNG.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    points = told["points"]
    with plt.rc_context({"font.size": 10.5, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(figsize=(WIDTH_IN, HEIGHT_IN), facecolor="white", layout="constrained")
        axes.set(xlabel="p95 latency (s)", ylabel="USD per 1,000 requests", title=_title(told))
        _scale(axes, points)
        shown = _draw_points(axes, points)
        figure.colorbar(shown, ax=axes, label="right answers", format="{x:.0%}", pad=0.02)
        _add_legend(axes, {point["family"] for point in points})
        canvas: Any = figure.canvas
        canvas.draw()
        _add_labels(axes, points, canvas.get_renderer())
        figure.savefig(path, dpi=DPI)
        plt.close(figure)


def _scale(axes: Any, points: Sequence[Mapping[str, Any]]) -> None:
    """Sets the axes: time from 0, money by its ratios, as it differs tenfold."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    slowest = max(_value(point, "p95") for point in points)
    reach = max(point["figures"]["p95"]["hi"] for point in points)
    axes.set_xlim(0.0, min(reach, MAX_REACH * slowest) * 1.05)
    axes.set_yscale("log")
    money = [point["figures"]["usd_per_1000"] for point in points]
    paid = [one["value"] for one in money if one["value"] > 0.0] or [1.0]
    axes.set_ylim(min([one["lo"] for one in money if one["lo"] > 0.0] or paid) * 0.75, max(paid) * 1.6)
    axes.yaxis.set_major_locator(LogLocator(subs=MONEY_TICKS))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(color="#e8e8e8", linewidth=0.8)
    axes.set_axisbelow(True)


def _draw_points(axes: Any, points: Sequence[Mapping[str, Any]]) -> Any:
    """Draws intervals, the hedge curve and the points, and returns what the colours mean."""
    quality = [_value(point, "quality") for point in points]
    bounds = {"vmin": min(quality), "vmax": max(*quality, min(quality) + 0.01), "cmap": "viridis"}
    shown = None
    for family, (marker, _) in MARKERS.items():
        members = [point for point in points if point["family"] == family]
        if not members:
            continue
        x, y = [_value(point, "p95") for point in members], [_value(point, "usd_per_1000") for point in members]
        if family == "hedge":
            axes.plot(x, y, color=GREY, linewidth=1.4, zorder=2)
        axes.errorbar(x, y, xerr=_errors(members, "p95"), yerr=_errors(members, "usd_per_1000"), fmt="none",
                      ecolor=PALE, elinewidth=1.0, zorder=1)  # fmt: skip
        colours = [_value(point, "quality") for point in members]
        shown = axes.scatter(x, y, c=colours, marker=marker, s=80, zorder=3, edgecolors=INK, linewidths=0.8, **bounds)
    return shown


def _add_legend(axes: Any, families: set[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker=marker, linestyle="", color=PALE, markeredgecolor=INK, markersize=8, label=name)
        for family, (marker, name) in MARKERS.items()
        if family in families
    ]
    axes.legend(handles=handles, loc="lower right", frameon=False, fontsize=9)


def _add_labels(axes: Any, points: Sequence[Mapping[str, Any]], renderer: Any) -> None:
    """Writes each label at the first place around its point where it covers neither a point nor another label."""
    places = [axes.transData.transform((_value(point, "p95"), _value(point, "usd_per_1000"))) for point in points]
    taken: list[Any] = [] if axes.get_legend() is None else [axes.get_legend().get_window_extent(renderer)]
    for index, point in enumerate(points):
        others = [place for number, place in enumerate(places) if number != index]
        for offset, across, up in _offsets():
            label = axes.annotate(
                point["label"], (_value(point, "p95"), _value(point, "usd_per_1000")), xytext=offset, fontsize=9,
                textcoords="offset points", ha=across, va=up, color=INK, zorder=4,
            )  # fmt: skip
            box = label.get_window_extent(renderer)
            if not any(box.overlaps(one) for one in taken) and not any(
                box.padded(MARKER_PX).contains(*place) for place in others
            ):
                break
            label.remove()
        else:
            continue  # no room: the table has it
        taken.append(box)


def _offsets() -> Iterator[tuple[tuple[float, float], str, str]]:
    """Yields offset in points and alignment: beside and a little above the intervals' lines first, then further."""
    for factor in (1.0, 2.2, 3.6):
        far, near = DISTANCE_PT * factor, DISTANCE_PT * (factor - 0.8)
        yield (far, near), "left", "bottom"
        yield (-far, near), "right", "bottom"
        yield (far, -near), "left", "top"
        yield (-far, -near), "right", "top"
        yield (0.0, far), "center", "bottom"
        yield (0.0, -far), "center", "top"


def _value(point: Mapping[str, Any], name: str) -> float:
    value: float = point["figures"][name]["value"]
    return value


def _errors(members: Sequence[Mapping[str, Any]], name: str) -> list[list[float]]:
    found = [point["figures"][name] for point in members]
    return [
        [max(0.0, one["value"] - one["lo"]) for one in found],
        [max(0.0, one["hi"] - one["value"]) for one in found],
    ]


def _title(told: Mapping[str, Any]) -> str:
    partial = " (partial)" if told["partial"] else ""
    return f"What a second of p95 costs{partial}: {told['setting']['workload']}"
