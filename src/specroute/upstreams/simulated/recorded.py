"""Recorded answers of a mini and a large model, looked up by prompt. Who reads them from a file is not its business."""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson

from specroute.core.outcome import FinishReason
from specroute.core.request import ToolCall, estimated_tokens, utf8_length
from specroute.upstreams.simulated.answers import NoAnswer, SimulatedAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from specroute.upstreams.simulated.http.wire import ChatRequest

DEFAULT_PAIR = "gpt-4o-mini|gpt-4o"
TIERS = ("mini", "large")

TEXT_COLUMNS = ("pair", "prompt", "output_format", "mini_model", "mini_response", "large_model", "large_response")
NUMBER_COLUMNS = tuple(f"{tier}_{name}" for tier in TIERS for name in ("input_tokens", "output_tokens", "latency_s"))
COLUMNS = (*TEXT_COLUMNS, *NUMBER_COLUMNS)


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was read of one pair, per tier: answers served, and rows left out because they have no text of one."""

    path: str
    pair: str
    rows: int
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

    Args:
        rows: the rows of ``pair``, each with all of ``COLUMNS``; of several with the same prompt the first counts.
        path: the file they are from, for the report.
        pair: ``MINI|LARGE``, the names of the two models.
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
            rows=len(rows),
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
        input_tokens=estimated_tokens(utf8_length(row["prompt"])) if input_tokens is None else round(input_tokens),
        output_tokens=estimated_tokens(utf8_length(text)) if output_tokens is None else round(output_tokens),
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
