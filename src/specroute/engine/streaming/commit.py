"""When the winner of a stream may be fixed before its answer is whole; decides, does nothing itself.

Committing at an instant t instead of at the end T shows text T - t earlier and spares what the losers would still cost;
it risks that the rest of the answer breaks what waiting would have caught. The gain only shrinks with t, so the best
instant is the first one at which the risk is small enough:

1. Nothing else can answer: waiting could not change the winner, so there is no risk to weigh. At the first content.
2. No continuation can make a check reject: the risk is what only the end shows. At that read.
3. The caller asked to hold a window: the risk is the measured share of such answers that fail at their end. When the
   window has passed, every check is satisfied so far, and that share is within the configured bound.

A dearer leg is never fixed by 2 or 3 while a cheaper one runs: it wins by a whole accepted answer, or when it is the
last that can.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specroute.core.stream import CommitReason, DeliveryMode
from specroute.validators.prefix import PrefixState

if TYPE_CHECKING:
    from collections.abc import Callable

    from specroute.core.stream import DeliveryWish


@dataclass(slots=True)
class _Progress:
    """What has come of one leg. ``window_passed``: its window ended with every check satisfied."""

    first_at_s: float
    tokens: int = 0
    prefix: PrefixState = PrefixState.OPEN
    window_passed: bool = False


class CommitRule:
    """The commit rule of one stream; ``allows_early(leg)``: whether the measured error allows a held-back commit."""

    def __init__(self, wish: DeliveryWish, allows_early: Callable[[int], bool]) -> None:
        self._wish = wish
        self._allows_early = allows_early
        self._legs: dict[int, _Progress] = {}

    @property
    def needs_tasks(self) -> bool:
        """Whether something may be due while a leg waits: the end of its window, or writing what it showed."""
        return self._wish.mode is DeliveryMode.PROVISIONAL or self._wish.hold_s is not None

    def heard(self, leg: int, now_s: float, tokens: int, prefix: PrefixState) -> None:
        """Takes note of content: output tokens so far, and what the checks say of them."""
        progress = self._legs.get(leg)
        if progress is None:
            progress = self._legs[leg] = _Progress(now_s)
        progress.tokens = tokens
        progress.prefix = prefix

    def forget(self, leg: int) -> None:
        """Takes note that the call of ``leg`` failed, and that another one may begin anew."""
        self._legs.pop(leg, None)

    def reason(self, leg: int, now_s: float, *, is_last: bool) -> CommitReason | None:
        """Returns why ``leg``, the cheapest that runs, is fixed now; ``is_last``: nothing else can answer any more."""
        progress = self._legs.get(leg)
        if progress is None:
            return None
        if is_last:
            return CommitReason.NOTHING_STRONGER
        if progress.prefix is PrefixState.SETTLED:
            return CommitReason.PREFIX_SETTLED
        if progress.prefix is not PrefixState.SATISFIED or not self._is_over(progress, now_s):
            return None
        progress.window_passed = True
        return CommitReason.HELD_BACK if self._allows_early(leg) else None

    def has_passed(self, leg: int) -> bool:
        """Returns whether the window of ``leg`` ended with every check satisfied: an answer to learn from."""
        progress = self._legs.get(leg)
        return progress is not None and progress.window_passed

    def due_at_s(self, leg: int, now_s: float) -> float:
        """Returns when, after ``now_s``, the window of ``leg`` ends by time; infinity: not by time, or it is over."""
        progress = self._legs.get(leg)
        if progress is None or self._wish.hold_s is None:
            return math.inf
        ends_at_s = progress.first_at_s + self._wish.hold_s
        return ends_at_s if ends_at_s > now_s else math.inf

    def _is_over(self, progress: _Progress, now_s: float) -> bool:
        wish = self._wish
        if wish.mode is not DeliveryMode.HOLD_BACK:
            return False
        if wish.hold_tokens is not None and progress.tokens >= wish.hold_tokens:
            return True
        return wish.hold_s is not None and now_s >= progress.first_at_s + wish.hold_s
