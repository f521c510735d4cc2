"""Replays cases through the real router on a virtual clock, and notes what the caller of each saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import trio
from trio.testing import MockClock

from benchmarks.delivery_checks import broken_calls, faults
from benchmarks.delivery_ways import TIERS
from specroute.core.deadline import Deadline
from specroute.core.errors import RouteError
from specroute.core.stream import Delta, Superseded
from specroute.engine.executor import Executor
from specroute.engine.referee import RaceRules
from specroute.engine.router import Arrival, Router
from specroute.engine.tiers import BoundedUpstream, ServedTier
from specroute.guards.early_commit import EarlyCommits
from specroute.policy.planner import Planner
from specroute.predictor.predictor import OnnxPredictor
from specroute.upstreams.simulated.profile import seeded
from specroute.validators.judge import ConfiguredValidator
from specroute.validators.panel import Validation
from specroute.validators.registry import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from benchmarks.delivery_cases import Answer, Case
    from benchmarks.delivery_ways import LatencyModel, Way
    from specroute.core.outcome import Chunk, Decision
    from specroute.core.ports import Predictor
    from specroute.core.request import RouteRequest
    from specroute.core.stream import Commit, StreamEvent
    from specroute.core.tier import Tier
    from specroute.engine.router import Routed
    from specroute.upstreams.simulated.profile import Pace

MODEL = Path(__file__).parent.parent / "router_models" / "default"
DEADLINE_S = 120.0
MAX_COMMIT_ERROR_RATIO = 0.02
"""The default of ``streaming.max_commit_error_ratio``."""
MAX_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one case.

    Attributes:
        useful_s: when the first delta came that was never taken back, or a whole answer; ``None``: nothing came.
        commit: ``None``: a unary call, or nothing was committed.
        guarded: its window had passed with every check satisfied, and the guard forbade the commit.
        taken_back: whether something that was shown was superseded.
        tier: whose answer was delivered; "": the call failed.
        large_tokens: output tokens of large's calls, whole or cut off.
        spent_nano_usd: all calls.
        faults: what broke the rules of a stream; anything here is a bug.
    """

    case: Case
    useful_s: float | None
    commit: Commit | None
    guarded: bool
    taken_back: bool
    tier: str
    degraded: bool
    large_tokens: int
    spent_nano_usd: int
    faults: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether the delivered answer was graded as right."""
        return self.case.grades.get(self.tier, False)


@dataclass(frozen=True, slots=True)
class WayRun:
    """All cases in one way. ``error_ratios``: what the guard had measured at the end, by tier and output form."""

    way: Way
    seen: tuple[Seen, ...]
    error_ratios: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Service:
    """The service that is measured; ``validators``: names of built-in ones."""

    way: Way
    latency: LatencyModel
    predictor: Predictor
    validators: tuple[str, ...]


def load_predictor() -> Predictor:
    """Returns the default model."""
    return OnnxPredictor.load(MODEL, service_tiers=[tier.name for tier in TIERS])


def replay(service: Service, cases: Sequence[Case], *, seed: int, advance: Callable[[], None]) -> WayRun:
    """Sends ``cases`` to ``service`` one after the other, and calls ``advance`` after each."""
    guard = WatchedGuard(MAX_COMMIT_ERROR_RATIO)
    clock = MockClock(autojump_threshold=0)
    router = _router(service, cases, seed=seed, guard=guard, clock=clock)

    async def send_all() -> tuple[Seen, ...]:
        seen = []
        for case in cases:
            seen.append(await _send(router, guard, service.way, case))
            advance()
        return tuple(seen)

    seen = anyio.run(send_all, backend="trio", backend_options={"clock": clock})
    return WayRun(service.way, seen, {kind: guard.error_ratio(kind) for kind in sorted(guard.kinds)})


class WatchedGuard(EarlyCommits):
    """The guard of early commits; tells which kinds it counted, and whether it forbade a commit since asked last."""

    def __init__(self, max_error_ratio: float) -> None:
        super().__init__(max_error_ratio)
        self.kinds: set[str] = set()
        self.has_forbidden = False

    def allows(self, kind: str) -> bool:
        """Asks the guard."""
        allowed = super().allows(kind)
        self.has_forbidden |= not allowed
        return allowed

    def settle(self, kind: str, *, upheld: bool) -> None:
        """Tells the guard."""
        self.kinds.add(kind)
        super().settle(kind, upheld=upheld)


class ReplayedUpstream:
    """A tier that answers each request with its recorded answer, a token at a time."""

    def __init__(self, tier: str, answers: Mapping[str, tuple[Answer, Pace]], clock: MockClock) -> None:
        """Takes ``answers``: the request's id -> its answer and pace."""
        self.name = f"{tier}-0"
        self.model = tier
        self._answers = answers
        self._clock = clock

    async def stream(self, request: RouteRequest) -> AsyncGenerator[Chunk, None]:
        """Yields the answer to ``request``; the instants follow from its pace, whoever reads."""
        answer, pace = self._answers[request.request_id]
        at_s = trio.current_time() + pace.ttft_s
        # Everybody who starts with this call gets a turn before its first token: from then on they wait for instants.
        await trio.sleep_until(at_s)
        for chunk in answer.chunks:
            await self._wait_until(at_s)
            yield chunk
            at_s += pace.per_token_s

    async def _wait_until(self, at_s: float) -> None:
        loop = trio.lowlevel.current_statistics()
        wait_s = at_s - trio.current_time()
        if not loop.tasks_runnable and wait_s < loop.seconds_to_next_deadline:
            # Nobody else has anything to do before then: moving the clock is the same as sleeping, at half the cost.
            self._clock.jump(max(0.0, wait_s))
        else:
            await trio.sleep_until(at_s)


