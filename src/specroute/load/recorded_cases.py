"""Recorded prompts as cases: the grades of both answers, and proof that what was delivered is what was recorded.

Needs the extra ``specroute[train]``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from specroute.core.request import Message, Role, RouteRequest
from specroute.upstreams.simulated.recorded import TIERS, OutcomesError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from specroute.edge.client.aio import Answered

_COLUMNS = ("pair", "prompt", "output_format", *(f"{tier}_{name}" for tier in TIERS for name in ("response", "model")))
_GRADES = tuple(f"{tier}_correct" for tier in TIERS)
_UNNAMED = "recorded"


@dataclass(frozen=True, slots=True)
class RecordedCase:
    """A recorded prompt.

    Attributes:
        responses: tier -> its recorded answer; for tool calls the JSON list ``[{name: arguments}, ...]``.
        models: tier -> the exact name of the model that gave it.
        grades: tier -> whether the source graded it as right.
    """

    request: RouteRequest
    source: str
    has_tool_calls: bool
    responses: Mapping[str, str]
    models: Mapping[str, str]
    grades: Mapping[str, bool]

    def is_right(self, answer: Answered) -> bool:
        """Returns the recorded grade of the tier that answered."""
        return self.grades.get(answer.tier, False)

    def is_from_its_tier(self, answer: Answered) -> bool:
        """Returns whether text or tool calls are exactly those that the named tier is recorded with."""
        recorded = self.responses.get(answer.tier)
        if recorded is None or answer.model != self.models[answer.tier]:
            return False
        if not answer.tool_calls:
            return answer.text == recorded
        if answer.text or not self.has_tool_calls:
            return False
        said = [(call.name, _arguments(call.arguments_json)) for call in answer.tool_calls]
        return said == [(name, _arguments(value)) for item in orjson.loads(recorded) for name, value in item.items()]


@dataclass(frozen=True, slots=True)
class RecordedCases:
    """The cases of one pair; ``left_out`` rows of it have no text, no grade or a prompt that came before."""

    cases: tuple[RecordedCase, ...]
    left_out: int


def recorded_cases(path: Path, *, pair: str) -> RecordedCases:
    """Returns the rows of ``pair`` with both answers and both grades.

    Raises:
        OutcomesError: the file cannot be read, lacks a column, or has no such row.
    """
    try:
        names = set(pq.read_schema(path).names)
        missing = [name for name in (*_COLUMNS, *_GRADES) if name not in names]
        if missing:
            raise OutcomesError(f"{path}: missing columns: {', '.join(missing)}")
        columns = [*_COLUMNS, *_GRADES, *(["source"] if "source" in names else [])]
        rows = pq.read_table(path, columns=columns).to_pylist()
    except (OSError, pa.ArrowException) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "is not a Parquet file"
        raise OutcomesError(f"{path}: {reason}") from error
    rows = [row for row in rows if row["pair"] == pair]
    usable: dict[str, RecordedCase] = {}
    for row in rows:
        if all(row[name] is not None for name in (*_COLUMNS, *_GRADES)):
            usable.setdefault(row["prompt"], _case(row))
    if not usable:
        raise OutcomesError(f"{path}: no row of pair {pair!r} has the text and the grade of both answers")
    return RecordedCases(tuple(usable.values()), len(rows) - len(usable))


def _case(row: Mapping[str, Any]) -> RecordedCase:
    return RecordedCase(
        request=RouteRequest("", (Message(Role.USER, row["prompt"]),)),
        source=row.get("source") or _UNNAMED,
        has_tool_calls=row["output_format"] == "tool_calls",
        responses={tier: row[f"{tier}_response"] for tier in TIERS},
        models={tier: row[f"{tier}_model"] for tier in TIERS},
        grades={tier: bool(row[f"{tier}_correct"]) for tier in TIERS},
    )


def _arguments(written: object) -> object:
    """Returns arguments as they are compared: text byte for byte, anything else as the value that it is."""
    return written if isinstance(written, str) else orjson.dumps(written).decode()
