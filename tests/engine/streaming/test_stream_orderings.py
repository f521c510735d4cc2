"""All orderings of what can happen to a streamed race or cascade: what the reader sees is what the rules say.

An ordering gives each event an instant of its own: the n-th event happens at n seconds. A leg that is launched late
catches up: what should have happened before its launch happens at once. What follows the end of a leg, or the
cancellation, or the deadline, comes too late for anybody to hear, so orderings that differ only in that run once. A leg
without an end hangs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import anyio
import pytest

from specroute.core.errors import UpstreamError
from specroute.core.outcome import Chunk, FinishReason
from specroute.core.request import JsonObjectOutput, TextOutput
from specroute.core.stream import DeliveryMode, DeliveryWish
from specroute.engine.tiers import Timeouts
from tests.engine.invariants import assert_settled, assert_streamed
from tests.fakes import (
    PREFIX_VALIDATORS,
    FakeReader,
    FakeUpstream,
    Hang,
    Until,
    on_virtual_clock,
    request_of,
    router_of,
    served_of,
    thresholds,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specroute.core.request import RouteRequest
    from tests.fakes import Ended, Script, Service, Step


class Event(Enum):
    MINI_1 = "mini chunk 1"
    MINI_2 = "mini chunk 2"
    MINI_OK = "mini end ok"
    MINI_REJECTED = "mini end rejected"
    MINI_ERROR = "mini error"
    LARGE_1 = "large chunk"
    LARGE_OK = "large end ok"
    LARGE_ERROR = "large error"
    CANCEL = "client cancel"
    DEADLINE = "deadline"


MOST_EVENTS = 6
FAR_S = 1_000.0
PATIENT = Timeouts(2 * FAR_S, 2 * FAR_S, 2 * FAR_S)
LEGS = {
    "mini": (Event.MINI_1, Event.MINI_2, Event.MINI_OK, Event.MINI_REJECTED, Event.MINI_ERROR),
    "large": (Event.LARGE_1, Event.LARGE_OK, Event.LARGE_ERROR),
}
CHUNKS = (Event.MINI_1, Event.MINI_2, Event.LARGE_1)
SPEAKS_FIRST = (*CHUNKS, Event.MINI_REJECTED)
"""Events that say something even where no chunk came before them; a good end without a chunk is an empty answer."""
LAST = (Event.CANCEL, Event.DEADLINE)
PLANS = ("cascade", "race")
WISHES = {
    DeliveryMode.COMMITTED: DeliveryWish(),
    DeliveryMode.HOLD_BACK: DeliveryWish(DeliveryMode.HOLD_BACK, hold_tokens=5),
    DeliveryMode.PROVISIONAL: DeliveryWish(DeliveryMode.PROVISIONAL),
}
Ordering = tuple[Event, ...]


@dataclass(frozen=True)
class Form:
    """A form of answer: what is asked for, and what each event says. ``settles``: free text does at its first words."""

    request: RouteRequest
    says: dict[Event, str]
    settles: bool


JSON = Form(
    request_of(output=JsonObjectOutput()),
    {
        Event.MINI_1: '{"by": "mini"',
        Event.MINI_2: ', "of": "France"',
        Event.MINI_OK: "}",
        Event.MINI_REJECTED: " oops",
        Event.LARGE_1: '{"by": "large"',
        Event.LARGE_OK: "}",
    },
    settles=False,
)
"""The window of a held-back stream ends with mini's second chunk; what is rejected is rejected on that read."""

TEXT = Form(
    request_of(output=TextOutput()),
    {Event.MINI_1: "Paris, says", Event.MINI_2: " mini", Event.LARGE_1: "Paris, says large"},
    settles=True,
)
"""The end says nothing: the answer is rejected as empty where nothing came before it, and else as cut off."""


def orderings(begun: Ordering = ()) -> Iterator[Ordering]:
    """All orderings that begin with ``begun``, of events that somebody hears."""
    yield begun
    if len(begun) < MOST_EVENTS and not (begun and begun[-1] in LAST):
        for event in Event:
            if is_heard_after(begun, event):
                yield from orderings((*begun, event))


