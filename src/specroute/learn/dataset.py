"""Recorded outcomes: prompts that a mini and a large model answered, and whether the answers were acceptable.

A row is one prompt under one pair of models. Columns:

``*`` stands for ``mini`` and ``large``.

================  =======  =====================================================================================
column            type     meaning
================  =======  =====================================================================================
prompt            text     the last user message as the service would receive it; required
pair              text     ``mini|large``, the two models' names; required
mini_correct      bool     whether the mini's answer was acceptable; this or ``mini_score`` is required
mini_score        number   a grade in [0, 1]; 0.99 and more is acceptable; read where ``mini_correct`` is absent
large_correct     bool     the same for the large model, or ``large_score``; needed to evaluate and to certify
*_response        text     the answer; tool calls as a JSON list ``[{name: arguments}, ..]``; optional, without it
                           nothing is learnt about answers
*_input_tokens    number   what the call used, >= 0; estimated from the texts where it is absent
*_output_tokens   number   likewise
*_latency_s       number   how long the whole answer took, in seconds, > 0; optional, replayed where it is there
mini_logprob_conf number   exp(mean log-probability of the mini's tokens), in [0, 1]; optional
mini_verbal_conf  number   the confidence that the mini stated, in [0, 1]; optional
prompt_id         text     names the prompt in reports; default: ``source:`` and 12 hex digits of its SHA-1
group_id          text     near-duplicate prompts share one, and no split separates them; default: the prompt
source            text     where the prompt is from; for reports only, never a feature; default: ``all``
subject           text     of what it is; for reports, and to learn risk domains from, never a feature; optional
task_type         text     one of the service's task types, to learn those from, never a feature; optional
*_model           text     the exact name of the model that answered; default: its name in ``pair``
output_format     text     ``tool_calls``: the answers are recorded tool calls; any other word is text; optional
source_repo       text     public repository of the source; for the model card; optional
licence           text     its licence; for the model card; optional
================  =======  =====================================================================================

Rows whose label is null are left out and counted. Any other column is ignored.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.readers import OutcomesError, Row, read_rows

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

ACCEPTABLE_SCORE = 0.99
_NUMBERS = ("mini_input_tokens", "mini_output_tokens", "large_input_tokens", "large_output_tokens")
_SHARES = ("mini_logprob_conf", "mini_verbal_conf")
HASHED_COLUMNS = (
    *("prompt", "pair", "mini_correct", "large_correct", "group_id", "source", "subject", "task_type"),
    *("mini_response", "large_response", *_NUMBERS, *_SHARES),
)
"""What the data hash covers: all that training, certificates and reports depend on."""

_LATENCIES = ("mini_latency_s", "large_latency_s")
_MODELS = ("mini_model", "large_model")
_COLUMNS = (
    *(*HASHED_COLUMNS, "mini_score", "large_score", "prompt_id", "source_repo", "licence"),
    *(*_LATENCIES, *_MODELS, "output_format"),
)
TOOL_CALLS = "tool_calls"
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row; the module's docstring says what the columns mean. ``None`` and "" stand for what the file lacks."""

    pair: str
    group_id: str
    prompt: str
    source: str
    mini_correct: bool
    large_correct: bool | None = None
    mini_response: str | None = None
    large_response: str | None = None
    mini_input_tokens: float | None = None
    mini_output_tokens: float | None = None
    large_input_tokens: float | None = None
    large_output_tokens: float | None = None
    mini_logprob_conf: float | None = None
    mini_verbal_conf: float | None = None
    subject: str = ""
    task_type: str = ""
    prompt_id: str = ""
    mini_latency_s: float | None = None
    large_latency_s: float | None = None
    mini_model: str = ""
    large_model: str = ""
    output_format: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows came from. ``repo`` and ``licence`` are "" where the file does not say."""

    name: str
    repo: str
    licence: str
    rows: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The rows of one file in canonical order.

    Attributes:
        rows: sorted.
        sources: by name, with the number of rows.
        dropped: rows without a label.
    """

    rows: tuple[Outcome, ...]
    sources: tuple[Source, ...]
    dropped: int

    @property
    def pairs(self) -> tuple[str, ...]:
        """The pairs that occur, sorted."""
        return tuple(sorted({row.pair for row in self.rows}))

    def labels(self) -> NDArray[np.float64]:
        """Returns float64[rows]: 1 where the mini's answer was acceptable, else 0."""
        return np.array([row.mini_correct for row in self.rows], dtype=np.float64)

    def sha256(self) -> str:
        """Returns the hash of ``HASHED_COLUMNS`` of all rows, the same for every file format and order."""
        digest = hashlib.sha256()
        for row in self.rows:
            values = [getattr(row, column) for column in HASHED_COLUMNS]
            digest.update(json.dumps(values, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n")
        return digest.hexdigest()


def read_outcomes(path: Path) -> Outcomes:
    """Reads an outcomes file; the module's docstring is its schema.

    Raises:
        OutcomesError: the file cannot be read, lacks a column, or a value is not what its column holds.
    """
    table = read_rows(path, _COLUMNS)
    present = set[str]().union(*table)
    for column in ("prompt", "pair"):
        if column not in present:
            raise OutcomesError(path, f"has no column {column!r}", f"add a text column {column!r} ({_MEANING[column]})")
    if not present & {"mini_correct", "mini_score"}:
        mend = "add 'mini_correct' (true or false) or 'mini_score' (0 to 1)"
        raise OutcomesError(path, "has no column 'mini_correct' and no 'mini_score'", mend)
    parsed = [(_outcome(path, number, row), row) for number, row in enumerate(table, start=1)]
    kept = [(outcome, row) for outcome, row in parsed if outcome is not None]
    rows = sorted((outcome for outcome, _ in kept), key=_order)
    return Outcomes(tuple(rows), _sources(kept), len(table) - len(rows))


_MEANING = {"prompt": "the last user message", "pair": "the two models, 'mini|large'"}


def _order(row: Outcome) -> tuple[str, str, str, str, str, str]:
    rest = (row.mini_correct, row.large_correct, row.mini_response, row.large_response)
    return row.pair, row.group_id, row.prompt, row.source, row.prompt_id, str(rest)


def _outcome(path: Path, number: int, row: Row) -> Outcome | None:
    """Parses one row; ``None`` where it has no label."""
    label = _label(path, number, row, "mini")
    if label is None:
        return None
    prompt = _text(path, number, row, "prompt")
    if prompt is None:
        raise OutcomesError(path, f"row {number}: 'prompt' is empty", "fill it in or leave the row out")
    pair = _text(path, number, row, "pair")
    if pair is None:
        raise OutcomesError(path, f"row {number}: 'pair' is empty", "write the two models as 'mini|large'")
    encoded = prompt.encode("utf-8", "replace")
    source = _text(path, number, row, "source") or "all"
    numbers = {column: _number(path, number, row, column, most=math.inf) for column in (*_NUMBERS, *_LATENCIES)}
    shares = {column: _number(path, number, row, column, most=1.0) for column in _SHARES}
    return Outcome(
        pair=pair,
        group_id=_text(path, number, row, "group_id") or hashlib.sha256(encoded).hexdigest()[:16],
        prompt=prompt,
        source=source,
        mini_correct=label,
        large_correct=_label(path, number, row, "large"),
        mini_response=_answer(path, number, row, "mini_response"),
        large_response=_answer(path, number, row, "large_response"),
        **numbers,
        **shares,
        subject=_text(path, number, row, "subject") or "",
        task_type=_text(path, number, row, "task_type") or "",
        prompt_id=_text(path, number, row, "prompt_id") or f"{source}:{hashlib.sha1(encoded).hexdigest()[:12]}",
        mini_model=_text(path, number, row, "mini_model") or pair.partition("|")[0],
        large_model=_text(path, number, row, "large_model") or pair.partition("|")[2],
        output_format=_text(path, number, row, "output_format") or "",
    )


def _label(path: Path, number: int, row: Row, tier: str) -> bool | None:
    label = _flag(path, number, row, f"{tier}_correct")
    if label is not None:
        return label
    score = _number(path, number, row, f"{tier}_score", most=1.0)
    return None if score is None else score >= ACCEPTABLE_SCORE


def _text(path: Path, number: int, row: Row, column: str) -> str | None:
    value = row.get(column)
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise OutcomesError(path, f"row {number}: {column!r} is {type(value).__name__}", f"make {column!r} a text column")


def _answer(path: Path, number: int, row: Row, column: str) -> str | None:
    """Returns a text in which "" is a model that said nothing, not a text that nobody recorded."""
    return "" if row.get(column) == "" else _text(path, number, row, column)


def _flag(path: Path, number: int, row: Row, column: str) -> bool | None:
    value = row.get(column)
    if value is None or isinstance(value, bool):
        return value
    word = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise OutcomesError(path, f"row {number}: {column!r} is not true or false", f"make {column!r} a boolean column")


def _number(path: Path, number: int, row: Row, column: str, *, most: float) -> float | None:
    value = row.get(column)
    if value is None:
        return None
    try:
        parsed = float(value)
    except (TypeError, ValueError):
        parsed = -1.0
    if math.isnan(parsed):  # what a table without nulls writes for "none"
        return None
    if not 0.0 <= parsed <= most:
        what = "from 0 to 1" if most == 1.0 else "of at least 0"
        raise OutcomesError(path, f"row {number}: {column!r} is not a number {what}", f"make {column!r} one, or empty")
    return parsed


def _sources(kept: list[tuple[Outcome, Row]]) -> tuple[Source, ...]:
    counts: dict[tuple[str, str, str], int] = {}
    for outcome, row in kept:
        key = (outcome.source, str(row.get("source_repo") or ""), str(row.get("licence") or ""))
        counts[key] = counts.get(key, 0) + 1
    return tuple(Source(*key, rows=count) for key, count in sorted(counts.items()))
