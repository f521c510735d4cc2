"""The workload: natural prompts of graded difficulty, each with a right answer, a plausible wrong one and a check.

The tasks are written for this project. They live in ``tasks/*.jsonl``, one JSON object per line (see ``_Record``), so
that they can be read and extended without touching code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Annotated

import msgspec
import re2

from specroute.core.request import (
    ChoicesOutput,
    Hints,
    JsonObjectOutput,
    JsonSchemaOutput,
    Message,
    Output,
    RegexOutput,
    Risk,
    Role,
    RouteRequest,
    TextOutput,
)
from specroute.learn.workload.checking import is_correct
from specroute.learn.workload.checks import Check, RegexCheck

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TASK_TYPES = (
    "chat",
    "classification",
    "code_debugging",
    "code_generation",
    "extraction",
    "formatting",
    "math",
    "planning",
    "question_answering",
    "reasoning",
    "summarization",
    "tool_use",
    "translation",
)

_QUIET = re2.Options()
_QUIET.log_errors = False


class InvalidWorkload(ValueError):
    """A line of the data breaks the format; the message names file, line and reason."""


@dataclass(frozen=True, slots=True)
class Task:
    """One prompt with everything needed to answer it on purpose and to grade whatever comes back.

    Attributes:
        id: unique and stable, ``<task type>-<number>``.
        prompt: the user's message; unique.
        system: the system message; "": none.
        difficulty: 1 (any model gets it) to 5 (needs care over several steps).
        task_type: one of ``TASK_TYPES``.
        risk: how much harm a wrong answer does, where the caller would say; ``None``: unstated.
        output: the contract that both answers keep.
        right_answer: as a good model would write it; passes ``check``.
        wrong_answer: a plausible mistake; fails ``check``.
        check: what makes an answer right.
        language: BCP 47 tag of the prompt.
        derivation: a Python expression over the standard library that recomputes the checked value, for tests of the
            data only; "": none. Never evaluated by the product.
    """

    id: str
    prompt: str
    system: str
    difficulty: int
    task_type: str
    risk: Risk | None
    output: Output
    right_answer: str
    wrong_answer: str
    check: Check
    language: str = "en"
    derivation: str = ""


class _Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="text"):
    def to_output(self) -> Output:
        return TextOutput()


class _JsonObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="json_object"):
    def to_output(self) -> Output:
        return JsonObjectOutput()


class _JsonSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="json_schema"):
    schema: dict[str, object]
    name: str = ""

    def to_output(self) -> Output:
        return JsonSchemaOutput(msgspec.json.encode(self.schema).decode(), name=self.name)


class _Regex(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="regex"):
    pattern: str

    def to_output(self) -> Output:
        return RegexOutput(self.pattern)


class _Choices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="choices"):
    values: Annotated[tuple[str, ...], msgspec.Meta(min_length=2)]

    def to_output(self) -> Output:
        return ChoicesOutput(self.values)


_Filled = Annotated[str, msgspec.Meta(min_length=1)]


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line of ``tasks/*.jsonl``; the fields are those of ``Task``, ``output`` and ``check`` by their kind."""

    id: _Filled
    difficulty: Annotated[int, msgspec.Meta(ge=1, le=5)]
    task_type: _Filled
    prompt: _Filled
    right_answer: _Filled
    wrong_answer: _Filled
    check: Check
    output: _Text | _JsonObject | _JsonSchema | _Regex | _Choices = _Text()
    system: str = ""
    risk: Risk | None = None
    language: str = "en"
    derivation: str = ""

    def to_task(self) -> Task:
        return Task(
            id=self.id,
            prompt=self.prompt,
            system=self.system,
            difficulty=self.difficulty,
            task_type=self.task_type,
            risk=self.risk,
            output=self.output.to_output(),
            right_answer=self.right_answer,
            wrong_answer=self.wrong_answer,
            check=self.check,
            language=self.language,
            derivation=self.derivation,
        )


@cache
def load_workload() -> tuple[Task, ...]:
    """Returns all tasks, in the order of their ids.

    Raises:
        InvalidWorkload: the installed data is damaged.
    """
    folder = resources.files(__package__) / "tasks"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".jsonl")), key=lambda entry: entry.name)
    tasks = [task for file in files for task in parse_tasks(file.read_text("utf-8"), file.name)]
    _require_unique(tasks)
    return tuple(sorted(tasks, key=lambda task: task.id))


def parse_tasks(lines: str, source: str) -> Iterator[Task]:
    """Yields the tasks in ``lines``, one JSON object per line; ``source`` names the file in errors.

    Raises:
        InvalidWorkload: a line is not a task, or its check does not tell its own two answers apart.
    """
    for number, line in enumerate(lines.splitlines(), start=1):
        try:
            task = msgspec.json.decode(line, type=_Record).to_task()
            _require_sound(task)
        except (msgspec.DecodeError, ValueError) as error:
            raise InvalidWorkload(f"{source}:{number}: {error}") from error
        yield task


def to_request(task: Task, request_id: str) -> RouteRequest:
    """Returns the request that a caller with this task would send; its labels name the task for reports."""
    system = (Message(Role.SYSTEM, task.system),) if task.system else ()
    return RouteRequest(
        request_id=request_id,
        messages=(*system, Message(Role.USER, task.prompt)),
        output=task.output,
        hints=Hints(task_type=task.task_type, risk=task.risk),
        labels={"task": task.id, "difficulty": str(task.difficulty), "language": task.language},
    )


def _require_sound(task: Task) -> None:
    if task.task_type not in TASK_TYPES:
        raise ValueError(f"{task.id}: unknown task_type {task.task_type!r}")
    for part in (task.output, task.check):
        if isinstance(part, (RegexOutput, RegexCheck)):
            _require_pattern(task.id, part.pattern)
    if not is_correct(task, task.right_answer):
        raise ValueError(f"{task.id}: the right answer fails its check")
    if is_correct(task, task.wrong_answer):
        raise ValueError(f"{task.id}: the wrong answer passes its check")


def _require_pattern(task_id: str, pattern: str) -> None:
    try:
        re2.compile(pattern, _QUIET)
    except re2.error as error:
        raise ValueError(f"{task_id}: {pattern!r} is not an RE2 pattern") from error


def _require_unique(tasks: Iterable[Task]) -> None:
    ids: set[str] = set()
    prompts: set[str] = set()
    for task in tasks:
        if task.id in ids or task.prompt in prompts:
            raise InvalidWorkload(f"{task.id}: its id or prompt is already taken")
        ids.add(task.id)
        prompts.add(task.prompt)
