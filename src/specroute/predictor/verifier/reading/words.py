"""Words and crude stems of short texts, by plain string code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MARKS = frozenset("\t\n\r.,;:!?()[]{}<>\"'`*/\\|=+-_#$%&@^~“”‘’。，、？！：；（）")
_SPACED = {ord(mark): " " for mark in _MARKS}
_STEM_CHARS = 5
_FEWEST_CHARS = 3
_STOP = frozenset(
    [
        "about",
        "after",
        "also",
        "and",
        "another",
        "any",
        "are",
        "available",
        "being",
        "below",
        "between",
        "both",
        "but",
        "can",
        "could",
        "does",
        "each",
        "for",
        "from",
        "function",
        "given",
        "have",
        "has",
        "help",
        "how",
        "into",
        "its",
        "just",
        "like",
        "many",
        "more",
        "most",
        "much",
        "need",
        "now",
        "number",
        "one",
        "our",
        "out",
        "per",
        "please",
        "request",
        "should",
        "some",
        "tell",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "two",
        "use",
        "used",
        "user",
        "using",
        "want",
        "was",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)


def words(text: str) -> list[str]:
    """Returns the lower-case words of ``text``."""
    lower = text.lower()
    if lower.isascii():
        return lower.translate(_SPACED).split()
    for mark in _MARKS.intersection(lower):  # a table is slow on text that is not ASCII
        lower = lower.replace(mark, " ")
    return lower.split()


def stems(text: str, *, is_name: bool = False) -> frozenset[str]:
    """Returns the first five letters of each word that says something; of a name, also the parts of camelCase."""
    if is_name:
        text = "".join(f" {each}" if each.isupper() else each for each in text)
    return stems_of(words(text), is_name=is_name)


def stems_of(listed: Iterable[str], *, is_name: bool = False) -> frozenset[str]:
    """Returns what ``stems`` does of ``words``."""
    fewest = 1 if is_name else _FEWEST_CHARS
    return frozenset([word[:_STEM_CHARS] for word in {*listed} - _STOP if len(word) >= fewest])
