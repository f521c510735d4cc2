"""Outcomes written for tests: sums are hard for the made-up mini, greetings are easy, and a little of each is noise."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PAIR = "tiny|huge"
OTHER_PAIR = "small|vast"

_HARD = ("integral", "eigenvalue", "tensor", "lemma", "residue", "manifold")
_EASY = ("hello", "colour", "weather", "morning", "garden", "bread")


def rows(count: int = 240, *, seed: int = 5, pair: str = PAIR) -> list[dict[str, object]]:
    draw = random.Random(seed)
    made = []
    for number in range(count):
        is_hard = draw.random() < 0.5
        words = [draw.choice(_HARD if is_hard else _EASY) for _ in range(draw.randint(3, 12))]
        made.append(
            {
                "prompt": f"Question {draw.randint(10, 10**6)}: {' '.join(words)} (no. {number} of {pair})?",
                "pair": pair,
                "mini_correct": draw.random() < (0.2 if is_hard else 0.9),
                "large_correct": draw.random() < (0.6 if is_hard else 0.95),
                "mini_output_tokens": draw.randint(100, 200) if is_hard else draw.randint(5, 10),
                "group_id": f"g{seed}-{number // 2}",
                "source": "hard" if number % 3 else "mixed",
                "source_repo": "example/made-up",
                "licence": "CC0",
            }
        )
    return made


def write_jsonl(path: Path, table: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in table), encoding="utf-8")
    return path
