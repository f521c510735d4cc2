"""What is sent and when: cases in shuffled order, and for every user intended times of its own.

The times of one user are a Poisson process, so those of all users are one too. A user that is still busy at an intended
time sends as soon as it is free and says how late that was: what a closed loop hides can be seen.
"""

from __future__ import annotations

import random
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.load.cases import Case


class CaseFeed:
    """Hands out shuffled cases in their order, whoever asks; at the end it begins again."""

    def __init__(self, cases: Sequence[Case], *, limit: int | None = None) -> None:
        """``limit``: how many are handed out in all; ``None``: no end."""
        self._cases = cases
        self._limit = limit
        self._taken = 0

    def take(self) -> Case | None:
        """Returns the next case; ``None``: all that were wanted are taken."""
        if self._limit is not None and self._taken >= self._limit:
            return None
        self._taken += 1
        return self._cases[(self._taken - 1) % len(self._cases)]


def case_key(case: Case) -> str:
    """Returns what tells ``case`` from others in every run, and nothing of its text."""
    turns = "\0".join(message.content for message in case.request.messages)
    return blake2b(turns.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


class Arrivals:
    """The intended times of one user: exponential gaps, the first one too, so that users have no common phase."""

    def __init__(self, seed: int, user: int, *, now_s: float) -> None:
        self._random = random.Random(f"{seed} {user}")
        self.due_s = now_s

    def wait_s(self, mean_gap_s: float, *, now_s: float) -> float:
        """Moves on to the next intended time and returns how long to wait for it, >= 0; 0 where it has passed."""
        self.due_s += self._random.expovariate(1.0 / mean_gap_s)
        return max(0.0, self.due_s - now_s)


def mean_gap_s(rate: float, users: int) -> float:
    """Returns the mean gap of one of ``users``, in seconds, where all of them make ``rate`` requests per second."""
    return max(1, users) / rate
