"""What the validators say of the beginning of an answer, read by read."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from specroute.core.outcome import Prefix, PrefixKind, PrefixVerdict, Verdict, VerdictKind
from specroute.validators.judge import ConfiguredValidator, OnAbstain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from specroute.core.request import RouteRequest

SHORT_CHARACTERS: Final = 512
"""Up to this length every read is worth a review: it costs microseconds, and an early verdict is worth the most."""
GROWTH_SHARE: Final = 8
"""Beyond it a text is reviewed each time that it has grown by one in this many parts, so that all reviews of an answer
together read a fixed multiple of its length."""

_UNDECIDED = PrefixVerdict(PrefixKind.UNDECIDED, "validator_error")


class PrefixState(Enum):
    """What may be done with an answer of which only the beginning has come.

    OPEN: nothing yet. SATISFIED: nothing speaks against it so far, and every contract was looked at. SETTLED: no
    continuation can be rejected, but for what only the end shows. REJECTED: it is to be given up.
    """

    OPEN = "open"
    SATISFIED = "satisfied"
    SETTLED = "settled"
    REJECTED = "rejected"


class PrefixReview:
    """The review of one answer while it grows; one per leg, and the answer of one attempt only.

    Attributes:
        rejected_by: the verdict that gave the answer up, with ``prefix_tokens`` set; ``None``: none did.
    """

    __slots__ = ("_due_at", "_most", "_request", "_state", "_watching", "rejected_by")

    def __init__(self, validators: Sequence[ConfiguredValidator], request: RouteRequest) -> None:
        self._request = request
        self._watching: list[_Watch] = []
        # The most that can be said of an answer, whatever those that are asked say.
        self._most = PrefixState.SETTLED
        for configured in validators:
            judge_prefix = getattr(configured.validator, "judge_prefix", None)
            if callable(judge_prefix):
                self._watching.append(_Watch(configured, judge_prefix))
            elif configured.validator.is_contract:
                self._most = PrefixState.OPEN
            elif self._most is PrefixState.SETTLED:
                self._most = PrefixState.SATISFIED
        self._state = PrefixState.OPEN if self._watching else self._most
        self._due_at = 0
        self.rejected_by: Verdict | None = None

    @property
    def state(self) -> PrefixState:
        """What the last read said."""
        return self._state

    def due(self, text_length: int) -> bool:
        """Returns whether a text of ``text_length`` characters should be read (again): cheap, asked at every delta."""
        return text_length >= self._due_at and bool(self._watching) and self._state is not PrefixState.REJECTED

    def read(self, prefix: Prefix) -> PrefixState:
        """Asks the validators that have not settled, and returns what they say together. Never raises."""
        if self._state is PrefixState.REJECTED:
            return self._state
        length = len(prefix.text)
        self._due_at = 0 if length < SHORT_CHARACTERS else length + length // GROWTH_SHARE
        least = PrefixState.SETTLED
        for watch in tuple(self._watching):
            verdict = watch.ask(self._request, prefix)
            if verdict.kind is PrefixKind.REJECT:
                self.rejected_by = Verdict(watch.name, VerdictKind.REJECT, verdict.reason, prefix_tokens=prefix.tokens)
                self._state = PrefixState.REJECTED
                return self._state
            if verdict.kind is PrefixKind.UNDECIDED:
                least = PrefixState.OPEN
            elif watch.settles(verdict):
                self._watching.remove(watch)
            elif least is PrefixState.SETTLED:
                least = PrefixState.SATISFIED
        self._state = min(least, self._most, key=_ORDER.index)
        return self._state


_ORDER = (PrefixState.OPEN, PrefixState.SATISFIED, PrefixState.SETTLED)


class _Watch:
    """A validator that can judge beginnings and has not settled."""

    __slots__ = ("_can_settle", "_judge_prefix", "name")

    def __init__(self, configured: ConfiguredValidator, judge_prefix: Callable[[RouteRequest, Prefix], object]) -> None:
        self.name = configured.validator.name
        # Where an abstention rejects, the end may still bring one.
        self._can_settle = configured.on_abstain is OnAbstain.ACCEPT
        self._judge_prefix = judge_prefix

    def ask(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:
        try:
            verdict = self._judge_prefix(request, prefix)
        except Exception:  # noqa: BLE001 - a user's code: its bug must not cost the caller the answer
            return _UNDECIDED
        if isinstance(verdict, PrefixVerdict) and isinstance(verdict.kind, PrefixKind):
            return verdict
        return _UNDECIDED

    def settles(self, verdict: PrefixVerdict) -> bool:
        return verdict.is_settled is True and self._can_settle
