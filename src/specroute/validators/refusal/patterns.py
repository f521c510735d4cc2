"""The patterns of a refusal, compiled: what makes one, what speaks against it, and what can still become one."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import re2

from specroute.validators.refusal.beginnings import beginnings
from specroute.validators.refusal.opening import folded
from specroute.validators.refusal.words import REFUSAL_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

_RE2_MEMORY_BYTES = 64 << 20

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


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = _RE2_MEMORY_BYTES
    options.dot_nl = True
    options.never_capture = True
    return options


def _compiled(parts: Iterable[str]) -> re2._Regexp:
    return re2.compile(folded("|".join(f"(?:{part})" for part in parts)), _options())


def _begun() -> re2.Set:
    # As one pattern it would take ten times as long to compile.
    found = re2.Set.FullMatchSet(_options())
    for words in REFUSAL_WORDS:
        for fragment in (words.lead, words.core):
            parsed = beginnings(folded(fragment))
            # After a lead a refusal may come at any place, and after a core it has come.
            found.Add(f"{parsed.begun}|{parsed.whole}.*")
    found.Compile()
    return found


def _composed() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    letters = sorted(
        {sign for words in REFUSAL_WORDS for sign in folded(words.lead + words.core) if not sign.isascii()}
    )
    for letter in letters:
        base = unicodedata.normalize("NFD", letter)[0]
        if base.isascii() and base.isalpha():
            found[base] = (*found.get(base, ()), letter)
    return found


CORE = _compiled(rf"^(?:{words.lead}.*?)?(?:{words.core})" for words in REFUSAL_WORDS)
"""What is a refusal even where something is asked for."""
REFUSAL = _compiled(
    rf"^(?:{words.lead}.*?)?(?:{words.core})"
    + (rf"|^{words.lead}.*?(?:{words.after_lead})" if words.after_lead else "")
    for words in REFUSAL_WORDS
)
NO_REFUSAL = _compiled(_NO_REFUSAL)
ASKS_BACK = _compiled(_ASKS_BACK)
BEGUN = _begun()
"""Matches an opening as a whole where it can be continued to one that ``REFUSAL`` matches."""
SENTENCE_END = _compiled((r"[.!?]\s", r"[。।]", r"\n"))

COMPOSED = _composed()
"""Letters of the patterns by the ASCII letter that they are made of: what it may become when marks follow."""
UNKNOWN_LETTER = "\u1e1d"
"""Stands for every letter with marks that no pattern names."""
