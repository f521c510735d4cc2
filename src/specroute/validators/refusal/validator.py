"""Whether an answer is a refusal to help, and how early its beginning tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from specroute.core.outcome import Completion, Prefix, PrefixKind, PrefixVerdict, Verdict, VerdictKind
from specroute.validators.refusal import opening as openings
from specroute.validators.refusal.patterns import (
    ASKS_BACK,
    BEGUN,
    COMPOSED,
    CORE,
    NO_REFUSAL,
    REFUSAL,
    SENTENCE_END,
    UNKNOWN_LETTER,
)

if TYPE_CHECKING:
    from specroute.core.request import RouteRequest

MAX_REFUSAL_CHARACTERS: Final = 1_600
"""An answer longer than this is more than a refusal, however it begins."""

_ANSWER = PrefixVerdict(PrefixKind.ACCEPT, "answer", is_settled=True)
_TOOL_CALLS = PrefixVerdict(PrefixKind.ACCEPT, "tool_calls", is_settled=True)
_REFUSAL = PrefixVerdict(PrefixKind.REJECT, "refusal")
_UNDECIDED = PrefixVerdict(PrefixKind.UNDECIDED, "may_be_refusal")


class NotRefusal:
    """Rejects an answer that declines to help, in some 25 languages. Reason: ``refusal``; ``answer`` when it accepts.

    Read is only the beginning, for a first-person inability together with a verb of helping or complying, so that an
    answer which merely talks about such words passes. Passes, too: tool calls and JSON objects, an answer which says
    that it lacks live data or a fitting function, quoted speech with more text after it, and a long answer.
    """

    name = "not_refusal"
    is_contract = True
    end_reasons: frozenset[str] = frozenset()

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        """Returns ACCEPT or REJECT; never abstains."""
        if completion.tool_calls:
            return Verdict(self.name, VerdictKind.ACCEPT, "tool_calls")
        if is_refusal(completion.text):
            return Verdict(self.name, VerdictKind.REJECT, "refusal")
        return Verdict(self.name, VerdictKind.ACCEPT, "answer")

    def judge_prefix(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:
        """Settles once no continuation is a refusal, which for ordinary text is within its first words.

        Rejects once a sentence that declines to help has ended: the whole answer would be rejected, too, unless it then
        says what it lacks, or grows long, or calls a tool. So it does not where tools were declared.
        """
        if prefix.has_tool_calls:
            return _TOOL_CALLS
        text = prefix.text
        if openings.is_thinking(text):
            return _UNDECIDED
        text = openings.after_thoughts(text)
        if len(text) > MAX_REFUSAL_CHARACTERS or openings.is_quoted_speech(text):
            return _ANSWER
        opened = openings.opening(text)
        if openings.is_full(text, opened):
            refuses = _is_refusal_opening(openings.encoded(opened))
        else:
            stable = openings.encoded(opened[: openings.settled_length(opened)])
            if not _can_become_refusal(opened, stable) or _is_honest(stable):
                return _ANSWER
            refuses = _has_refused(openings.encoded(opened))
        if not refuses:
            return _ANSWER if openings.is_full(text, opened) else _UNDECIDED
        return _UNDECIDED if request.generation.tools or openings.begins_with_quote(text) else _REFUSAL


def is_refusal(text: str) -> bool:
    """Returns whether ``text`` declines to help."""
    text = openings.after_thoughts(text)
    opened = openings.encoded(openings.opening(text))
    # Nearly every answer leaves here: the pattern is anchored, so it fails within the first words.
    if not REFUSAL.search(opened) or len(text) > MAX_REFUSAL_CHARACTERS or openings.is_quoted_speech(text):
        return False
    return _is_refusal_opening(opened)


def _is_refusal_opening(opened: bytes) -> bool:
    if not REFUSAL.search(opened) or NO_REFUSAL.search(opened):
        return False
    return bool(CORE.search(opened)) or not ASKS_BACK.search(opened)


def _can_become_refusal(opened: str, stable: bytes) -> bool:
    if not BEGUN.Match(stable):
        return False
    last = opened[openings.settled_length(opened) :]
    if len(last) != 1 or not last.isascii():
        return True
    # Only its last letter is not certain: it stays as it is, or marks follow and change it.
    letter = last.lower()
    return any(BEGUN.Match(stable + each.encode()) for each in (letter, *COMPOSED.get(letter, ()), UNKNOWN_LETTER))


def _is_honest(stable: bytes) -> bool:
    # The letter after it undoes a match that counts on a word having ended where the text was cut.
    return NO_REFUSAL.search(stable + b"x") is not None


def _has_refused(begun: bytes) -> bool:
    found = CORE.search(begun)
    return (
        found is not None and SENTENCE_END.search(begun[found.end() - 1 :]) is not None and not NO_REFUSAL.search(begun)
    )
