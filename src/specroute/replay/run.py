"""Replays rows under one policy: the service's own router, one request after the other, on trio's mock clock."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import anyio
import httpx
import trio
from trio.testing import MockClock

from specroute.app import Seams, build_router
from specroute.core.deadline import DeadlinePolicy
from specroute.core.errors import DeadlineExceeded, RouteError
from specroute.core.outcome import AttemptEnd
from specroute.core.request import Message, Role, RouteRequest
from specroute.engine.router import Arrival
from specroute.replay.answers import ROLES, AnswerBook, ReplayError
from specroute.replay.scores import Scores
from specroute.replay.upstream import Flight, ReplayedUpstream
from specroute.validators.registry import VERIFIER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from specroute.config import Settings
    from specroute.config.schema.tiers import UpstreamSettings
    from specroute.core.outcome import Decision
    from specroute.core.ports import Upstream
    from specroute.engine.router import Routed, Router
    from specroute.learn.dataset import Outcome
    from specroute.upstreams.simulated.latency import LatencyModel

NANO = 1e-9
_NOT_WON = (AttemptEnd.REJECTED, AttemptEnd.FAILED, AttemptEnd.TIMED_OUT)


class Stopped(Exception):
    """Raised by ``advance`` to end a replay: what was played so far is returned."""


@dataclass(frozen=True, slots=True)
class PlayedRow:
    """What became of one row. ``mini`` and ``large`` stand for the cheapest and the strongest tier.

    Attributes:
        plan: direct, cascade, hedge or race.
        first_tier: whose leg starts first.
        delivered_tier: "": there was no answer.
        correct: the recorded grade of what was delivered; false without an answer.
        cost_usd: of all calls. ``waste_usd``: of it, what was not delivered.
        latency_s: from the request to the answer or the error.
        ttft_s: from the request to the first token of the delivered answer; ``None``: no answer.
        calls: to upstreams.
        escalated: whether an answer or call of the mini failed, and large was called.
        degraded: whether only a quality check had rejected what was delivered.
        error: the reason of the error, in lower case; "": none.
        p_accept, p_low, p_high: of the mini's answer, with its interval; ``None``: not scored.
        verifier_p: what the verifier gave the mini's answer; ``None``: it was not asked, or abstained.
    """

    row: Outcome
    plan: str
    first_tier: str
    delivered_tier: str
    correct: bool
    cost_usd: float
    waste_usd: float
    latency_s: float
    ttft_s: float | None
    calls: int
    escalated: bool
    degraded: bool
    error: str
    p_accept: float | None
    p_low: float | None
    p_high: float | None
    verifier_p: float | None

    @property
    def ran_out_of_time(self) -> bool:
        """Whether it ended because its deadline was over."""
        return self.error == DeadlineExceeded.reason.lower()


@dataclass(frozen=True, slots=True)
class ReplayRun:
    """Rows played under one policy.

    Attributes:
        played: in the order of the rows.
        expected: how many were to be played.
        deadline_s: of every request; ``None``: the configured one.
        learnt_from: how many rows the model has learnt from, so that others scored them.
    """

    played: tuple[PlayedRow, ...]
    expected: int
    deadline_s: float | None
    learnt_from: int

    @property
    def is_whole(self) -> bool:
        """Whether every row was played."""
        return len(self.played) == self.expected


def replay(  # noqa: PLR0913 - what is replayed, in which world, and who watches
    settings: Settings,
    rows: Sequence[Outcome],
    *,
    pair: str,
    latency: LatencyModel,
    seed: int,
    deadline_s: float | None,
    advance: Callable[[], None],
    scores: Scores | None = None,
) -> ReplayRun:
    """Plays ``rows`` one after the other under the policy of ``settings``, on the virtual clock.

    It runs an event loop of its own: call it from a thread in which none runs.

    Args:
        settings: two tiers, of which the first gives the mini's answers; upstreams are not called.
        rows: with both answers and both grades.
        pair: the rows' pair.
        latency: how fast the tiers answer.
        seed: of its draws; the live simulated tiers make the same ones.
        deadline_s: of every request; ``None``: the configured one.
        advance: called after each row; may raise ``Stopped``.
        scores: shared between policies, so that no row is scored twice; ``None``: for this one.

    Raises:
        ReplayError: the settings have other than two tiers, or webhooks.
        SettingRefused: the model, the certificate or a validator cannot be used.
    """
    check_settings(settings)
    scores = Scores(pair) if scores is None else scores
    flight, clock = Flight(), MockClock(autojump_threshold=0)
    book = AnswerBook(rows, pair, latency, seed)
    roles = dict(zip(settings.tier_names, ROLES, strict=True))

    def upstream(tier: str, own: UpstreamSettings) -> Upstream:
        answer_of = cache(partial(book.answer, role=roles[tier]))
        rank = 1 + settings.tier_names.index(tier)
        return ReplayedUpstream(own, answer_of, rank=rank, flight=flight, clock=clock)

    seams = Seams(trio.current_time, scores.predictor, scores.verifier, upstream)
    # The transport refuses every call: nothing here leaves the process.
    router = build_router(settings, httpx.AsyncBaseTransport(), _NoTelemetry(), seams)
    player = _Player(router, settings, roles, flight, deadline_s)

    async def play_all() -> tuple[PlayedRow, ...]:
        played: list[PlayedRow] = []
        try:
            for index, row in enumerate(rows):
                played.append(await player.play(index, row))
                advance()
        except Stopped:
            pass
        return tuple(played)

    played = anyio.run(play_all, backend="trio", backend_options={"clock": clock})
    return ReplayRun(played, len(rows), deadline_s, scores.learnt_from(settings, [each.row for each in played]))


def check_settings(settings: Settings) -> None:
    """Refuses what cannot be replayed.

    Raises:
        ReplayError: there are other than two tiers, or webhooks.
    """
    if len(settings.tiers) != len(ROLES):
        raise ReplayError(
            f"tiers: {len(settings.tiers)} of them, and recorded outcomes hold answers of two; leave the cheaper and "
            "the stronger one in the config"
        )
    items = [*settings.validation.validators, *(item for rule in settings.policy.rules for item in rule.validators)]
    hooks = [item.name for item in items if item.webhook is not None]
    if hooks:
        raise ReplayError(f"validator {hooks[0]!r}: a webhook is not called in a replay; remove it from the config")


@dataclass(frozen=True, slots=True)
class _Player:
    """Plays one row at a time; ``roles``: the configured names of the tiers -> mini, large."""

    router: Router
    settings: Settings
    roles: dict[str, str]
    flight: Flight
    deadline_s: float | None

    async def play(self, index: int, row: Outcome) -> PlayedRow:
        request = RouteRequest(str(index), (Message(Role.USER, row.prompt),))
        began_s = trio.current_time()
        times = self.settings.deadline
        policy = DeadlinePolicy(times.default_s, times.max_s, times.reserve_s)
        deadline = policy.start(began_s, self.deadline_s, None)
        self.flight.begin(deadline.stop_at_s)
        routed: Routed | None = None
        error = ""
        try:
            routed = await self.router.route(request, Arrival(0.0, deadline))
            decision: Decision | None = routed.decision
        except RouteError as failure:
            decision, error = failure.decision, failure.reason.lower()
        assert decision is not None, "every row gets as far as a plan: the rules of a config leave it a tier"
        return self._played(row, decision, routed, error, trio.current_time() - began_s)

    def _played(
        self, row: Outcome, decision: Decision, routed: Routed | None, error: str, latency_s: float
    ) -> PlayedRow:
        mini = self.settings.tier_names[0]
        tier = "" if routed is None else self.roles[routed.delivery.tier]
        called = [attempt for attempt in decision.attempts if attempt.end is not AttemptEnd.NOT_LAUNCHED]
        won = next((attempt for attempt in called if attempt.end is AttemptEnd.WON), None)
        first_s = None if won is None else won.time_to_first_token_s
        own = [attempt for attempt in called if attempt.tier == mini]
        verdicts = [verdict for attempt in own for verdict in attempt.verdicts if verdict.validator == VERIFIER]
        interval = decision.prediction.interval(mini)
        return PlayedRow(
            row=row,
            plan=decision.plan.kind.value,
            first_tier=self.roles[decision.plan.legs[0].tier],
            delivered_tier=tier,
            correct=bool(tier and (row.mini_correct if tier == ROLES[0] else row.large_correct)),
            cost_usd=NANO * (decision.money.delivered_nano_usd + decision.money.waste_nano_usd),
            waste_usd=NANO * decision.money.waste_nano_usd,
            latency_s=latency_s,
            ttft_s=None if won is None or first_s is None else won.launched_after_s + first_s,
            calls=len(called),
            escalated=any(attempt.end in _NOT_WON for attempt in own) and len(own) < len(called),
            degraded=routed is not None and routed.delivery.degraded,
            error=error,
            p_accept=decision.prediction.p_accept.get(mini),
            p_low=None if interval is None else interval.low,
            p_high=None if interval is None else interval.high,
            verifier_p=verdicts[0].p_accept if verdicts else None,
        )


class _NoTelemetry:
    def leg_started(self, tier: str) -> None: ...

    def leg_ended(self, tier: str) -> None: ...

    def refused(self, outcome: str) -> None: ...

    def decided(self, decision: Decision, outcome: str) -> None: ...
