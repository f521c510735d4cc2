"""From a request and a prediction to a plan: a pure function, the same inputs give the same plan.

Order: rules and constraints (``policy.rules``), then the policy, then what the caller said about quality, speculation
and money. Every step works on a ``Draft`` (tiers in launch order with launch times) and notes in words what it changed.

``Thresholds`` with n tiers: p of the cheapest decides first. p >= direct_mini: that tier alone; p <= direct_large: the
same test on the remaining tiers, where the last one always passes; between, or unknown: that tier against the next.
Where p has an interval, all of it must lie beyond the cut: what the model has not seen the like of is uncertain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from specroute.core.plan import Leg, Plan, PlanKind, Profile
from specroute.core.request import Quality, Speculation
from specroute.policy.rules import AllowOnly, RaceBetween, RouteTo, StartAt, eligible, estimate_cost_nano_usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.core.plan import Interval, Prediction
    from specroute.core.request import RouteRequest
    from specroute.core.tier import Tier
    from specroute.policy.rules import Eligibility, Rule


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Cuts on p, both inclusive, 0 <= direct_large < direct_mini <= 1.

    Attributes:
        hedge_delay_s: when the second leg starts between the cuts: 0 a race, ``None`` on rejection only.
    """

    direct_mini: float
    direct_large: float
    hedge_delay_s: float | None


