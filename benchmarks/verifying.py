"""Prints what verifying an answer takes, in microseconds on one core: its measures, and a whole verdict with the prior.

Made-up answers of about 500 tokens to prompts of 2,000 characters, of the kinds that the model judges: reasoning with a
result, JSON with reasoning and answer, and a list of tool calls.

Usage: ``python -m benchmarks.verifying [MODEL_FOLDER]`` (default: router_models/default)
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.scoring import TEXTS, english, in_turn, microseconds
from specroute.core.outcome import Completion, FinishReason
from specroute.core.request import Message, Role, RouteRequest
from specroute.predictor.verifier.features import measure
from specroute.predictor.verifier.loading import load_verifier

if TYPE_CHECKING:
    from collections.abc import Callable

PROMPT_CHARS = 2_000
ANSWER_CHARS = 2_000
LIMIT_US = 1_000.0


def reasoned(draw: random.Random) -> str:
    """Returns sentences with sums among them, and a result."""
    steps: list[str] = []
    total = 0
    while sum(map(len, steps)) < ANSWER_CHARS - 40:
        more = draw.randint(2, 99)
        steps.append(f"{english(draw, 120)} {total} + {more} = {total + more}. ")
        total += more
    return f"{''.join(steps)}The answer is {total}."


def as_json(draw: random.Random) -> str:
    """Returns an object with the reasoning and the answer."""
    reasoning = reasoned(draw)
    return json.dumps({"reasoning": reasoning, "answer": reasoning.rsplit(" ", 1)[-1].rstrip(".")})


def calls(draw: random.Random) -> str:
    """Returns tool calls as outcomes record them."""
    made: list[dict[str, str]] = []
    while len(json.dumps(made)) < ANSWER_CHARS - 120:
        arguments = {"place": english(draw, 30), "days": draw.randint(1, 9), "note": english(draw, 80)}
        made.append({f"find_{draw.choice('abcdef')}": json.dumps(arguments)})
    return json.dumps(made)


KINDS: dict[str, Callable[[random.Random], str]] = {"reasoned": reasoned, "json": as_json, "calls": calls}


def measured(pair: tuple[str, str]) -> object:
    return measure(*pair)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "router_models/default")
    verifier = load_verifier(folder, min_p=None)
    print(f"{folder}: microseconds per answer, least / median")
    worst = 0.0
    for kind, made in KINDS.items():
        draws = [random.Random(f"{kind}:{at}") for at in range(TEXTS)]
        pairs = [(english(draw, PROMPT_CHARS), made(draw)) for draw in draws]
        asked = [
            (RouteRequest("", (Message(Role.USER, prompt),)), Completion(answer, (), FinishReason.STOP, "m"))
            for prompt, answer in pairs
        ]
        chars = sum(len(answer) for _, answer in pairs) // len(pairs)

        def judged(each: tuple[RouteRequest, Completion]) -> object:
            return verifier.judge(*each)

        parts = microseconds(in_turn(measured, pairs)), microseconds(in_turn(judged, asked))
        worst = max(worst, parts[1][1])
        cells = "".join(f"{low:9.1f} /{median:7.1f}" for low, median in parts)
        print(f"{kind:9} {chars:6,} characters; measures, verdict: {cells}")
    print(f"worst median: {worst:.0f} us, {worst / LIMIT_US:.2f} of the limit of {LIMIT_US:g} us")


if __name__ == "__main__":
    main()
