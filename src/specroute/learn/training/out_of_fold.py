"""Scores of the rows that a model has learnt from, each by models that did not see the row's group.

A model knows its own training rows too well, so to tune, certify or evaluate on them it takes other scores. They are
kept beside the model under a hash of pair and prompt: no text leaves the file that was learnt from.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from specroute.predictor.artifact import OUT_OF_FOLD_FILE, ModelArtifactError, read_manifest, read_verified

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

_NO_PICKLE = False  # an array of objects is a program: refused


class OutOfFoldScore(NamedTuple):
    """The scores of one row.

    Attributes:
        p, p_low, p_high: P(the mini's answer is acceptable) and its interval.
        p_rescue: P(the large model's answer is acceptable | the mini's is not).
        p_large_if_ok: the same where the mini's is.
        verifier_p: P(the recorded answer is acceptable); NaN where the verifier abstains or there is none.
    """

    p: float
    p_low: float
    p_high: float
    p_rescue: float
    p_large_if_ok: float
    verifier_p: float


_KEY, _HEADER = "key", np.dtype("<u8")
_TYPE = np.dtype([(_KEY, _HEADER), *((name, np.dtype("<f4")) for name in OutOfFoldScore._fields)])


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """The scores of all rows, sorted by key.

    Attributes:
        table: n records of ``key`` (64 bits of the SHA-256 of pair and prompt) and the fields of ``OutOfFoldScore``.
    """

    table: NDArray[np.void]

    @classmethod
    def of(cls, pairs: Iterable[str], prompts: Iterable[str], scores: Iterable[OutOfFoldScore]) -> OutOfFold:
        """Collects scores; of rows of one pair and prompt the first stays."""
        records = [(key_of(pair, prompt), *score) for pair, prompt, score in zip(pairs, prompts, scores, strict=True)]
        table = np.array(records, dtype=_TYPE)
        _, first = np.unique(table[_KEY], return_index=True)
        return cls(table[first])

    @classmethod
    def read(cls, folder: Path) -> OutOfFold:
        """Reads the scores of the model in ``folder``; none where the model has none.

        Raises:
            ModelArtifactError: the folder, or its file of scores, is not as it was written.
        """
        manifest = read_manifest(folder)
        if OUT_OF_FOLD_FILE not in manifest.files:
            return cls(np.zeros(0, dtype=_TYPE))
        content = read_verified(folder, manifest)[OUT_OF_FOLD_FILE]
        try:
            table = np.load(io.BytesIO(content), allow_pickle=_NO_PICKLE)
        except (ValueError, EOFError) as error:
            raise ModelArtifactError(folder / OUT_OF_FOLD_FILE, "not a table of scores") from error
        if table.dtype != _TYPE or table.ndim != 1:
            raise ModelArtifactError(folder / OUT_OF_FOLD_FILE, "its columns are not those of this version")
        for name in OutOfFoldScore._fields:
            known = table[name][~np.isnan(table[name])]
            if known.size and not (known.min() >= 0.0 and known.max() <= 1.0):
                raise ModelArtifactError(folder / OUT_OF_FOLD_FILE, f"a score in {name!r} is not from 0 to 1")
        return cls(table)

    def write(self) -> bytes:
        """Returns the file's content: the same scores, the same bytes."""
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, self.table, version=(1, 0), allow_pickle=_NO_PICKLE)
        return buffer.getvalue()

    def lookup(self, pair: str, prompt: str) -> OutOfFoldScore | None:
        """Returns the scores of a row that was learnt from; ``None`` for any other."""
        key = np.uint64(key_of(pair, prompt))
        at = int(np.searchsorted(self.table[_KEY], key))
        if at == self.table.size or self.table[_KEY][at] != key:
            return None
        record = self.table[at]
        return OutOfFoldScore(*(float(record[name]) for name in OutOfFoldScore._fields))

    def __len__(self) -> int:
        return int(self.table.size)


def key_of(pair: str, prompt: str) -> int:
    """Returns the 64 bits that stand for a row."""
    content = f"{pair}\0{prompt}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
