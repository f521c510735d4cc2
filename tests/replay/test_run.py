"""Rows played under one policy by the service's own router."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from specroute.learn.play import Cuts, PlannedAs, play
from specroute.replay.answers import ReplayError
from specroute.replay.run import ReplayRun, Stopped, replay
from specroute.upstreams.simulated.latency import LATENCY_MODELS
from tests.learn.scored import scored
from tests.replay.world import LARGE_USD, MINI_USD, MODEL, PAIR, MadeUpScores, constant, row, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from specroute.config import Settings
    from specroute.learn.dataset import Outcome
    from specroute.replay.scores import Scores
    from specroute.upstreams.simulated.latency import LatencyModel

REFUSAL = "I'm sorry, but I can't help with that request."


def played(
    own: Settings,
    rows: Sequence[Outcome],
    latency: LatencyModel | None = None,
    *,
    deadline_s: float | None = None,
    advance: Callable[[], None] = lambda: None,
    scores: Scores | None = None,
) -> ReplayRun:
    return replay(
        own,
        rows,
        pair=PAIR,
        latency=latency or constant(1.0, 2.0),
        seed=0,
        deadline_s=deadline_s,
        advance=advance,
        scores=scores,
    )


SHARES = st.sampled_from([0.0, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0])
DRAWN = st.tuples(SHARES, SHARES, SHARES, SHARES | st.just(math.nan), st.booleans(), st.booleans(), st.booleans())


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(DRAWN, min_size=1, max_size=8), SHARES, SHARES, SHARES)
def test_a_cascade_delivers_and_costs_what_the_table_of_numbers_says(
    drawn: list[tuple[float, float, float, float, bool, bool, bool]], one: float, other: float, min_p: float
) -> None:
    low, high = sorted((one, other))
    high = high if high > low else min(1.0, low + 0.05)
    low = low if high > low else low - 0.05
    passes, mini_ok, large_ok = ([bool(each[at]) for each in drawn] for at in (4, 5, 6))
    rows = [
        row(at, mini_ok=mini_ok[at], large_ok=large_ok[at], mini_response="It is so." if passes[at] else REFUSAL)
        for at in range(len(drawn))
    ]
    intervals = {each.prompt: tuple(sorted(drawn[at][:3])) for at, each in enumerate(rows)}
    table = scored(
        [sorted(each[:3])[1] for each in drawn],
        verifier_p=[each[3] for each in drawn],
        passes=passes,
        mini_ok=[float(ok) for ok in mini_ok],
        large_ok=[float(ok) for ok in large_ok],
    )
    table.p_low[:] = [min(each[:3]) for each in drawn]
    table.p_high[:] = [max(each[:3]) for each in drawn]
    own = settings(
        predictor={"model": str(MODEL)},
        policy={
            "kind": "thresholds",
            "thresholds": {"direct_mini": high, "direct_large": low, "hedge_delay": "on_rejection"},
        },
        validation={
            "validators": ["complete", "not_refusal", {"name": "verifier", "min_p": min_p, "on_abstain": "reject"}]
        },
    )
    scores = MadeUpScores(intervals, {each.prompt: drawn[at][3] for at, each in enumerate(rows)})  # type: ignore[arg-type]

    found = played(own, rows, LATENCY_MODELS["mini-fast"], scores=scores).played
    expected = play(table, Cuts(high, low, min_p))

    words = {PlannedAs.DIRECT_MINI: "direct mini", PlannedAs.DIRECT_LARGE: "direct large"}
    assert [f"{each.plan} {each.first_tier}" for each in found] == [
        words.get(PlannedAs(plan), "cascade mini") for plan in expected.plan
    ]
    assert [each.delivered_tier == "large" for each in found] == expected.large_delivered.tolist()
    assert [float(each.correct) for each in found] == expected.correct.tolist()
    # A refusal is found at its beginning and cut off: only then is less paid than for the whole answer.
    full = np.array([each.cost_usd for each in found])
    assert (full <= expected.cost_usd + 1e-12).all()
    kept = np.array(passes) | (expected.plan == PlannedAs.DIRECT_LARGE)
    assert full[kept] == pytest.approx(expected.cost_usd[kept])
    assert np.array([each.waste_usd for each in found])[kept] == pytest.approx(expected.waste_usd[kept])


def test_in_a_race_the_first_accepted_answer_wins_and_the_other_is_cut_off() -> None:
    (found,) = played(settings("0s"), [row(1)], constant(1.0, 2.0)).played

    assert (found.plan, found.delivered_tier, found.calls) == ("race", "mini", 2)
    assert found.latency_s == pytest.approx(1.0)
    assert found.ttft_s == pytest.approx(0.2)
    assert found.cost_usd == pytest.approx(MINI_USD + found.waste_usd)
    assert 0.0 < found.waste_usd < LARGE_USD


def test_a_large_answer_that_is_there_first_displaces_the_mini() -> None:
    (found,) = played(settings("200ms"), [row(1, mini_ok=False)], constant(2.0, 1.0)).played

    assert (found.plan, found.delivered_tier, found.correct) == ("hedge", "large", True)
    assert found.latency_s == pytest.approx(1.2)
    assert not found.escalated


def test_a_rejection_starts_the_large_model_at_once() -> None:
    (found,) = played(settings("1h"), [row(1, mini_response="")], constant(1.0, 2.0)).played

    assert (found.plan, found.delivered_tier, found.escalated) == ("hedge", "large", True)
    assert found.latency_s == pytest.approx(3.0)
    assert found.waste_usd == pytest.approx(MINI_USD)


@pytest.mark.parametrize("cut_s", [0.5, 0.77, 1.01, 1.3, 1.88])
def test_what_a_cancelled_call_cost_is_within_a_token_event_of_what_it_had_streamed(cut_s: float) -> None:
    """Large streams 400 tokens from 0.4 s to 2 s; counted from the text: a token is four bytes."""
    text = "word " * 320  # 1,600 bytes: 400 tokens
    asked = row(1, large_response=text.strip() + "....", large_output_tokens=400.0)
    latency = constant(1.0, 2.0)
    slow = replace(latency.tiers["large"], tokens_per_s=400.0 / 1.6)
    mini = replace(
        latency.tiers["mini"], ttft_p50_s=0.2 * cut_s, ttft_p99_s=0.2 * cut_s, tokens_per_s=50 / (0.8 * cut_s)
    )

    (found,) = played(settings("0s"), [asked], replace(latency, tiers={"mini": mini, "large": slow})).played

    streamed = 3 * (math.floor((cut_s - 0.4) / 1.6 * 400 / 3) + 1)
    input_tokens = 2  # of the prompt
    assert found.waste_usd / 20e-6 - input_tokens == pytest.approx(streamed, abs=3.5)


def test_a_request_that_runs_into_its_deadline_is_an_error_that_cost_money() -> None:
    run = played(settings("0s"), [row(1)], constant(5.0, 6.0), deadline_s=2.0)

    (found,) = run.played
    assert (found.delivered_tier, found.error, found.correct) == ("", "deadline_exceeded", False)
    assert found.ran_out_of_time
    assert found.ttft_s is None
    assert found.latency_s < 2.0  # the service keeps a margin to say so
    assert found.cost_usd == pytest.approx(found.waste_usd)
    assert found.cost_usd > 0.0


def test_of_two_answers_at_one_instant_the_cheaper_wins_every_time() -> None:
    rows = [row(number) for number in range(40)]

    run = played(settings("0s"), rows, constant(1.0, 1.0))

    assert {each.delivered_tier for each in run.played} == {"mini"}


def test_a_replay_is_the_same_each_time() -> None:
    rows = [row(number) for number in range(30)]

    one, other = (played(settings("500ms"), rows, LATENCY_MODELS["mini-fast"]) for _ in range(2))

    assert one == other


def test_a_row_ends_alike_whatever_was_played_before_it() -> None:
    rows = [row(number) for number in range(20)]
    whole = played(settings("500ms"), rows, LATENCY_MODELS["mini-fast"]).played
    (last,) = played(settings("500ms"), rows[-1:], LATENCY_MODELS["mini-fast"]).played

    assert whole[-1].latency_s == pytest.approx(last.latency_s)
    assert whole[-1].cost_usd == pytest.approx(last.cost_usd)


def test_a_replay_that_is_stopped_returns_what_was_played() -> None:
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done == 3:
            raise Stopped

    run = played(settings(), [row(number) for number in range(10)], advance=advance)

    assert len(run.played) == 3
    assert not run.is_whole


def test_more_or_fewer_tiers_than_two_are_refused() -> None:
    from tests.replay.world import document

    tiers = document()["tiers"]
    one = settings(tiers=tiers[:1], predictor=None, policy={"kind": "always", "tier": "small"})

    with pytest.raises(ReplayError, match=r"^tiers: 1 of them, and recorded outcomes hold answers of two"):
        played(one, [row(1)])


def test_a_webhook_is_refused_since_nothing_is_called() -> None:
    hooked = settings(validation={"validators": ["complete", {"name": "ours", "webhook": "https://nowhere.invalid/"}]})

    with pytest.raises(ReplayError, match="validator 'ours': a webhook is not called in a replay; remove it"):
        played(hooked, [row(1)])
