"""Shares of recorded answers with their intervals, and the outcomes file that the judges' benchmarks read."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scipy.stats import beta

from specroute.learn.dataset import read_outcomes

if TYPE_CHECKING:
    from specroute.learn.dataset import Outcome

CONFIDENCE = 0.95


class Share(NamedTuple):
    """``hits`` of ``of``, with the exact binomial interval of Clopper and Pearson (1934)."""

    hits: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share, in [0, 1]."""
        tail = (1.0 - CONFIDENCE) / 2.0
        low = beta.ppf(tail, self.hits, self.of - self.hits + 1) if self.hits else 0.0
        high = beta.ppf(1.0 - tail, self.hits + 1, self.of - self.hits) if self.hits < self.of else 1.0
        return float(low), float(high)

    def __str__(self) -> str:
        """Returns "12.3 % [10.1, 14.8]", or "-" where there is nothing to share."""
        if not self.of:
            return "-"
        low, high = self.interval
        return f"{self.hits / self.of:6.2%} [{low:.2%}, {high:.2%}]"


def outcomes_of(description: str) -> tuple[Outcome, ...]:
    """Returns the rows of the file that ``--outcomes`` names; without it, of SPECROUTE_OUTCOMES."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--outcomes", type=Path, default=os.environ.get("SPECROUTE_OUTCOMES"), metavar="FILE")
    path = parser.parse_args().outcomes
    if path is None:
        parser.error("name a file of recorded outcomes: --outcomes FILE")
    return read_outcomes(Path(path)).rows
