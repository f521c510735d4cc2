"""Spans of time as people write them: a number and its unit, such as ``250ms``, ``1.5s``, ``2m`` or ``1h``."""

from __future__ import annotations

import re
from decimal import Decimal

MAX_DURATION_S = 86_400.0
"""Nothing here waits for longer than a day; a larger value is a slip of the unit."""

_UNITS_S = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,30})?")
_DURATION = re.compile(rf"({_NUMBER.pattern})(ms|s|m|h)")


def parse_duration_s(value: object) -> float:
    """Returns the seconds that ``value`` stands for, from 0 to a day.

    Raises:
        ValueError: it is no duration; the message says how to mend it. A bare number is refused, because its unit would
            be a guess.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("not a duration; write a number and its unit, such as 20s or 250ms")
    text = value.strip()
    if text.startswith("-"):
        raise ValueError(f"{value!r} is negative; write a duration of 0s or more")
    if _NUMBER.fullmatch(text):
        raise ValueError(f"a duration needs a unit; write {text}s")
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{value[:40]!r} is not a duration; write a number and one unit of ms, s, m, h, such as 250ms")
    seconds = float(Decimal(match[1]) * _UNITS_S[match[2]])
    if seconds > MAX_DURATION_S:
        raise ValueError(f"{value!r} is more than a day; write 24h or less")
    return seconds


def format_duration(seconds: float) -> str:
    """Returns the text that ``parse_duration_s`` reads back as exactly ``seconds`` (finite, >= 0)."""
    exact = Decimal(repr(seconds))
    if 0 < exact < 1:
        return f"{_plain(exact * 1000)}ms"
    return f"{_plain(exact)}s"


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
