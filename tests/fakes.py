"""Typed fakes of the engine's seams, and builders with defaults, so that a test names only what it is about."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.lowlevel
from trio.testing import MockClock

from specroute.core.deadline import Deadline
from specroute.core.errors import RouteError, UpstreamError
from specroute.core.outcome import Attempt, Chunk, Completion, Decision, FinishReason, Usage, Verdict, VerdictKind
from specroute.core.plan import Prediction
from specroute.core.request import Constraints, Generation, Hints, Message, Output, Role, RouteRequest, TextOutput
from specroute.core.stream import Committed, Decided, Delta, Superseded
from specroute.core.tier import Price, Tier
from specroute.engine.executor import Executor
from specroute.engine.referee import RaceRules
from specroute.engine.router import Arrival, Routed, Router
from specroute.engine.tiers import BoundedUpstream, ServedTier, Timeouts
from specroute.guards.early_commit import EarlyCommits
from specroute.policy.planner import Always, Planner, Thresholds
from specroute.validators.completeness import Complete
from specroute.validators.contract import OutputContract
from specroute.validators.judge import ConfiguredValidator
from specroute.validators.panel import Validation
from specroute.validators.refusal import NotRefusal

if TYPE_CHECKING:
    from specroute.core.request import ToolCall
    from specroute.core.stream import DeliveryWish, StreamEvent
    from specroute.policy.rules import Rule
    from specroute.validators.panel import Configured

T = TypeVar("T")

MINI_PRICE = Price(150_000_000, 600_000_000, 75_000_000)
MEDIUM_PRICE = Price(500_000_000, 2_000_000_000, 250_000_000)
LARGE_PRICE = Price(2_500_000_000, 10_000_000_000, 1_250_000_000)
PRICES = {"mini": MINI_PRICE, "medium": MEDIUM_PRICE, "large": LARGE_PRICE}


def on_virtual_clock(story: Callable[[], Awaitable[T]]) -> T:
    """Runs ``story`` on trio with a clock of its own that starts at 0 and jumps whenever every task waits."""
    return anyio.run(story, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})


# --- an upstream that plays a script -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pause:
    """Waits so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Until:
    """Waits until an instant, then for so many turns of the loop; at once when the instant has passed."""

    at_s: float
    ticks: int = 0


@dataclass(frozen=True, slots=True)
class Hang:
    """Waits for ever."""


Step = Pause | Until | Hang | Chunk | Exception
Script = Sequence[Step]


def says(text: str, *, after_s: float = 0.0, usage: Usage | None = None) -> Script:
    """Waits, then gives a whole answer."""
    return (Pause(after_s), Chunk(text), Chunk(finish_reason=FinishReason.STOP, usage=usage))


def breaks(reason: str = "http_500", *, after_s: float = 0.0, before_first_byte: bool = False) -> Script:
    """Waits, then fails."""
    return (Pause(after_s), UpstreamError(reason, before_first_byte=before_first_byte))


def tokens(
    *texts: str, first_s: float, gap_s: float = 1.0, finish: FinishReason = FinishReason.STOP, then: Script = ()
) -> Script:
    """Gives the parts of an answer one after the other, then its end a gap later; or ``then`` in place of that."""
    steps: list[Step] = [Pause(first_s)]
    for text in texts:
        steps += [Chunk(text), Pause(gap_s)]
    return (*steps, *(then or (Chunk(finish_reason=finish),)))


@dataclass(slots=True)
class Call:
    """One call that an upstream saw; instants in seconds of the clock."""

    started_at_s: float
    cancelled_at_s: float | None = None
    closed_at_s: float | None = None
    times_closed: int = 0
    completed: bool = False


class FakeUpstream:
    """Plays one script per call, the last one again for all further calls, and records what became of each call."""

    def __init__(self, name: str, *scripts: Script) -> None:
        self.name = name
        self.model = f"{name}-model"
        self._scripts = scripts or (says("ok"),)
        self.calls: list[Call] = []
        self.requests: list[RouteRequest] = []

    async def stream(self, request: RouteRequest) -> AsyncGenerator[Chunk, None]:
        script = self._scripts[min(len(self.calls), len(self._scripts) - 1)]
        call = Call(anyio.current_time())
        self.calls.append(call)
        self.requests.append(request)
        try:
            for step in script:
                match step:
                    case Chunk():
                        yield step
                    case Exception():
                        raise step
                    case _:
                        await _wait(step)
            call.completed = True
        except anyio.get_cancelled_exc_class():
            call.cancelled_at_s = anyio.current_time()
            raise
        finally:
            call.closed_at_s = anyio.current_time()
            call.times_closed += 1


