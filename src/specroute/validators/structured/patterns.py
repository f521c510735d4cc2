"""Regular expressions that a request brings: RE2 only, and bounded.

Linear time rules out the worst, but a huge pattern on a long answer is still slow.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import re2

MAX_PATTERN_BYTES: Final = 4_096
MAX_PATTERN_STEPS: Final = 100_000_000
"""Bound on pattern positions times answer characters: half a second at the 5 ns that RE2's slowest engine takes."""

_CACHED_PATTERNS = 256
_RE2_MEMORY_BYTES = 8 << 20
_UNKNOWN_POSITIONS_PER_CHARACTER = 50
_CHARACTER_CLASS = re2.compile(r"\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\\[pP](?:\{[^}]*\}|.)|\\[dDwWsS]")


class RegexError(ValueError):
    """A pattern that RE2 does not run; the message says why."""


class TooComplex(ValueError):
    """Checking this answer could take too long."""


class CompiledRegex:
    """A checked pattern, ready to judge answers."""

    __slots__ = ("_positions", "_regex")

    def __init__(self, regex: re2._Regexp, positions: int) -> None:
        self._regex = regex
        self._positions = positions

    def accepts(self, text: str) -> bool:
        """Returns whether the whole of ``text`` matches.

        Raises:
            TooComplex: it was not checked, because it could take too long.
        """
        if len(text) * self._positions > MAX_PATTERN_STEPS:
            raise TooComplex
        # Bytes, because RE2 would refuse a lone surrogate and because offsets in characters are not needed.
        return self._regex.fullmatch(text.encode("utf-8", "replace")) is not None


def check_regex(pattern: str) -> None:
    """Checks a pattern as a request brings it.

    Raises:
        RegexError: RE2 does not accept it, or it is larger than this service runs.
    """
    compile_regex(pattern)


@lru_cache(maxsize=_CACHED_PATTERNS)
def compile_regex(pattern: str) -> CompiledRegex:
    """Returns the compiled pattern; one seen before costs a dictionary look-up.

    Raises:
        RegexError: RE2 does not accept it, or it is larger than this service runs.
    """
    if len(pattern.encode("utf-8", "replace")) > MAX_PATTERN_BYTES:
        raise RegexError(f"the pattern is longer than {MAX_PATTERN_BYTES} bytes")
    return CompiledRegex(_compiled(pattern), pattern_positions(pattern))


def pattern_positions(pattern: str) -> int:
    """Returns how many places in a pattern a match can stand at, with repetitions written out; an upper estimate.

    A class of characters counts as one, however many characters it holds: only one branch of it is ever followed.
    """
    try:
        return int(_compiled(_CHARACTER_CLASS.sub("a", pattern)).programsize)
    except RegexError:
        # A dialect that RE2 does not read; the engine of JSON Schema may.
        return _UNKNOWN_POSITIONS_PER_CHARACTER * (len(pattern) + 1)


def _compiled(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _RE2_MEMORY_BYTES
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        raise RegexError(
            f"RE2 does not accept the pattern: {_message(error)} (it has no look-around and no back-references)"
        ) from error


def _message(error: Exception) -> str:
    detail = error.args[0] if isinstance(error, re2.error) and error.args else "it is not valid Unicode"
    return (detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail))[:200]
