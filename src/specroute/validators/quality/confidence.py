"""Whether the model itself found its answer likely, by the log-probabilities of its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.core.outcome import Completion, Prefix, PrefixKind, PrefixVerdict, Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.core.request import RouteRequest

_NO_LOGPROBS = PrefixVerdict(PrefixKind.ACCEPT, "no_logprobs")
_TOO_FEW = PrefixVerdict(PrefixKind.UNDECIDED, "too_few_tokens")
_UNSURE = PrefixVerdict(PrefixKind.REJECT, "unsure")
_SURE = PrefixVerdict(PrefixKind.ACCEPT, "sure")


class Confidence:
    """Rejects an answer whose least likely tokens are too unlikely: reason ``unsure``; ``sure`` when it accepts.

    Looked at is a low quantile of the tokens' log-probabilities and not their mean, which the many tokens that follow
    from the ones before hold up. It abstains without log-probabilities (``no_logprobs``) or with too few tokens
    (``too_few_tokens``), so an upstream that gives none is never judged by it.

    Attributes:
        quantile: the share of tokens, in (0, 1), that may be less likely than ``min_logprob``.
        min_logprob: natural logarithm of a probability, <= 0.
        min_tokens: >= 1: with fewer tokens it says nothing.
    """

    name = "confidence"
    is_contract = False
    end_reasons: frozenset[str] = frozenset()

    def __init__(self, quantile: float = 0.1, min_logprob: float = -4.0, min_tokens: int = 20) -> None:
        """Checks and keeps the options.

        Raises:
            ValueError: one of them is out of its range.
        """
        if not 0.0 < quantile < 1.0:
            raise ValueError(f"quantile must be between 0 and 1, not {quantile}")
        if not min_logprob <= 0.0:
            raise ValueError(f"min_logprob must be at most 0, not {min_logprob}")
        if min_tokens < 1:
            raise ValueError(f"min_tokens must be at least 1, not {min_tokens}")
        self.quantile = quantile
        self.min_logprob = min_logprob
        self.min_tokens = min_tokens

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        """Returns ACCEPT, REJECT or ABSTAIN."""
        logprobs = completion.logprobs
        if len(logprobs) < self.min_tokens:
            return Verdict(self.name, VerdictKind.ABSTAIN, "too_few_tokens" if logprobs else "no_logprobs")
        if self._is_unsure(logprobs):
            return Verdict(self.name, VerdictKind.REJECT, "unsure")
        return Verdict(self.name, VerdictKind.ACCEPT, "sure")

    def judge_prefix(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:
        """Judges the tokens that have come; never settles, as the quantile moves with every token."""
        logprobs = prefix.logprobs
        if len(logprobs) < self.min_tokens:
            return _TOO_FEW if logprobs else _NO_LOGPROBS
        return _UNSURE if self._is_unsure(logprobs) else _SURE

    def _is_unsure(self, logprobs: Sequence[float]) -> bool:
        # The quantile lies below the bound exactly where at least that share of the tokens does: to count them is exact
        # and takes no sorting.
        bound = self.min_logprob
        return sum(each < bound for each in logprobs) >= self.quantile * len(logprobs)
