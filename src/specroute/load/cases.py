"""What is asked, and how its answer is graded."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from specroute.core.request import TextOutput
from specroute.learn.workload import is_correct, load_workload, to_request
from specroute.upstreams.simulated.answers import KnownAnswer, KnownAnswers
from specroute.upstreams.simulated.profile import LatencyProfile, QualityProfile, TierProfile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.core.request import RouteRequest
    from specroute.edge.client.aio import Answered
    from specroute.learn.workload import Task

T = TypeVar("T")

# Orders of magnitude of hosted small and large chat models, and how often they fail; a measurement of none of them.
# The levels are the tasks' difficulties. One answer in fifty is five times slower than usual.
SIMULATED_TIERS = (
    TierProfile(
        "mini",
        LatencyProfile(0.3, 1.0, tokens_per_s=110, tail_probability=0.02, tail_factor=6),
        QualityProfile(
            correct=0.75,
            refusal=0.02,
            empty=0.01,
            truncated=0.03,
            malformed=0.03,
            correct_by_level=(("1", 0.90), ("2", 0.85), ("3", 0.74), ("4", 0.60), ("5", 0.45)),
        ),
    ),
    TierProfile(
        "large",
        LatencyProfile(0.5, 1.6, tokens_per_s=60, tail_probability=0.02, tail_factor=6),
        QualityProfile(
            correct=0.92,
            refusal=0.005,
            empty=0.002,
            truncated=0.008,
            malformed=0.005,
            correct_by_level=(("1", 0.975), ("2", 0.965), ("3", 0.93), ("4", 0.89), ("5", 0.82)),
        ),
    ),
)


class Case(Protocol):
    """One request and what is known about its answers."""

    @property
    def request(self) -> RouteRequest:
        """What is sent."""
        ...

    @property
    def source(self) -> str:
        """What results are grouped by."""
        ...

    def is_right(self, answer: Answered) -> bool:
        """Returns whether the delivered answer is right."""
        ...

    def is_from_its_tier(self, answer: Answered) -> bool:
        """Returns whether the delivered answer is what the tier that the answer names is known to have said."""
        ...


@dataclass(frozen=True, slots=True)
class WorkloadCase:
    """A task of the workload."""

    task: Task
    request: RouteRequest

    @property
    def source(self) -> str:
        """The task type."""
        return self.task.task_type

    def is_right(self, answer: Answered) -> bool:
        """Checks the text as the task says."""
        return is_correct(self.task, answer.text)

    def is_from_its_tier(self, answer: Answered) -> bool:
        """Returns whether the model that answered is that of the tier: simulated models bear their tier's name."""
        return answer.model == answer.tier


def workload_cases(count: int | None, *, seed: int) -> tuple[WorkloadCase, ...]:
    """Returns ``count`` cases, drawn without replacement; ``None``: all.

    Raises:
        ValueError: there are not so many.
    """
    tasks = chosen(load_workload(), count, seed=seed, what="tasks")
    return tuple(WorkloadCase(task, to_request(task, "")) for task in tasks)


def known_answers(cases: Sequence[WorkloadCase], *, seed: int) -> KnownAnswers:
    """Returns what the simulated tiers answer to ``cases``."""
    answers = [KnownAnswer(case.task.prompt, str(case.task.difficulty), *_at_length(case.task)) for case in cases]
    return KnownAnswers(answers, SIMULATED_TIERS, seed=seed)


def chosen(items: Sequence[T], count: int | None, *, seed: int, what: str) -> Sequence[T]:
    """Returns ``count`` of ``items`` in their order, drawn by ``seed``; ``None``: all.

    Raises:
        ValueError: there are not so many.
    """
    if count is None:
        return items
    if count > len(items):
        raise ValueError(f"--requests {count}: there are {len(items)} {what}; give at most that")
    return [items[index] for index in sorted(random.Random(seed).sample(range(len(items)), count))]


def _at_length(task: Task) -> tuple[str, str]:
    """Returns the right and the wrong answer, with the problem restated first where the task leaves room for it.

    Models do so, and only an answer of some length shows what cancelling one is worth.
    """
    if isinstance(task.output, TextOutput):
        right, wrong = (
            f"Let me restate the task first. {task.prompt}\n\nAnswer: {answer}"
            for answer in (task.right_answer, task.wrong_answer)
        )
        if is_correct(task, right) and not is_correct(task, wrong):
            return right, wrong
    return task.right_answer, task.wrong_answer
