"""What must hold for every stream: its order, and that what stands of it is the answer that its tier gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.core.outcome import AttemptEnd
from specroute.core.stream import Committed, Decided, Delta, Superseded
from specroute.validators.structured.json_text import unfenced

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.delivery_cases import Case
    from specroute.core.outcome import Decision
    from specroute.core.stream import StreamEvent
    from specroute.engine.router import Routed


def broken_calls(decision: Decision) -> Iterator[str]:
    """Yields the calls that failed: the replayed tiers never do, and they have time for every answer."""
    for attempt in decision.attempts:
        if attempt.end in (AttemptEnd.FAILED, AttemptEnd.TIMED_OUT):
            yield f"a call of {attempt.tier} ended as {attempt.end.value} ({attempt.reason})"


def faults(case: Case, routed: Routed | None, events: Sequence[StreamEvent] | None) -> Iterator[str]:
    """Yields what is wrong. ``events``: ``None`` for a unary call; ``routed``: ``None`` where the request failed."""
    if events is not None:
        yield from _order(events)
    if routed is None:
        return
    delivery = routed.delivery
    said = case.answers[delivery.tier]
    if (delivery.completion.text, delivery.completion.tool_calls) != (said.text, said.tool_calls):
        yield "the answer is not the one that its tier gave"
    if delivery.text not in (said.text, unfenced(said.text)):
        yield "the delivered text is not the answer's"
    if events is None:
        return
    gone = {event.leg for event in events if isinstance(event, Superseded)}
    standing = [event for event in events if isinstance(event, Delta) and event.leg not in gone]
    if "".join(event.text for event in standing) != delivery.text:
        yield "the deltas do not add up to the delivered text"
    if tuple(event.tool_call for event in standing if event.tool_call) != delivery.completion.tool_calls:
        yield "the tool calls of the deltas are not those of the answer"
    winners = [event for event in events if isinstance(event, Committed)]
    if [winner.tier for winner in winners] != [delivery.tier]:
        yield "not exactly one commit, to the tier that is delivered"
    if {event.leg for event in standing} - {winner.leg for winner in winners}:
        yield "a delta of a loser stands"


def _order(events: Sequence[StreamEvent]) -> Iterator[str]:
    if not events or [isinstance(event, Decided) for event in events] != [True, *[False] * (len(events) - 1)]:
        yield "the decision is not the first event, once"
    winner: int | None = None
    gone: set[int] = set()
    for event in events:
        match event:
            case Committed(leg):
                if winner is not None or leg in gone:
                    yield "a second commit, or one to a leg that was taken back"
                winner = leg
            case Superseded(leg):
                if winner is not None or leg in gone:
                    yield "a leg taken back twice, or after the commit"
                gone.add(leg)
            case Delta(leg, _, provisional, _):
                if leg in gone or winner not in (None, leg):
                    yield "a delta of a leg that lost"
                if provisional != (winner is None):
                    yield "a delta marked provisional after the commit, or not marked before it"
