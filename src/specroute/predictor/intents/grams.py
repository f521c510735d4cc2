"""Cuts the beginning and the end of a text into hashed runs of two to five characters.

What a request is stands where it begins or ends, before or behind what was pasted into it, and the stems that say so
carry over between forms of a word and between related languages. So runs of characters are read and not words, only
inside a word or at its edges, and only of so much text that the cost is small and bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import as_strided

from specroute.predictor.hashing import INVERSE_MULTIPLIER, MULTIPLIER, SALT, code_points, mixed, powers

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRAMS_VERSION = 1
"""Raised whenever the same text would give other ids; an artifact records it."""

HEAD_CHARS = 200
TAIL_CHARS = 100
HASH_BITS = 16
BUCKETS = 1 << HASH_BITS
SHORTEST = 2
LENGTHS = 4
"""Runs of 2, 3, 4 and 5 characters."""

_MOST = HEAD_CHARS + TAIL_CHARS + 3  # both parts, and a space before, between and behind them
_PADDING = SHORTEST + LENGTHS
_POWERS = powers(MULTIPLIER, _MOST + _PADDING)
_INVERSE_POWERS = powers(INVERSE_MULTIPLIER, _MOST + _PADDING)
_SALT = np.arange(1, LENGTHS + 1, dtype=np.uint64) * SALT
_SHIFT = np.uint64(64 - HASH_BITS)
_SPACE = ord(" ")
_BEYOND = 1 << 14  # more spaces than any text has: what reaches beyond the end counts as crossing one


def gram_ids(text: str) -> NDArray[np.int64]:
    """Returns the distinct buckets of all runs, ascending, each in [0, BUCKETS); none for a text of white space.

    Never raises, whatever the code points. A prefix sum of ``value * multiplier**position`` gives the polynomial hash
    of every run by one subtraction and one multiplication, for the four lengths at once.
    """
    points = code_points(_read(text)).astype(np.uint64)
    size = points.size
    prefix = np.zeros(size + _PADDING, dtype=np.uint64)
    np.cumsum((points + np.uint64(1)) * _POWERS[:size], out=prefix[1 : size + 1])
    prefix[size + 1 :] = prefix[size]
    spaces = np.full(size + _PADDING, _BEYOND, dtype=np.int16)
    spaces[0] = 0
    np.cumsum(points == _SPACE, out=spaces[1 : size + 1])
    starts = size - 1
    ends = as_strided(prefix[SHORTEST:], shape=(starts, LENGTHS), strides=(prefix.itemsize, prefix.itemsize))
    hashes = mixed((ends - prefix[:starts, np.newaxis]) * _INVERSE_POWERS[:starts, np.newaxis] + _SALT)
    # A space may be the first or the last character of a run, never one between them.
    before_last = as_strided(
        spaces[SHORTEST - 1 :], shape=(starts, LENGTHS), strides=(spaces.itemsize, spaces.itemsize)
    )
    at_last = as_strided(spaces[SHORTEST:], shape=(starts, LENGTHS), strides=(spaces.itemsize, spaces.itemsize))
    is_run = (before_last == spaces[1:size, np.newaxis]) & (at_last < _BEYOND)
    ids = (hashes[is_run] >> _SHIFT).astype(np.int32)  # sorted as int32 this costs a third
    ids.sort()
    is_new = np.ones(ids.size, dtype=np.bool_)
    np.not_equal(ids[1:], ids[:-1], out=is_new[1:])
    distinct: NDArray[np.int64] = ids[is_new].astype(np.int64)
    return distinct


def _read(text: str) -> str:
    """Returns what is read of ``text``, folded, with one space before, between and behind its words."""
    if len(text) > HEAD_CHARS + TAIL_CHARS:
        text = f"{text[:HEAD_CHARS]} {text[-TAIL_CHARS:]}"
    words = " ".join(text.casefold().split())[: HEAD_CHARS + TAIL_CHARS + 1]  # folding may have made it longer
    return f" {words} "
