"""The parts of an HTML page that needs nothing else: no script, no font, no request to anywhere."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

from specroute.learn.evaluation.report.prose import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from specroute.learn.evaluation.report.canvas import Chart
    from specroute.learn.metrics import Figure


def whole_page(title: str, body: Iterable[str]) -> str:
    """Returns the page; ``body`` is markup, ``title`` is text."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Returns a table of texts, the first column the heading of each line."""
    cells = "".join(f"<th>{escape(word)}</th>" for word in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(value)}</td>' for value in line)}</tr>" for line in lines)
    return f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'


def picture(chart: Chart) -> str:
    """Returns the picture, embedded, on the ground that the reader prefers."""
    light, dark = (base64.b64encode(image).decode("ascii") for image in (chart.light, chart.dark))
    return (
        f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="data:image/png;base64,{dark}">'
        f'<img alt="{escape(chart.alternative)}" src="data:image/png;base64,{light}"></picture>'
        f"<figcaption>{escape(chart.title)}</figcaption></figure>"
    )


def interval(figure: Figure, scale: float, digits: int) -> str:
    """Returns ``72.6 [70.1, 74.8]``; a dash where it is not defined."""
    if figure.value is None:
        return "–"
    if figure.lo is None or figure.hi is None:
        return f"{scale * figure.value:.{digits}f}"
    return f"{scale * figure.value:.{digits}f} [{scale * figure.lo:.{digits}f}, {scale * figure.hi:.{digits}f}]"
