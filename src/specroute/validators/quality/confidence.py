"""Whether the model itself found its answer likely, by its tokens' log-probabilities or by what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from specroute.core.outcome import Completion, Prefix, PrefixKind, PrefixVerdict, Verdict, VerdictKind
from specroute.validators.quality.stated import stated_confidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.core.request import RouteRequest

MIN_STATED: Final = 0.85
"""The default bound of a stated confidence. Of recorded answers to exam questions that state less, one in five is
right; of those that state 0.85, half are. ``python -m benchmarks.confidence`` prints it."""

_NO_LOGPROBS = PrefixVerdict(PrefixKind.ACCEPT, "no_logprobs")
_TOO_FEW = PrefixVerdict(PrefixKind.UNDECIDED, "too_few_tokens")
_UNSURE = PrefixVerdict(PrefixKind.REJECT, "unsure")
_SURE = PrefixVerdict(PrefixKind.ACCEPT, "sure")


class Confidence:
    """Rejects an answer of which its model was not sure enough.

    Log-probabilities come first. With at least ``min_tokens`` of them, the answer is rejected (``unsure``) where a low
    quantile of theirs lies below its bound, or where a bound of their mean is given and the mean lies below that; else
    accepted (``sure``). The quantile is looked at in any case, since the many tokens that follow from the ones before
    hold up the mean.

    Without enough of them counts the confidence that the answer states: ``stated_unsure`` or ``stated_sure``, and it is
    the verdict's ``p_accept``. Models state too much of it, so it is a weak sign. Where nothing is stated either, it
    abstains: ``no_logprobs`` or ``too_few_tokens``.

    Attributes:
        quantile: the share of tokens, in (0, 1), that may be less likely than ``min_logprob``.
        min_logprob: natural logarithm of a probability, <= 0.
        min_tokens: >= 1: with fewer tokens log-probabilities say nothing.
        min_mean_logprob: bound of the mean, <= 0; ``None``: the mean is not looked at.
        min_stated: bound of a stated confidence, in [0, 1]; ``None``: it is not read.
    """

    name = "confidence"
    is_contract = False
    end_reasons: frozenset[str] = frozenset()

    def __init__(
        self,
        quantile: float = 0.1,
        min_logprob: float = -4.0,
        min_tokens: int = 20,
        *,
        min_mean_logprob: float | None = None,
        min_stated: float | None = MIN_STATED,
    ) -> None:
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
        if min_mean_logprob is not None and not min_mean_logprob <= 0.0:
            raise ValueError(f"min_mean_logprob must be at most 0, not {min_mean_logprob}")
        if min_stated is not None and not 0.0 <= min_stated <= 1.0:
            raise ValueError(f"min_stated must be between 0 and 1, not {min_stated}")
        self.quantile = quantile
        self.min_logprob = min_logprob
        self.min_tokens = min_tokens
        self.min_mean_logprob = min_mean_logprob
        self.min_stated = min_stated

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        """Returns ACCEPT, REJECT or ABSTAIN."""
        logprobs = completion.logprobs
        if len(logprobs) < self.min_tokens:
            return self._by_statement(completion.text, "too_few_tokens" if logprobs else "no_logprobs")
        if self._is_unsure(logprobs) or self._is_unsure_on_average(logprobs):
            return Verdict(self.name, VerdictKind.REJECT, "unsure")
        return Verdict(self.name, VerdictKind.ACCEPT, "sure")

    def judge_prefix(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:
        """Judges the tokens that have come by their quantile; never settles, as it moves with every token.

        The mean and what the answer states are looked at when it is whole.
        """
        logprobs = prefix.logprobs
        if len(logprobs) < self.min_tokens:
            return _TOO_FEW if logprobs else _NO_LOGPROBS
        return _UNSURE if self._is_unsure(logprobs) else _SURE

    def _by_statement(self, text: str, otherwise: str) -> Verdict:
        stated = None if self.min_stated is None else stated_confidence(text)
        if stated is None or self.min_stated is None:
            return Verdict(self.name, VerdictKind.ABSTAIN, otherwise)
        if stated < self.min_stated:
            return Verdict(self.name, VerdictKind.REJECT, "stated_unsure", stated)
        return Verdict(self.name, VerdictKind.ACCEPT, "stated_sure", stated)

    def _is_unsure(self, logprobs: Sequence[float]) -> bool:
        # The quantile lies below the bound exactly where at least that share of the tokens does: to count them is exact
        # and takes no sorting.
        bound = self.min_logprob
        return sum(each < bound for each in logprobs) >= self.quantile * len(logprobs)

    def _is_unsure_on_average(self, logprobs: Sequence[float]) -> bool:
        return self.min_mean_logprob is not None and sum(logprobs) < self.min_mean_logprob * len(logprobs)
