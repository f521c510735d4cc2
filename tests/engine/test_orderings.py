"""All orderings of what can happen to a race: exactly one outcome each, and the one that the rules say.

An ordering gives each event an instant of its own: the n-th event happens at n seconds. Events of a leg map to its
calls: the first one is how its first call ends, and after an error the next one is how the call to its second upstream
ends, which comes at once when its instant has passed before the call began. What follows an answer, or the end of the
second call, comes too late for anybody to hear. A call without an event hangs. Orderings that are the same by this
mapping run once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import permutations
from typing import TYPE_CHECKING

import anyio
import pytest

from specroute.core.errors import UpstreamError
from specroute.core.outcome import Chunk, FinishReason
from specroute.engine.referee import Prefer, RaceRules
from specroute.engine.tiers import Timeouts
from specroute.policy.planner import Always
from tests.engine.invariants import assert_settled
from tests.fakes import (
    Ended,
    FakeUpstream,
    Hang,
    Script,
    Service,
    Until,
    on_virtual_clock,
    request_of,
    router_of,
    served_of,
    sleep_until,
    thresholds,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Event(Enum):
    MINI_OK = "mini ok"
    MINI_REJECTED = "mini rejected"
    MINI_ERROR = "mini error"
    LARGE_OK = "large ok"
    LARGE_ERROR = "large error"
    CLIENT_CANCEL = "client cancel"
    DEADLINE = "deadline"


MOST_EVENTS = 6
HEDGE_DELAY_S = 2.5
GRACE_S = 1.25
"""No sum of instants, the hedge delay and the grace is the instant of another event."""

FAR_S = 1_000.0
PATIENT = Timeouts(2 * FAR_S, 2 * FAR_S, 2 * FAR_S)
PLANS = ("direct", "cascade", "hedge", "race")
ANSWERS = {Event.MINI_OK: "from mini", Event.LARGE_OK: "from large", Event.MINI_REJECTED: ""}
ERRORS = (Event.MINI_ERROR, Event.LARGE_ERROR)
LEGS = {"mini": (Event.MINI_OK, Event.MINI_REJECTED, Event.MINI_ERROR), "large": (Event.LARGE_OK, Event.LARGE_ERROR)}


@dataclass(frozen=True)
class Ordering:
    """What is left of an ordering when the unheard events are taken out."""

    events: tuple[Event, ...]

    def instant_s(self, event: Event) -> float | None:
        return self.events.index(event) + 1.0 if event in self.events else None

    def calls_of(self, leg: str) -> list[tuple[Event, float]]:
        """How the calls of a leg end, and when."""
        return [(event, at + 1.0) for at, event in enumerate(self.events) if event in LEGS[leg]]


def heard(events: tuple[Event, ...]) -> Ordering:
    done: set[str] = set()
    kept: list[Event] = []
    for event in events:
        leg = next((leg for leg, ends in LEGS.items() if event in ends), "")
        if leg in done:
            continue
        kept.append(event)
        if leg and event not in ERRORS:
            done.add(leg)
    return Ordering(tuple(kept))


def all_orderings() -> Iterator[tuple[Event, ...]]:
    for count in range(MOST_EVENTS + 1):
        yield from permutations(Event, count)


ORDERINGS = sorted(
    {heard(events) for events in all_orderings()}, key=lambda each: [event.value for event in each.events]
)


def script_of(end: tuple[Event, float] | None, ticks: int = 0) -> Script:
    if end is None:
        return (Hang(),)
    event, at_s = end
    if event in ERRORS:
        return (Until(at_s, ticks), UpstreamError("http_500"))
    return (Until(at_s, ticks), Chunk(ANSWERS[event], finish_reason=FinishReason.STOP))


def service_for(mini: list[Script], large: list[Script], plan: str, prefer: Prefer) -> Service:
    delays: dict[str, float | None] = {"cascade": None, "hedge": HEDGE_DELAY_S, "race": 0.0}
    return router_of(
        served_of(
            "mini", *(FakeUpstream(f"mini-{index}", script) for index, script in enumerate(mini)), timeouts=PATIENT
        ),
        served_of(
            "large", *(FakeUpstream(f"large-{index}", script) for index, script in enumerate(large)), timeouts=PATIENT
        ),
        policy=Always("mini") if plan == "direct" else thresholds(delays[plan]),
        race=RaceRules(prefer, 0.0 if prefer is Prefer.FIRST_VALID else GRACE_S),
    )


def both_calls(ordering: Ordering, leg: str) -> list[tuple[Event, float] | None]:
    ends: list[tuple[Event, float] | None] = [*ordering.calls_of(leg), None, None]
    return ends[:2]


# --- what the rules say ------------------------------------------------------------------------------------------


def leg_end(ordering: Ordering, leg: str, launched_s: float) -> tuple[float, str]:
    """When a leg that was launched at an instant ends, and with what: an answer's text, "" for none."""
    now_s = launched_s
    for end in both_calls(ordering, leg):
        if end is None:
            return FAR_S, ""
        now_s = max(now_s, end[1])
        if end[0] not in ERRORS:
            return now_s, ANSWERS[end[0]]
    return now_s, ""


