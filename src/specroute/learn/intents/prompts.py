"""The labelled prompts: written for this project by hand, those to learn from and those to test on by other authors.

They live in ``prompts/train`` and ``prompts/test``, a file per task type, one JSON object per line.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated, Literal

import msgspec

from specroute.learn.intents.labels import TASK_TYPES

Part = Literal["train", "test"]


class InvalidPrompt(ValueError):
    """A line of the data breaks the format; the message names file, line and reason."""


class LabelledPrompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One prompt and what it is.

    Attributes:
        risk: how much harm a wrong answer does: high where it can hurt a person, break the law, lose much money, open a
            security hole or take down production; medium where it costs work or money and can be mended; else low.
        risk_domain: where that harm would be done; "": in none of these.
        language: ISO 639-1.
    """

    text: Annotated[str, msgspec.Meta(min_length=3)]
    task_type: str
    risk: Literal["low", "medium", "high"]
    risk_domain: Literal["", "law", "medicine", "finance", "security", "operations"]
    language: Annotated[str, msgspec.Meta(pattern="^[a-z]{2}$")]


@cache
def labelled_prompts(part: Part) -> tuple[LabelledPrompt, ...]:
    """Returns the prompts of ``part``, in the order of files and lines.

    Raises:
        InvalidPrompt: a line is not a labelled prompt.
    """
    folder = resources.files("specroute.learn.intents") / "prompts" / part
    return tuple(
        parse_prompt(line, f"{part}/{task_type}.jsonl:{number}", task_type)
        for task_type in TASK_TYPES
        for number, line in enumerate((folder / f"{task_type}.jsonl").read_text("utf-8").splitlines(), start=1)
    )


def parse_prompt(line: str, where: str, task_type: str) -> LabelledPrompt:
    """Returns the prompt that ``line`` of ``where``, the file of ``task_type``, holds.

    Raises:
        InvalidPrompt: it holds none.
    """
    try:
        prompt = msgspec.json.decode(line, type=LabelledPrompt)
    except msgspec.MsgspecError as error:
        raise InvalidPrompt(f"{where}: {error}") from error
    if prompt.task_type != task_type:
        raise InvalidPrompt(f"{where}: task_type is {prompt.task_type!r}, the file is of {task_type!r}")
    return prompt
