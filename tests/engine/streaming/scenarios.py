"""Random streams, as data: what the upstreams say and when, what was asked, how it is delivered and who reads it.

Every text carries the mark of the call that says it ("mini-0.1": the second call of the first upstream of mini), so
that it tells where it came from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
from hypothesis import strategies as st

from specroute.core.errors import UpstreamError
from specroute.core.outcome import Chunk, FinishReason, ToolCallDelta, Usage
from specroute.core.request import (
    ChoicesOutput,
    Constraints,
    Generation,
    JsonObjectOutput,
    JsonSchemaOutput,
    OnBudget,
    Output,
    RegexOutput,
    RouteRequest,
    TextOutput,
    Tool,
)
from specroute.core.stream import DeliveryMode, DeliveryWish
from specroute.engine.executor import Executor
from specroute.engine.referee import Prefer, RaceRules
from specroute.engine.router import Router
from specroute.engine.tiers import Timeouts
from specroute.guards.early_commit import EarlyCommits
from specroute.policy.planner import Always, Planner
from specroute.policy.rules import Condition, RaceBetween, Rule, StartAt, estimate_cost_nano_usd
from specroute.validators.judge import ConfiguredValidator
from specroute.validators.panel import Validation
from specroute.validators.quality.repetition import NotRepetitive
from tests.fakes import (
    BUILT_IN_VALIDATORS,
    LARGE,
    PREFIX_VALIDATORS,
    FakeReader,
    FakeUpstream,
    FixedPredictor,
    Hang,
    Pause,
    RecordingTelemetry,
    Service,
    Step,
    Until,
    request_of,
    served_of,
    thresholds,
)

if TYPE_CHECKING:
    from specroute.core.stream import StreamEvent
    from specroute.validators.panel import Configured
    from tests.fakes import Script

TIERS = ("mini", "medium", "large")
OFFSETS_S = {"mini": 0.001, "medium": 0.01, "large": 0.1}
"""Each call starts to speak this much later where no two legs are to do anything in one instant."""
MARKS = tuple(f"{tier}-{upstream}.{call}" for tier in TIERS for upstream in (0, 1) for call in (0, 1))
SCHEMA = '{"type":"object","properties":{"by":{"type":"string"}},"required":["by"],"additionalProperties":false}'
TOOL = Tool("add", parameters_json_schema=SCHEMA)


FIRST_VALID = RaceRules()
COMMITTED = DeliveryWish()
PATIENT = Timeouts()
UNBOUND = Constraints()
WITHOUT_LOOPS = (*BUILT_IN_VALIDATORS, ConfiguredValidator(NotRepetitive()))


class Asked(Enum):
    """The form of answer that is asked for."""

    TEXT = "text"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"
    CHOICES = "choices"
    REGEX = "regex"
    TOOLS = "tools"


OUTPUTS: dict[Asked, Output] = {
    Asked.TEXT: TextOutput(),
    Asked.JSON_OBJECT: JsonObjectOutput(),
    Asked.JSON_SCHEMA: JsonSchemaOutput(SCHEMA),
    Asked.CHOICES: ChoicesOutput(tuple(f"yes, says {mark}{more}" for mark in MARKS for more in ("", " again"))),
    Asked.REGEX: RegexOutput(r"yes, says [a-z]+-\d\.\d"),
    Asked.TOOLS: TextOutput(),
}
IS_JSON = (Asked.JSON_OBJECT, Asked.JSON_SCHEMA)


class What(Enum):
    """What an upstream says."""

    GOOD = "good"
    FENCED = "fenced"
    BROKEN = "broken"
    POOR = "poor"
    REFUSAL = "refusal"
    LOOP = "loop"
    EMPTY = "empty"
    TOOL_CALL = "tool call"
    BAD_TOOL_CALL = "bad tool call"
    TEXT_AND_TOOL_CALL = "text and tool call"


def text_of(what: What, asked: Asked, mark: str) -> str:
    match what:
        case What.GOOD | What.FENCED | What.POOR:
            text = _good(asked, mark, "poor" if what is What.POOR else "été 🙂")
            return f"```json\n{text}\n```" if what is What.FENCED else text
        case What.BROKEN:
            return f'{{"by": "{mark}", oops' if asked in IS_JSON else f"yes, says {mark}, or not"
        case What.REFUSAL:
            return f"I'm sorry, but I can't help with that. {mark}"
        case What.LOOP:
            return f"{mark} says it again. " * 20
        case What.TEXT_AND_TOOL_CALL:
            return text_of(What.FENCED, asked, mark) if asked in IS_JSON else f"Let me see, says {mark}."
    return ""


def _good(asked: Asked, mark: str, more: str) -> str:
    match asked:
        case Asked.JSON_OBJECT | Asked.JSON_SCHEMA:
            return f'{{"by": "{mark} {more}"}}'
        case Asked.CHOICES:
            return f" yes, says {mark}\n"
        case Asked.REGEX:
            return f"yes, says {mark}"
    return f"Paris, says {mark}, {more}, is the capital."


class End(Enum):
    """How a call ends once it has said its part."""

    STOP = "stop"
    LENGTH = "length"
    FILTERED = "content_filter"
    HTTP_500 = "http_500"
    RESET = "reset"
    BUG = "a bug"
    HANG = "hangs"


FINISHES = {
    End.STOP: FinishReason.STOP,
    End.LENGTH: FinishReason.LENGTH,
    End.FILTERED: FinishReason.CONTENT_FILTER,
}


@dataclass(frozen=True, slots=True)
class Say:
    """One call: it says the pieces of its answer, cut at these places, a gap after each, then ends.

    ``pieces``: how many pieces come before the end; ``None``: all.
    """

    what: What
    end: End = End.STOP
    first_s: float = 0.5
    gap_s: float = 0.25
    cuts: tuple[int, ...] = ()
    pieces: int | None = None
    finish_in_last: bool = False
    usage: Usage | None = None

    def script(self, asked: Asked, mark: str, offset_s: float) -> Script:
        pieces = self._pieces(asked, mark)
        if self.end not in FINISHES:
            pieces = pieces[: self.pieces]
        finish = FINISHES.get(self.end)
        steps: list[Step] = [Pause(self.first_s + offset_s)]
        for number, piece in enumerate(pieces):
            if self.finish_in_last and finish is not None and number == len(pieces) - 1:
                return (*steps, piece._replace(finish_reason=finish, usage=self.usage))
            steps += [piece, Pause(self.gap_s)]
        return (*steps, *self._end(finish, has_spoken=bool(pieces)))

    def _pieces(self, asked: Asked, mark: str) -> list[Chunk]:
        text = text_of(self.what, asked, mark)
        places = (0, *self.cuts, len(text))
        chunks = [Chunk(part) for a, b in pairwise(places) if (part := text[a:b])]
        if self.what in (What.TOOL_CALL, What.BAD_TOOL_CALL, What.TEXT_AND_TOOL_CALL):
            arguments = f'{{"by": "{mark}"' + ("}" if self.what is not What.BAD_TOOL_CALL else ", oops")
            chunks.append(Chunk(tool_calls=(ToolCallDelta(0, "c1", "add", arguments[:5]),)))
            chunks.append(Chunk(tool_calls=(ToolCallDelta(0, arguments_json=arguments[5:]),)))
        return chunks

    def _end(self, finish: FinishReason | None, *, has_spoken: bool) -> Script:
        if finish is not None:
            return (Chunk(finish_reason=finish, usage=self.usage),)
        match self.end:
            case End.HTTP_500:
                return (UpstreamError("http_500"),)
            case End.RESET:
                return (UpstreamError("reset", before_first_byte=not has_spoken),)
            case End.BUG:
                return (RuntimeError("a bug"),)
        return (Hang(),)


Calls = list[list[Say]]
"""Of one tier: of each upstream, what its calls say."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One stream. ``plan``: direct, cascade, hedge or race; ``spoiled``: the guard has seen early commits fail."""

    tiers: dict[str, Calls]
    asked: Asked = Asked.TEXT
    plan: str = "race"
    hedge_delay_s: float = 0.5
    race: RaceRules = FIRST_VALID
    wish: DeliveryWish = COMMITTED
    validators: tuple[Configured, ...] = PREFIX_VALIDATORS
    spoiled: bool = False
    timeouts: Timeouts = PATIENT
    constraints: Constraints = UNBOUND
    stops_billing: bool = True
    max_attempts: int = 4
    deadline_s: float = 60.0
    cancel_at: Until | None = None
    pace_s: float = 0.0
    leaves_after: int | None = None

    @property
    def request(self) -> RouteRequest:
        tools = (TOOL,) if self.asked is Asked.TOOLS else ()
        return request_of(output=OUTPUTS[self.asked], constraints=self.constraints, generation=Generation(tools=tools))

    def texts_of(self, tier: str) -> list[str]:
        """All that the calls of a tier may say."""
        return [text_of(say.what, self.asked, mark) for mark, say in self._calls(tier)]

    def service(self, *, apart: bool = False) -> Service:
        """The service; ``apart``: no two legs do anything in one instant."""
        served = tuple(
            served_of(
                tier,
                *(
                    FakeUpstream(f"{tier}-{upstream}", *self._scripts(tier, upstream, apart=apart))
                    for upstream in range(len(calls))
                ),
                timeouts=self._timeouts(tier, apart=apart),
                cancel_stops_billing=self.stops_billing,
            )
            for tier, calls in self.tiers.items()
        )
        names = tuple(self.tiers)
        telemetry, predictor = RecordingTelemetry(), FixedPredictor()
        executor = Executor(
            {each.tier.name: each for each in served},
            self.race,
            max_attempts=self.max_attempts,
            early_commits=self._guard(),
            telemetry=telemetry,
        )
        action = StartAt(names[0]) if self.plan == "cascade" else RaceBetween(names)  # type: ignore[arg-type]  # or more
        planner = Planner(
            tuple(each.tier for each in served),
            Always(names[0]) if self.plan == "direct" else thresholds(self.hedge_delay_s),
            (Rule("all", Condition(), action),) if self.plan in ("cascade", "race") else (),
            max_legs=len(names),
        )
        router = Router(planner, predictor, executor, validation=Validation(self.validators, {}), telemetry=telemetry)
        upstreams = {
            each.upstream.name: each.upstream
            for tier in served
            for each in tier.upstreams
            if isinstance(each.upstream, FakeUpstream)
        }
        return Service(router, telemetry, predictor, served, upstreams)

    def _calls(self, tier: str) -> list[tuple[str, Say]]:
        return [
            (f"{tier}-{upstream}.{call}", say)
            for upstream, says in enumerate(self.tiers[tier])
            for call, say in enumerate(says)
        ]

    def _scripts(self, tier: str, upstream: int, *, apart: bool) -> list[Script]:
        offset_s = OFFSETS_S[tier] if apart else 0.0
        return [
            say.script(self.asked, f"{tier}-{upstream}.{call}", offset_s)
            for call, say in enumerate(self.tiers[tier][upstream])
        ]

    def _timeouts(self, tier: str, *, apart: bool) -> Timeouts:
        if not apart:
            return self.timeouts
        longer_s = OFFSETS_S[tier] / 2
        timeouts = self.timeouts
        return replace(timeouts, first_token_s=timeouts.first_token_s + longer_s, total_s=timeouts.total_s + longer_s)

    def _guard(self) -> EarlyCommits:
        guard = EarlyCommits(0.02)
        for tier in self.tiers if self.spoiled else ():
            for _ in range(5):
                guard.settle(f"{tier} {OUTPUTS[self.asked].kind}", upheld=False)
        return guard


