"""Predicted, replayed and live side by side: figures, same plans, and what is said where they disagree."""

from __future__ import annotations

import pytest

from specroute.tuning.confirm.compared import Call, Confirmation, Confirmed, Measured

PREDICTED = Measured(100, 0.9, 1e-3, 2.0, 6.0)


def calls(count: int = 100, *, plan: str = "hedge mini", right: float = 0.9, latency_s: float = 2.0) -> list[Call]:
    return [
        Call(f"prompt {at}", plan, "mini", is_right=at < right * count, cost_usd=1e-3, latency_s=latency_s)
        for at in range(count)
    ]


def test_no_calls_have_no_figures() -> None:
    assert Measured.of([]) is None


def test_what_agrees_is_not_spoken_of() -> None:
    row = Confirmed.of("recommended", PREDICTED, calls(), calls()[:50])

    assert list(row.disagreements()) == []
    assert row.same_plans == 1.0


def test_live_calls_are_compared_with_the_replay_of_the_same_prompts() -> None:
    live = [call for at, call in enumerate(calls()) if at >= 80]

    row = Confirmed.of("recommended", PREDICTED, calls(), live)

    assert row.replayed_again == row.live
    assert row.replayed_again is not None
    assert (row.replayed_again.n, row.replayed_again.quality) == (20, 0.5)


@pytest.mark.parametrize(
    ("replayed", "live", "sentence"),
    [
        (calls(right=0.8), [], "always: 90.0% right by the search, 80.0% by the engine."),
        (calls(latency_s=2.3), [], "always: p50 2.00 s by the search, 2.30 s by the engine."),
        (calls(), calls(latency_s=2.3), "always: p50 2.00 s by the engine, 2.30 s by the live service."),
        (calls(), calls(plan="direct mini"), "always: 0.0% of the live requests got the plan that the engine gave"),
    ],
)
def test_what_disagrees_is_said_in_a_sentence(replayed: list[Call], live: list[Call], sentence: str) -> None:
    (line,) = Confirmed.of("always", PREDICTED, replayed, live).disagreements()

    assert line.startswith(sentence)


def test_a_request_without_an_answer_is_told() -> None:
    failed = [Call("prompt 0", "", "", is_right=False, cost_usd=1e-3, latency_s=2.0), *calls()[1:]]

    lines = list(Confirmed.of("always", PREDICTED, calls(), failed).disagreements())

    assert "always: 1 of 100 live requests had no answer." in lines


def test_a_confirmation_says_how_it_was_done_and_what_limits_it() -> None:
    row = Confirmed.of("recommended", PREDICTED, calls(right=0.8), [])
    confirmation = Confirmation((row,), "by hand", ("It is small.",))

    assert confirmation.disagreements == (
        "Not confirmed: recommended: 90.0% right by the search, 80.0% by the engine.",
        "It is small.",
    )
    assert [cells[:3] for cells in confirmation.cells()] == [("recommended", "search", "100"), ("", "engine", "100")]
    assert confirmation.to_json()["policies"]["recommended"]["live"] is None
