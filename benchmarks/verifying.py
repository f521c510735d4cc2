"""Prints what verifying an answer takes, in microseconds on one core: its measures, and a whole verdict.

``served`` is the verdict on an answer whose prompt was scored before, as a service does to plan; ``alone`` scores the
prompt for its prior, too.

Made-up answers of about 500 tokens to prompts of 2,000 characters, of the kinds that the model judges: reasoning with a
result, JSON with reasoning and answer, and a list of tool calls.

Usage: ``python -m benchmarks.verifying [MODEL_FOLDER]`` (default: router_models/default)
"""

from __future__ import annotations

import json
import random
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.scoring import TEXTS, english, in_turn, microseconds
from specroute.core.outcome import Completion, FinishReason
from specroute.core.request import Message, Role, RouteRequest
from specroute.predictor.artifact import read_manifest
from specroute.predictor.scorer import load_scorer
from specroute.predictor.verifier.features import measure
from specroute.predictor.verifier.leeway import Cut
from specroute.predictor.verifier.loading import load_verifier, load_verifier_model
from specroute.predictor.verifier.validator import Verifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from specroute.predictor.scorer import Scorer

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


def judged(verifier: Verifier, asked: tuple[RouteRequest, Completion]) -> object:
    return verifier.judge(*asked)


def without_memory(folder: Path, scorer: Scorer) -> Verifier:
    """Returns the verifier of ``folder`` that scores each prompt anew.

    Raises:
        SystemExit: the model has none.
    """
    model = load_verifier_model(folder)
    if model is None:
        raise SystemExit(f"{folder}: the model has no verifier; name a folder that has one")
    return Verifier(lambda prompt: scorer.score(prompt).logit, model, model.manifest.min_p)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "router_models/default")
    served, scorer = load_verifier(folder, Cut()), load_scorer(folder, read_manifest(folder))
    alone = without_memory(folder, scorer)
    print(f"{folder}: microseconds per answer, least / median")
    print(f"{'kind':9} {'chars':>6} {'measures':>17} {'served':>17} {'alone':>17}")
    worst = {"served": 0.0, "alone": 0.0}
    for kind, made in KINDS.items():
        draws = [random.Random(f"{kind}:{at}") for at in range(TEXTS)]
        pairs = [(english(draw, PROMPT_CHARS), made(draw)) for draw in draws]
        asked = [
            (RouteRequest("", (Message(Role.USER, prompt),)), Completion(answer, (), FinishReason.STOP, "m"))
            for prompt, answer in pairs
        ]
        chars = sum(len(answer) for _, answer in pairs) // len(pairs)

        for prompt, _ in pairs:
            scorer.score(prompt)
        parts = {"measures": microseconds(in_turn(measured, pairs))}
        for name, verifier in (("served", served), ("alone", alone)):
            parts[name] = microseconds(in_turn(partial(judged, verifier), asked))
            worst[name] = max(worst[name], parts[name][1])
        cells = "".join(f"{low:9.1f} /{median:7.1f}" for low, median in parts.values())
        print(f"{kind:9} {chars:6,} {cells}")
    for name, median in worst.items():
        print(f"worst median {name}: {median:.0f} us, {median / LIMIT_US:.2f} of the limit of {LIMIT_US:g} us")


if __name__ == "__main__":
    main()
