"""Cuts text into words of any script and hashes words and word pairs, in array arithmetic.

No tokenizer and no regular expression: the cost is linear in the code points, and the same for every script. Where a
script puts no spaces between words, each character is a token, and the pairs do what words do elsewhere.

The tables below are written out, not taken from ``unicodedata``, so that a newer Python hashes as an older one did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from specroute.predictor.text.hashing import INVERSE_MULTIPLIER, MULTIPLIER, SALT, code_points, mixed, powers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Cut = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.uint64]]

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


class Tokens:
    """The words of one text, in order.

    Attributes:
        starts: int64[n], where each begins.
        lengths: int64[n], characters, each >= 1.
        numbers: bool[n], whether it is a run of digits.
        hashes: uint64[n], every bit depending on every character.
    """

    __slots__ = ("_inverse_powers", "_prefix", "hashes", "lengths", "numbers", "starts")

    hashes: NDArray[np.uint64]

    def __init__(
        self,
        starts: NDArray[np.int64],
        lengths: NDArray[np.int64],
        numbers: NDArray[np.bool_],
        prefix: NDArray[np.uint64],
        inverse_powers: NDArray[np.uint64],
    ) -> None:
        self.starts = starts
        self.lengths = lengths
        self.numbers = numbers
        self._prefix = prefix
        self._inverse_powers = inverse_powers

    def runs(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Returns the polynomial hashes, not yet mixed, of the characters from ``starts`` to before ``ends``."""
        return (self._prefix.take(ends) - self._prefix.take(starts)) * self._inverse_powers.take(starts)


class NgramHasher:
    """Hashes the words and word pairs of a text into buckets; stateless after construction."""

    def __init__(self, hash_bits: int, max_ngram: int, max_chars: int) -> None:
        """Prepares for texts of at most ``max_chars`` code points, 2**``hash_bits`` buckets and n-grams of 1 or 2."""
        self._bucket_shift = np.uint64(64 - hash_bits)
        self._max_ngram = max_ngram
        self._powers = powers(MULTIPLIER, max_chars)
        self._inverse_powers = powers(INVERSE_MULTIPLIER, max_chars)

    def tokens(self, text: str) -> Tokens:
        """Returns the tokens of folded ``text`` of at most ``max_chars`` code points, lone surrogates allowed.

        A prefix sum of ``value * multiplier**position`` gives every token's polynomial hash by one subtraction and one
        multiplication with the inverse power of its start, all modulo 2**64.
        """
        starts, ends, is_digit, values = _cut_ascii(text) if text.isascii() else _cut(text)
        prefix = np.zeros(values.size + 1, dtype=np.uint64)
        np.cumsum(values * self._powers[: values.size], out=prefix[1:])
        found = Tokens(starts, ends - starts, is_digit, prefix, self._inverse_powers)
        found.hashes = mixed(found.runs(starts, ends))
        return found

    def buckets(self, tokens: Tokens) -> NDArray[np.int64]:
        """Returns the distinct buckets of all n-grams, ascending, each in [0, 2**hash_bits)."""
        grams = tokens.hashes
        if self._max_ngram > 1:
            grams = np.concatenate((grams, mixed(grams[:-1] * SALT + grams[1:])))
        # 24 bits at most: sorted as int32 this costs a third. np.unique spends more on its options than on the work.
        ids = (grams >> self._bucket_shift).astype(np.int32)
        ids.sort()
        is_new = np.concatenate((_FIRST, ids[1:] != ids[:-1]))[: ids.size]
        distinct: NDArray[np.int64] = ids[is_new].astype(np.int64)
        return distinct


def _cut(text: str) -> _Cut:
    """Returns where each token begins, where it ends, whether it is a number, and the value of every character."""
    points = np.minimum(code_points(text), _LAST)
    kinds = np.zeros(points.size + 2, dtype=np.uint8)  # a separator at each end
    kinds[1:-1] = _KINDS.take(points)
    edge = kinds[1:] != kinds[:-1]
    kinds = kinds[1:-1]
    single = kinds == _SINGLE
    inside = kinds != _SEPARATOR
    starts = ((edge[:-1] | single) & inside).nonzero()[0]
    ends = ((edge[1:] | single) & inside).nonzero()[0] + 1
    return starts, ends, kinds.take(starts) == _DIGIT, _VALUES.take(points)


def _cut_ascii(text: str) -> _Cut:
    """Does what ``_cut`` does, in half of the time: no ASCII character is a token of its own."""
    raw = text.encode("ascii")
    kinds = np.frombuffer(b"".join((b" ", raw, b" ")).translate(_ASCII_KINDS), dtype=np.uint8)
    changes = (kinds[1:] != kinds[:-1]).nonzero()[0]
    after = kinds.take(changes + 1)
    is_start = after != _SEPARATOR
    starts = changes[is_start]
    ends = changes[kinds.take(changes) != _SEPARATOR]
    values = np.frombuffer(raw.translate(_ASCII_VALUES), dtype=np.uint8).astype(np.uint64)
    return starts, ends, after[is_start] == _DIGIT, values


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
_ASCII_KINDS = _KINDS[:256].tobytes()
_ASCII_VALUES = np.minimum(_VALUES[:256], 255).astype(np.uint8).tobytes()
_FIRST = np.ones(1, dtype=np.bool_)
