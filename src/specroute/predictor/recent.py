"""Remembers for a while which log-odds the texts scored last had, without keeping the texts."""

from __future__ import annotations

from threading import Lock

Mark = tuple[int, int]
"""The interpreter's keyed 64-bit hash of what is read of a text, and how long the whole text is."""


def mark_of(part: str, total_chars: int) -> Mark:
    """Returns what tells texts apart of which ``part`` of ``total_chars`` characters is read.

    Of a thousand texts that are kept, one is mistaken for another once in 10**16 look-ups.
    """
    return hash(part), total_chars


class RecentLogits:
    """Mark -> log-odds, of the last ``size`` marks; safe to share between threads."""

    def __init__(self, size: int) -> None:
        """Takes how many are kept, > 0."""
        self._size = size
        self._lock = Lock()
        self._logits: dict[Mark, float] = {}

    def __len__(self) -> int:
        return len(self._logits)

    def get(self, mark: Mark) -> float | None:
        """Returns what was kept for ``mark``, or ``None``."""
        return self._logits.get(mark)

    def keep(self, mark: Mark, logit: float) -> None:
        """Keeps ``logit``, and drops what was kept first where there is no room."""
        with self._lock:
            self._logits[mark] = logit
            if len(self._logits) > self._size:
                del self._logits[next(iter(self._logits))]
