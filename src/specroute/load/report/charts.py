"""The pictures of a load run: latency over time, and how it is distributed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.evaluation.report.canvas import Chart, Theme, panels
from specroute.load.records import OK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

    from specroute.load.records import CallRecord

_BLUE, _RED, _GREEN = "#0072b2", "#d55e00", "#009e73"
_TITLE = "Latency from the moment each call was meant to be sent: over time, and how many calls took no longer"


def charts(records: Sequence[CallRecord]) -> tuple[Chart, ...]:
    """Draws what there is to draw; nothing without matplotlib, which is optional, or without calls."""
    if not records:
        return ()
    try:
        return (Chart.drawn("latency", _TITLE, "Latency over time and its distribution", partial(_draw, records)),)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return ()


def _draw(records: Sequence[CallRecord], theme: Theme) -> Picture:
    with panels(theme, 2, (10.0, 3.8)) as (picture, (over_time, spread)):
        for is_ok, colour, label in ((True, _BLUE, "answered"), (False, _RED, "failed")):
            some = [record for record in records if (record.status == OK) is is_ok]
            if some:
                dots = ([record.intended_s for record in some], [record.latency_s for record in some])
                over_time.plot(*dots, ".", ms=3, color=colour, alpha=0.6, label=label)
        over_time.set_xlabel("intended to be sent at, s")
        over_time.set_ylabel("latency, s")
        _distribution(spread, [record.latency_s for record in records], "whole answer", _BLUE)
        first = [record.ttft_s for record in records if record.ttft_s is not None]
        _distribution(spread, first, "first token", _GREEN)
        spread.set_xscale("log")
        spread.set_xlabel("seconds")
        spread.set_ylabel("share of calls")
        for axes in (over_time, spread):
            axes.legend(fontsize=8, facecolor=theme.ground, edgecolor=theme.faint, labelcolor=theme.ink)
    return picture


def _distribution(axes: Axes, values: Sequence[float], label: str, colour: str) -> None:
    if values:
        share = np.arange(1, len(values) + 1) / len(values)
        axes.step(np.sort(np.maximum(values, 1e-6)), share, where="post", color=colour, lw=1.8, label=label)
