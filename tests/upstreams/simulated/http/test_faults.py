from collections import Counter

import pytest

from specroute.upstreams.simulated.http.faults import (
    Fault,
    FaultInjector,
    FaultKind,
    FaultRate,
    parse_fault,
    parse_fault_rate,
)


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind is not FaultKind.STATUS])
def test_every_kind_is_parsed_from_its_word(kind: FaultKind) -> None:
    assert parse_fault(kind.value) == Fault(kind)
    assert Fault(kind).word == kind.value


def test_statuses_are_parsed_from_their_number() -> None:
    assert parse_fault("429") == Fault(FaultKind.STATUS, 429)
    assert parse_fault("503").word == "503"


@pytest.mark.parametrize("word", ["", "status", "200", "999", "slow", "４２９"])
def test_other_words_are_refused_and_the_valid_ones_named(word: str) -> None:
    with pytest.raises(ValueError, match="mid_stream_error"):
        parse_fault(word)


def test_rates_are_parsed_with_and_without_a_tier() -> None:
    assert parse_fault_rate("429:0.05") == FaultRate(Fault(FaultKind.STATUS, 429), 0.05)
    assert parse_fault_rate("mini:hang:1") == FaultRate(Fault(FaultKind.HANG), 1.0, "mini")


@pytest.mark.parametrize("text", ["429", "429:", ":0.1", "429:1.5", "429:-0.1", "429:nan", "429:often", "nope:0.1"])
def test_rates_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"PROBABILITY|is not a fault"):
        parse_fault_rate(text)


def test_faults_come_as_often_as_told_and_only_to_their_tier() -> None:
    rates = [parse_fault_rate("429:0.2"), parse_fault_rate("mini:reset:0.3")]
    injector = FaultInjector(rates, seed=1)

    counts = {
        tier: Counter(fault.word if fault else "" for fault in (injector.draw(tier, str(i)) for i in range(5_000)))
        for tier in ("mini", "large")
    }

    assert counts["mini"]["429"] == pytest.approx(1_000, rel=0.15)
    assert counts["mini"]["reset"] == pytest.approx(1_500, rel=0.15)
    assert counts["large"]["429"] == pytest.approx(1_000, rel=0.15)
    assert counts["large"]["reset"] == 0


def test_a_retry_of_the_same_prompt_meets_a_fresh_draw_and_a_new_run_the_same_ones() -> None:
    rates = [parse_fault_rate("500:0.5")]
    runs = []
    for _ in range(2):
        injector = FaultInjector(rates, seed=2)
        runs.append([injector.draw("mini", "prompt") for _ in range(50)])

    assert runs[0] == runs[1]
    assert None in runs[0]
    assert Fault(FaultKind.STATUS, 500) in runs[0]


def test_rates_that_add_up_to_more_than_one_are_refused() -> None:
    with pytest.raises(ValueError, match="mini add up"):
        FaultInjector([parse_fault_rate("429:0.6"), parse_fault_rate("mini:hang:0.6")], seed=0)


def test_a_rate_limit_says_when_to_try_again() -> None:
    assert Fault(FaultKind.STATUS, 429).error().retry_after_s == 1
    assert Fault(FaultKind.STATUS, 500).error().type == "server_error"
    assert Fault(FaultKind.STATUS, 401).error().type == "invalid_request_error"
