"""Whether an answer is a refusal to help instead of an answer."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

import re2

from specroute.core.outcome import Completion, Verdict, VerdictKind
from specroute.validators.completeness import BLANK_CHARACTERS
from specroute.validators.refusal_words import REFUSAL_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specroute.core.request import RouteRequest

OPENING_CHARACTERS: Final = 280
"""How much of an answer is read: a refusal says so at once."""
MAX_REFUSAL_CHARACTERS: Final = 1_600
"""An answer longer than this is more than a refusal, however it begins."""

_RE2_MEMORY_BYTES = 64 << 20
_READ_CHARACTERS = 2 * OPENING_CHARACTERS
_DECORATION = "#*_>~`|=-•–— \t\r\n\u00a0\u3000\"'“”„«»‘’「」『』" + BLANK_CHARACTERS
_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "「": "」", "『": "』"}
# What NFKC does to the signs that ordinary text is full of. Done beforehand, it leaves NFKC with nothing to do, which
# it sees in a microsecond; otherwise it rebuilds the text, for thirty.
_REPLACED_FIRST = (
    *zip("，！？：；（）\u00a0\u3000", ",!?:;()  ", strict=True),
    ("…", "..."),
    ("\u0e33", "\u0e4d\u0e32"),
)
# Case folding leaves a dot above behind for İ; the rest is invisible, lengthens a word or marks vowels in Arabic.
_REPLACED_LAST = (
    *zip("’ʼ", "''", strict=True),
    *((sign, "") for sign in "\u0307\u200b\u200c\u200d\u2060\u0640\u064b\u0651"),
)
_THOUGHTS = ("<think>", "</think>")

# What an honest answer says that no refusal does: which fact it cannot know, what it needs to be told, that none of
# the functions it was given fits, or how exact it can be.
_NO_REFUSAL = (
    r"real[- ]?time|up[- ]to[- ]date|\blive (?:data|information|updates|scores|prices|weather)|knowledge cut-?off",
    r"\bmy (?:last|latest) (?:update|training)|\bbrows(?:e|ing) (?:the )?(?:internet|web)",
    r"access to (?:current|external|the internet|live|your|any|databases|specific|personal)",
    (
        r"(?:provided|given|available|current|these|those|suitable|relevant|appropriate|specific|listed|any)"
        r" (?:functions?|tools?|apis?)\b"
    ),
    (
        r"\b(?:functions?|tools?|apis?) (?:that (?:i have|are)|i have|provided|available|given"
        r"|you(?:'ve| have)? (?:provided|given|listed))"
    ),
    r"\b(?:don't|do not) have (?:a|an|any|the) (?:functions?|tools?|apis?|capability)",
    r"\bwithout (?:more|further|additional|seeing|knowing|access|having)\b|\bunless you\b",
    (
        r"\b(?:can(?:not|'t| not)|unable to|not able to) (?:\w+ly )?(?:provide|give|offer|answer|say|guarantee|promise)"
        r"\b[^.!?\n]*?\b(?:exact(?:ly)?|definit(?:e|ive|ively)|precise(?:ly)?|certainty|for sure|guarantee)\b"
    ),
    r"\bhelp (?:but|noticing|feeling|wondering|thinking|falling|myself)\b",
)
# Only beside the wider verbs: "I can't summarise a text that wasn't attached" asks for something, "I can't help with
# that. Could you provide another topic?" does not.
_ASKS_BACK = (
    r"\bneed (?:more|the|a|some|additional|to know)|please (?:provide|share|clarify|specify|paste|upload|send|attach)",
    r"(?:could|can|would) you (?:please )?(?:provide|share|clarify|specify|paste|upload|tell|send)",
    (
        r"\b(?:didn't|did not|haven't|hasn't|wasn't|not been|no) (?:\w+ )?"
        r"(?:provided?|attach|includ|shared?|text|image|file|attachment|document|link|paste)"
    ),
)


class NotRefusal:
    """Rejects an answer that declines to help, in some 25 languages. Reason: ``refusal``; ``answer`` when it accepts.

    Read is only the beginning, for a first-person inability together with a verb of helping or complying, so that an
    answer which merely talks about such words passes. Passes, too: tool calls and JSON objects, an answer which says
    that it lacks live data or a fitting function, quoted speech with more text after it, and a long answer.
    """

    name = "not_refusal"
    is_contract = True

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        """Returns ACCEPT or REJECT; never abstains."""
        if completion.tool_calls:
            return Verdict(self.name, VerdictKind.ACCEPT, "tool_calls")
        if is_refusal(completion.text):
            return Verdict(self.name, VerdictKind.REJECT, "refusal")
        return Verdict(self.name, VerdictKind.ACCEPT, "answer")


def is_refusal(text: str) -> bool:
    """Returns whether ``text`` declines to help."""
    if text.startswith(_THOUGHTS[0]):
        text = text.partition(_THOUGHTS[1])[2]
    opening = _opening(text)
    # Nearly every answer leaves here: the pattern is anchored, so it fails within the first words.
    if not _REFUSAL.search(opening) or len(text) > MAX_REFUSAL_CHARACTERS or _is_quoted_speech(text):
        return False
    if _NO_REFUSAL_PATTERN.search(opening):
        return False
    return bool(_CORE.search(opening)) or not _ASKS_BACK_PATTERN.search(opening)


def _opening(text: str) -> bytes:
    opening = text[:_READ_CHARACTERS].lstrip(_DECORATION)[:OPENING_CHARACTERS]
    return _folded(opening).encode("utf-8", "replace")


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    for sign, plain in _REPLACED_FIRST:
        text = text.replace(sign, plain)
    text = unicodedata.normalize("NFKC", text).casefold()
    for sign, plain in _REPLACED_LAST:
        text = text.replace(sign, plain)
    return text


def _is_quoted_speech(text: str) -> bool:
    start = text.lstrip("#*_>~` \t\r\n")
    closing = _QUOTES.get(start[:1])
    if closing is None:
        return False
    _, found, rest = start[1:].partition(closing)
    return bool(found) and any(character.isalnum() for character in rest)


def _compiled(parts: Iterable[str]) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = _RE2_MEMORY_BYTES
    options.dot_nl = True
    options.never_capture = True
    return re2.compile(_folded("|".join(f"(?:{part})" for part in parts)), options)


_CORE = _compiled(rf"^(?:{words.lead}.*?)?(?:{words.core})" for words in REFUSAL_WORDS)
_REFUSAL = _compiled(
    rf"^(?:{words.lead}.*?)?(?:{words.core})"
    + (rf"|^{words.lead}.*?(?:{words.after_lead})" if words.after_lead else "")
    for words in REFUSAL_WORDS
)
_NO_REFUSAL_PATTERN = _compiled(_NO_REFUSAL)
_ASKS_BACK_PATTERN = _compiled(_ASKS_BACK)
