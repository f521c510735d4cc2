"""How often an early commit turns out wrong, measured while the service runs, and whether that is still allowed.

Fixing the winner before its answer is whole is a bet that the rest will pass, too. The bet is worth making as long as
it is lost seldom enough: quality is bounded first, and time and money are gained within the bound. What is counted are
answers whose window had passed with every check satisfied, whether they were committed then or not, and whether the
whole answer was accepted in the end. So the guard goes on learning while it forbids.
"""

from __future__ import annotations

from collections import defaultdict

PRIOR_ANSWERS = 100.0
PRIOR_ERROR_RATIO = 0.01
"""Before anything was seen: as if one of a hundred such answers had failed."""

FORGETTING = 0.999
"""The weight that an answer keeps with each one after it: about the last thousand count."""


class EarlyCommits:
    """Counts early commits by kind, such as a tier and an output form; ``max_error_ratio`` in [0, 1]."""

    def __init__(self, max_error_ratio: float) -> None:
        self._max_error_ratio = max_error_ratio
        self._answers: defaultdict[str, float] = defaultdict(float)
        self._errors: defaultdict[str, float] = defaultdict(float)

    def error_ratio(self, kind: str) -> float:
        """Returns the chance that an answer of ``kind`` is not accepted at its end: the mean of a beta posterior."""
        errors = PRIOR_ANSWERS * PRIOR_ERROR_RATIO + self._errors.get(kind, 0.0)
        return errors / (PRIOR_ANSWERS + self._answers.get(kind, 0.0))

    def allows(self, kind: str) -> bool:
        """Returns whether an answer of ``kind`` may be committed before it is whole."""
        return self.error_ratio(kind) <= self._max_error_ratio

    def settle(self, kind: str, *, upheld: bool) -> None:
        """Counts an answer that was, or could have been, committed early; ``upheld``: it was accepted at its end."""
        self._answers[kind] = self._answers[kind] * FORGETTING + 1.0
        self._errors[kind] = self._errors[kind] * FORGETTING + (0.0 if upheld else 1.0)
