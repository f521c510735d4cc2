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
    RouteError,
)
from specroute.core.outcome import AttemptEnd, Decision
from specroute.engine.attempt import MIN_USEFUL_S
from specroute.engine.ledger import summarize_money
from specroute.engine.referee import Failure
from specroute.policy.rules import expected_output_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from specroute.core.deadline import Deadline
    from specroute.core.outcome import Attempt, Delivery
    from specroute.core.plan import Plan, Prediction
    from specroute.core.ports import Predictor, Telemetry
    from specroute.core.request import RouteRequest
    from specroute.engine.executor import Executor, Outcome
    from specroute.policy.planner import Planner
    from specroute.validators.judge import ConfiguredValidator


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a request came: wall-clock seconds for the record, its deadline, and how long admitting it took."""

    received_time_s: float
    deadline: Deadline
    admit_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Validation:
    """The configured validators, and those that rules add by name."""

    configured: tuple[ConfiguredValidator, ...]
    by_name: Mapping[str, ConfiguredValidator]

    def for_plan(self, plan: Plan) -> tuple[ConfiguredValidator, ...]:
        """Returns the validators that judge the answers of ``plan``."""
        if not plan.validators:
            return self.configured
        return (*self.configured, *(self.by_name[name] for name in plan.validators))


@dataclass(frozen=True, slots=True)
class Routed:
    """The answer and how it came about."""

    delivery: Delivery
    decision: Decision


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
        prediction, plan, timings = self._plan(request)
        return self._decision(request, arrival, prediction, plan, timings_s=(("admit", arrival.admit_s), *timings))

    async def route(self, request: RouteRequest, arrival: Arrival) -> Routed:
        """Runs the request and returns the answer with its decision.

        Raises:
            RouteError: there is no answer; the error carries the decision.
        """
        _refuse_if_too_late(arrival.deadline, self._clock())
        prediction, plan, timings = self._plan(request)
        ledger = self._executor.open_ledger(request, arrival.deadline)

        def stages() -> tuple[tuple[str, float], ...]:
            return (("admit", arrival.admit_s), *timings, ("judge", ledger.judge_s))

        try:
            outcome = await self._executor.execute(
                request, plan, arrival.deadline, ledger=ledger, validators=self._validation.for_plan(plan)
            )
        except anyio.get_cancelled_exc_class():
            attempts = ledger.settled(plan, None, "client_gone")
            gone = self._decision(request, arrival, prediction, plan, attempts=attempts, timings_s=stages())
            self._telemetry.decided(gone, "cancelled")
            raise
        decision = self._decision(request, arrival, prediction, plan, attempts=outcome.attempts, timings_s=stages())
        if outcome.delivery is None:
            error = _error(outcome, decision)
            self._telemetry.decided(decision, error.reason.lower())
            raise error
        self._telemetry.decided(decision, "degraded" if outcome.delivery.degraded else "ok")
        return Routed(outcome.delivery, decision)

    def _plan(self, request: RouteRequest) -> tuple[Prediction, Plan, tuple[tuple[str, float], ...]]:
        prediction = self._predictor.predict(request)
        predicted_s = self._clock()
        plan = self._planner.plan(request, prediction)
        return prediction, plan, (("predict", prediction.elapsed_s), ("plan", self._clock() - predicted_s))

    def _decision(
        self,
        request: RouteRequest,
        arrival: Arrival,
        prediction: Prediction,
        plan: Plan,
        *,
        attempts: tuple[Attempt, ...] = (),
        timings_s: tuple[tuple[str, float], ...] = (),
    ) -> Decision:
        tiers = self._planner.tiers
        return Decision(
            request_id=request.request_id,
            received_time_s=arrival.received_time_s,
            input_tokens=request.input_tokens,
            output_tokens=expected_output_tokens(tiers[0], request),
            task_type=request.hints.task_type,
            risk="" if request.hints.risk is None else request.hints.risk.value,
            prediction=prediction,
            plan=plan,
            deadline=arrival.deadline,
            attempts=attempts,
            money=summarize_money(attempts, request, tiers[-1]),
            used_s=self._clock() - arrival.deadline.received_at_s,
            timings_s=timings_s,
        )


def _refuse_if_too_late(deadline: Deadline, now_s: float) -> None:
    """Raises before anything is spent when the deadline leaves no time for a call."""
    if deadline.remaining_s(now_s) < MIN_USEFUL_S:
        raise DeadlineExceeded("the deadline leaves no time to call an upstream; allow at least 50 ms")


def _error(outcome: Outcome, decision: Decision) -> RouteError:
    """Returns the error that tells the caller whether everything failed or time ran out."""
    called = [attempt for attempt in outcome.attempts if attempt.end is not AttemptEnd.NOT_LAUNCHED]
    ends = "; ".join(f"{attempt.upstream} {attempt.end.value} ({attempt.reason})" for attempt in called)
    if outcome.failure is Failure.LATENCY_BUDGET:
        return LatencyBudgetExceeded(f"no accepted answer within the latency budget: {ends}", decision)
    if outcome.failure is Failure.DEADLINE:
        return DeadlineExceeded(f"no accepted answer within the deadline: {ends}", decision)
    if any(attempt.end is AttemptEnd.REJECTED for attempt in called):
        return NoAcceptableAnswer(f"every answer was rejected: {ends}", decision)
    return AllUpstreamsFailed(f"every upstream failed: {ends}", decision)
