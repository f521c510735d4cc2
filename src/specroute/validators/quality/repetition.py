"""Whether a model got caught in a loop and repeats itself to no end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from specroute.core.outcome import Completion, Prefix, PrefixKind, PrefixVerdict, Verdict, VerdictKind
from specroute.core.request import TextOutput

if TYPE_CHECKING:
    from specroute.core.request import RouteRequest

MAX_UNIT_CHARACTERS: Final = 200
"""The longest text whose repetition is looked for: a paragraph."""
MIN_REPETITIONS: Final = 8
MIN_WORDY_CHARACTERS: Final = 240
"""How long a loop of words is at least: a chorus or a row of equal lines is shorter."""
MIN_PLAIN_CHARACTERS: Final = 1_200
"""How long a loop is at least where it could be a table's rule, padding or data: few letters, or not free text."""

_TAIL_CHARACTERS = 2_048
_PROBE_CHARACTERS = 16
_MIN_LETTERS = 3

_LOOP = PrefixVerdict(PrefixKind.REJECT, "loop")
_NO_LOOP = PrefixVerdict(PrefixKind.ACCEPT, "no_loop")


class NotRepetitive:
    """Rejects an answer that ends in one text repeated over and over. Reason: ``loop``; ``no_loop`` when it accepts.

    Only the end of an answer is read: a model that is caught in a loop rarely leaves it. A loop is the same text of at
    most ``MAX_UNIT_CHARACTERS``, at least ``MIN_REPETITIONS`` times, over ``MIN_WORDY_CHARACTERS``. A text with fewer
    than three different letters (a rule of dashes, zeros, dots) must go on for ``MIN_PLAIN_CHARACTERS``, and so must
    any text where JSON or a pattern is asked for, as data may repeat; so must white space, the loop of models that are
    held to JSON. An answer with tool calls passes.
    """

    name = "not_repetitive"
    is_contract = False
    end_reasons: frozenset[str] = frozenset()

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        """Returns ACCEPT or REJECT; never abstains."""
        if not completion.tool_calls and _ends_in_loop(request, completion.text):
            return Verdict(self.name, VerdictKind.REJECT, "loop")
        return Verdict(self.name, VerdictKind.ACCEPT, "no_loop")

    def judge_prefix(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:
        """Rejects a loop as soon as it is long enough; never settles, as one may begin at any time."""
        return _LOOP if not prefix.has_tool_calls and _ends_in_loop(request, prefix.text) else _NO_LOOP


def _ends_in_loop(request: RouteRequest, text: str) -> bool:
    if len(text) < MIN_WORDY_CHARACTERS:
        return False
    tail = text[-_TAIL_CHARACTERS:]
    trimmed = tail.rstrip()
    if len(tail) - len(trimmed) >= MIN_PLAIN_CHARACTERS:
        return True
    may_be_data = not isinstance(request.output, TextOutput)
    probe = trimmed[-_PROBE_CHARACTERS:]
    end = len(trimmed) - 1
    # A period of the tail shows as an earlier place of its last characters: one quick search rules out any other text.
    while (at := trimmed.rfind(probe, max(0, len(trimmed) - MAX_UNIT_CHARACTERS - len(probe)), end)) >= 0:
        period = len(trimmed) - len(probe) - at
        if _has_period(trimmed, period, may_be_data=may_be_data):
            return True
        end = at + len(probe) - 1
    return False


def _has_period(tail: str, period: int, *, may_be_data: bool) -> bool:
    unit = tail[-period:]
    is_wordy = not may_be_data and len({each for each in unit if each.isalpha()}) >= _MIN_LETTERS
    length = max(MIN_WORDY_CHARACTERS if is_wordy else MIN_PLAIN_CHARACTERS, MIN_REPETITIONS * period)
    return len(tail) >= length and tail[-length:-period] == tail[period - length :]
