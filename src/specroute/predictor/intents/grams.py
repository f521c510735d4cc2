"""Hashes the first and the last words of a text, their neighbours and their stems.

What a request is stands where it begins or ends, before or behind what was pasted into it. Stems carry it over between
the forms of a word, and between related languages, so that few examples of each suffice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from specroute.predictor.text.hashing import SALT, mixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from specroute.predictor.text.ngrams import Tokens

GRAMS_VERSION = 2
"""Raised whenever the same words would give other ids; an artifact records it."""

HEAD_WORDS = 30
TAIL_WORDS = 15
HASH_BITS = 16
BUCKETS = 1 << HASH_BITS

_WORDS = HEAD_WORDS + TAIL_WORDS
_SHIFT = np.uint64(64 - HASH_BITS)
_SIZES = np.tile(np.array([3, 4, 5, 3]), (_WORDS, 1))  # first characters three times, and the last three
_STEMS = np.tile(np.arange(1, 5, dtype=np.uint64) * SALT, (_WORDS, 1))
_PAIR = np.uint64(0x9FB21C651E98DF25)
_LAST = 3  # the column of the last characters


def gram_ids(tokens: Tokens) -> NDArray[np.int64]:
    """Returns the distinct buckets of the words that are read, ascending, each in [0, BUCKETS); none without words."""
    words, starts, lengths = tokens.hashes, tokens.starts, tokens.lengths
    if words.size > _WORDS:
        words = np.concatenate((words[:HEAD_WORDS], words[-TAIL_WORDS:]))
        starts = np.concatenate((starts[:HEAD_WORDS], starts[-TAIL_WORDS:]))
        lengths = np.concatenate((lengths[:HEAD_WORDS], lengths[-TAIL_WORDS:]))
    # A word that is shorter than a stem is its own stem: to leave it out would cost more than it is worth.
    sizes = np.minimum(_SIZES[: words.size], lengths[:, np.newaxis])
    firsts = np.empty_like(sizes)
    firsts[:, :_LAST] = starts[:, np.newaxis]
    firsts[:, _LAST] = starts + lengths - sizes[:, _LAST]
    stems = tokens.runs(firsts, firsts + sizes) + _STEMS[: words.size]
    hashes = mixed(np.concatenate((words, words[:-1] * _PAIR + words[1:], stems.ravel())))
    ids = (hashes >> _SHIFT).astype(np.int32)  # sorted as int32 this costs a third
    ids.sort()
    is_new = np.ones(ids.size, dtype=np.bool_)
    np.not_equal(ids[1:], ids[:-1], out=is_new[1:])
    distinct: NDArray[np.int64] = ids[is_new].astype(np.int64)
    return distinct
