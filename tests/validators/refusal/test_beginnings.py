from __future__ import annotations

import re
import sys
import unicodedata

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from specroute.validators.refusal.beginnings import beginnings
from specroute.validators.refusal.opening import folded, settled_length

PATTERNS = [
    "abc",
    "ab|cd",
    "(?:ab|cd)e",
    "a(?:bc)?d",
    "(?:ab)*c",
    "(?:ab)+?c",
    "a{2,4}b",
    "[ab]{3}c",
    "[ab]{2,}c",
    "(?:x[^ .]+ ){0,3}?y",
    r"(?:i|we)(?: (?:\w+ly))? can(?:not|'t| not)\b",
    r"(?:a|b(?:c|d(?:e|f)))*g$",
    "é(?:ü|ß)",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_beginning_of_a_match_is_matched(pattern: str) -> None:
    begun = re2.compile(beginnings(pattern).begun)

    @given(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    def check(text: str) -> None:
        assert all(begun.fullmatch(text[:cut]) for cut in range(len(text) + 1))

    check()


@pytest.mark.parametrize(
    ("pattern", "text"), [("abc", "ac"), ("a(?:bc)?d", "abd"), ("(?:ab|cd)e", "abc"), ("(?:ab)*c", "aba" + "a")]
)
def test_a_text_that_no_match_begins_with_is_not_matched(pattern: str, text: str) -> None:
    assert not re2.compile(beginnings(pattern).begun).fullmatch(text)


@pytest.mark.parametrize("pattern", ["(?:a", "a)", "(?:a|b))"])
def test_parentheses_that_do_not_match_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="parenthesis"):
        beginnings(pattern)


@given(st.text(), st.text())
def test_what_is_settled_of_a_text_folds_the_same_whatever_follows(text: str, rest: str) -> None:
    assert folded(text + rest).startswith(folded(text[: settled_length(text)]))


def test_every_composition_of_two_characters_is_seen_coming() -> None:
    for number in range(sys.maxunicode + 1):
        decomposed = unicodedata.normalize("NFD", chr(number))
        if len(decomposed) > 1 and unicodedata.normalize("NFC", decomposed) == chr(number):
            assert settled_length(decomposed[0]) == 0
            assert settled_length("a" + decomposed) <= 1
