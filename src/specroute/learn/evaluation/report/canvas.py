"""What pictures are drawn on: two grounds, plain axes, PNG bytes without a display."""

from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_DPI = 130


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of what is not data."""

    ground: str
    ink: str
    faint: str


LIGHT = Theme(ground="#ffffff", ink="#1d2430", faint="#c9d0da")
DARK = Theme(ground="#161b22", ink="#e4e9f0", faint="#3d4653")


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture: its file name without suffix, what it shows, and its bytes on both grounds."""

    name: str
    title: str
    alternative: str
    light: bytes
    dark: bytes

    @classmethod
    def drawn(cls, name: str, title: str, alternative: str, draw: Callable[[Theme], Picture]) -> Chart:
        """Draws it on both grounds; matplotlib is imported now."""
        return cls(name, title, alternative, *(_png(draw(theme)) for theme in (LIGHT, DARK)))


@contextmanager
def panels(theme: Theme, columns: int, size: tuple[float, float]) -> Iterator[tuple[Picture, list[Axes]]]:
    """Yields a picture of ``size`` inches with ``columns`` axes side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - heavy, and optional
    from matplotlib.figure import Figure as MatplotlibFigure  # noqa: PLC0415

    picture = MatplotlibFigure(figsize=size, dpi=_DPI, facecolor=theme.ground, layout="constrained")
    FigureCanvasAgg(picture)
    every = [picture.add_subplot(1, columns, column + 1) for column in range(columns)]
    for axes in every:
        axes.set_facecolor(theme.ground)
        axes.grid(color=theme.faint, lw=0.4, alpha=0.6)
        axes.tick_params(colors=theme.ink, labelsize=9)
        axes.xaxis.label.set_color(theme.ink)
        axes.yaxis.label.set_color(theme.ink)
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(theme.faint)
    yield picture, every


def _png(picture: Picture) -> bytes:
    out = io.BytesIO()
    picture.savefig(out, format="png", facecolor=picture.get_facecolor(), metadata={"Software": None})
    return out.getvalue()
