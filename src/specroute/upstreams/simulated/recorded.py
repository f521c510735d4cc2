"""Recorded answers of a mini and a large model, read from a Parquet file and looked up by prompt.

A row is one prompt answered by a *pair* of models. The needed columns are ``COLUMNS``; others are not read.
Needs the extra ``specroute[train]``.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from specroute.core.outcome import FinishReason
from specroute.core.request import ToolCall, estimated_tokens
from specroute.upstreams.simulated.answers import NoAnswer, SimulatedAnswer, pieces_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from specroute.upstreams.simulated.http.wire import ChatRequest

DEFAULT_PAIR = "gpt-4o-mini|gpt-4o"
TIERS = ("mini", "large")

TEXT_COLUMNS = ("pair", "prompt", "output_format", "mini_model", "mini_response", "large_model", "large_response")
NUMBER_COLUMNS = tuple(f"{tier}_{name}" for tier in TIERS for name in ("input_tokens", "output_tokens", "latency_s"))
COLUMNS = (*TEXT_COLUMNS, *NUMBER_COLUMNS)


class OutcomesError(Exception):
    """The file cannot be served; the message is one line that names it and what is wrong."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was read of one pair, per tier: answers served, and rows left out because they have no text of one."""

    path: str
    pair: str
    served: Mapping[str, int]
    without_text: Mapping[str, int]
    repeated: int

    def __str__(self) -> str:
        """Says it in one line."""
        served, left_out = (
            ", ".join(f"{tier} {count}" for tier, count in counts.items())
            for counts in (self.served, self.without_text)
        )
        repeated = f"; {self.repeated} rows repeat a prompt (the first counts)" if self.repeated else ""
        return f"{self.path}: pair {self.pair}: answers {served}; rows left out without text: {left_out}{repeated}"


