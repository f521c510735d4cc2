"""How many users there are at a time, as a share of the run. Pure; the rate follows, as each user keeps its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STEADY = "steady"

RAMP_UP = 0.8
BURST_FLOOR = 0.25
BURSTS = ((0.20, 0.35), (0.60, 0.75))
NIGHT = 0.2


def ramp(at: float) -> float:
    """Up in a straight line, then level: where does it break?"""
    return min(1.0, at / RAMP_UP)


def burst(at: float) -> float:
    """A quarter of the users, and all of them twice: does it recover?"""
    return 1.0 if any(begin <= at < end for begin, end in BURSTS) else BURST_FLOOR


def diurnal(at: float) -> float:
    """One day: from a fifth of the users at night to all of them at noon and back."""
    return NIGHT + (1.0 - NIGHT) * (1.0 - math.cos(2.0 * math.pi * at)) / 2.0


SHAPES: dict[str, Callable[[float], float]] = {"ramp": ramp, "burst": burst, "diurnal": diurnal}
"""Name -> share of the users in (0, 1] at a share of the run in [0, 1)."""


def users_at(shape: str, elapsed_s: float, *, run_time_s: float, users: int) -> int | None:
    """Returns how many users there are, from 1 to ``users``; ``None``: the run is over."""
    if elapsed_s >= run_time_s:
        return None
    return max(1, min(users, round(users * SHAPES[shape](elapsed_s / run_time_s))))
