"""Whether an answer contradicts itself: its sums are re-computed, and its final answer held against its reasoning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.core.outcome import Completion, Verdict, VerdictKind
from specroute.validators.quality.final_answer import answers_agree
from specroute.validators.quality.sums import check_sums

if TYPE_CHECKING:
    from specroute.core.request import RouteRequest


class Consistent:
    """Rejects an answer with a wrong sum (``arithmetic_wrong``) or another result than it reasons (``answer_differs``).

    ``consistent`` when it accepts. It abstains where an answer holds nothing that can be re-computed or compared
    (``nothing_to_check``), as most prose does. It is made to be right when it rejects and overlooks much: how often it
    rejects correct answers is printed by ``python -m benchmarks.consistent``.
    """

    name = "consistent"
    is_contract = False

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        """Returns ACCEPT, REJECT or ABSTAIN; reads at most the last 20,000 characters."""
        sums = check_sums(completion.text)
        if sums.wrong:
            return Verdict(self.name, VerdictKind.REJECT, "arithmetic_wrong")
        agree = answers_agree(completion.text)
        if agree is False:
            return Verdict(self.name, VerdictKind.REJECT, "answer_differs")
        if agree or sums.checked:
            return Verdict(self.name, VerdictKind.ACCEPT, "consistent")
        return Verdict(self.name, VerdictKind.ABSTAIN, "nothing_to_check")
