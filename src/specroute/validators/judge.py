"""How verdicts on one answer combine into a judgement."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from specroute.core.outcome import Completion, Judgement, Verdict, VerdictKind
from specroute.validators.contract import OutputContract, deliverable_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.core.ports import AsyncValidator, Validator
    from specroute.core.request import RouteRequest


class OnAbstain(Enum):
    """What an abstaining validator counts as."""

    ACCEPT = "accept"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class ConfiguredValidator:
    """A validator and what its abstentions count as."""

    validator: Validator
    on_abstain: OnAbstain = OnAbstain.ACCEPT


@dataclass(frozen=True, slots=True)
class ConfiguredReviewer:
    """A validator that asks elsewhere, and what its abstentions count as."""

    validator: AsyncValidator
    on_abstain: OnAbstain = OnAbstain.ACCEPT


def judge(
    validators: Sequence[ConfiguredValidator],
    request: RouteRequest,
    completion: Completion,
    *,
    committed: bool = False,
) -> Judgement:
    """Runs the validators in order and returns their combined judgement.

    The first rejection by a contract validator ends it and decides. A rejection by a quality validator does not end
    it, so that an answer is called ``only_quality`` only when every contract was checked; the first one decides.
    Never raises, whatever a user's validator does.

    Args:
        validators: in the order in which they run.
        request: what was asked.
        completion: the whole answer.
        committed: the answer is being delivered already. Then what only its end shows (a validator's ``end_reasons``)
            does not end the judging either, and the answer is called ``only_end`` when nothing else is wrong.
    """
    verdicts: list[Verdict] = []
    against: Verdict | None = None
    only_quality = True
    for configured in validators:
        verdict = _verdict(configured.validator, request, completion)
        verdicts.append(verdict)
        if not rejects(configured, verdict):
            continue
        if configured.validator.is_contract:
            if not (committed and _is_shown_by_the_end(configured.validator, verdict)):
                return Judgement(tuple(verdicts), completion.text, verdict)
            only_quality = False
        against = against or verdict
    text = deliverable_text(request, completion) if _keeps_form(verdicts) else completion.text
    rejected = against is not None
    return Judgement(tuple(verdicts), text, against, only_quality=rejected and only_quality, only_end=rejected)


def with_reviews(judgement: Judgement, reviews: Sequence[tuple[ConfiguredReviewer, Verdict]]) -> Judgement:
    """Returns ``judgement`` of an answer that may be delivered, changed by what was said of it elsewhere.

    As in ``judge``: the first rejection by a contract decides; else the first rejection does, and the answer is
    ``only_quality``.
    """
    verdicts = (*judgement.verdicts, *(verdict for _, verdict in reviews))
    against = judgement.rejected_by
    for configured, verdict in reviews:
        if not rejects(configured, verdict):
            continue
        if configured.validator.is_contract:
            return Judgement(verdicts, judgement.text, verdict)
        against = against or verdict
    rejected = against is not None
    return Judgement(verdicts, judgement.text, against, only_quality=rejected, only_end=rejected)


def checked(name: str, verdict: object) -> Verdict:
    """Returns what a user's code gave back as a verdict; an abstention where it is none."""
    if isinstance(verdict, Verdict) and isinstance(verdict.kind, VerdictKind):
        return verdict
    return Verdict(name, VerdictKind.ABSTAIN, "validator_error")


def rejects(configured: ConfiguredValidator | ConfiguredReviewer, verdict: Verdict) -> bool:
    """Returns whether ``verdict`` speaks against the answer, as its validator is configured."""
    if verdict.kind is VerdictKind.ABSTAIN:
        return configured.on_abstain is OnAbstain.REJECT
    return verdict.kind is VerdictKind.REJECT


def _verdict(validator: Validator, request: RouteRequest, completion: Completion) -> Verdict:
    try:
        return checked(validator.name, validator.judge(request, completion))
    except Exception:  # noqa: BLE001 - a user's code: its bug must not cost the caller the answer
        return Verdict(validator.name, VerdictKind.ABSTAIN, "validator_error")


def _is_shown_by_the_end(validator: Validator, verdict: Verdict) -> bool:
    reasons = getattr(validator, "end_reasons", None)
    return verdict.kind is VerdictKind.REJECT and isinstance(reasons, Set) and verdict.reason in reasons


def _keeps_form(verdicts: Sequence[Verdict]) -> bool:
    # Only what was checked is normalised: without the contract's acceptance a fence may be part of the answer.
    return any(verdict.validator == OutputContract.name and verdict.kind is VerdictKind.ACCEPT for verdict in verdicts)
