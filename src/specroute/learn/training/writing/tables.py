"""Writes figures as Markdown tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Returns a Markdown table; bars in cells are escaped."""
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def listed(names: Iterable[str]) -> str:
    """Returns names as code, with commas."""
    return ", ".join(f"`{name}`" for name in names)


def number(value: float | None, form: str = ".3f") -> str:
    """Returns a number, or a dash where it is not defined."""
    return "-" if value is None else f"{value:{form}}"


def with_interval(figure: dict[str, Any], form: str = ".3f") -> str:
    """Returns ``{value, lo, hi}`` as ``value [lo, hi]``."""
    value, lo, hi = figure["value"], figure["lo"], figure["hi"]
    return "-" if None in {value, lo, hi} else f"{value:{form}} [{lo:{form}}, {hi:{form}}]"


def percent(value: float | None) -> str:
    """Returns a share in percent."""
    return "-" if value is None else f"{100.0 * value:.1f} %"
