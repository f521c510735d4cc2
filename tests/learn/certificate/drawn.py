"""Rows drawn from a made-up world in which every loss is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tests.learn.scored import scored

if TYPE_CHECKING:
    from specroute.learn.scoring import ScoredRows

FILES = {"model.onnx": "a" * 64}


def drawn(
    count: int,
    *,
    seed: int = 0,
    duplicates: int = 1,
    with_verifier: bool = True,
    rescued: float = 0.3,
    sources: tuple[str, ...] = ("algebra", "letters"),
) -> ScoredRows:
    """Returns ``count`` clusters of ``duplicates`` equal rows each.

    The mini is right with the verifier's probability, the large model nine times in ten where the mini is right less
    ``rescued``/3, and half the time elsewhere.
    """
    generator = np.random.default_rng(seed)
    hidden = generator.beta(3.0, 1.0, count)
    p = np.clip(hidden + generator.normal(0.0, 0.15, count), 0.01, 0.99)
    mini_ok = (generator.random(count) < hidden).astype(np.float64)
    large_ok = (generator.random(count) < np.where(mini_ok > 0, 1.0 - rescued / 3.0, 0.5)).astype(np.float64)
    names = [sources[at % len(sources)] for at in range(count)]
    index = np.repeat(np.arange(count), duplicates)
    rows = scored(
        p[index].tolist(),
        verifier_p=(hidden if with_verifier else np.full(count, np.nan))[index].tolist(),
        mini_ok=mini_ok[index].tolist(),
        large_ok=large_ok[index].tolist(),
        width=0.1,
        groups=index.tolist(),
        sources=[names[at] for at in index],
    )
    named = tuple(replace(row, prompt_id=f"id-{seed}-{at}") for at, row in enumerate(rows.rows))
    return replace(rows, rows=named)
