"""What becomes of a row, held to the real router on a virtual clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from specroute.core.outcome import AttemptEnd, Chunk, Completion, FinishReason, Verdict, VerdictKind
from specroute.learn.play import NEVER_DIRECT_LARGE, NEVER_DIRECT_MINI, Cuts, play
from specroute.policy.planner import Thresholds
from specroute.tuning.findings import Setting
from specroute.tuning.flights.flight import Flight, fly
from specroute.tuning.flights.world import TierWorld, World
from specroute.validators.judge import ConfiguredValidator, OnAbstain
from tests.fakes import (
    LARGE_PRICE,
    MINI_PRICE,
    Ended,
    FakeUpstream,
    Pause,
    Script,
    on_virtual_clock,
    request_of,
    router_of,
    served_of,
)
from tests.learn.scored import LARGE_USD, MINI_USD, scored
from tests.tuning.made_rows import answered, knows_nothing, world_of

if TYPE_CHECKING:
    from specroute.core.request import RouteRequest

NANO = 1e9
SHARES = st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0])
DELAYS = st.none() | st.just(0.0) | st.integers(1, 30).map(lambda tenths: tenths / 10)


@dataclass(frozen=True)
class Answer:
    """A tier's answer: seconds to the first token and between tokens, and how many there are."""

    first_s: float
    gap_s: float
    tokens: int

    @property
    def whole_s(self) -> float:
        return self.first_s + self.tokens * self.gap_s

    def script(self, letter: str) -> Script:
        said = [step for _ in range(self.tokens) for step in (Chunk(letter * 4), Pause(self.gap_s))]
        return (Pause(self.first_s), *said, Chunk(finish_reason=FinishReason.STOP))


def answers(unit_s: float) -> st.SearchStrategy[Answer]:
    """Instants of the two tiers never coincide, as their units have no common multiple within reach."""
    return st.builds(
        Answer,
        st.integers(1, 200).map(lambda units: units * unit_s),
        st.integers(1, 30).map(lambda units: units * unit_s),
        st.integers(1, 12),
    )


class RejectsMini:
    """Rejects, or abstains about, what the mini says; the large model's answers pass."""

    def __init__(self, name: str, kind: VerdictKind, *, is_contract: bool, is_learnt: bool) -> None:
        self.name = name
        self.is_contract = is_contract
        self.is_learnt = is_learnt
        self._kind = kind

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        kind = self._kind if completion.text.startswith("m") else VerdictKind.ACCEPT
        return Verdict(self.name, kind, "said")


def served(mini: Answer, large: Answer, setting: Setting, *, p: float, passes: bool, verifier_p: float) -> Ended:
    """What the real router does."""
    kinds = {True: VerdictKind.ACCEPT, False: VerdictKind.REJECT}
    checks = [ConfiguredValidator(RejectsMini("contract", kinds[passes], is_contract=True, is_learnt=False))]
    if setting.cuts.min_p is not None:
        kind = VerdictKind.ABSTAIN if np.isnan(verifier_p) else kinds[verifier_p >= setting.cuts.min_p]
        verifier = RejectsMini("verifier", kind, is_contract=False, is_learnt=True)
        checks.append(ConfiguredValidator(verifier, OnAbstain.REJECT))
    service = router_of(
        served_of("mini", FakeUpstream("mini-0", mini.script("m"))),
        served_of("large", FakeUpstream("large-0", large.script("l"))),
        policy=Thresholds(setting.cuts.direct_mini, setting.cuts.direct_large, setting.hedge_delay_s),
        p_accept={"mini": p},
        validators=checks,
    )
    return on_virtual_clock(lambda: service.run(request_of(), deadline_s=500.0))


def world_with(mini: Answer, large: Answer, *, p: float, passes: bool, verifier_p: float) -> World:
    """One row with these answers, at the prices of the fakes."""
    tiers, input_tokens = [], request_of().input_tokens
    rows = scored([p], passes=[passes], verifier_p=[verifier_p], mini_ok=[0.0], large_ok=[1.0])
    for answer, price, correct in ((mini, MINI_PRICE, 0.0), (large, LARGE_PRICE, 1.0)):
        whole, asked = (price.cost_of_nano_usd(input_tokens, tokens) / NANO for tokens in (answer.tokens, 0))
        columns = (answer.first_s, answer.whole_s, asked, whole, correct)
        tiers.append(TierWorld(*(np.array([[value]]) for value in columns)))
    return World(rows, tiers[0], tiers[1])