async def _wait(step: Pause | Until | Hang) -> None:
    match step:
        case Pause(seconds):
            await anyio.sleep(seconds)
        case Until(at_s, ticks):
            await sleep_until(at_s, ticks)
        case Hang():
            await anyio.sleep_forever()


async def sleep_until(at_s: float, ticks: int = 0) -> None:
    """Waits until an instant, then for so many turns of the loop."""
    await anyio.sleep_until(at_s)
    for _ in range(ticks):
        await anyio.lowlevel.checkpoint()


# --- the other seams ---------------------------------------------------------------------------------------------


class FixedPredictor:
    """Predicts the same for every request, and counts how often it was asked."""

    def __init__(
        self, p_accept: Mapping[str, float] | None = None, fallback_reason: str = "", *, version: str = "fixed"
    ) -> None:
        self.version = version
        self.prediction = Prediction(p_accept or {}, model_version=version, fallback_reason=fallback_reason)
        self.asked = 0

    def predict(self, request: RouteRequest) -> Prediction:
        self.asked += 1
        return self.prediction


class RecordingTelemetry:
    """Keeps all it is told."""

    def __init__(self) -> None:
        self.running: dict[str, int] = {}
        self.started = 0
        self.refusals: list[str] = []
        self.decisions: list[tuple[Decision, str]] = []

    def leg_started(self, tier: str) -> None:
        self.started += 1
        self.running[tier] = self.running.get(tier, 0) + 1

    def leg_ended(self, tier: str) -> None:
        self.running[tier] -= 1

    def refused(self, outcome: str) -> None:
        self.refusals.append(outcome)

    def decided(self, decision: Decision, outcome: str) -> None:
        self.decisions.append((decision, outcome))

    @property
    def outcomes(self) -> list[str]:
        return [outcome for _, outcome in self.decisions]


@dataclass(frozen=True, slots=True)
class Seen:
    """An event and the instant at which the reader had it."""

    event: StreamEvent
    at_s: float


class FakeReader:
    """Reads a stream; each event takes ``pace_s``. It stops for ever once it has read ``leaves_after`` events.

    ``was_cut``: a send was cancelled half-way, and nothing can be sent any more.
    """

    def __init__(self, *, pace_s: float = 0.0, leaves_after: int | None = None, stall_s: float = 10.0) -> None:
        self.seen: list[Seen] = []
        self._pace_s = pace_s
        self._leaves_after = leaves_after
        self.patience_s = stall_s
        self._busy = False
        self.was_cut = False

    async def send(self, event: StreamEvent) -> bool:
        assert not self._busy, "two tasks write at once"
        if self.was_cut:
            return False
        self._busy, self.was_cut = True, True
        stalls = self._leaves_after is not None and len(self.seen) >= self._leaves_after
        try:
            await anyio.sleep(self.patience_s if stalls else self._pace_s)
        finally:
            self._busy = False
        self.was_cut = False
        if not stalls:
            self.seen.append(Seen(event, anyio.current_time()))
        return not stalls

    @property
    def events(self) -> list[StreamEvent]:
        return [seen.event for seen in self.seen]

    @property
    def standing_text(self) -> str:
        """The deltas that were not taken back, put together."""
        gone = {event.leg for event in self.events if isinstance(event, Superseded)}
        return "".join(event.text for event in self.events if isinstance(event, Delta) and event.leg not in gone)

    @property
    def standing_calls(self) -> tuple[ToolCall, ...]:
        return tuple(event.tool_call for event in self.events if isinstance(event, Delta) and event.tool_call)

    @property
    def story(self) -> list[str]:
        """The events in words, with their instants: "1.5 committed mini prefix_settled"."""
        return [f"{seen.at_s:g} {_in_words(seen.event)}" for seen in self.seen]


def _in_words(event: StreamEvent) -> str:
    match event:
        case Decided():
            return "decided"
        case Delta(leg, text, provisional, tool_call):
            what = repr(text) if tool_call is None else f"{tool_call.name}({tool_call.arguments_json})"
            return f"delta {leg} {what}{' provisional' if provisional else ''}"
        case Superseded(leg, reason):
            return f"superseded {leg} {reason}"
        case Committed(leg, _, reason):
            return f"committed {leg} {reason.value}"