@dataclass(slots=True)
class Reader:
    """Reads a stream as it comes, and keeps each event with its instant."""

    patience_s: float = 10.0
    events: list[tuple[float, StreamEvent]] = field(default_factory=list)

    async def send(self, event: StreamEvent) -> bool:
        """Takes an event; is always there."""
        self.events.append((trio.current_time(), event))
        return True

    @property
    def first_lasting_at_s(self) -> float | None:
        """When the first delta came that was never taken back."""
        gone = {event.leg for _, event in self.events if isinstance(event, Superseded)}
        return next((at_s for at_s, event in self.events if isinstance(event, Delta) and event.leg not in gone), None)


class _NoTelemetry:
    def leg_started(self, tier: str) -> None: ...

    def leg_ended(self, tier: str) -> None: ...

    def refused(self, outcome: str) -> None: ...

    def decided(self, decision: Decision, outcome: str) -> None: ...


async def _send(router: Router, guard: WatchedGuard, way: Way, case: Case) -> Seen:
    began_s = trio.current_time()
    arrival = Arrival(0.0, Deadline(began_s, began_s + DEADLINE_S, began_s + DEADLINE_S))
    reader = Reader()
    guard.has_forbidden = False
    routed: Routed | None = None
    decision: Decision | None
    try:
        if way.wish is None:
            routed = await router.route(case.request, arrival)
        else:
            routed = await router.stream(case.request, arrival, way.wish, reader)
        decision = routed.decision
    except RouteError as error:
        decision = error.decision
    assert decision is not None, "every call of a case gets as far as a plan"
    useful_at_s = reader.first_lasting_at_s
    if way.wish is None and routed is not None:
        useful_at_s = trio.current_time()
    large = [each.usage for each in decision.attempts if each.tier == TIERS[-1].name and each.usage is not None]
    events = [event for _, event in reader.events]
    return Seen(
        case=case,
        useful_s=None if useful_at_s is None else useful_at_s - began_s,
        commit=decision.commit,
        guarded=guard.has_forbidden,
        taken_back=any(isinstance(event, Superseded) for event in events),
        tier="" if routed is None else routed.delivery.tier,
        degraded=routed is not None and routed.delivery.degraded,
        large_tokens=sum(usage.output_tokens for usage in large),
        spent_nano_usd=decision.money.delivered_nano_usd + decision.money.waste_nano_usd,
        faults=(*broken_calls(decision), *faults(case, routed, None if way.wish is None else events)),
    )


def _router(service: Service, cases: Sequence[Case], *, seed: int, guard: EarlyCommits, clock: MockClock) -> Router:
    served = {tier.name: _served(tier, service.latency, cases, seed=seed, clock=clock) for tier in service.way.tiers}
    telemetry = _NoTelemetry()
    executor = Executor(
        served,
        RaceRules(),
        max_attempts=MAX_ATTEMPTS,
        early_commits=guard,
        telemetry=telemetry,
        clock=trio.current_time,
    )
    return Router(
        Planner(service.way.tiers, service.way.policy),
        service.predictor,
        executor,
        validation=Validation(tuple(ConfiguredValidator(BUILT_IN[name]()) for name in service.validators), {}),
        telemetry=telemetry,
        clock=trio.current_time,
    )


def _served(tier: Tier, latency: LatencyModel, cases: Sequence[Case], *, seed: int, clock: MockClock) -> ServedTier:
    profile = latency.of(tier.name)
    paced = {}
    for case in cases:
        # A prompt's draw depends on the seed, the tier and the prompt alone: it is the same in every row of a table.
        name = case.request.request_id
        paced[name] = (case.answers[tier.name], profile.pace(seeded(seed, "pace", tier.name, name)))
    return ServedTier(tier, (BoundedUpstream(ReplayedUpstream(tier.name, paced, clock)),))
