"""Cuts text into words of any script and hashes words and word pairs, in array arithmetic.

No tokenizer and no regular expression: the cost is linear in the code points, and the same for every script. Where a
script puts no spaces between words, each character is a token, and the pairs do what words do elsewhere.

The tables below are written out, not taken from ``unicodedata``, so that a newer Python hashes as an older one did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from specroute.predictor.text.hashing import (
    INVERSE_MULTIPLIER,
    MULTIPLIER,
    SALT,
    code_points,
    constant,
    distinct_ids,
    mixed,
    powers,
)

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


class Tokens:
    """The words of one text, in order.

    Attributes:
        starts: int64[n], where each begins.
        ends: int64[n], where each ends, exclusive.
        lengths: int64[n], characters, each >= 1.
        hashes: uint64[n], every bit depending on every character.
    """

    __slots__ = ("_inverse_powers", "_kinds", "_prefix", "ends", "hashes", "lengths", "starts")

    def __init__(
        self,
        kinds: NDArray[np.uint8],
        prefix: NDArray[np.uint64],
        inverse_powers: NDArray[np.uint64],
        *,
        is_ascii: bool,
    ) -> None:
        """Cuts a text of n characters.

        Args:
            kinds: uint8[n + 2], of each character, a separator at each end.
            prefix: uint64[n + 1] or more, sums of the values before each character, plus anything that is in all.
            inverse_powers: uint64[n] or more.
            is_ascii: whether no character is a token of its own.
        """
        differs = kinds[1:] != kinds[:-1]
        changes = (differs if is_ascii else differs | (kinds[1:] == _SINGLE)).nonzero()[0]
        self.starts = changes.compress(kinds[1:].take(changes))  # what a separator follows ends, the rest starts
        self.ends = changes.compress(kinds.take(changes))
        self.lengths = self.ends - self.starts
        self._kinds = kinds
        self._prefix = prefix
        self._inverse_powers = inverse_powers
        self.hashes = mixed(self.runs(self.starts, self.ends))

    @property
    def chars(self) -> int:
        """How many characters all of them have together."""
        return int(np.count_nonzero(self._kinds))  # all but separators

    def number_lengths(self) -> NDArray[np.int64]:
        """Returns how many digits each run of digits has, in order."""
        lengths: NDArray[np.int64] = self.lengths.compress(self._kinds[1:].take(self.starts) == _DIGIT)
        return lengths

    def runs(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Returns the polynomial hashes, not yet mixed, of the characters from ``starts`` to before ``ends``."""
        return (self._prefix.take(ends) - self._prefix.take(starts)) * self._inverse_powers.take(starts)


class NgramHasher:
    """Hashes the words and word pairs of a text into buckets; stateless after construction."""

    def __init__(self, hash_bits: int, max_ngram: int, max_chars: int) -> None:
        """Prepares for texts of at most ``max_chars`` code points, 2**``hash_bits`` buckets and n-grams of 1 or 2."""
        self._bucket_shift = constant(64 - hash_bits)
        self._max_ngram = max_ngram
        # One place more at each end: the separators about the text are summed, too, and are in no difference.
        self._powers = np.concatenate((powers(MULTIPLIER, 1), powers(MULTIPLIER, max_chars + 1)))
        self._inverse_powers = powers(INVERSE_MULTIPLIER, max_chars)

    def tokens(self, text: str) -> Tokens:
        """Returns the tokens of folded ``text`` of at most ``max_chars`` code points, lone surrogates allowed.

        A prefix sum of ``value * multiplier**position`` gives every token's polynomial hash by one subtraction and one
        multiplication with the inverse power of its start, all modulo 2**64.
        """
        is_ascii = text.isascii()
        kinds, values = _read_ascii(text) if is_ascii else _read(text)
        prefix = np.add.accumulate(values * self._powers[: values.size])
        return Tokens(kinds, prefix, self._inverse_powers, is_ascii=is_ascii)

    def buckets(self, tokens: Tokens) -> NDArray[np.int64]:
        """Returns the distinct buckets of all n-grams, ascending, each in [0, 2**hash_bits)."""
        grams = tokens.hashes
        if self._max_ngram > 1:
            grams = np.concatenate((grams, mixed(grams[:-1] * SALT + grams[1:])))
        return distinct_ids(grams, self._bucket_shift)


def _read(text: str) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Returns the kinds and the values of the characters of ``text`` with a separator at each end."""
    points = np.minimum(code_points(f" {text} "), _LAST)
    return _KINDS.take(points), _VALUES.take(points)


def _read_ascii(text: str) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Does what ``_read`` does in a third of the time."""
    raw = b" %b " % text.encode("ascii")
    kinds = np.frombuffer(raw.translate(_ASCII_KINDS), _BYTE)
    return kinds, np.frombuffer(raw.translate(_ASCII_VALUES), _BYTE).astype(np.uint64)


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
_BYTE = np.dtype(np.uint8)
