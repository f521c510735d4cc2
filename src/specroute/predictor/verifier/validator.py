"""The learnt validator: accepts an answer whose chance of being acceptable, given what it saves, reaches a cut."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from specroute.core.outcome import Verdict, VerdictKind
from specroute.predictor.verifier.evidence import evidence_of
from specroute.predictor.verifier.leeway import STRAIGHT, merit
from specroute.validators.registry import VERIFIER

if TYPE_CHECKING:
    from collections.abc import Callable

    from specroute.core.outcome import Completion
    from specroute.core.request import RouteRequest
    from specroute.predictor.verifier.leeway import Leeway
    from specroute.predictor.verifier.model import VerifierModel

_LOG = logging.getLogger(__name__)

LIKELY, UNLIKELY, ERROR = "likely", "unlikely", "error"
WORTH_THE_RISK, NOT_WORTH_THE_RISK = "worth_the_risk", "not_worth_the_risk"


def verdict_of(p: float, factor: float, min_p: float) -> Verdict:
    """Returns what the cut ``min_p`` makes of an answer's chance ``p``; the reason says where ``factor`` decided it."""
    if merit(p, factor) >= min_p:
        return Verdict(VERIFIER, VerdictKind.ACCEPT, LIKELY if p >= min_p else WORTH_THE_RISK, p_accept=p)
    return Verdict(VERIFIER, VerdictKind.REJECT, NOT_WORTH_THE_RISK if p >= min_p else UNLIKELY, p_accept=p)


class Verifier:
    """Rejects an answer whose merit is below ``min_p``.

    The merit is the chance that it is acceptable, bent by the leeway that its price gives (``leeway.merit``). The
    reason is ``likely`` or ``unlikely``; ``worth_the_risk`` where a dear answer passes with a chance below the cut, and
    ``not_worth_the_risk`` where a cheap one fails with a chance above it.

    It abstains where it has no evidence: ``open_ended``, ``empty``, ``unfamiliar``, ``no_answer_text``, and on a fault
    of its own: ``error``, ``no_prior``, ``non_finite``.
    """

    name = VERIFIER
    is_contract = False
    is_learnt = True

    def __init__(
        self, predictor_logit: Callable[[str], float], model: VerifierModel, min_p: float, leeway: Leeway = STRAIGHT
    ) -> None:
        """Wires the model to the prompt's prior.

        Args:
            predictor_logit: prompt text -> the predictor's log-odds that the cheapest tier's answer is acceptable; NaN:
                none.
            model: the loaded verifier.
            min_p: the cut, in [0, 1].
            leeway: bends it with an answer's price.

        Raises:
            ValueError: ``min_p`` is out of its range.
        """
        if not 0.0 <= min_p <= 1.0:
            raise ValueError(f"min_p must be between 0 and 1, not {min_p}")
        self._predictor_logit = predictor_logit
        self._model = model
        self.min_p = min_p
        self.leeway = leeway

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        """Returns ACCEPT or REJECT with ``p_accept``, or ABSTAIN."""
        try:
            evidence = evidence_of(request, completion)
            assessment = self._model.assess(evidence, self._predictor_logit(evidence.prompt))
        except Exception as error:  # noqa: BLE001 - the port never raises; the runtime's errors share no public base
            _LOG.warning("verifying failed: %s", type(error).__name__)
            return Verdict(self.name, VerdictKind.ABSTAIN, ERROR)
        if assessment.p is None:
            return Verdict(self.name, VerdictKind.ABSTAIN, assessment.reason)
        return verdict_of(assessment.p, self.leeway.of(evidence), self.min_p)
