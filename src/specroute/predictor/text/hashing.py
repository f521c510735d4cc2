"""Polynomial hashes of runs of characters, in array arithmetic modulo 2**64.

The hash of a run is a difference of two prefix sums of ``value * multiplier**position``, times the inverse power of its
start: every run of a text costs one subtraction and one multiplication, whatever its length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MULTIPLIER: Final = 0x9E3779B97F4A7C15  # odd, so it has an inverse modulo 2**64
INVERSE_MULTIPLIER: Final = pow(MULTIPLIER, -1, 1 << 64)


def constant(value: int) -> NDArray[np.uint64]:
    """Returns uint64[], an operand for array arithmetic: NumPy takes a scalar of its own twice as long to read."""
    return np.array(value, dtype=np.uint64)


SALT: Final = constant(0xA0761D6478BD642F)

_MIX: Final = constant(0xD6E8FEB86659FD93)
_SHIFT: Final = constant(32)


def powers(base: int, count: int) -> NDArray[np.uint64]:
    """Returns ``base`` to the powers 0 to ``count`` - 1."""
    values = np.full(count, base, dtype=np.uint64)
    values[:1] = 1
    return np.cumprod(values, dtype=np.uint64)


def mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Returns the hashes with every bit spread over all: the low bits of a polynomial know only low bits."""
    first = hashes >> _SHIFT
    np.bitwise_xor(hashes, first, first)
    np.multiply(first, _MIX, first)
    second = first >> _SHIFT
    np.bitwise_xor(first, second, second)
    np.multiply(second, _MIX, second)
    return second


def distinct_ids(hashes: NDArray[np.uint64], shift: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Returns the distinct values of ``hashes >> shift``, ascending; ``shift``: ``constant`` of 33 at least."""
    # Sorted as int32 this costs a third. np.unique spends more on its options than on the work.
    ids = (hashes >> shift).astype(np.int32)
    ids.sort()
    is_new = np.empty(ids.size, dtype=np.bool_)
    is_new[:1] = True
    np.not_equal(ids[1:], ids[:-1], is_new[1:])
    return ids.compress(is_new).astype(np.int64)


def code_points(text: str) -> NDArray[np.uint32]:
    """Returns the code points of ``text``, lone surrogates included."""
    points: NDArray[np.uint32] = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return points