def expected(ordering: Ordering, plan: str, prefer: Prefer) -> str:
    """The outcome that the rules give: the delivered text, "cancelled", or the reason of the error."""
    mini_s, mini = leg_end(ordering, "mini", 0.0)
    delay_s = {"race": 0.0, "hedge": HEDGE_DELAY_S}.get(plan, FAR_S)
    large_s, large = leg_end(ordering, "large", min(delay_s, mini_s))
    if mini and mini_s <= delay_s:
        large_s, large = FAR_S, ""
    answers = sorted((at_s, text) for at_s, text in ((mini_s, mini), (large_s, large)) if text)
    decided_s, outcome = answers[0] if answers else (max(mini_s, large_s), "failed")
    if outcome == "from large" and prefer is Prefer.CHEAPEST and mini_s > large_s:
        decided_s = min(large_s + GRACE_S, mini_s, max(large_s, ordering.instant_s(Event.DEADLINE) or FAR_S))
        outcome = "from mini" if mini and decided_s == mini_s else "from large"
    if outcome == "failed":
        outcome = "NO_ACCEPTABLE_ANSWER" if Event.MINI_REJECTED in ordering.events else "ALL_UPSTREAMS_FAILED"
    ends = [(decided_s, outcome)]
    for event, word in ((Event.CLIENT_CANCEL, "cancelled"), (Event.DEADLINE, "DEADLINE_EXCEEDED")):
        at_s = ordering.instant_s(event)
        if at_s is not None and at_s < decided_s:
            ends.append((at_s, word))
    at_s, word = min(ends)
    return "DEADLINE_EXCEEDED" if at_s >= FAR_S else word


def outcome_of(ended: Ended) -> str:
    if ended.was_cancelled:
        return "cancelled"
    return ended.reason if ended.error else ended.text


# --- the tests ---------------------------------------------------------------------------------------------------


def test_the_orderings_that_run_stand_for_all_of_them() -> None:
    every = list(all_orderings())
    assert len(every) == 1 + 7 + 42 + 210 + 840 + 2_520 + 5_040
    assert {heard(events) for events in every} == set(ORDERINGS)


@pytest.mark.parametrize("prefer", list(Prefer))
@pytest.mark.parametrize("plan", PLANS)
def test_every_ordering_has_exactly_the_outcome_that_the_rules_say(plan: str, prefer: Prefer) -> None:
    async def run_all() -> None:
        for ordering in ORDERINGS:
            await run_one(ordering)

    async def run_one(ordering: Ordering) -> None:
        start_s = anyio.current_time()

        def shifted(end: tuple[Event, float] | None) -> Script:
            return script_of(None if end is None else (end[0], end[1] + start_s))

        mini, large = ([shifted(end) for end in both_calls(ordering, leg)] for leg in LEGS)
        service = service_for(mini, large, plan, prefer)
        cancel_s = ordering.instant_s(Event.CLIENT_CANCEL)
        ended = await service.run(
            request_of(),
            deadline_s=ordering.instant_s(Event.DEADLINE) or FAR_S,
            cancel_at=None if cancel_s is None else Until(start_s + cancel_s),
        )
        assert_settled(service, ended)
        assert outcome_of(ended) == expected(ordering, plan, prefer), ordering

    on_virtual_clock(run_all)


@pytest.mark.parametrize("ticks_between", [0, 1, 2, 6])
@pytest.mark.parametrize("prefer", list(Prefer))
@pytest.mark.parametrize("plan", PLANS)
def test_events_in_one_instant_a_few_turns_apart_have_one_outcome(
    plan: str, prefer: Prefer, ticks_between: int
) -> None:
    async def run_all() -> None:
        for ordering in ORDERINGS:
            if len(ordering.events) in ((2, 3, 4) if ticks_between == 1 else (2, 3)):
                await run_one(ordering)

    async def run_one(ordering: Ordering) -> None:
        at_s = anyio.current_time() + HEDGE_DELAY_S  # the instant of the hedge, too

        def scripts(leg: str) -> list[Script]:
            return [
                script_of(None) if end is None else script_of((end[0], at_s), ticks_between * int(end[1] - 1))
                for end in both_calls(ordering, leg)
            ]

        service = service_for(scripts("mini"), scripts("large"), plan, prefer)
        cancel_s = ordering.instant_s(Event.CLIENT_CANCEL)
        ended = await service.run(
            request_of(),
            deadline_s=HEDGE_DELAY_S if Event.DEADLINE in ordering.events else FAR_S,
            cancel_at=None if cancel_s is None else Until(at_s, ticks_between * int(cancel_s - 1)),
        )
        assert_settled(service, ended)
        assert outcome_of(ended) in plausible(ordering), ordering

    on_virtual_clock(run_all)


def plausible(ordering: Ordering) -> set[str]:
    """What may come of events in one instant: what one of them gives, or all together when none decides."""
    words = {ANSWERS[event] for event in ordering.events if ANSWERS.get(event)}
    if Event.CLIENT_CANCEL in ordering.events:
        words.add("cancelled")
    words.add("DEADLINE_EXCEEDED")
    ends = [[end for end in both_calls(ordering, leg) if end] for leg in LEGS]
    if all(calls and (len(calls) == 2 or calls[-1][0] not in ERRORS) for calls in ends) or all(ends):
        words.add("NO_ACCEPTABLE_ANSWER" if Event.MINI_REJECTED in ordering.events else "ALL_UPSTREAMS_FAILED")
    return words


def test_the_clock_of_the_test_keeps_the_order_of_turns() -> None:
    order: list[int] = []

    async def run() -> None:
        async def note(ticks: int) -> None:
            await sleep_until(1.0, ticks)
            order.append(ticks)

        async with anyio.create_task_group() as group:
            for ticks in (6, 0, 3, 1):
                group.start_soon(note, ticks)

    on_virtual_clock(run)
    assert order == [0, 1, 3, 6]
