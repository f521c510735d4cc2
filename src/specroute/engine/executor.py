"""Interprets a plan: direct, cascade, hedge and race are one loop around the referee's steps.

A plan whose legs run one after the other is a plain loop of awaits: a task group costs about 100 us, an await nothing.
Legs that may run beside each other are children of one task group, and the winner is stored before the group is left,
because leaving it is itself a point where a cancellation can strike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from specroute.core.outcome import Attempt, AttemptEnd, Delivery
from specroute.engine.attempt import LegRunner
from specroute.engine.ledger import Ledger
from specroute.engine.referee import Deliver, Fail, Failure, Launch, RaceRules, Referee, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anyio.abc import TaskGroup

    from specroute.core.deadline import Deadline
    from specroute.core.plan import Leg, Plan
    from specroute.core.ports import Telemetry
    from specroute.core.request import RouteRequest
    from specroute.engine.attempt import LegEnd
    from specroute.engine.tiers import ServedTier
    from specroute.validators.judge import ConfiguredValidator


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a plan ended: exactly one of ``delivery`` and ``failure`` is set."""

    attempts: tuple[Attempt, ...]
    delivery: Delivery | None = None
    failure: Failure | None = None


class Executor:
    """Runs plans over the served tiers."""

    def __init__(
        self,
        tiers: Mapping[str, ServedTier],
        rules: RaceRules,
        *,
        max_attempts: int,
        telemetry: Telemetry,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._tiers = tiers
        self._rules = rules
        self._max_attempts = max_attempts
        self._telemetry = telemetry
        self._clock = clock

    def open_ledger(self, request: RouteRequest, deadline: Deadline) -> Ledger:
        """Returns the empty ledger of one request; it outlives a cancellation of ``execute``."""
        return Ledger(request, deadline.received_at_s, self._max_attempts)

    async def execute(
        self,
        request: RouteRequest,
        plan: Plan,
        deadline: Deadline,
        *,
        ledger: Ledger,
        validators: Sequence[ConfiguredValidator],
    ) -> Outcome:
        """Runs ``plan`` and returns its outcome; a failure of an upstream is part of it, never an exception.

        When the caller goes away the cancellation passes through, after every call was closed and booked in
        ``ledger``.
        """
        legs = plan.legs if plan.escalation is None else (*plan.legs, plan.escalation)
        referee = Referee(
            legs,
            deadline,
            request.constraints.on_budget,
            self._rules,
            started_at_s=self._clock(),
            may_launch=lambda leg: ledger.may_open() and ledger.affords(self._tiers[legs[leg].tier].tier),
        )
        runner = LegRunner(request, ledger, validators, telemetry=self._telemetry, clock=self._clock)
        run = _Run(legs, self._tiers, referee, runner, ledger, self._clock)
        step = await (run.in_turn() if referee.is_sequential else run.together(deadline.stop_at_s))
        return run.outcome(step, plan)


class _Run:
    """One plan being run."""

    def __init__(
        self,
        legs: Sequence[Leg],
        tiers: Mapping[str, ServedTier],
        referee: Referee,
        runner: LegRunner,
        ledger: Ledger,
        clock: Callable[[], float],
    ) -> None:
        self._legs = legs
        self._tiers = tiers
        self._referee = referee
        self._runner = runner
        self._ledger = ledger
        self._clock = clock
        self._ends: dict[int, LegEnd] = {}
        self._final: Deliver | Fail | None = None
        self._wake_at_s = 0.0
        self._timer: anyio.CancelScope | None = None

    async def in_turn(self) -> Deliver | Fail:
        """Runs legs one after the other, in this task."""
        while True:
            step = self._referee.next_step(self._clock())
            if isinstance(step, Deliver | Fail):
                return step
            assert isinstance(step, Launch), "a leg that runs alone is never waited for"
            await self._run_leg(step.leg, self._referee.patience_s())

    async def together(self, stop_at_s: float) -> Deliver | Fail:
        """Runs legs as children of one task group and cancels what still runs once the step is final."""
        async with anyio.create_task_group() as group:
            self._advance(group, stop_at_s)
            while self._final is None:
                with anyio.CancelScope(deadline=self._wake_at_s) as self._timer:
                    await anyio.sleep_forever()
                self._advance(group, stop_at_s)
        assert self._final is not None, "the group is left normally only with a final step"
        return self._final

    def _advance(self, group: TaskGroup, stop_at_s: float) -> None:
        """Takes every step that is due. The final one is stored before anything is cancelled.

        A leg that ends calls it from its own task, so that a loser is cancelled in the very turn of the verdict: under
        load every turn of the event loop is waited for.
        """
        while self._final is None:
            match self._referee.next_step(self._clock()):
                case Launch(leg):
                    group.start_soon(self._run_in_group, group, leg, stop_at_s)
                case Wait(until_s):
                    self._wake_at_s = until_s
                    if self._timer is not None:
                        self._timer.deadline = until_s
                    return
                case step:
                    self._final = step
                    self._ledger.cancelled_at_s = self._clock()
                    self._ledger.cancelled_as = _end_of_running(step)
                    group.cancel_scope.cancel()

    def outcome(self, step: Deliver | Fail, plan: Plan) -> Outcome:
        """Returns the outcome that ``step`` stands for, with every leg of the plan accounted for."""
        if isinstance(step, Fail):
            return Outcome(self._ledger.settled(plan, None, "late"), failure=step.why)
        attempts = self._ledger.settled(plan, self._ends[step.leg].attempt, "outranked")
        return Outcome(attempts, delivery=self._delivery(step))

    def _delivery(self, step: Deliver) -> Delivery:
        end = self._ends[step.leg]
        assert end.completion is not None
        assert end.judgement is not None
        assert end.attempt is not None
        assert end.attempt.closed is not None
        attempt = end.attempt.closed
        return Delivery(end.completion, end.judgement.text, attempt.tier, attempt.upstream, step.degraded)

    async def _run_in_group(self, group: TaskGroup, leg: int, stop_at_s: float) -> None:
        await self._run_leg(leg, stop_at_s, in_own_task=True)
        self._advance(group, stop_at_s)

    async def _run_leg(self, leg: int, until_s: float, *, in_own_task: bool = False) -> None:
        plan_leg = self._legs[leg]
        served = self._tiers[plan_leg.tier]
        end = await self._runner.run(leg, plan_leg, served, until_s, in_own_task=in_own_task)
        self._ends[leg] = end
        self._referee.ended(leg, end)


def _end_of_running(step: Deliver | Fail) -> tuple[AttemptEnd, str]:
    """Returns how the calls that still run when ``step`` is taken have ended: they lost, or their time was over."""
    if isinstance(step, Deliver):
        return AttemptEnd.CANCELLED, "lost_race"
    return AttemptEnd.TIMED_OUT, step.why.value
