"""Cuts text into words of any script and hashes words and word pairs, in array arithmetic.

No tokenizer and no regular expression: the cost is linear in the code points, and the same for every script. Where a
script puts no spaces between words, each character is a token, and the pairs do what words do elsewhere.

The tables below are written out, not taken from ``unicodedata``, so that a newer Python hashes as an older one did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SEPARATOR, _LETTER, _DIGIT, _SINGLE = 0, 1, 2, 3

_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FFF),  # CJK radicals
    (0x3040, 0x31FF),  # kana, bopomofo
    (0x3400, 0x9FFF),  # CJK ideographs
    (0xF900, 0xFAFF),  # CJK compatibility
)
_SYMBOLS = ((0x2100, 0x2BFF),)  # letter-like, arrows, operators, technical, shapes: each says something alone
_SEPARATORS = (
    (0x00, 0x2F),
    (0x3A, 0x40),
    (0x5B, 0x60),
    (0x7B, 0xA9),
    (0xAB, 0xB4),
    (0xB6, 0xB9),
    (0xBB, 0xBF),
    (0x060C, 0x060D),  # Arabic comma
    (0x061B, 0x061F),  # Arabic semicolon and question mark
    (0x06D4, 0x06D4),  # Arabic full stop
    (0x0964, 0x0965),  # Devanagari danda
    (0x2000, 0x206F),  # general punctuation
    (0x3000, 0x303F),  # CJK punctuation
    (0xFE30, 0xFE4F),  # CJK compatibility forms
    (0xFF00, 0xFF0F),  # full-width punctuation
)
_LAST = 0xFFFF  # code points beyond the basic plane are read as this one: ideographs and emoji, single characters

_MULTIPLIER: Final = 0x9E3779B97F4A7C15  # odd, so it has an inverse modulo 2**64
_MIX = np.uint64(0xD6E8FEB86659FD93)
_PAIR = np.uint64(0xA0761D6478BD642F)
_SHIFT = np.uint64(32)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The words of one text, in order.

    Attributes:
        hashes: uint64[n], every bit depending on every character.
        lengths: int64[n], characters, each >= 1.
        numbers: bool[n], whether it is a run of digits.
    """

    hashes: NDArray[np.uint64]
    lengths: NDArray[np.int64]
    numbers: NDArray[np.bool_]


class NgramHasher:
    """Hashes the words and word pairs of a text into buckets; stateless after construction."""

    def __init__(self, hash_bits: int, max_ngram: int, max_chars: int) -> None:
        """Prepares for texts of at most ``max_chars`` code points, 2**``hash_bits`` buckets and n-grams of 1 or 2."""
        self._bucket_shift = np.uint64(64 - hash_bits)
        self._max_ngram = max_ngram
        self._powers = _powers(_MULTIPLIER, max_chars)
        self._inverse_powers = _powers(pow(_MULTIPLIER, -1, 1 << 64), max_chars)

    def tokens(self, text: str) -> Tokens:
        """Returns the tokens of folded ``text`` of at most ``max_chars`` code points, lone surrogates allowed.

        A prefix sum of ``value * multiplier**position`` gives every token's polynomial hash by one subtraction and one
        multiplication with the inverse power of its start, all modulo 2**64.
        """
        points = _code_points(text)
        kinds = np.zeros(points.size + 2, dtype=np.uint8)  # a separator at each end
        kinds[1:-1] = _KINDS.take(points)
        edge = kinds[1:] != kinds[:-1]
        kinds = kinds[1:-1]
        single = kinds == _SINGLE
        inside = kinds != _SEPARATOR
        starts = ((edge[:-1] | single) & inside).nonzero()[0]
        ends = ((edge[1:] | single) & inside).nonzero()[0]
        prefix = np.zeros(points.size + 1, dtype=np.uint64)
        np.cumsum(_VALUES.take(points) * self._powers[: points.size], out=prefix[1:])
        hashes = _mixed((prefix.take(ends + 1) - prefix.take(starts)) * self._inverse_powers.take(starts))
        return Tokens(hashes, ends - starts + 1, kinds.take(starts) == _DIGIT)

    def buckets(self, tokens: Tokens) -> NDArray[np.int64]:
        """Returns the distinct buckets of all n-grams, ascending, each in [0, 2**hash_bits)."""
        grams = tokens.hashes
        if self._max_ngram > 1:
            grams = np.concatenate((grams, _mixed(grams[:-1] * _PAIR + grams[1:])))
        # 24 bits at most: sorted as int32 this costs a third. np.unique spends more on its options than on the work.
        ids = (grams >> self._bucket_shift).astype(np.int32)
        ids.sort()
        is_new = np.concatenate((_FIRST, ids[1:] != ids[:-1]))[: ids.size]
        distinct: NDArray[np.int64] = ids[is_new].astype(np.int64)
        return distinct


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    powers = np.full(count, base, dtype=np.uint64)
    powers[:1] = 1
    return np.cumprod(powers, dtype=np.uint64)


def _kind_table() -> NDArray[np.uint8]:
    table = np.full(_LAST + 1, _LETTER, dtype=np.uint8)
    for ranges, kind in ((_SEPARATORS, _SEPARATOR), (_UNSPACED, _SINGLE), (_SYMBOLS, _SINGLE)):
        for first, last in ranges:
            table[first : last + 1] = kind
    table[ord("0") : ord("9") + 1] = _DIGIT
    table[_LAST] = _SINGLE
    return table


def _value_table() -> NDArray[np.uint64]:
    values = np.arange(1, _LAST + 2, dtype=np.uint64)
    values[ord("0") : ord("9") + 1] = ord("0")  # a number is known by how many digits it has, not by its value
    return values


_KINDS = _kind_table()
_VALUES = _value_table()
_FIRST = np.ones(1, dtype=np.bool_)


def _mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # The low bits of a polynomial hash know only the low bits of its characters: spread all over all.
    hashes = (hashes ^ (hashes >> _SHIFT)) * _MIX
    return (hashes ^ (hashes >> _SHIFT)) * _MIX


def _code_points(text: str) -> NDArray[np.int64]:
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8).astype(np.int64)
    points: NDArray[np.uint32] = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    clipped: NDArray[np.int64] = np.minimum(points, _LAST).astype(np.int64)
    return clipped