class PoorQuality:
    """A quality check that rejects answers which say "poor"."""

    name = "quality"
    is_contract = False

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        kind = VerdictKind.REJECT if "poor" in completion.text else VerdictKind.ACCEPT
        return Verdict(self.name, kind, "poor" if kind is VerdictKind.REJECT else "good")


BUILT_IN_VALIDATORS = tuple(
    ConfiguredValidator(validator) for validator in (Complete(), NotRefusal(), OutputContract(), PoorQuality())
)
"""The ones of the service, and a quality check that judges whole answers only: nothing settles before its end."""

PREFIX_VALIDATORS = BUILT_IN_VALIDATORS[:3]
"""Those that judge beginnings, too: what the service has where nothing is configured."""


# --- builders ----------------------------------------------------------------------------------------------------


def request_of(
    prompt: str = "What is the capital of France?",
    *,
    constraints: Constraints | None = None,
    hints: Hints | None = None,
    output: Output | None = None,
    generation: Generation | None = None,
    labels: Mapping[str, str] | None = None,
    messages: Sequence[Message] = (),
) -> RouteRequest:
    return RouteRequest(
        request_id="request-1",
        messages=tuple(messages) or (Message(Role.USER, prompt),),
        generation=generation or Generation(),
        output=output or TextOutput(),
        hints=hints or Hints(),
        constraints=constraints or Constraints(),
        labels=labels or {},
    )


def thresholds(hedge_delay_s: float | None = 0.0) -> Thresholds:
    """Returns the usual cuts with a launch time of the second leg."""
    return Thresholds(direct_mini=0.90, direct_large=0.30, hedge_delay_s=hedge_delay_s)


def tier_of(name: str = "mini", *, price: Price | None = None, output_tokens: int = 300) -> Tier:
    return Tier(name, price or PRICES[name], output_tokens)


MINI, MEDIUM, LARGE = tier_of("mini"), tier_of("medium"), tier_of("large")


def served_of(
    name: str,
    *upstreams: FakeUpstream | BoundedUpstream,
    timeouts: Timeouts | None = None,
    output_tokens: int = 300,
    max_concurrency: int = 4,
    max_retries: int = 1,
    cancel_stops_billing: bool = True,
) -> ServedTier:
    bounded = (
        upstream
        if isinstance(upstream, BoundedUpstream)
        else BoundedUpstream(
            upstream,
            max_concurrency=max_concurrency,
            timeouts=timeouts or Timeouts(),
            max_retries=max_retries,
            cancel_stops_billing=cancel_stops_billing,
        )
        for upstream in upstreams
    )
    return ServedTier(tier_of(name, output_tokens=output_tokens), tuple(bounded))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a request ended: exactly one of an answer, a typed error and the caller's own cancellation."""

    routed: Routed | None
    error: RouteError | None
    decision: Decision | None
    at_s: float

    @property
    def was_cancelled(self) -> bool:
        return self.routed is None and self.error is None

    @property
    def text(self) -> str:
        assert self.routed is not None, f"no answer but {self.error!r}"
        return self.routed.delivery.text

    @property
    def tier(self) -> str:
        assert self.routed is not None, f"no answer but {self.error!r}"
        return self.routed.delivery.tier

    @property
    def reason(self) -> str:
        assert self.error is not None, "no error"
        return self.error.reason

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        assert self.decision is not None
        return self.decision.attempts

    @property
    def ends(self) -> list[str]:
        """Each attempt as ``tier end reason``."""
        return [f"{attempt.tier} {attempt.end.value} {attempt.reason}".rstrip() for attempt in self.attempts]


