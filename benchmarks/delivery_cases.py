"""Recorded prompts as requests, their answers cut into the tokens that stream in, and answers broken on purpose."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from specroute.core.outcome import Chunk, FinishReason, ToolCallDelta
from specroute.core.request import JsonObjectOutput, Message, Role, RouteRequest, TextOutput, ToolCall
from specroute.learn.dataset import read_outcomes
from specroute.learn.readers import OutcomesError
from specroute.load.recorded_cases import recorded_book
from specroute.upstreams.simulated.answers import REFUSAL, NoAnswer
from specroute.upstreams.simulated.http.wire import ChatRequest
from specroute.upstreams.simulated.profile import seeded
from specroute.upstreams.simulated.recorded import TIERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from specroute.learn.dataset import Outcome
    from specroute.upstreams.simulated.recorded import RecordedOutcomes

CHARACTERS_PER_TOKEN = 4
LOOPED_CHARACTERS = 48
LOOP_TOKENS = 400
"""A loop says the last 48 characters again and again for so many tokens; then the token limit cuts it off."""


class Kind(Enum):
    """What mini's answer is."""

    JSON = "json"
    TOOL_CALLS = "tool calls"
    TEXT = "free text"


class Damage(Enum):
    """How an answer was broken. A stop in the middle of free text breaks nothing that a check could see."""

    CUT_OFF = "cut off"
    HALF_JSON = "half JSON, then a stop"
    REFUSAL = "refusal"
    LOOP = "loop"


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer; ``chunks`` bring it, a token each, the last one with the finish reason."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: FinishReason
    chunks: tuple[Chunk, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "chunks", tuple(_chunks(self)))


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded prompt.

    Attributes:
        request: its ``request_id`` is the prompt's id.
        group: near-duplicates share one.
        grades: tier -> whether the source graded its answer as right.
        damage: what was done to mini's answer; ``None``: nothing.
    """

    request: RouteRequest
    group: str
    kind: Kind
    answers: Mapping[str, Answer]
    grades: Mapping[str, bool]
    damage: Damage | None = None


def read_cases(path: Path, *, pair: str, json_contract: bool, seed: int) -> list[Case]:
    """Returns the prompts of ``pair`` with both answers and both grades, in an order drawn by ``seed``.

    ``json_contract``: prompts that ask for JSON in words are sent with the contract that says so; else as free text.

    Raises:
        OutcomesError: the file cannot be used; one line says why.
    """
    outcomes = read_outcomes(path)
    book = recorded_book(outcomes, pair)
    cases: dict[str, Case] = {}
    for row in outcomes.rows:
        if row.pair == pair and row.large_correct is not None:
            case = _case(row, book, json_contract=json_contract)
            if case is not None:
                cases.setdefault(row.prompt, case)
    if not cases:
        raise OutcomesError(path, f"no row of pair {pair!r} has both answers and both grades", "choose another --pair")
    ordered = sorted(cases.values(), key=lambda case: case.request.request_id)
    random.Random(seed).shuffle(ordered)
    return ordered


def damaged(cases: Sequence[Case], *, share: float, seed: int) -> list[Case]:
    """Returns ``cases`` with about ``share`` of mini's answers broken, each kind of damage equally often."""
    return [_damaged(case, seeded(seed, "damage", case.request.request_id), share) for case in cases]


def _case(row: Outcome, book: RecordedOutcomes, *, json_contract: bool) -> Case | None:
    answers: dict[str, Answer] = {}
    for tier in TIERS:
        found = book.answer(ChatRequest(model=tier, prompt=row.prompt, fingerprint="", input_bytes=0))
        if isinstance(found, NoAnswer):
            return None
        answers[tier] = Answer(found.text, found.tool_calls, found.finish_reason)
    asks_for_json = row.output_format.startswith("json") and json_contract
    kind = Kind.TOOL_CALLS if answers["mini"].tool_calls else Kind.JSON if asks_for_json else Kind.TEXT
    request = RouteRequest(
        row.prompt_id,
        (Message(Role.USER, row.prompt),),
        output=JsonObjectOutput() if asks_for_json else TextOutput(),
    )
    grades = {"mini": row.mini_correct, "large": bool(row.large_correct)}
    return Case(request, row.group_id, kind, answers, grades)


def _chunks(answer: Answer) -> list[Chunk]:
    chunks = [Chunk(part) for part in _tokens(answer.text)]
    for index, call in enumerate(answer.tool_calls):
        chunks.append(Chunk(tool_calls=(ToolCallDelta(index, call.id, call.name),)))
        chunks += [
            Chunk(tool_calls=(ToolCallDelta(index, arguments_json=part),)) for part in _tokens(call.arguments_json)
        ]
    last = chunks.pop() if chunks else Chunk()
    return [*chunks, last._replace(finish_reason=answer.finish_reason)]


def _tokens(text: str) -> list[str]:
    return [text[at : at + CHARACTERS_PER_TOKEN] for at in range(0, len(text), CHARACTERS_PER_TOKEN)]


def _damaged(case: Case, draw: random.Random, share: float) -> Case:
    if draw.random() >= share:
        return case
    kinds = [damage for damage in Damage if damage is not Damage.HALF_JSON or case.kind is not Kind.TEXT]
    damage = draw.choice(kinds)
    mini = _broken(case.answers["mini"], damage, draw)
    return replace(case, answers={**case.answers, "mini": mini}, grades={**case.grades, "mini": False}, damage=damage)


def _broken(answer: Answer, damage: Damage, draw: random.Random) -> Answer:
    match damage:
        case Damage.REFUSAL:
            return Answer(REFUSAL, (), FinishReason.STOP)
        case Damage.CUT_OFF:
            return _first_part(answer, draw, FinishReason.LENGTH)
        case Damage.HALF_JSON:
            return _first_part(answer, draw, answer.finish_reason)
        case Damage.LOOP:
            part = _first_part(answer, draw, FinishReason.LENGTH)
            times = LOOP_TOKENS * CHARACTERS_PER_TOKEN // LOOPED_CHARACTERS
            if not part.tool_calls:
                return Answer(part.text + part.text[-LOOPED_CHARACTERS:] * times, (), FinishReason.LENGTH)
            *before, last = part.tool_calls
            arguments = last.arguments_json + last.arguments_json[-LOOPED_CHARACTERS:] * times
            return Answer(part.text, (*before, replace(last, arguments_json=arguments)), FinishReason.LENGTH)


def _first_part(answer: Answer, draw: random.Random, finish_reason: FinishReason) -> Answer:
    """Returns the answer up to a random place within its text, or within the arguments of one of its tool calls."""
    if not answer.tool_calls:
        return Answer(answer.text[: _place(answer.text, draw)], (), finish_reason)
    at = draw.randrange(len(answer.tool_calls))
    call = answer.tool_calls[at]
    cut = replace(call, arguments_json=call.arguments_json[: _place(call.arguments_json, draw)])
    return Answer(answer.text, (*answer.tool_calls[:at], cut), finish_reason)


def _place(text: str, draw: random.Random) -> int:
    return draw.randint(min(1, len(text)), max(1, len(text) - 1))
