"""The beginning of an answer, in the form that the patterns of refusals are matched against."""

from __future__ import annotations

import unicodedata
from typing import Final

from specroute.validators.completeness import BLANK_CHARACTERS

OPENING_CHARACTERS: Final = 280
"""How much of an answer is read: a refusal says so at once."""

_READ_CHARACTERS = 2 * OPENING_CHARACTERS
_DECORATION = "#*_>~`|=-•–— \t\r\n\u00a0\u3000\"'“”„«»‘’「」『』" + BLANK_CHARACTERS
_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "「": "」", "『": "』"}
_BEFORE_QUOTES = "#*_>~` \t\r\n"
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
_MEDIAL_JAMO, _LAST_JAMO = "\u1160", "\u11ff"
_IDEOGRAPHS = ("\u4e00", "\u9fff")
_COMPOSED_SIGNS = "<=>"


def after_thoughts(text: str) -> str:
    """Returns ``text`` without the thoughts that it begins with, "" where they are not closed."""
    return text.partition(_THOUGHTS[1])[2] if text.startswith(_THOUGHTS[0]) else text


def is_thinking(text: str) -> bool:
    """Returns whether ``text`` is still within its thoughts, or may turn out to be."""
    begin, end = _THOUGHTS
    return begin.startswith(text) or (text.startswith(begin) and end not in text)


def opening(text: str) -> str:
    """Returns the part of ``text`` that is read, without decoration before it, as it was written."""
    return text[:_READ_CHARACTERS].lstrip(_DECORATION)[:OPENING_CHARACTERS]


def is_full(text: str, opened: str) -> bool:
    """Returns whether ``opened``, the opening of ``text``, stays as it is however ``text`` goes on."""
    return len(opened) == OPENING_CHARACTERS or len(text) >= _READ_CHARACTERS


def encoded(text: str) -> bytes:
    """Returns ``text`` folded, as the patterns read it."""
    return folded(text).encode("utf-8", "replace")


def folded(text: str) -> str:
    """Returns ``text`` in compatibility form and small letters, without signs that show nothing."""
    if text.isascii():
        return text.lower()
    for sign, plain in _REPLACED_FIRST:
        text = text.replace(sign, plain)
    text = unicodedata.normalize("NFKC", text).casefold()
    for sign, plain in _REPLACED_LAST:
        text = text.replace(sign, plain)
    return text


def settled_length(text: str) -> int:
    """Returns how many characters of ``text`` fold to the same whatever follows them.

    What follows can combine with the last character that stands for itself, and with the marks after it.
    """
    end = len(text)
    while end and _is_continuing(text[end - 1]):
        end -= 1
    if end == len(text) and text and _is_closed(text[-1]):
        return end
    return max(end - 1, 0)


def is_quoted_speech(text: str) -> bool:
    """Returns whether ``text`` begins with a quotation and goes on after it; stays so however it goes on."""
    start = text.lstrip(_BEFORE_QUOTES)
    closing = _QUOTES.get(start[:1])
    if closing is None:
        return False
    _, found, rest = start[1:].partition(closing)
    return bool(found) and any(character.isalnum() for character in rest)


def begins_with_quote(text: str) -> bool:
    """Returns whether ``text`` begins with a quotation mark."""
    return text.lstrip(_BEFORE_QUOTES)[:1] in _QUOTES


def _is_closed(character: str) -> bool:
    if character.isascii():
        return not character.isalpha() and character not in _COMPOSED_SIGNS
    return _IDEOGRAPHS[0] <= character <= _IDEOGRAPHS[1]


def _is_continuing(character: str) -> bool:
    if character.isascii():
        return False
    first = unicodedata.normalize("NFKC", character)[0]
    return unicodedata.category(first)[0] == "M" or _MEDIAL_JAMO <= first <= _LAST_JAMO