@dataclass(frozen=True, slots=True)
class Always:
    """One tier for every request."""

    tier: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan in the making: tiers in launch order, and when each but the first starts (``None``: on rejection)."""

    tiers: tuple[Tier, ...]
    delays_s: tuple[float | None, ...]
    reason: str
    notes: tuple[str, ...]

    def noting(self, note: str) -> Draft:
        """Returns the draft with one more note."""
        return replace(self, notes=(*self.notes, note))


@dataclass(frozen=True, slots=True)
class Planner:
    """The configured policy.

    Attributes:
        tiers: all tiers, cheapest first.
        max_legs: most legs that may run beside each other, >= 1.
        version: fingerprint of the configuration it came from.
        certificate: what names the certificate that the cuts come from; "": none.
    """

    tiers: Sequence[Tier]
    policy: Thresholds | Always
    rules: Sequence[Rule] = ()
    max_legs: int = 2
    version: str = ""
    certificate: str = ""

    def plan(self, request: RouteRequest, prediction: Prediction) -> Plan:
        """Returns what to do.

        Raises:
            NoEligibleTier: rules and constraints leave no tier.
            BudgetExhausted: no tier that is left fits ``max_cost_nano_usd``.
        """
        who = eligible(self.tiers, self.rules, request, Profile.of(request, prediction))
        draft = self._draft(request, prediction, who)
        draft = _keep_quality(draft, request, who)
        draft = self._bound_speculation(draft, request, who)
        draft = _fit_money(draft, request, who)
        return self._finish(draft, who)

    def _draft(self, request: RouteRequest, prediction: Prediction, who: Eligibility) -> Draft:
        tiers = who.tiers
        if request.constraints.force_tier:
            return Draft(tiers, (), "forced", (f"the caller forced tier {tiers[0].name}",))
        if who.rule is not None:
            reason, note = f"rule:{who.rule.name}", f"rule '{who.rule.name}' matched"
            match who.rule.action:
                case RouteTo():
                    return Draft(tiers, (), reason, (f"{note} and routes to {tiers[0].name}",))
                case StartAt():
                    starts = f"{note} and starts at {tiers[0].name}"
                    return Draft(tiers, (None,) * (len(tiers) - 1), reason, (starts,))
                case RaceBetween():
                    return Draft(tiers, (0.0,) * (len(tiers) - 1), reason, (f"{note} and races {_names(tiers)}",))
                case AllowOnly():
                    draft = self._by_policy(tiers, prediction)
                    return Draft(draft.tiers, draft.delays_s, reason, (f"{note}; {draft.notes[0]}",))
        return self._by_policy(tiers, prediction)

    def _by_policy(self, tiers: tuple[Tier, ...], prediction: Prediction) -> Draft:
        if isinstance(self.policy, Always):
            chosen = next((tier for tier in tiers if tier.name == self.policy.tier), tiers[-1])
            return Draft((chosen,), (), "always", (f"the policy always starts with {chosen.name}",))
        return _by_thresholds(tiers, prediction, self.policy)

    def _bound_speculation(self, draft: Draft, request: RouteRequest, who: Eligibility) -> Draft:
        wish = request.constraints.speculation
        routed = who.rule is not None and isinstance(who.rule.action, RouteTo)
        why = self._why_no_speculation(request)
        if wish is Speculation.ALWAYS and not why and not routed and len(who.tiers) > 1:
            raced = _race(draft, who.tiers)
            # A leg that only the wish added is the first to go when money is short: the policy's own tier stays.
            if len(draft.tiers) > 1 or _fits(raced.tiers, request):
                draft = raced
        if all(delay is None for delay in draft.delays_s):
            return draft
        if why:
            return replace(draft, delays_s=(None,) * len(draft.delays_s)).noting(f"one leg after the other, as {why}")
        beside = draft.delays_s[: self.max_legs - 1]
        return replace(draft, delays_s=(*beside, *(None for _ in draft.delays_s[self.max_legs - 1 :])))

    def _why_no_speculation(self, request: RouteRequest) -> str:
        if request.constraints.speculation is Speculation.NEVER:
            return "the caller forbids speculation"
        if not request.is_speculation_safe:
            return "a tool runs on the server's side or must not run twice"
        return "speculation.max_legs is 1" if self.max_legs < 2 else ""

    def _finish(self, draft: Draft, who: Eligibility) -> Plan:
        legs = (
            Leg(draft.tiers[0].name),
            *(
                Leg(tier.name, delay, speculative=delay is not None)
                for tier, delay in zip(draft.tiers[1:], draft.delays_s, strict=True)
            ),
        )
        order = [tier.name for tier in who.tiers]
        above = order[max(order.index(leg.tier) for leg in legs) + 1 :]
        escalation = Leg(above[0], None) if above else None
        return Plan(
            kind=_kind(draft.delays_s),
            legs=legs,
            reason=draft.reason,
            explanation=_sentence(draft.notes),
            escalation=escalation,
            excluded=who.excluded,
            policy_version=self.version,
            certificate=self.certificate,
            validators=() if who.rule is None else who.rule.validators,
            needs_review=who.rule is not None and who.rule.review,
        )


def _by_thresholds(tiers: tuple[Tier, ...], prediction: Prediction, cuts: Thresholds) -> Draft:
    for index, tier in enumerate(tiers):
        p = prediction.interval(tier.name)
        if index == len(tiers) - 1:
            why = "no weaker tier is likely enough to do" if index else "no other tier may answer"
            return Draft((tier,), (), "threshold", (f"{tier.name} directly, as {why}",))
        if p is None:
            reason = f"fallback:{prediction.fallback_reason}" if prediction.fallback_reason else "threshold"
            return _between(tiers, index, cuts, reason, f"{tier.name} has no score, so it is uncertain")
        if p.low >= cuts.direct_mini:
            note = f"{tier.name} directly, as its p of {_shown(p)} is at least {cuts.direct_mini:g}"
            return Draft((tier,), (), "threshold", (note,))
        # Asked this way round, a p that is not a number is uncertain, never clearly low.
        if not p.high <= cuts.direct_large:
            lies = "lies" if p.low == p.high else "reaches"
            note = f"p of {_shown(p)} for {tier.name} {lies} between {cuts.direct_large:g} and {cuts.direct_mini:g}"
            return _between(tiers, index, cuts, "threshold", note)
    raise AssertionError("the last tier always decides")  # tiers is never empty


def _shown(p: Interval) -> str:
    return f"{p.low:.3f}" if p.low == p.high else f"{p.low:.3f} to {p.high:.3f}"


def _between(tiers: tuple[Tier, ...], index: int, cuts: Thresholds, reason: str, note: str) -> Draft:
    pair = tiers[index : index + 2]
    match cuts.hedge_delay_s:
        case None:
            how = f"{pair[0].name} first, {pair[1].name} on rejection"
        case 0.0:
            how = f"{pair[0].name} and {pair[1].name} at once"
        case delay:
            how = f"{pair[0].name} first, {pair[1].name} after {delay:g} s or on rejection"
    return Draft(pair, (cuts.hedge_delay_s,), reason, (f"{how}, as {note}",))


def _keep_quality(draft: Draft, request: RouteRequest, who: Eligibility) -> Draft:
    alone = len(draft.tiers) == 1 and draft.tiers[0] is not who.tiers[-1]
    if request.hints.quality is not Quality.HIGH or not alone:
        return draft
    wanted = (draft.tiers[0], who.tiers[-1])
    return replace(draft, tiers=wanted, delays_s=(None,)).noting(
        f"{wanted[1].name} stands behind it, as the caller asks for high quality"
    )


def _race(draft: Draft, tiers: tuple[Tier, ...]) -> Draft:
    """Returns the draft as a race; a single leg gets the next stronger tier beside it, the strongest a weaker one."""
    if len(draft.tiers) == 1:
        at = tiers.index(draft.tiers[0])
        start = min(at, len(tiers) - 2)
        draft = replace(draft, tiers=tiers[start : start + 2])
    raced = replace(draft, delays_s=(0.0, *((None,) * (len(draft.tiers) - 2))))
    return raced.noting(f"{_names(raced.tiers[:2])} at once, as the caller asks for speculation")


def _fit_money(draft: Draft, request: RouteRequest, who: Eligibility) -> Draft:
    """Drops legs from the end until the sum of their expected costs fits; each tier alone is known to fit."""
    kept = len(draft.tiers)
    while kept > 1 and not _fits(draft.tiers[:kept], request):
        kept -= 1
    if kept == len(draft.tiers):
        return draft
    why = "as all legs together would pass max_cost_nano_usd"
    strongest = who.tiers[-1]
    if kept == 1 and request.hints.quality is Quality.HIGH:
        return replace(draft, tiers=(strongest,), delays_s=()).noting(f"{strongest.name} alone, {why}")
    dropped = _names(draft.tiers[kept:])
    return replace(draft, tiers=draft.tiers[:kept], delays_s=draft.delays_s[: kept - 1]).noting(
        f"without {dropped}, {why}"
    )


def _fits(tiers: Sequence[Tier], request: RouteRequest) -> bool:
    limit = request.constraints.max_cost_nano_usd
    return limit is None or sum(estimate_cost_nano_usd(tier, request) for tier in tiers) <= limit


def _kind(delays_s: tuple[float | None, ...]) -> PlanKind:
    if not delays_s:
        return PlanKind.DIRECT
    if delays_s[0] is None:
        return PlanKind.CASCADE
    return PlanKind.RACE if delays_s[0] == 0.0 else PlanKind.HEDGE


def _names(tiers: Sequence[Tier]) -> str:
    return " and ".join(tier.name for tier in tiers)


def _sentence(notes: tuple[str, ...]) -> str:
    text = "; ".join(notes)
    return f"{text[0].upper()}{text[1:]}."