class RecordedOutcomes:
    """Answers a recorded prompt with the answer that the asked model gave to it.

    A model is asked for by the exact name in the row, by the tier (``mini``, ``large``), or by its name in the pair.
    The lookup is the last user message, byte for byte the row's prompt.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], *, path: str, pair: str) -> None:
        self._rows = {tier: _first_by_prompt(rows, tier) for tier in TIERS}
        self._tiers: dict[str, str] = {}
        names = dict(zip(TIERS, pair.split("|"), strict=False))
        for tier in TIERS:
            exact = (row[f"{tier}_model"] for row in self._rows[tier].values())
            for name in (tier, names.get(tier, tier), *exact):
                self._tiers.setdefault(name, tier)
        self._aliases = {*TIERS, *names.values()}
        self.report = LoadReport(
            path=path,
            pair=pair,
            served={tier: len(self._rows[tier]) for tier in TIERS},
            without_text={tier: sum(not _has_answer(row, tier) for row in rows) for tier in TIERS},
            repeated=len(rows) - len({row["prompt"] for row in rows}),
        )

    @property
    def tiers(self) -> Mapping[str, str]:
        """Every name a model is asked for by -> ``mini`` or ``large``."""
        return self._tiers

    def prompts(self, tier: str) -> tuple[str, ...]:
        """Returns the prompts that ``tier`` has an answer to, in the order of the file."""
        return tuple(self._rows[tier])

    def answer(self, request: ChatRequest) -> SimulatedAnswer | NoAnswer:
        """Returns the recorded answer; its latency is ``None`` where none was recorded."""
        tier = self._tiers[request.model]
        row = self._rows[tier].get(request.prompt)
        if row is None:
            return NoAnswer(
                f"No answer of {request.model} is recorded for this prompt: the last user message must be "
                f"byte for byte one of the {len(self._rows[tier])} recorded prompts."
            )
        model: str = row[f"{tier}_model"]
        if request.model not in self._aliases and request.model != model:
            return NoAnswer(f"This prompt is recorded with {model}, not with {request.model}.")
        return _answer_of(row, tier)


def load_outcomes(path: Path, *, pair: str = DEFAULT_PAIR) -> RecordedOutcomes:
    """Returns the answers of ``pair`` recorded in a Parquet file.

    Raises:
        OutcomesError: no such file, not Parquet, columns missing or of another type, no such pair, or no text at all.
    """
    try:
        schema = pq.read_schema(path)
        _check_columns(path, schema)
        table = pq.read_table(path, columns=list(COLUMNS))
    except (OSError, pa.ArrowException) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "is not a Parquet file"
        raise OutcomesError(f"{path}: {reason}") from error
    pairs = table.column("pair").to_pylist()
    chosen = [index for index, name in enumerate(pairs) if name == pair]
    if not chosen:
        known = ", ".join(sorted({name for name in pairs if name})) or "none"
        raise OutcomesError(f"{path}: no rows of pair {pair!r}; the pairs in it are: {known}")
    book = RecordedOutcomes(table.take(chosen).to_pylist(), path=str(path), pair=pair)
    if not any(book.prompts(tier) for tier in TIERS):
        raise OutcomesError(f"{path}: none of the {len(chosen)} rows of pair {pair!r} has the text of an answer")
    return book


def _check_columns(path: Path, schema: Any) -> None:
    missing = [name for name in COLUMNS if name not in schema.names]
    if missing:
        raise OutcomesError(f"{path}: missing columns: {', '.join(missing)}")
    for name in COLUMNS:
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        is_number = pa.types.is_floating(kind) or pa.types.is_integer(kind)
        # A column without a single value has the type null.
        if not (pa.types.is_null(kind) or (is_text if name in TEXT_COLUMNS else is_number)):
            wanted = "text" if name in TEXT_COLUMNS else "numbers"
            raise OutcomesError(f"{path}: column {name} must hold {wanted}, not {kind}")


def _has_answer(row: Mapping[str, Any], tier: str) -> bool:
    return row[f"{tier}_response"] is not None and row[f"{tier}_model"] is not None and row["prompt"] is not None


def _first_by_prompt(rows: Sequence[Mapping[str, Any]], tier: str) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if _has_answer(row, tier):
            found.setdefault(row["prompt"], row)
    return found


def _answer_of(row: Mapping[str, Any], tier: str) -> SimulatedAnswer:
    text: str = row[f"{tier}_response"]
    calls = _tool_calls(text, row["prompt"]) if row["output_format"] == "tool_calls" else ()
    input_tokens = _recorded(row[f"{tier}_input_tokens"])
    output_tokens = _recorded(row[f"{tier}_output_tokens"])
    return SimulatedAnswer(
        tier=tier,
        model=row[f"{tier}_model"],
        text="" if calls else text,
        tool_calls=calls,
        finish_reason=FinishReason.TOOL_CALLS if calls else FinishReason.STOP,
        input_tokens=estimated_tokens(len(row["prompt"].encode())) if input_tokens is None else round(input_tokens),
        output_tokens=len(pieces_of(text)) if output_tokens is None else round(output_tokens),
        latency_s=_recorded(row[f"{tier}_latency_s"]),
    )


def _recorded(value: float | None) -> float | None:
    """Returns a recorded number; pandas writes a missing one as NaN."""
    return None if value is None or not math.isfinite(value) or value < 0 else value


def _tool_calls(text: str, prompt: str) -> tuple[ToolCall, ...]:
    """Returns the calls of a list like ``[{"name": "{json arguments}"}, ...]``; none where ``text`` is not one."""
    try:
        items = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ()
    if not isinstance(items, list) or not all(isinstance(item, dict) and len(item) == 1 for item in items):
        return ()
    calls: list[ToolCall] = []
    # The record has no ids; a client matches results to calls by them, so they only have to differ.
    stem = blake2b(prompt.encode(), digest_size=8).hexdigest()
    for index, item in enumerate(items):
        ((name, arguments),) = item.items()
        written = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
        calls.append(ToolCall(id=f"call_{stem}_{index}", name=name, arguments_json=written))
    return tuple(calls)
