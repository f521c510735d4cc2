"""What we expect and what we will do. A plan is data: legs with launch times, logged whole, run by one interpreter."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from specroute.core.request import Risk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specroute.core.request import RouteRequest


class Interval(NamedTuple):
    """How far a probability may be off for want of evidence: 0 <= low <= p <= high <= 1, wider where less was seen."""

    low: float
    high: float


class Guess(NamedTuple):
    """What a request seems to be, and how sure that is, in [0, 1]. ``value`` is "" where that is not enough."""

    value: str
    confidence: float


NO_SCORES: Mapping[str, float] = MappingProxyType({})
NO_INTERVALS: Mapping[str, Interval] = MappingProxyType({})
NO_GUESS = Guess("", 0.0)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is expected of each tier before anything is called.

    Attributes:
        p_accept: tier name -> calibrated P(the tier's answer is acceptable), in [0, 1]. A tier that is missing is
            uncertain: neither sent to directly nor skipped.
        model_version: "prior" where no model is loaded.
        fallback_reason: "" when the model scored, else why it could not.
        elapsed_s: how long scoring took, in seconds.
        intervals: tier name -> the epistemic interval of its ``p_accept``; a tier that is missing has none: its
            ``p_accept`` counts as certain, as a prior does.
        p_rescue: P(the strongest tier's answer is acceptable | the scored tier's is not), in [0, 1]: what escalating
            may gain; ``None``: not predicted.
        output_tokens: of the scored tier's answer, >= 0; ``None``: not predicted.
        task_type: what kind of task it seems to be.
        risk: how much harm a wrong answer seems able to do: low, medium or high.
        risk_domain: law, medicine, finance, security or operations, where a wrong answer would do its harm.
        novelty: how unlike anything learnt from the text is, in [0, 1].
    """

    p_accept: Mapping[str, float] = field(default_factory=lambda: NO_SCORES)
    model_version: str = "prior"
    fallback_reason: str = ""
    elapsed_s: float = 0.0
    intervals: Mapping[str, Interval] = field(default_factory=lambda: NO_INTERVALS)
    p_rescue: float | None = None
    output_tokens: int | None = None
    task_type: Guess = NO_GUESS
    risk: Guess = NO_GUESS
    risk_domain: Guess = NO_GUESS
    novelty: float = 0.0

    def interval(self, tier: str) -> Interval | None:
        """Returns the interval of a tier's probability, the point itself where there is none; ``None``: no score."""
        p = self.p_accept.get(tier)
        return None if p is None else self.intervals.get(tier, Interval(p, p))


@dataclass(frozen=True, slots=True)
class Profile:
    """What a request is: as its caller says, and where the caller says nothing, as it seems to be.

    Attributes:
        task_type: "": unknown.
        risk: ``None``: unknown.
        risk_domain: always inferred; "": none or unknown.
    """

    task_type: str = ""
    risk: Risk | None = None
    risk_domain: str = ""
    is_task_type_inferred: bool = False
    is_risk_inferred: bool = False

    @classmethod
    def of(cls, request: RouteRequest, prediction: Prediction) -> Profile:
        """Returns the hints of ``request``, completed by what was inferred."""
        hints = request.hints
        infers_task, infers_risk = not hints.task_type, hints.risk is None
        guessed_risk = Risk(prediction.risk.value) if prediction.risk.value else None
        task_type = prediction.task_type.value if infers_task else hints.task_type
        risk = guessed_risk if infers_risk else hints.risk
        return cls(
            task_type,
            risk,
            prediction.risk_domain.value,
            is_task_type_inferred=infers_task and bool(task_type),
            is_risk_inferred=infers_risk and risk is not None,
        )


class PlanKind(Enum):
    """A name for the shape of a plan."""

    DIRECT = "direct"
    CASCADE = "cascade"
    HEDGE = "hedge"
    RACE = "race"


@dataclass(frozen=True, slots=True)
class Leg:
    """A tier's part in a plan.

    Attributes:
        tier: the tier's name.
        launch_after_s: seconds after the plan starts; ``None``: on rejection only. Every leg that has not been
            launched starts at once when all launched legs have ended without an accepted answer.
        speculative: whether it may run beside an earlier leg, so that one of the two is wasted.
    """

    tier: str
    launch_after_s: float | None = 0.0
    speculative: bool = False


@dataclass(frozen=True, slots=True)
class ExcludedTier:
    """A tier that may not answer, and why: snake_case, with the rule's name where a rule said so."""

    tier: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The legs to run, in launch order, and the reason.

    Attributes:
        legs: at least one; the first has ``launch_after_s`` 0.
        escalation: the leg that follows, once, when all legs ended without an accepted answer; ``None``: none.
        reason: snake_case: threshold | always | forced | rule:<name> | fallback:<why>.
        explanation: one sentence for people.
        certificate: which certificate the policy's cuts come from; "": none.
        validators: names of validators that a rule adds to the configured ones.
        needs_review: whether a rule asks for human review.
    """

    kind: PlanKind
    legs: tuple[Leg, ...]
    reason: str
    explanation: str
    escalation: Leg | None = None
    excluded: tuple[ExcludedTier, ...] = ()
    policy_version: str = ""
    certificate: str = ""
    validators: tuple[str, ...] = ()
    needs_review: bool = False
