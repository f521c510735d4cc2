"""Whether an answer is all there: something visible, not cut off, not withheld."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from specroute.core.outcome import (
    Completion,
    FinishReason,
    Prefix,
    PrefixKind,
    PrefixVerdict,
    Verdict,
    VerdictKind,
)

if TYPE_CHECKING:
    from specroute.core.request import RouteRequest

BLANK_CHARACTERS = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061"
    "\u2062\u2063\u2064\u2066\u2067\u2068\u2069\u2800\u3164\ufe0e\ufe0f\ufeff\uffa0"
)
"""Characters that show nothing though Unicode does not call them white space."""

_SHOWS_NOTHING = BLANK_CHARACTERS + "".join(
    character for character in map(chr, range(0x3001)) if character.isspace() or unicodedata.category(character) == "Cc"
)

_VISIBLE = PrefixVerdict(PrefixKind.ACCEPT, "visible", is_settled=True)
_EMPTY = PrefixVerdict(PrefixKind.UNDECIDED, "empty")


class Complete:
    """Rejects an answer that is empty, was cut off by the token limit, or was withheld by a content filter.

    Reasons: ``empty``, ``cut_off``, ``content_filter``; ``complete`` when it accepts.
    """

    name = "complete"
    is_contract = True
    end_reasons = frozenset(("cut_off", "content_filter"))

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        """Returns ACCEPT or REJECT; never abstains."""
        match completion.finish_reason:
            case FinishReason.CONTENT_FILTER:
                return Verdict(self.name, VerdictKind.REJECT, "content_filter")
            case FinishReason.LENGTH:
                return Verdict(self.name, VerdictKind.REJECT, "cut_off")
        if not completion.tool_calls and not has_visible_text(completion.text):
            return Verdict(self.name, VerdictKind.REJECT, "empty")
        return Verdict(self.name, VerdictKind.ACCEPT, "complete")

    def judge_prefix(self, request: RouteRequest, prefix: Prefix) -> PrefixVerdict:
        """Settles on the first visible text or tool call; that an answer was cut off only its end shows."""
        return _VISIBLE if prefix.has_tool_calls or has_visible_text(prefix.text) else _EMPTY


def has_visible_text(text: str) -> bool:
    """Returns whether a reader would see anything of ``text``."""
    return bool(text.lstrip(_SHOWS_NOTHING))
