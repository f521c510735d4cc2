"""The story of one request: predict, plan, execute, record, then return or raise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from specroute.core.errors import (
    AllUpstreamsFailed,
    DeadlineExceeded,
    LatencyBudgetExceeded,
    NoAcceptableAnswer,
    ReaderStalled,
    RouteError,
    StreamInterrupted,
)
from specroute.core.outcome import AttemptEnd, Decision
from specroute.core.plan import Profile
from specroute.core.stream import Decided
from specroute.engine.executor import Outcome
from specroute.engine.ledger import summarize_money
from specroute.engine.leg.attempt import MIN_USEFUL_S
from specroute.engine.referee import Failure
from specroute.policy.rules import expected_output_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from specroute.core.deadline import Deadline
    from specroute.core.outcome import Attempt, Delivery
    from specroute.core.plan import Plan, Prediction
    from specroute.core.ports import EventSink, Predictor, Telemetry
    from specroute.core.request import RouteRequest
    from specroute.core.stream import DeliveryWish
    from specroute.core.tier import Tier
    from specroute.engine.executor import Executor
    from specroute.engine.ledger import Ledger
    from specroute.policy.planner import Planner
    from specroute.validators.panel import Validation


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a request came: wall-clock seconds for the record, its deadline, and how long admitting it took."""

    received_time_s: float
    deadline: Deadline
    admit_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Routed:
    """The answer and how it came about."""

    delivery: Delivery
    decision: Decision


@dataclass(frozen=True, slots=True)
class _Planned:
    """What is expected of a request, what will be done, and how many seconds planning took."""

    prediction: Prediction
    plan: Plan
    plan_s: float


