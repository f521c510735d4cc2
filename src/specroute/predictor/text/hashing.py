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
SALT: Final = np.uint64(0xA0761D6478BD642F)

_MIX = np.uint64(0xD6E8FEB86659FD93)
_SHIFT = np.uint64(32)


def powers(base: int, count: int) -> NDArray[np.uint64]:
    """Returns ``base`` to the powers 0 to ``count`` - 1."""
    values = np.full(count, base, dtype=np.uint64)
    values[:1] = 1
    return np.cumprod(values, dtype=np.uint64)


def mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Returns the hashes with every bit spread over all: the low bits of a polynomial know only low bits."""
    hashes = (hashes ^ (hashes >> _SHIFT)) * _MIX
    return (hashes ^ (hashes >> _SHIFT)) * _MIX


def code_points(text: str) -> NDArray[np.uint32]:
    """Returns the code points of ``text``, lone surrogates included."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8).astype(np.uint32)
    points: NDArray[np.uint32] = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return points
