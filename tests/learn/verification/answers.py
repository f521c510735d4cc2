"""Outcomes with answers, made up for tests: sums in JSON, some of them wrong, and short answers with a confidence."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.dataset import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAIR, OTHER_PAIR = "tiny|huge", "small|vast"
FOLDS = 2

_THINGS = ("rolls", "pens", "shells", "stamps", "boxes", "cards")


def _answer(draw: random.Random, one: int, other: int, *, is_right: bool) -> str:
    product = one * other
    stated = product if is_right else product + draw.randint(1, 9)
    reasoning = f"There are {one} * {other} = {product if draw.random() < 0.7 else stated} in all."
    return json.dumps({"reasoning": reasoning, "answer": str(stated)})


def rows(count: int = 320, *, seed: int = 3, pair: str = PAIR, confident: int = 0) -> tuple[Outcome, ...]:
    draw = random.Random(f"{seed} {pair}")
    made = []
    for number in range(count):
        one, other = draw.randint(3, 40), draw.randint(3, 40)
        mini, large = draw.random() < 0.7, draw.random() < 0.9
        prompt = f'{one} bags hold {other} {draw.choice(_THINGS)} each. How many? Reply in JSON: "answer": "42".'
        made.append(
            Outcome(
                pair,
                f"g{number // 2}",
                prompt,
                "sums" if number % 2 else "products",
                mini,
                large,
                mini_response=_answer(draw, one, other, is_right=mini),
                large_response=_answer(draw, one, other, is_right=large),
            )
        )
    for number in range(confident):
        mini = draw.random() < 0.6
        stated = min(1.0, max(0.0, draw.gauss(0.85 if mini else 0.6, 0.1)))
        made.append(
            Outcome(
                pair,
                f"c{number}",
                f"Pick one, number {number}.",
                "letters",
                mini,
                True,
                mini_logprob_conf=0.9,
                mini_verbal_conf=stated,
                mini_output_tokens=float(draw.randint(80, 100)),
            )
        )
    return tuple(made)


def folds_of(made: tuple[Outcome, ...]) -> NDArray[np.int64]:
    return np.array([int(row.group_id[1:]) % FOLDS for row in made], dtype=np.int64)