def is_heard_after(begun: Ordering, event: Event) -> bool:
    before = [each for each in begun if leg_of(each) == leg_of(event)]
    if event in LAST:
        return True
    if any(each not in CHUNKS for each in before):
        return False
    return event not in before and (event is not Event.MINI_2 or Event.MINI_1 in before)


def leg_of(event: Event) -> str:
    return next((leg for leg, events in LEGS.items() if event in events), "")


ORDERINGS = tuple(orderings())


def script_of(form: Form, ordering: Ordering, leg: str, start_s: float) -> Script:
    steps: list[Step] = []
    said = False
    for at, event in enumerate(ordering):
        if leg_of(event) != leg:
            continue
        steps.append(Until(start_s + at + 1.0))
        text = form.says.get(event, "") if event in SPEAKS_FIRST or said else ""
        said = True
        if event in (Event.MINI_ERROR, Event.LARGE_ERROR):
            return (*steps, UpstreamError("http_500"))
        if event not in CHUNKS:
            cut_off = event is Event.MINI_REJECTED and form.settles
            return (*steps, Chunk(text, finish_reason=FinishReason.LENGTH if cut_off else FinishReason.STOP))
        steps.append(Chunk(text))
    return (*steps, Hang())


def service_for(form: Form, ordering: Ordering, plan: str, start_s: float) -> Service:
    return router_of(
        *(
            served_of(leg, FakeUpstream(f"{leg}-0", script_of(form, ordering, leg, start_s)), timeouts=PATIENT)
            for leg in LEGS
        ),
        policy=thresholds(0.0 if plan == "race" else None),
        validators=PREFIX_VALIDATORS,
    )


# --- what the rules say -------------------------------------------------------------------------------------------


@dataclass
class Model:
    """The rules, over again: one event after the other, without clock, task or transcript."""

    form: Form
    plan: str
    mode: DeliveryMode
    running: list[str] = field(default_factory=list)
    waiting: list[Event] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=lambda: {"mini": "", "large": ""})
    was_rejected: bool = False
    commit: tuple[str, str] | None = None
    outcome: str = ""

    def expected(self, ordering: Ordering) -> tuple[str, tuple[str, str] | None]:
        """The outcome, and who was fixed as the winner, and why."""
        self.running = list(LEGS) if self.plan == "race" else ["mini"]
        for event in ordering:
            if not self.outcome:
                self.happens(event)
        return self.outcome or "DEADLINE_EXCEEDED", self.commit

    def happens(self, event: Event) -> None:
        leg = leg_of(event)
        if event in LAST:
            self.outcome = "cancelled" if event is Event.CANCEL else "DEADLINE_EXCEEDED"
        elif leg in self.running:
            self.happens_to(leg, event)
        elif leg == "large" and self.commit is None:
            self.waiting.append(event)

    def happens_to(self, leg: str, event: Event) -> None:
        text = self.form.says.get(event, "") if event in SPEAKS_FIRST or self.said[leg] else ""
        if event is Event.MINI_REJECTED and self.commit is None and (self.has_alternative or not text):
            self.ends(leg, rejected=True)
            return
        if text:
            self.said[leg] += text
            self.commit_if_due()
            if self.commit is not None and self.commit[0] != leg:
                return
        if event in CHUNKS:
            return
        if event in (Event.MINI_ERROR, Event.LARGE_ERROR):
            self.ends(leg, rejected=False)
        elif event is Event.MINI_REJECTED:
            # Cut off is what only the end shows; a broken contract is never delivered.
            self.outcome = "mini degraded" if self.form.settles else "NO_ACCEPTABLE_ANSWER"
        elif not self.said[leg]:
            self.ends(leg, rejected=True)
        else:
            self.outcome = leg
            self.commit = self.commit or (leg, "validated")

    @property
    def has_alternative(self) -> bool:
        return len(self.running) > 1 or (self.plan == "cascade" and self.running == ["mini"])

    def commit_if_due(self) -> None:
        front = self.running[0]
        if self.commit is not None or not self.said[front]:
            return
        if not self.has_alternative:
            self.commit = (front, "nothing_stronger")
        elif self.form.settles:
            self.commit = (front, "prefix_settled")
        elif self.mode is DeliveryMode.HOLD_BACK and len(self.said[front]) > 4 * 4:
            self.commit = (front, "held_back")
        if self.commit is not None:
            self.running = [front]

    def ends(self, leg: str, *, rejected: bool) -> None:
        self.was_rejected |= rejected
        was_alone = self.running == [leg]
        self.running.remove(leg)
        if self.commit is not None:
            self.outcome = "STREAM_INTERRUPTED"
        elif was_alone and self.plan == "cascade" and leg == "mini":
            self.running = ["large"]
            for event in self.waiting:
                if not self.outcome:
                    self.happens(event)
        elif was_alone:
            self.outcome = "NO_ACCEPTABLE_ANSWER" if self.was_rejected else "ALL_UPSTREAMS_FAILED"
        else:
            self.commit_if_due()


