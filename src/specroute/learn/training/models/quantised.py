"""Tables of one byte a weight, with a scale for each column: small enough to ship, near enough to score by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LARGEST = 127.0
_LEAST = 1e-30  # a column of less weighs nothing, and its steps would vanish


@dataclass(frozen=True, slots=True)
class Quantised:
    """``codes * scale``: int8[rows, columns] and float32[columns]."""

    codes: NDArray[np.int8]
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, values: NDArray[np.floating]) -> Quantised:
        """Rounds ``values`` to 255 levels a column."""
        largest = np.abs(values).max(axis=0, initial=0.0)
        scale = np.where(largest > _LEAST, largest / _LARGEST, 1.0).astype(np.float32)
        codes = np.rint(values / scale.astype(np.float64))
        return cls(np.clip(codes, -_LARGEST, _LARGEST).astype(np.int8), scale)

    @classmethod
    def joined(cls, parts: Sequence[Quantised]) -> Quantised:
        """Returns the columns of all parts side by side."""
        codes = np.concatenate([part.codes for part in parts], axis=1)
        return cls(codes, np.concatenate([part.scale for part in parts]))

    def values(self) -> NDArray[np.float32]:
        """Returns the values that the codes stand for."""
        values: NDArray[np.float32] = self.codes.astype(np.float32) * self.scale
        return values