@settings(max_examples=150)
@given(
    answers(0.0101),
    answers(0.01373),
    SHARES,
    SHARES | st.just(float("nan")),
    st.booleans(),
    st.tuples(SHARES, SHARES, SHARES | st.none(), DELAYS),
)
def test_a_flight_is_what_the_router_does(
    mini: Answer,
    large: Answer,
    p: float,
    verifier_p: float,
    passes: bool,
    drawn: tuple[float, float, float | None, float | None],
) -> None:
    one, other, min_p, delay_s = drawn
    low, high = sorted((one, other))
    setting = Setting(Cuts(high if high > low else NEVER_DIRECT_MINI, low, min_p), delay_s)
    assume(delay_s is None or min(abs(mini.whole_s - delay_s), abs(mini.whole_s - delay_s - large.whole_s)) > 1e-6)

    flight = fly(world_with(mini, large, p=p, passes=passes, verifier_p=verifier_p), setting)
    ended = served(mini, large, setting, p=p, passes=passes, verifier_p=verifier_p)

    launched = [attempt for attempt in ended.attempts if attempt.end is not AttemptEnd.NOT_LAUNCHED]
    assert ended.decision is not None
    money = ended.decision.money
    token_usd = LARGE_PRICE.cost_of_nano_usd(0, 1) / NANO
    assert ended.tier == ("large" if flight.large[0, 0] else "mini")
    assert flight.correct[0, 0] == flight.large[0, 0]
    assert ended.at_s == pytest.approx(flight.time_s[0, 0], abs=1e-6)
    assert len(launched) == flight.calls[0, 0]
    assert flight.waste_usd[0, 0] == pytest.approx(money.waste_nano_usd / NANO, abs=token_usd * 1.01)
    assert flight.cost_usd[0, 0] == pytest.approx(
        (money.delivered_nano_usd + money.waste_nano_usd) / NANO, abs=token_usd * 1.01
    )


def test_without_a_hedge_the_flight_is_what_play_says() -> None:
    rows = knows_nothing(200, seed=3)
    cuts = Cuts(0.8, 0.2, 0.5)

    flight, table = fly(world_of(rows), Setting(cuts, None)), play(rows, cuts)

    assert flight.large[:, 0].tolist() == table.large_delivered.astype(float).tolist()
    assert flight.cost_usd[:, 0] == pytest.approx(table.cost_usd)
    assert flight.waste_usd[:, 0] == pytest.approx(table.waste_usd)
    assert flight.correct[:, 0].tolist() == table.correct.tolist()


def hedged(delay_s: float | None, *, mini_s: float, large_s: float, verifier_p: float = 1.0) -> Flight:
    rows = answered(scored([0.5], verifier_p=[verifier_p]), mini_s=[mini_s], large_s=[large_s])
    return fly(world_of(rows), Setting(Cuts(NEVER_DIRECT_MINI, NEVER_DIRECT_LARGE, 0.5), delay_s))


def test_a_large_model_that_is_done_first_wins_and_the_mini_is_paid_as_far_as_it_came() -> None:
    flight = hedged(0.5, mini_s=10.0, large_s=1.0)

    assert flight.time_s[0, 0] == pytest.approx(1.5)
    assert flight.large[0, 0] == 1.0
    assert 0.0 < flight.waste_usd[0, 0] < MINI_USD


def test_a_hedge_that_starts_after_the_mini_was_accepted_costs_nothing() -> None:
    flight = hedged(0.6, mini_s=0.5, large_s=1.0)

    assert (flight.time_s[0, 0], flight.calls[0, 0]) == (pytest.approx(0.5), 1.0)
    assert flight.cost_usd[0, 0] == pytest.approx(MINI_USD)


def test_a_rejected_mini_starts_the_large_model_at_once() -> None:
    flight = hedged(5.0, mini_s=0.5, large_s=1.0, verifier_p=0.1)

    assert flight.time_s[0, 0] == pytest.approx(1.5)
    assert flight.cost_usd[0, 0] == pytest.approx(MINI_USD + LARGE_USD)
    assert flight.waste_usd[0, 0] == pytest.approx(MINI_USD)
