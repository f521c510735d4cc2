"""What we expect and what we will do. A plan is data: legs with launch times, logged whole, run by one interpreter."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_SCORES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is expected of each tier before anything is called.

    Attributes:
        p_accept: tier name -> calibrated P(the tier's answer is acceptable), in [0, 1]. A tier that is missing is
            uncertain: neither sent to directly nor skipped.
        model_version: "prior" where no model is loaded.
        fallback_reason: "" when the model scored, else why it could not.
        elapsed_s: how long scoring took, in seconds.
    """

    p_accept: Mapping[str, float] = field(default_factory=lambda: NO_SCORES)
    model_version: str = "prior"
    fallback_reason: str = ""
    elapsed_s: float = 0.0


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
    validators: tuple[str, ...] = ()
    needs_review: bool = False
