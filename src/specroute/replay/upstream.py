"""A tier that says recorded answers on the virtual clock.

Waking up is what a replay's time goes into, so an answer comes in few pieces: of up to 16 tokens or a quarter of a
second, short ones at its beginning, where most rejections are found. What a cancelled call has cost is counted from its
pieces, and calls are cancelled where others end: a piece ends there, too, so that the count is that of a live tier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from specroute.replay.answers import TOKENS_PER_DELTA

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from trio.testing import MockClock

    from specroute.config.schema.tiers import UpstreamSettings
    from specroute.core.outcome import Chunk
    from specroute.core.request import RouteRequest
    from specroute.replay.answers import TimedAnswer

MAX_PIECE_TOKENS = 16
MAX_PIECE_S = 0.25
GROWTH = 4
"""A piece is at most the fourth part of what has come before it, while that is short."""

TIE_S = 1e-9
"""How far calls are apart that would wake at one instant, or with a timer: else the loop draws lots who comes first."""


class Flight:
    """What is known of the request that is being replayed: when its calls will be whole, and when its time is over."""

    def __init__(self) -> None:
        self._ends_s: dict[object, float] = {}
        self._stop_at_s = 0.0

    def begin(self, stop_at_s: float) -> None:
        """Starts the next request; no call of it runs after ``stop_at_s``."""
        self._ends_s.clear()
        self._stop_at_s = stop_at_s

    def called(self, call: object, end_s: float) -> None:
        """Notes a call that will be whole at ``end_s``."""
        self._ends_s[call] = end_s

    def over(self, call: object) -> None:
        """Forgets a call."""
        self._ends_s.pop(call, None)

    def next_end_s(self, call: object, now_s: float) -> float:
        """Returns the next instant from which ``call`` may be cancelled."""
        ends_s = (end_s for other, end_s in self._ends_s.items() if other is not call and end_s > now_s)
        return min(ends_s, default=self._stop_at_s)


class ReplayedUpstream:
    """Implements ``core.ports.Upstream``: answers a request whose id is a row's index with its recorded answer."""

    def __init__(
        self,
        settings: UpstreamSettings,
        answer_of: Callable[[int], TimedAnswer],
        *,
        rank: int,
        flight: Flight,
        clock: MockClock,
    ) -> None:
        """Takes ``answer_of``: the row's index -> its answer; ``rank`` >= 1: of its tier, the cheapest first."""
        self.name = settings.name
        self.model = settings.model
        self._lag_s = rank * TIE_S
        self._answer_of = answer_of
        self._flight = flight
        self._clock = clock

    async def stream(self, request: RouteRequest) -> AsyncGenerator[Chunk, None]:
        """Yields the answer to ``request``; the instants follow from its pace, whoever reads."""
        timed = self._answer_of(int(request.request_id))
        called_s = trio.current_time() + self._lag_s
        end_s = called_s + timed.whole_s
        call = object()
        self._flight.called(call, end_s)
        try:
            # Whoever starts with this call gets a turn before its first token: from then on they wait for instants.
            await trio.sleep_until(called_s + timed.leaves_s(0))
            yield timed.content(0, 0)
            sent = 1
            while sent < timed.deltas:
                last = self._last_of_piece(timed, sent, called_s, call)
                await self._wait_until(called_s + timed.leaves_s(last))
                yield timed.content(sent, last)
                sent = last + 1
            await self._wait_until(end_s)
            yield timed.finish()
        finally:
            self._flight.over(call)

    def _last_of_piece(self, timed: TimedAnswer, first: int, called_s: float, call: object) -> int:
        """Returns the last event of the piece that begins with the event ``first``."""
        longest = max(1, min(MAX_PIECE_TOKENS // TOKENS_PER_DELTA, first // GROWTH))
        begins_s = timed.leaves_s(first)
        last = min(first + longest - 1, max(first, timed.last_before(begins_s + MAX_PIECE_S)), timed.deltas - 1)
        next_end_s = self._flight.next_end_s(call, called_s + begins_s) - called_s
        return last if timed.leaves_s(last) <= next_end_s else max(first, timed.last_before(next_end_s))

    async def _wait_until(self, at_s: float) -> None:
        loop = trio.lowlevel.current_statistics()
        wait_s = at_s - trio.current_time()
        if not loop.tasks_runnable and wait_s < loop.seconds_to_next_deadline:
            # Nobody else has anything to do before then: moving the clock is the same as sleeping, at half the cost.
            self._clock.jump(max(0.0, wait_s))
        else:
            await trio.sleep_until(at_s)
