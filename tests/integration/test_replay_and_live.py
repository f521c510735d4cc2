"""A replay on the virtual clock and the running service over sockets do the same with the same requests."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest
from benchmarks.replay import agreement, ask_live

from specroute.replay.run import replay
from specroute.replay.scores import Scores
from specroute.upstreams.simulated.latency import latency_model
from tests.replay.world import MODEL, PAIR, row, settings

if TYPE_CHECKING:
    from specroute.config import Settings
    from specroute.learn.dataset import Outcome
    from specroute.replay.run import ReplayRun

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

# Recorded times lie so far apart that no jitter of a busy machine changes who is first.
QUICK_S, SLOW_S = 0.03, 0.25
REFUSAL = "I'm sorry, but I can't help with that request."
CALLS = '[{"add": "{\\"a\\": 1, \\"b\\": 2}"}]'


def made_up_rows(count: int = 60) -> list[Outcome]:
    """Sums of every difficulty: right, wrong, refused and empty answers, tool calls, either tier ahead."""
    draw = random.Random(5)
    rows = []
    for number in range(count):
        one, other = draw.randrange(10, 99), draw.randrange(10, 99)
        mini_ok, large_ok = draw.random() < 0.7, draw.random() < 0.9
        answer = str(one * other) if mini_ok else draw.choice([str(one * other + 10), REFUSAL, ""])
        asks_tool = number % 10 == 0
        mini_is_quick = draw.random() < 0.6
        rows.append(
            row(
                number,
                mini_ok=mini_ok,
                large_ok=large_ok,
                prompt=f"What is {one} * {other}? Give the number alone. ({number})",
                mini_response=CALLS if asks_tool else answer,
                large_response=str(one * other if large_ok else one + other),
                mini_output_tokens=12.0,
                large_output_tokens=9.0,
                mini_latency_s=QUICK_S if mini_is_quick else SLOW_S,
                large_latency_s=SLOW_S if mini_is_quick else QUICK_S,
                output_format="tool_calls" if asks_tool else "",
            )
        )
    return rows


def configured(hedge_delay: str) -> Settings:
    """The default model with cuts between which most of the rows lie, and its verifier."""
    return settings(
        predictor={"model": str(MODEL)},
        policy={
            "kind": "thresholds",
            "thresholds": {"direct_mini": 0.9, "direct_large": 0.35, "hedge_delay": hedge_delay},
        },
        validation={
            "validators": ["complete", "not_refusal", "output_contract", {"name": "verifier", "on_abstain": "reject"}]
        },
    )


def replayed(own: Settings, rows: list[Outcome]) -> ReplayRun:
    return replay(
        own,
        rows,
        pair=PAIR,
        latency=latency_model("recorded"),
        seed=0,
        deadline_s=60.0,
        advance=lambda: None,
        scores=Scores(PAIR),
    )


@pytest.mark.parametrize("hedge_delay", ["0s", "120ms", "on_rejection"])
async def test_plans_deliveries_and_quality_are_the_same_live_as_replayed(hedge_delay: str) -> None:
    own, rows, latency = configured(hedge_delay), made_up_rows(), latency_model("recorded")
    live = await ask_live(own, rows, pair=PAIR, latency=latency, seed=0, speed=1.0)

    # A replay has a loop of its own, so it runs in a thread without one.
    run = await anyio.to_thread.run_sync(lambda: replayed(own, rows))
    found = agreement(run, live)

    assert found.n == len(rows)
    assert found.same_plan == 1.0
    assert found.same_tier == 1.0
    assert found.quality_live == found.quality_replayed
    assert found.p50_live_s > 0.5 * found.p50_replayed_s
