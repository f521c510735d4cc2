"""What both tiers say to a recorded prompt, how fast, and which rows have both answers."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specroute.core.outcome import Chunk, ToolCallDelta, Usage
from specroute.upstreams.simulated.answers import NoAnswer
from specroute.upstreams.simulated.http.wire import ChatRequest
from specroute.upstreams.simulated.latency import LARGE, MINI
from specroute.upstreams.simulated.recorded import COLUMNS, RecordedOutcomes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from specroute.learn.dataset import Outcome, Outcomes
    from specroute.upstreams.simulated.answers import SimulatedAnswer
    from specroute.upstreams.simulated.latency import LatencyModel
    from specroute.upstreams.simulated.profile import Pace

ROLES = (MINI, LARGE)
"""What the two tiers of a pair are called in results, whatever a configuration calls its own."""

TOKENS_PER_DELTA = 3
"""Tokens of one event of the live simulated tiers; an event leaves when its first token is there."""


class ReplayError(ValueError):
    """Nothing can be replayed as asked; the message is one line with the mend."""


@dataclass(frozen=True, slots=True)
class Usable:
    """The rows that can be replayed, in the order in which they are.

    Attributes:
        left_out: further rows of the pair: without one of the two answers or grades, or with a prompt that came before.
    """

    rows: tuple[Outcome, ...]
    left_out: int


def usable_rows(outcomes: Outcomes, *, pair: str, limit: int | None, seed: int) -> Usable:
    """Returns the rows of ``pair`` with both answers and both grades, in an order drawn by ``seed``.

    So drawn, the first rows are a fair sample: what an interrupted run has done, or the first ``limit``.

    Raises:
        ReplayError: there is no such row.
    """
    own = [row for row in outcomes.rows if row.pair == pair]
    if not own:
        known = ", ".join(repr(name) for name in outcomes.pairs)
        raise ReplayError(f"no rows of pair {pair!r}; choose one of {known} with --pair")
    usable: dict[str, Outcome] = {}
    for row in own:
        if row.mini_response is not None and row.large_response is not None and row.large_correct is not None:
            usable.setdefault(row.prompt, row)
    if not usable:
        raise ReplayError(
            f"none of the {len(own)} rows of pair {pair!r} has both recorded answers and both grades; fill in "
            "mini_response, large_response and large_correct, or choose another pair with --pair"
        )
    rows = list(usable.values())
    random.Random(seed).shuffle(rows)
    return Usable(tuple(rows[:limit]), len(own) - len(rows))


@dataclass(frozen=True, slots=True)
class TimedAnswer:
    """A recorded answer and its speed; the live simulated tiers give the same answer at the same instants."""

    answer: SimulatedAnswer
    pace: Pace

    @property
    def whole_s(self) -> float:
        """Seconds from the call to the last token."""
        return self.pace.ttft_s + self.answer.output_tokens * self.pace.per_token_s

    @property
    def deltas(self) -> int:
        """How many events its content comes in, >= 1."""
        return max(1, -(-self.answer.output_tokens // TOKENS_PER_DELTA))

    def leaves_s(self, delta: int) -> float:
        """Returns the seconds from the call to the event ``delta``, counted from 0."""
        return self.pace.ttft_s + delta * TOKENS_PER_DELTA * self.pace.per_token_s

    def last_before(self, after_s: float) -> int:
        """Returns the last event that has left ``after_s`` seconds after the call; below 0: none."""
        span_s = TOKENS_PER_DELTA * self.pace.per_token_s
        if after_s < self.pace.ttft_s:
            return -1
        passed = math.inf if span_s == 0.0 else (after_s - self.pace.ttft_s) / span_s
        return int(min(self.deltas - 1, passed))

    def content(self, first: int, last: int) -> Chunk:
        """Returns what the events ``first`` to ``last`` bring, all at once."""
        if not self.answer.tool_calls:
            text = self.answer.text
            return Chunk(text[self._chars(len(text), first) : self._chars(len(text), last + 1)])
        total = sum(len(call.arguments_json) for call in self.answer.tool_calls)
        begin, end = self._chars(total, first), self._chars(total, last + 1)
        return Chunk(tool_calls=tuple(self._call_pieces(begin, end, total)))

    def finish(self) -> Chunk:
        """Returns what ends the answer: why it stopped, what it used, and who gave it."""
        answer = self.answer
        usage = Usage(answer.input_tokens, 0, answer.output_tokens)
        return Chunk(finish_reason=answer.finish_reason, usage=usage, model=answer.model)

    def _chars(self, total: int, delta: int) -> int:
        # Rounded up, so that the first event brings something however short the answer is.
        return min(total, -(-total * delta // self.deltas))

    def _call_pieces(self, begin: int, end: int, total: int) -> Iterator[ToolCallDelta]:
        """Yields what the characters from ``begin`` to ``end`` of all arguments in a row are of each call."""
        at = 0
        for index, call in enumerate(self.answer.tool_calls):
            piece = call.arguments_json[max(0, begin - at) : max(0, end - at)]
            if begin <= at < end or at == end == total:
                yield ToolCallDelta(index, call.id, call.name, piece)
            elif piece:
                yield ToolCallDelta(index, arguments_json=piece)
            at += len(call.arguments_json)


@dataclass(frozen=True, slots=True)
class AnswerBook:
    """Both answers to every row, at the pace of a latency model: the very draws of the live simulated tiers."""

    rows: Sequence[Outcome]
    pair: str
    latency: LatencyModel
    seed: int

    def answer(self, row: int, role: str) -> TimedAnswer:
        """Returns what the tier of ``role`` says to the row with this index."""
        outcome = self.rows[row]
        recorded = {column: getattr(outcome, column) for column in COLUMNS}
        found = RecordedOutcomes((recorded,), path="", pair=self.pair).answer(_asked(role, outcome.prompt))
        assert not isinstance(found, NoAnswer), "rows without both answers are left out before"
        pace = self.latency.pace(
            role, outcome.prompt, output_tokens=found.output_tokens, recorded_s=found.latency_s, seed=self.seed
        )
        return TimedAnswer(found, pace)


def _asked(role: str, prompt: str) -> ChatRequest:
    return ChatRequest(model=role, prompt=prompt, fingerprint="", input_bytes=0)