@dataclass(slots=True)
class Service:
    """A router over fake upstreams, with all that a test wants to look at."""

    router: Router
    telemetry: RecordingTelemetry
    predictor: FixedPredictor
    served: tuple[ServedTier, ...]
    upstreams: dict[str, FakeUpstream] = field(default_factory=dict)

    @property
    def calls(self) -> list[Call]:
        return [call for upstream in self.upstreams.values() for call in upstream.calls]

    def calls_of(self, name: str) -> list[Call]:
        return self.upstreams[name].calls

    async def run(
        self,
        request: RouteRequest,
        *,
        deadline_s: float = 60.0,
        cancel_at: Until | None = None,
    ) -> Ended:
        """Routes ``request``, which has ``deadline_s`` seconds; the caller may go away at ``cancel_at``."""
        return await self._run(lambda arrival: self.router.route(request, arrival), request, deadline_s, cancel_at)

    async def stream(
        self,
        request: RouteRequest,
        wish: DeliveryWish,
        reader: FakeReader,
        *,
        deadline_s: float = 60.0,
        cancel_at: Until | None = None,
    ) -> Ended:
        """Streams the answer of ``request`` to ``reader``; else as ``run``."""
        return await self._run(
            lambda arrival: self.router.stream(request, arrival, wish, reader), request, deadline_s, cancel_at
        )

    async def _run(
        self,
        answer: Callable[[Arrival], Awaitable[Routed]],
        request: RouteRequest,
        deadline_s: float,
        cancel_at: Until | None,
    ) -> Ended:
        now_s = anyio.current_time()
        budget_s = request.constraints.latency_budget_s
        budget_at_s = None if budget_s is None else min(now_s + budget_s, now_s + deadline_s)
        arrival = Arrival(1_700_000_000.0, Deadline(now_s, now_s + deadline_s + 0.1, now_s + deadline_s, budget_at_s))
        told = len(self.telemetry.decisions)
        routed: Routed | None = None
        error: RouteError | None = None

        async def serve(scope: anyio.CancelScope) -> None:
            nonlocal routed, error
            try:
                routed = await answer(arrival)
            except RouteError as raised:
                error = raised
            scope.cancel()  # the caller has what it wanted: it needs not go away any more

        if cancel_at is None:
            await serve(anyio.CancelScope())
        else:
            async with anyio.create_task_group() as caller:
                caller.start_soon(serve, caller.cancel_scope)
                await sleep_until(cancel_at.at_s, cancel_at.ticks)
                caller.cancel_scope.cancel()
        decided = self.telemetry.decisions[told:]
        decision = decided[0][0] if decided else None
        if routed is not None:
            decision = routed.decision
        elif error is not None:
            decision = error.decision
        return Ended(routed, error, decision, anyio.current_time())


def router_of(
    *served: ServedTier,
    policy: Thresholds | Always | None = None,
    p_accept: Mapping[str, float] | None = None,
    rules: Iterable[Rule] = (),
    race: RaceRules | None = None,
    validators: Sequence[Configured] = BUILT_IN_VALIDATORS,
    extra_validators: Mapping[str, Configured] | None = None,
    max_attempts: int = 4,
    early_commits: EarlyCommits | None = None,
    fallback_reason: str = "",
) -> Service:
    telemetry = RecordingTelemetry()
    predictor = FixedPredictor(p_accept, fallback_reason)
    executor = Executor(
        {each.tier.name: each for each in served},
        race or RaceRules(),
        max_attempts=max_attempts,
        early_commits=early_commits or EarlyCommits(0.02),
        telemetry=telemetry,
    )
    planner = Planner(tuple(each.tier for each in served), policy or thresholds(), tuple(rules), version="test")
    router = Router(
        planner,
        predictor,
        executor,
        validation=Validation(validators, extra_validators or {}),
        telemetry=telemetry,
    )
    upstreams = {
        bounded.upstream.name: bounded.upstream
        for each in served
        for bounded in each.upstreams
        if isinstance(bounded.upstream, FakeUpstream)
    }
    return Service(router, telemetry, predictor, served, upstreams)


def pair_of(
    mini: Script | FakeUpstream,
    large: Script | FakeUpstream,
    *,
    plan: str = "race",
    hedge_delay_s: float = 1.0,
    race: RaceRules | None = None,
    max_attempts: int = 4,
    mini_timeouts: Timeouts | None = None,
    cancel_stops_billing: bool = True,
    validators: Sequence[Configured] = BUILT_IN_VALIDATORS,
    early_commits: EarlyCommits | None = None,
) -> Service:
    """A service of two tiers whose every plan is of the kind ``plan``: direct, cascade, hedge or race."""
    delays: dict[str, float | None] = {"cascade": None, "hedge": hedge_delay_s, "race": 0.0}
    policy = Always("mini") if plan == "direct" else thresholds(delays[plan])
    first = mini if isinstance(mini, FakeUpstream) else FakeUpstream("mini-0", mini)
    second = large if isinstance(large, FakeUpstream) else FakeUpstream("large-0", large)
    return router_of(
        served_of("mini", first, timeouts=mini_timeouts, cancel_stops_billing=cancel_stops_billing),
        served_of("large", second, cancel_stops_billing=cancel_stops_billing),
        policy=policy,
        race=race,
        max_attempts=max_attempts,
        validators=validators,
        early_commits=early_commits,
    )
