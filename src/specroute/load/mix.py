"""What is sent: recorded prompts or the built-in tasks, shuffled by a seed and repeated where more are needed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specroute.load.cases import workload_cases
from specroute.load.recorded_cases import recorded_workload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from specroute.load.cases import Case


@dataclass(frozen=True, slots=True)
class Mix:
    """What a load is made of.

    Attributes:
        name: for reports, in a few words.
        cases: shuffled, each once, at least one.
        is_recorded: whether a grade holds for the recorded answer alone, and not for another one to the same prompt.
    """

    name: str
    cases: tuple[Case, ...]
    is_recorded: bool

    def sent(self, count: int, *, before: int = 0) -> tuple[Case, ...]:
        """Returns ``count`` cases, from the first on and over again, after ``before`` others for warming up.

        Those others are the last of the mix, so that how many there are changes nothing of what is measured.
        """
        return tuple(self.cases[index % len(self.cases)] for index in range(-before, count))


def builtin_mix(*, seed: int) -> Mix:
    """Returns the workload's tasks: everyday prompts whose answers can be checked."""
    return Mix("built-in tasks", _shuffled(workload_cases(None, seed=seed), seed), is_recorded=False)


def recorded_mix(path: Path, pair: str, *, seed: int) -> Mix:
    """Returns the recorded prompts of ``pair`` with both answers and both grades.

    Raises:
        OutcomesError: the file cannot be used.
    """
    cases = recorded_workload(path, pair).cases
    return Mix(f"{path.name}, pair {pair}: {len(cases):,} recorded prompts", _shuffled(cases, seed), is_recorded=True)


def _shuffled(cases: Sequence[Case], seed: int) -> tuple[Case, ...]:
    return tuple(random.Random(seed).sample(cases, len(cases)))