class TimedReader(FakeReader):
    """Keeps when each write began and ended, and refuses to be written to once it has said that nobody reads."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(pace_s=scenario.pace_s, leaves_after=scenario.leaves_after, stall_s=5.0)
        self.writes: list[tuple[float, float]] = []
        self.is_gone = False

    async def send(self, event: StreamEvent) -> bool:
        assert not self.is_gone, "a write to a reader that is gone"
        began_s = anyio.current_time()
        reads = await super().send(event)
        self.writes.append((began_s, anyio.current_time()))
        self.is_gone = not reads
        return reads

    def rest_of_write_at(self, at_s: float) -> float:
        """How long after ``at_s`` the one write that was going on then ended."""
        return max((ended_s - at_s for began_s, ended_s in self.writes if began_s <= at_s < ended_s), default=0.0)

    def held_up_from(self, at_s: float) -> float:
        """How long after ``at_s`` the writes that were going on then, one right after the other, had ended."""
        until_s = at_s
        for began_s, ended_s in self.writes:
            if began_s <= until_s:
                until_s = max(until_s, ended_s)
        return until_s - at_s


# --- strategies -------------------------------------------------------------------------------------------------------

# Few distinct spans, so that events often fall into one instant.
spans = st.sampled_from([0.5, 0.0, 0.25, 1.0, 1.5, 2.0])
usages = st.sampled_from([None, Usage(9, 3, 40), Usage(900, 0, 0)])
says = st.builds(
    Say,
    what=st.sampled_from([What.GOOD] * 8 + list(What)),
    end=st.sampled_from([End.STOP] * 8 + list(End)),
    first_s=spans,
    gap_s=spans,
    cuts=st.sampled_from([(), (1,), (9,), (4, 12), (8, 9, 20), (3, 6, 14, 30)]),
    pieces=st.sampled_from([0, 1, 2, 3]),
    finish_in_last=st.booleans(),
    usage=usages,
)
calls_of_a_tier = st.lists(st.lists(says, min_size=1, max_size=2), min_size=1, max_size=2)
wishes = st.sampled_from(
    [
        COMMITTED,
        *[DeliveryWish(DeliveryMode.PROVISIONAL)] * 3,
        DeliveryWish(DeliveryMode.HOLD_BACK, hold_tokens=3),
        DeliveryWish(DeliveryMode.HOLD_BACK, hold_s=0.4),
        DeliveryWish(DeliveryMode.HOLD_BACK, hold_tokens=6, hold_s=1.1),
    ]
)
all_timeouts = st.sampled_from(
    [PATIENT, Timeouts(1.0, 0.75, 3.0), Timeouts(2.0, 2.0, 50.0, min_tokens_per_s=4.0, rate_window_s=0.6)]
)
all_constraints = st.builds(
    Constraints,
    latency_budget_s=st.sampled_from([None, None, None, 1.0, 2.0]),
    max_cost_nano_usd=st.sampled_from(
        [None, None, None, *(parts * estimate_cost_nano_usd(LARGE, request_of()) // 4 for parts in (4, 5, 9))]
    ),
    on_budget=st.sampled_from(OnBudget),
)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Any stream whose reader reads at once and to the end, and whose caller waits for it."""
    names = draw(st.sampled_from([("mini", "large"), ("mini", "large"), ("large",), TIERS]))
    plans = ("direct", "cascade", "hedge", "race") if len(names) > 1 else ("direct",)
    return Scenario(
        tiers={name: draw(calls_of_a_tier) for name in names},
        asked=draw(st.sampled_from(Asked)),
        plan=draw(st.sampled_from(plans)),
        hedge_delay_s=draw(spans),
        race=draw(st.sampled_from([FIRST_VALID, RaceRules(Prefer.CHEAPEST, 0.75), RaceRules(Prefer.CHEAPEST, 30.0)])),
        wish=draw(wishes),
        validators=draw(st.sampled_from([PREFIX_VALIDATORS, WITHOUT_LOOPS, BUILT_IN_VALIDATORS])),
        spoiled=draw(st.sampled_from([False, False, True])),
        timeouts=draw(all_timeouts),
        constraints=draw(all_constraints),
        stops_billing=draw(st.booleans()),
        max_attempts=draw(st.sampled_from([4, 4, 1, 2, 5])),
        deadline_s=draw(st.sampled_from([60.0, 60.0, 60.0, 60.0, 3.0, 1.0])),
    )


@st.composite
def scenarios_with_any_reader(draw: st.DrawFn) -> Scenario:
    """Any stream at all: the reader may be slow or stop reading, the caller may go away."""
    return replace(
        draw(scenarios()),
        cancel_at=draw(st.one_of(*[st.none()] * 4, st.builds(Until, spans, st.integers(0, 5)))),
        pace_s=draw(st.sampled_from([0.0, 0.0, 0.0, 0.3, 2.0])),
        leaves_after=draw(st.sampled_from([None] * 14 + [0, 1, 2, 3, 5])),
    )
