"""Has the answers of one request judged: beginnings and whole answers in line, then elsewhere by those who take time.

Reviewers are asked all at once, for as long as the request has time. Who has not answered by then abstains, early
enough for what that counts as to decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from specroute.core.outcome import Verdict, VerdictKind
from specroute.validators.judge import checked, judge, rejects, with_reviews
from specroute.validators.prefix import PrefixReview

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from specroute.core.deadline import Deadline
    from specroute.core.outcome import Completion, Judgement
    from specroute.core.request import RouteRequest
    from specroute.engine.ledger import Ledger, OpenAttempt
    from specroute.validators.judge import ConfiguredReviewer
    from specroute.validators.panel import Panel

OUT_OF_TIME = "out_of_time"
"""The reason of an abstention: the request had no time left for the review, or for the rest of it."""

SPARE_S = 0.005
"""How long before the time is over a review ends, so that its abstention still counts."""


class Judging:
    """The judging of one request; ``panels``: who judges, by leg."""

    def __init__(
        self,
        request: RouteRequest,
        panels: Sequence[Panel],
        deadline: Deadline,
        *,
        ledger: Ledger,
        clock: Callable[[], float],
    ) -> None:
        self._request = request
        self._panels = panels
        self._deadline = deadline
        self._ledger = ledger
        self._clock = clock

    def of_beginnings(self, leg: int) -> PrefixReview:
        """Returns the review of one answer of ``leg`` while it grows."""
        return PrefixReview(self._panels[leg].judges, self._request)

    def has_reviewers(self, leg: int) -> bool:
        """Returns whether an answer of ``leg`` is reviewed elsewhere once it is whole."""
        return bool(self._panels[leg].reviewers)

    def judge(self, leg: int, completion: Completion, *, committed: bool) -> Judgement:
        """Returns what the judges say of a whole answer; ``committed``: it is being delivered already."""
        return judge(self._panels[leg].judges, self._request, completion, committed=committed)

    def reviewers_of(self, leg: int, judgement: Judgement) -> Sequence[ConfiguredReviewer]:
        """Returns who else is to be asked about an answer that was judged so; usually nobody."""
        panel = self._panels[leg]
        return panel.reviewers_of(judgement) if panel.reviewers else ()

    async def review(
        self, attempt: OpenAttempt, completion: Completion, judgement: Judgement, until_s: float
    ) -> Judgement:
        """Returns ``judgement`` as the reviewers change it; ``until_s``: when the leg's time is over."""
        began_s, budget_s = self._clock(), self._deadline.budget_at_s
        if budget_s is not None and began_s < budget_s:
            until_s = min(until_s, budget_s)
        asking = _Asking(self._request, completion, attempt.tier.name)
        try:
            with anyio.CancelScope(deadline=until_s - SPARE_S):
                await asking.ask(self.reviewers_of(attempt.leg, judgement))
            return with_reviews(judgement, asking.reviews())
        finally:
            self._ledger.review_s += self._clock() - began_s


class _Asking:
    """One answer and what its reviewers have said of it so far."""

    def __init__(self, request: RouteRequest, completion: Completion, tier: str) -> None:
        self._request = request
        self._completion = completion
        self._tier = tier
        self._reviewers: Sequence[ConfiguredReviewer] = ()
        self._said: dict[int, Verdict] = {}
        self._is_decided = False

    async def ask(self, reviewers: Sequence[ConfiguredReviewer]) -> None:
        """Asks all at once; returns when all have answered, or when the rejection of a contract decides."""
        self._reviewers = reviewers
        if len(reviewers) == 1:
            await self._ask(0)
            return
        async with anyio.create_task_group() as group:

            async def ask(index: int) -> None:
                await self._ask(index)
                if self._is_decided:
                    group.cancel_scope.cancel()

            for index in range(len(reviewers)):
                group.start_soon(ask, index)

    def reviews(self) -> list[tuple[ConfiguredReviewer, Verdict]]:
        """Returns the verdicts in the order of the reviewers; where nothing is decided, the silent ones abstain."""
        silent = [] if self._is_decided else [index for index in range(len(self._reviewers)) if index not in self._said]
        for index in silent:
            name = self._reviewers[index].validator.name
            self._said[index] = Verdict(name, VerdictKind.ABSTAIN, OUT_OF_TIME)
        return [(self._reviewers[index], self._said[index]) for index in sorted(self._said)]

    async def _ask(self, index: int) -> None:
        reviewer = self._reviewers[index]
        validator = reviewer.validator
        try:
            said: object = await validator.review(self._request, self._completion, tier=self._tier)
        except Exception:  # noqa: BLE001 - whatever goes wrong there must not cost the caller the answer
            said = None
        verdict = self._said[index] = checked(validator.name, said)
        self._is_decided |= validator.is_contract and rejects(reviewer, verdict)
