"""Which tiers may answer, and why the others may not.

Rules come before the policy; the first whose conditions all hold wins, and it binds every leg. What the caller does not
say of a request (its task type, its risk) is taken as it was inferred. After it come the caller's
own constraints: ``force_tier``, ``allowed_tiers``, ``max_cost_nano_usd``. A constraint against a rule is an error that
names the rule, never a silent override.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specroute.core.errors import BudgetExhausted, NoEligibleTier
from specroute.core.plan import ExcludedTier
from specroute.core.request import EMPTY_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from specroute.core.plan import Profile
    from specroute.core.request import Quality, Risk, RouteRequest
    from specroute.core.tier import Tier


@dataclass(frozen=True, slots=True)
class Condition:
    """When a rule matches: every part that is given must hold; an empty or ``None`` part says nothing.

    Attributes:
        task_types: any of these task types, hinted or inferred; an unknown task type matches none.
        risks: likewise.
        risk_domains: likewise, always inferred.
        labels: label key -> the values of which the request must carry one.
        min_input_tokens: lowest estimated prompt tokens, inclusive.
        max_input_tokens: highest estimated prompt tokens, inclusive.
        min_turns: lowest number of user messages.
    """

    task_types: frozenset[str] = frozenset()
    risks: frozenset[Risk] = frozenset()
    risk_domains: frozenset[str] = frozenset()
    user_tiers: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    qualities: frozenset[Quality] = frozenset()
    min_input_tokens: int | None = None
    max_input_tokens: int | None = None
    has_tools: bool | None = None
    min_turns: int | None = None
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def matches(self, request: RouteRequest, profile: Profile) -> bool:
        """Returns whether every given part holds for ``request``, of which ``profile`` says what it is."""
        hints = request.hints
        return (
            (not self.task_types or profile.task_type in self.task_types)
            and (not self.risks or profile.risk in self.risks)
            and (not self.risk_domains or profile.risk_domain in self.risk_domains)
            and (not self.user_tiers or hints.user_tier in self.user_tiers)
            and (not self.outputs or request.output.kind in self.outputs)
            and (not self.qualities or hints.quality in self.qualities)
            and (self.min_input_tokens is None or request.input_tokens >= self.min_input_tokens)
            and (self.max_input_tokens is None or request.input_tokens <= self.max_input_tokens)
            and (self.has_tools is None or bool(request.generation.tools) is self.has_tools)
            and (self.min_turns is None or request.turns >= self.min_turns)
            and self._labels_match(request.labels or EMPTY_LABELS)
        )

    def _labels_match(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) in values for key, values in self.labels.items())


@dataclass(frozen=True, slots=True)
class RouteTo:
    """This tier and no other."""

    tier: str


@dataclass(frozen=True, slots=True)
class StartAt:
    """A cascade from this tier upward."""

    tier: str


@dataclass(frozen=True, slots=True)
class RaceBetween:
    """These two tiers at once."""

    tiers: tuple[str, str]


@dataclass(frozen=True, slots=True)
class AllowOnly:
    """The policy decides among these tiers."""

    tiers: frozenset[str]


Action = RouteTo | StartAt | RaceBetween | AllowOnly


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions and what follows from them; ``validators`` are added to the configured ones."""

    name: str
    when: Condition
    action: Action
    review: bool = False
    validators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The tiers that may answer, cheapest first (at least one), the excluded ones, and the rule that matched."""

    tiers: tuple[Tier, ...]
    excluded: tuple[ExcludedTier, ...] = ()
    rule: Rule | None = None


def estimate_cost_nano_usd(tier: Tier, request: RouteRequest) -> int:
    """Returns the expected cost of one answer of ``tier``, in nano-USD."""
    return tier.price.cost_of_nano_usd(request.input_tokens, expected_output_tokens(tier, request))


def expected_output_tokens(tier: Tier, request: RouteRequest) -> int:
    """Returns the tier's expected answer length, bounded by what the request allows."""
    limit = request.generation.max_output_tokens
    return tier.output_tokens if limit is None else min(limit, tier.output_tokens)


def eligible(tiers: Sequence[Tier], rules: Sequence[Rule], request: RouteRequest, profile: Profile) -> Eligibility:
    """Returns the tiers that may answer ``request``.

    Raises:
        NoEligibleTier: rules and constraints leave none.
        BudgetExhausted: each tier that is left costs more than the caller's bound.
    """
    rule = next((rule for rule in rules if rule.when.matches(request, profile)), None)
    reasons = {} if rule is None else _excluded_by_rule(tiers, rule)
    constraints = request.constraints
    for tier in tiers:
        if constraints.force_tier and tier.name != constraints.force_tier:
            reasons.setdefault(tier.name, "not_forced")
        elif constraints.allowed_tiers and tier.name not in constraints.allowed_tiers:
            reasons.setdefault(tier.name, "not_allowed")
    left = [tier for tier in tiers if tier.name not in reasons]
    if not left:
        raise NoEligibleTier(_nothing_left(rule, request))
    limit = constraints.max_cost_nano_usd
    if limit is not None:
        reasons.update({tier.name: "max_cost" for tier in left if estimate_cost_nano_usd(tier, request) > limit})
        affordable = [tier for tier in left if tier.name not in reasons]
        if not affordable:
            least = min(estimate_cost_nano_usd(tier, request) for tier in left)
            raise BudgetExhausted(
                f"constraints.max_cost_nano_usd is {limit}, but the cheapest eligible tier is expected to cost {least}"
            )
        left = affordable
    excluded = tuple(ExcludedTier(tier.name, reasons[tier.name]) for tier in tiers if tier.name in reasons)
    return Eligibility(tuple(left), excluded, rule)


def _excluded_by_rule(tiers: Sequence[Tier], rule: Rule) -> dict[str, str]:
    names = [tier.name for tier in tiers]
    match rule.action:
        case RouteTo(tier):
            kept = {tier}
        case StartAt(tier):
            kept = set(names[names.index(tier) :])
        case RaceBetween(pair):
            kept = set(pair)
        case AllowOnly(allowed):
            kept = set(allowed)
    return {name: f"rule:{rule.name}" for name in names if name not in kept}


def _nothing_left(rule: Rule | None, request: RouteRequest) -> str:
    constraints = request.constraints
    wish = (
        f"constraints.force_tier '{constraints.force_tier}'"
        if constraints.force_tier
        else f"constraints.allowed_tiers {sorted(constraints.allowed_tiers)}"
    )
    if rule is None:
        return f"{wish} leaves no tier to answer"
    return f"rule '{rule.name}' and {wish} leave no tier to answer"
