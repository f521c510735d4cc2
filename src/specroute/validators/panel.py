"""Who judges the answers of which leg."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specroute.core.plan import PlanKind
from specroute.validators.judge import ConfiguredReviewer, ConfiguredValidator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from specroute.core.outcome import Judgement
    from specroute.core.plan import Plan

Configured = ConfiguredValidator | ConfiguredReviewer


@dataclass(frozen=True, slots=True)
class Panel:
    """Those who judge the answers of one leg: the judges in order, then the reviewers, all at once."""

    judges: tuple[ConfiguredValidator, ...] = ()
    reviewers: tuple[ConfiguredReviewer, ...] = ()
    contract_reviewers: tuple[ConfiguredReviewer, ...] = ()

    @classmethod
    def of(cls, configured: Iterable[Configured], *, with_learnt: bool = True) -> Panel:
        """Returns the panel of those in ``configured``, without the learnt ones where that is said."""
        judges, reviewers = [], []
        for each in configured:
            if isinstance(each, ConfiguredReviewer):
                reviewers.append(each)
            elif with_learnt or not is_learnt(each):
                judges.append(each)
        return cls(tuple(judges), tuple(reviewers), tuple(each for each in reviewers if each.validator.is_contract))

    def reviewers_of(self, judgement: Judgement) -> tuple[ConfiguredReviewer, ...]:
        """Returns whom to ask about an answer that the judges judged so.

        One that only quality checks rejected may be delivered yet, so those who can forbid that are asked.
        """
        if judgement.accepted:
            return self.reviewers
        return self.contract_reviewers if judgement.only_quality else ()


class Validation:
    """The configured validators, and those that rules add by name.

    One that a rule adds with options of its own takes the place of the configured one whose name it shares.
    """

    def __init__(self, configured: Iterable[Configured], by_name: Mapping[str, Configured]) -> None:
        self._configured = tuple(configured)
        self._by_name = by_name
        self._panels: dict[tuple[str, ...], tuple[Panel, Panel]] = {}

    def for_plan(self, plan: Plan) -> tuple[Panel, ...]:
        """Returns the panels of the legs of ``plan``, its escalation last.

        A learnt validator tells whether to go on to a stronger tier. So it has no say in a DIRECT plan, where the
        policy has decided that beforehand, nor on the last leg, behind which there is none.
        """
        early, final = self._pair(plan.validators)
        legs = len(plan.legs) + (plan.escalation is not None)
        if early is final or plan.kind is PlanKind.DIRECT:
            return (final,) * legs
        return (*(early,) * (legs - 1), final)

    def _pair(self, added: tuple[str, ...]) -> tuple[Panel, Panel]:
        """Returns the panel of a leg with a stronger one behind it, and of the last; the same where none is learnt."""
        known = self._panels.get(added)
        if known is None:  # the names come from rules, so there are not many
            extra = [each for name in added if (each := self._by_name[name]) not in self._configured]
            replaced = {each.validator.name for each in extra}
            kept = (each for each in self._configured if each.validator.name not in replaced)
            everyone = (*kept, *extra)
            early, final = Panel.of(everyone), Panel.of(everyone, with_learnt=False)
            known = self._panels[added] = (early, early if early == final else final)
        return known


def is_learnt(configured: ConfiguredValidator) -> bool:
    """Returns whether a validator was trained on answers that have a stronger tier behind them."""
    return getattr(configured.validator, "is_learnt", False) is True