class Router:
    """Answers requests with the cheapest tier that can."""

    def __init__(
        self,
        planner: Planner,
        predictor: Predictor,
        executor: Executor,
        *,
        validation: Validation,
        telemetry: Telemetry,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._planner = planner
        self._predictor = predictor
        self._executor = executor
        self._validation = validation
        self._telemetry = telemetry
        self._clock = clock

    def decide(self, request: RouteRequest, arrival: Arrival) -> Decision:
        """Predicts and plans, calls nothing, and returns the decision without attempts.

        Raises:
            RouteError: no plan is possible.
        """
        return self._decision(request, arrival, self._plan(request))

    async def route(self, request: RouteRequest, arrival: Arrival) -> Routed:
        """Runs the request and returns the answer with its decision.

        Raises:
            RouteError: there is no answer; the error carries the decision.
        """
        return await self._answer(request, arrival, None)

    async def stream(self, request: RouteRequest, arrival: Arrival, wish: DeliveryWish, sink: EventSink) -> Routed:
        """Runs the request, shows the answer to ``sink`` as ``wish`` says, and returns the whole of it.

        Raises:
            RouteError: there is no answer, or it broke off; the error carries the decision and what was delivered.
        """
        return await self._answer(request, arrival, (wish, sink))

    async def _answer(
        self, request: RouteRequest, arrival: Arrival, streaming: tuple[DeliveryWish, EventSink] | None
    ) -> Routed:
        _refuse_if_too_late(arrival.deadline, self._clock())
        planned = self._plan(request)
        plan = planned.plan
        ledger = self._executor.open_ledger(request, arrival.deadline)
        try:
            unread = None if streaming is None else await self._open(streaming[1], request, arrival, planned)
            if unread is None:
                outcome = await self._executor.execute(
                    request,
                    plan,
                    arrival.deadline,
                    ledger=ledger,
                    panels=self._validation.for_plan(plan),
                    streaming=streaming,
                )
            else:
                outcome = Outcome(ledger.settled(plan, None, ""), failure=unread)
        except anyio.get_cancelled_exc_class():
            attempts = ledger.settled(plan, None, "client_gone")
            self._telemetry.decided(self._decision(request, arrival, planned, attempts, ledger), "cancelled")
            raise
        final = self._decision(request, arrival, planned, outcome.attempts, ledger)
        if outcome.delivery is None:
            error = _error(outcome, final)
            self._telemetry.decided(final, error.reason.lower())
            raise error
        self._telemetry.decided(final, "degraded" if outcome.delivery.degraded else "ok")
        return Routed(outcome.delivery, final)

    async def _open(
        self, sink: EventSink, request: RouteRequest, arrival: Arrival, planned: _Planned
    ) -> Failure | None:
        """Sends the opening event; returns why the stream is over already, or ``None``."""
        with anyio.CancelScope(deadline=arrival.deadline.stop_at_s):
            if await sink.send(Decided(self._decision(request, arrival, planned))):
                return None
            return Failure.READER_STALLED
        return Failure.DEADLINE

    def _plan(self, request: RouteRequest) -> _Planned:
        prediction = self._predictor.predict(request)
        predicted_s = self._clock()
        plan = self._planner.plan(request, prediction)
        return _Planned(prediction, plan, self._clock() - predicted_s)

    def _decision(
        self,
        request: RouteRequest,
        arrival: Arrival,
        planned: _Planned,
        attempts: tuple[Attempt, ...] = (),
        ledger: Ledger | None = None,
    ) -> Decision:
        prediction, plan = planned.prediction, planned.plan
        timings_s: tuple[tuple[str, float], ...]
        timings_s = (("admit", arrival.admit_s), ("predict", prediction.elapsed_s), ("plan", planned.plan_s))
        if ledger is not None:
            timings_s = (*timings_s, ("judge", ledger.judge_s))
            if ledger.review_s:
                timings_s = (*timings_s, ("review", ledger.review_s))
        tiers = self._planner.tiers
        return Decision(
            request_id=request.request_id,
            received_time_s=arrival.received_time_s,
            input_tokens=request.input_tokens,
            output_tokens=_output_tokens(tiers[0], request, prediction),
            profile=Profile.of(request, prediction),
            prediction=prediction,
            plan=plan,
            deadline=arrival.deadline,
            attempts=attempts,
            money=summarize_money(attempts, request, tiers[-1]),
            used_s=self._clock() - arrival.deadline.received_at_s,
            timings_s=timings_s,
            commit=None if ledger is None else ledger.commit,
        )


def _output_tokens(tier: Tier, request: RouteRequest, prediction: Prediction) -> int:
    expected, limit = prediction.output_tokens, request.generation.max_output_tokens
    if expected is None:
        return expected_output_tokens(tier, request)
    return expected if limit is None else min(limit, expected)


def _refuse_if_too_late(deadline: Deadline, now_s: float) -> None:
    """Raises before anything is spent when the deadline leaves no time for a call."""
    if deadline.remaining_s(now_s) < MIN_USEFUL_S:
        raise DeadlineExceeded("the deadline leaves no time to call an upstream; allow at least 50 ms")


def _error(outcome: Outcome, decision: Decision) -> RouteError:
    """Returns the error that tells the caller whether everything failed, time ran out or the stream broke."""
    called = [attempt for attempt in outcome.attempts if attempt.end is not AttemptEnd.NOT_LAUNCHED]
    ends = "; ".join(f"{attempt.upstream} {attempt.end.value} ({attempt.reason})" for attempt in called)
    was_rejected = any(attempt.end is AttemptEnd.REJECTED for attempt in called)
    kind: type[RouteError]
    match outcome.failure:
        case Failure.LATENCY_BUDGET:
            kind, what = LatencyBudgetExceeded, "no accepted answer within the latency budget"
        case Failure.DEADLINE:
            kind, what = DeadlineExceeded, "no accepted answer within the deadline"
        case Failure.INTERRUPTED:
            kind, what = StreamInterrupted, "the answer broke off after a part of it was delivered"
        case Failure.READER_STALLED:
            kind, what = ReaderStalled, "the stream was not read for longer than the server waits; read it as it comes"
        case _ if was_rejected:
            kind, what = NoAcceptableAnswer, "every answer was rejected"
        case _:
            kind, what = AllUpstreamsFailed, "every upstream failed"
    return kind(f"{what}: {ends}" if ends else what, decision, outcome.delivered)