def outcome_of(ended: Ended) -> str:
    if ended.was_cancelled:
        return "cancelled"
    if ended.routed is None:
        return ended.reason
    return f"{ended.tier} degraded" if ended.routed.delivery.degraded else ended.tier


# --- the tests ----------------------------------------------------------------------------------------------------


def test_no_ordering_runs_twice_and_every_event_is_in_some() -> None:
    assert len(set(ORDERINGS)) == len(ORDERINGS) > 700
    assert {event for ordering in ORDERINGS for event in ordering} == set(Event)


@pytest.mark.parametrize("form", [JSON, TEXT], ids=["json", "text"])
@pytest.mark.parametrize("mode", list(DeliveryMode))
@pytest.mark.parametrize("plan", PLANS)
def test_every_ordering_of_a_stream_has_exactly_the_outcome_that_the_rules_say(
    plan: str, mode: DeliveryMode, form: Form
) -> None:
    async def run_all() -> None:
        for ordering in ORDERINGS:
            await run_one(ordering)

    async def run_one(ordering: Ordering) -> None:
        start_s = anyio.current_time()
        service, reader = service_for(form, ordering, plan, start_s), FakeReader()
        ends = len(ordering) if ordering and ordering[-1] in LAST else None
        ended = await service.stream(
            form.request,
            WISHES[mode],
            reader,
            deadline_s=float(ends) if ends and ordering[-1] is Event.DEADLINE else FAR_S,
            cancel_at=Until(start_s + ends) if ends and ordering[-1] is Event.CANCEL else None,
        )
        assert_settled(service, ended)
        assert_streamed(ended, reader)
        assert ended.decision is not None
        commit = ended.decision.commit
        seen = (outcome_of(ended), commit and (commit.tier, commit.reason.value))
        assert seen == Model(form, plan, mode).expected(ordering), (ordering, reader.story)

    on_virtual_clock(run_all)


@pytest.mark.parametrize("ticks_between", [0, 1, 3])
@pytest.mark.parametrize("mode", list(DeliveryMode))
@pytest.mark.parametrize("plan", PLANS)
def test_events_in_one_instant_a_few_turns_apart_still_make_one_stream(
    plan: str, mode: DeliveryMode, ticks_between: int
) -> None:
    async def run_all() -> None:
        for ordering in ORDERINGS:
            if 2 <= len(ordering) <= 4:
                await run_one(ordering)

    async def run_one(ordering: Ordering) -> None:
        start_s = anyio.current_time()
        at_s = start_s + 1.0

        def together(script: Script) -> list[Step]:
            return [
                Until(at_s, ticks_between * int(step.at_s - start_s - 1.0)) if isinstance(step, Until) else step
                for step in script
            ]

        upstreams = {leg: FakeUpstream(f"{leg}-0", together(script_of(JSON, ordering, leg, start_s))) for leg in LEGS}
        service = router_of(
            *(served_of(leg, upstream, timeouts=PATIENT) for leg, upstream in upstreams.items()),
            policy=thresholds(0.0 if plan == "race" else None),
            validators=PREFIX_VALIDATORS,
        )
        reader = FakeReader()
        last = ordering[-1]
        ended = await service.stream(
            JSON.request,
            WISHES[mode],
            reader,
            deadline_s=1.0 if last is Event.DEADLINE else FAR_S,
            cancel_at=Until(at_s, ticks_between * (len(ordering) - 1)) if last is Event.CANCEL else None,
        )
        assert_settled(service, ended)
        assert_streamed(ended, reader)

    on_virtual_clock(run_all)
