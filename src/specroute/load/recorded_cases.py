"""Recorded prompts as cases: the grades of both answers, and proof that what was delivered is what was recorded.

All that is recorded comes through ``learn.dataset.read_outcomes``: Parquet, JSON Lines or CSV, in canonical order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from specroute.core.request import Message, Role, RouteRequest
from specroute.learn.dataset import TOOL_CALLS, Outcomes, read_outcomes
from specroute.learn.readers import OutcomesError
from specroute.upstreams.simulated.recorded import TIERS, RecordedOutcomes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from specroute.edge.client.aio import Answered
    from specroute.learn.dataset import Outcome

UNNAMED = Path("outcomes")
"""What messages call outcomes that come from no file."""


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


class RecordedWorkload(NamedTuple):
    """What is asked of one pair, and what its tiers answer; ``cases`` are those with both answers and both grades."""

    cases: tuple[RecordedCase, ...]
    book: RecordedOutcomes

    @property
    def left_out(self) -> int:
        """Rows of the pair that are no case: no text or grade of an answer, or a prompt that came before."""
        return self.book.report.rows - len(self.cases)


def recorded_workload(outcomes: Path | Outcomes, pair: str) -> RecordedWorkload:
    """Returns the cases of ``pair`` and the answers to them; of several rows with one prompt the first counts.

    Raises:
        OutcomesError: the file cannot be read, has no such pair, or no row of it with both answers and both grades.
    """
    path = outcomes if isinstance(outcomes, Path) else UNNAMED
    rows = _rows_of(outcomes, pair)
    cases: dict[str, RecordedCase] = {}
    for row in rows:
        if row.mini_response is not None and row.large_response is not None and row.large_correct is not None:
            cases.setdefault(row.prompt, _case(row, row.mini_response, row.large_response, row.large_correct))
    if not cases:
        problem = f"no row of pair {pair!r} has the text and the grade of both answers"
        raise OutcomesError(path, problem, "add *_response and *_correct, or choose another --pair")
    return RecordedWorkload(tuple(cases.values()), _book(rows, path, pair))


def recorded_book(outcomes: Path | Outcomes, pair: str) -> RecordedOutcomes:
    """Returns the answers that are recorded of ``pair``, also those to prompts that only one of its models answered.

    Raises:
        OutcomesError: the file cannot be read, has no such pair, or no text of an answer of it.
    """
    path = outcomes if isinstance(outcomes, Path) else UNNAMED
    rows = _rows_of(outcomes, pair)
    book = _book(rows, path, pair)
    if not any(book.prompts(tier) for tier in TIERS):
        problem = f"none of the {len(rows)} rows of pair {pair!r} has the text of an answer"
        raise OutcomesError(path, problem, "add mini_response and large_response, or choose another --pair")
    return book


def book_row(row: Outcome) -> dict[str, Any]:
    """Returns ``row`` as ``RecordedOutcomes`` reads it."""
    book: dict[str, Any] = {"pair": row.pair, "prompt": row.prompt, "output_format": row.output_format}
    for tier in TIERS:
        for name in ("model", "response", "input_tokens", "output_tokens", "latency_s"):
            book[f"{tier}_{name}"] = getattr(row, f"{tier}_{name}")
    return book


def _rows_of(outcomes: Path | Outcomes, pair: str) -> Sequence[Outcome]:
    path, read = (outcomes, read_outcomes(outcomes)) if isinstance(outcomes, Path) else (UNNAMED, outcomes)
    rows = [row for row in read.rows if row.pair == pair]
    if not rows:
        raise OutcomesError(path, f"no rows of pair {pair!r}", f"--pair is one of: {', '.join(read.pairs) or 'none'}")
    return rows


def _book(rows: Sequence[Outcome], path: Path, pair: str) -> RecordedOutcomes:
    return RecordedOutcomes([book_row(row) for row in rows], path=str(path), pair=pair)


def _case(row: Outcome, mini: str, large: str, large_correct: bool) -> RecordedCase:
    return RecordedCase(
        request=RouteRequest("", (Message(Role.USER, row.prompt),)),
        source=row.source,
        has_tool_calls=row.output_format == TOOL_CALLS,
        responses=dict(zip(TIERS, (mini, large), strict=True)),
        models=dict(zip(TIERS, (row.mini_model, row.large_model), strict=True)),
        grades=dict(zip(TIERS, (row.mini_correct, large_correct), strict=True)),
    )


def _arguments(written: object) -> object:
    """Returns arguments as they are compared: text byte for byte, anything else as the value that it is."""
    return written if isinstance(written, str) else orjson.dumps(written).decode()
