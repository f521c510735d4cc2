"""A text as the verifier reads it: bounded, its words hashed, its characters counted, its numbers found.

Everything is array arithmetic or plain string search, linear in what is read: an answer is a model's output, and no
output may make its own check slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from specroute.predictor.text.ngrams import NgramHasher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.predictor.text.ngrams import Tokens

HEAD_CHARS = 6_000
TAIL_CHARS = 2_000
"""Of a longer text these are read: a model opens with its method and ends with its result."""

MAX_NUMBERS = 160
"""The most numbers that are looked at: of more, the first half and the last."""
_MAX_NUMBER_CHARS = 18
_MAX_SEARCHED = 80
_MINUS = "-−"
_FIRST = np.ones(1, dtype=np.bool_)

_HASHER = NgramHasher(hash_bits=24, max_ngram=1, max_chars=HEAD_CHARS + TAIL_CHARS + 1)
_NOT_ASCII = 127
_ZEROS = (0x0660, 0x06F0, 0x0966, 0x09E6, 0x0E50, 0xFF10)  # Arabic, Persian, Devanagari, Bengali, Thai, full width
_DIGITS = {zero + value: str(value) for zero in _ZEROS for value in range(10)}


class Number(NamedTuple):
    """A number in a text: ``value`` with its sign, and where its digits start and end."""

    value: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Text:
    """One text.

    Attributes:
        read: the part that is read, digits of every script as ASCII digits.
        lower: ``read`` in lower case, of the same length.
        total_chars: of the whole text.
        tokens: of ``lower``.
        counts: how often each ASCII character is in ``read``, by its code.
        shares: of the characters read, in the order of ``SHARE_NAMES``.
        numbers: at most ``MAX_NUMBERS``, in order.
    """

    read: str
    lower: str
    total_chars: int
    tokens: Tokens
    counts: Sequence[int]
    shares: tuple[float, ...]
    numbers: tuple[Number, ...]

    @property
    def words(self) -> int:
        """The number of tokens."""
        return int(self.tokens.hashes.size)

    def count(self, mark: str) -> int:
        """Returns how often the ASCII character ``mark``, no letter, is in the text."""
        return self.counts[ord(mark)]


_SHARE_GROUPS = {
    "digits": "0123456789",
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "maths": "+*/=^<>%",
    "brackets": "{}[]()_#&|",
    "quotes": "\"'`",
    "lines": "\n",
    "questions": "?",
    "stops": ".!",
    "backslashes": "\\",
    "commas": ",",
    "other_scripts": chr(_NOT_ASCII),
}
SHARE_NAMES = tuple(_SHARE_GROUPS)


def _share_matrix() -> NDArray[np.float64]:
    matrix = np.zeros((128, len(_SHARE_GROUPS)))
    for column, group in enumerate(_SHARE_GROUPS.values()):
        matrix[[ord(character) for character in group], column] = 1.0
    return matrix


_SHARES = _share_matrix()


def bounded(text: str) -> str:
    """Returns ``text``, or head and tail of a longer one, joined by a line break."""
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def read_text(text: str) -> Text:
    """Reads a text of any length and script."""
    part = bounded(text)
    if not part.isascii() and _has_other_digits(part):
        part = part.translate(_DIGITS)
    lower = part.lower()
    if len(lower) != len(part):  # a letter of a few scripts becomes two; offsets must hold in both
        lower = "".join(each.lower()[0] for each in part)
    latin = ascii_points(part)
    counts = np.bincount(latin, minlength=128)
    shares = tuple(((counts @ _SHARES) / max(1, len(part))).tolist())
    return Text(part, lower, len(text), _HASHER.tokens(lower), counts.tolist(), shares, _numbers(part, latin))


def read_number(written: str) -> float | None:
    """Returns the first number of a short text, or ``None``: 12 of "$12.00 in all"."""
    start = next((index for index, mark in enumerate(written[:_MAX_SEARCHED]) if "0" <= mark <= "9"), -1)
    if start < 0:
        return None
    end = start + 1
    while end < len(written) and end - start <= _MAX_NUMBER_CHARS and _continues(written, end):
        end += 1
    value = _value(written[start:end])
    return -value if value is not None and _is_negative(written, start) else value


def _continues(written: str, at: int) -> bool:
    mark = written[at]
    if "0" <= mark <= "9":
        return True
    if mark not in ".,":
        return False
    after = written[at + 1 : at + 5]
    if mark == ".":
        return "0" <= after[:1] <= "9"
    return after[:3].isdecimal() and len(after) >= 3 and not after[3:4].isdecimal()


def distinct(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Returns the distinct hashes, ascending; ``np.unique`` spends more on its options than on the work."""
    ordered = np.sort(hashes)
    is_new = np.concatenate((_FIRST[: ordered.size], ordered[1:] != ordered[:-1]))
    return np.asarray(ordered[is_new])


def contained(hashes: NDArray[np.uint64], ordered: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Returns which hashes are among the ascending ``ordered``."""
    if not ordered.size:
        return np.zeros(hashes.size, dtype=np.bool_)
    places = np.minimum(np.searchsorted(ordered, hashes), ordered.size - 1)
    return np.asarray(ordered.take(places) == hashes)


def _has_other_digits(text: str) -> bool:
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return any(bool(((points - np.uint32(zero)) < 10).any()) for zero in _ZEROS)  # wraps below zero: no digit


def ascii_points(text: str) -> NDArray[np.uint8]:
    """Returns the code point of each character, 127 for any above ASCII."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    points: NDArray[np.uint32] = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    clipped: NDArray[np.uint8] = np.minimum(points, _NOT_ASCII).astype(np.uint8)
    return clipped


def _numbers(text: str, latin: NDArray[np.uint8]) -> tuple[Number, ...]:
    padded = np.zeros(latin.size + 6, dtype=np.uint8)
    padded[1:-5] = latin
    digit = (padded >= 48) & (padded <= 57)
    if not digit.any():
        return ()
    # A point between digits belongs to the number, a comma only before exactly three digits: 1,234 but not [1,2,3].
    inner = digit[:-5] & digit[2:-3]
    thousands = digit[3:-2] & digit[4:-1] & ~digit[5:]
    joined = inner & ((padded[1:-4] == 46) | ((padded[1:-4] == 44) & thousands))
    member = digit.copy()
    member[1:-4] |= joined
    spans = np.flatnonzero(member[1:] != member[:-1]).reshape(-1, 2)
    if len(spans) > MAX_NUMBERS:
        spans = np.concatenate((spans[: MAX_NUMBERS // 2], spans[-MAX_NUMBERS // 2 :]))
    found = []
    for start, end in spans.tolist():
        value = _value(text[start:end])
        if value is not None:
            is_negative = start > 0 and text[start - 1] in _MINUS and _is_negative(text, start)
            found.append(Number(-value if is_negative else value, start, end))
    return tuple(found)


def _value(written: str) -> float | None:
    if len(written) > _MAX_NUMBER_CHARS:
        return None
    try:
        return float(written.replace(",", "") if "," in written else written)
    except ValueError:  # a version or a date: 1.2.3
        return None


def _is_negative(text: str, start: int) -> bool:
    if start == 0 or text[start - 1] not in _MINUS:
        return False
    return start == 1 or not (text[start - 2].isalnum() or text[start - 2] in ")]_")
