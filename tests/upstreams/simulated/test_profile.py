import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.upstreams.simulated.profile import (
    DEFAULT_TIERS,
    AnswerKind,
    LatencyProfile,
    QualityProfile,
    parse_tier,
    seeded,
)

KNOWN = {tier.name: tier for tier in DEFAULT_TIERS}


def test_the_same_words_seed_the_same_draws_and_other_words_others() -> None:
    first = seeded(7, "latency", "mini", "prompt").random()

    assert seeded(7, "latency", "mini", "prompt").random() == first
    assert seeded(8, "latency", "mini", "prompt").random() != first
    assert seeded(7, "latency", "large", "prompt").random() != first


def test_words_are_kept_apart() -> None:
    assert seeded(0, "ab", "c").random() != seeded(0, "a", "bc").random()


@given(
    p50=st.floats(0.001, 10),
    ratio=st.floats(1, 20),
    tail=st.floats(0, 1),
    factor=st.floats(1, 50),
    seed=st.integers(0, 2**32),
)
@settings(deadline=None)
def test_a_pace_stays_within_the_bounds_of_its_profile(
    p50: float, ratio: float, tail: float, factor: float, seed: int
) -> None:
    profile = LatencyProfile(p50, p50 * ratio, tokens_per_s=50, tail_probability=tail, tail_factor=factor)

    pace = profile.pace(random.Random(seed))

    assert 0 < pace.ttft_s <= p50 * ratio**1.51 * factor * 1.001
    assert 1 / 50 <= pace.per_token_s <= factor / 50 * 1.001


def test_drawn_first_token_times_have_the_percentiles_of_the_profile() -> None:
    profile = LatencyProfile(0.4, 2.0, tokens_per_s=100)
    rng = random.Random(1)

    drawn = sorted(profile.pace(rng).ttft_s for _ in range(20_000))

    assert drawn[10_000] == pytest.approx(0.4, rel=0.03)
    assert drawn[19_800] == pytest.approx(2.0, rel=0.1)


def test_stragglers_are_as_many_and_as_slow_as_told() -> None:
    profile = LatencyProfile(0.1, 0.1, tokens_per_s=100, tail_probability=0.1, tail_factor=6)
    rng = random.Random(2)

    paces = [profile.pace(rng) for _ in range(5_000)]

    slow = [pace for pace in paces if pace.ttft_s > 0.3]
    assert len(slow) / len(paces) == pytest.approx(0.1, abs=0.02)
    assert all(pace.ttft_s == pytest.approx(0.6) and pace.per_token_s == pytest.approx(0.06) for pace in slow)


@given(latency_s=st.floats(0, 100), tokens=st.integers(1, 5_000))
def test_a_recorded_latency_is_spread_without_loss(latency_s: float, tokens: int) -> None:
    pace = KNOWN["mini"].latency.pace_of_recorded(latency_s, tokens)

    assert pace.ttft_s + tokens * pace.per_token_s == pytest.approx(latency_s)


def test_kinds_come_as_often_as_the_profile_says() -> None:
    quality = QualityProfile(correct=0.5, refusal=0.1, empty=0.05, truncated=0.05, malformed=0.1)
    rng = random.Random(3)

    counts = Counter(quality.kind(rng) for _ in range(20_000))

    assert counts[AnswerKind.CORRECT] / 20_000 == pytest.approx(0.5, abs=0.02)
    assert counts[AnswerKind.WRONG] / 20_000 == pytest.approx(0.2, abs=0.02)
    assert counts[AnswerKind.MALFORMED] / 20_000 == pytest.approx(0.1, abs=0.02)


def test_the_level_of_a_prompt_changes_how_often_it_is_answered_rightly() -> None:
    quality = QualityProfile(correct=1.0, correct_by_level=(("hard", 0.0),))

    assert quality.kind(random.Random(4), "easy") is AnswerKind.CORRECT
    assert quality.kind(random.Random(4), "hard") is AnswerKind.WRONG


def test_probabilities_above_one_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to more than 1"):
        QualityProfile(correct=0.9, refusal=0.2)
    with pytest.raises(ValueError, match="add up to more than 1"):
        QualityProfile(correct=0.1, refusal=0.2, correct_by_level=(("easy", 0.9),))


def test_a_tier_is_parsed_from_its_option() -> None:
    tier = parse_tier("mini:ttft=150ms,tokens_per_s=120,tail=0.02x6,correct=0.7,correct@hard=0.2,refusal=0.02", KNOWN)

    assert tier.name == "mini"
    assert tier.latency.ttft_p50_s == pytest.approx(0.15)
    assert tier.latency.ttft_p99_s == pytest.approx(0.15 * 1.2 / 0.35)
    assert (tier.latency.tokens_per_s, tier.latency.tail_probability, tier.latency.tail_factor) == (120, 0.02, 6)
    assert (tier.quality.correct, tier.quality.refusal) == (0.7, 0.02)
    assert tier.quality.correct_by_level == (("hard", 0.2),)
    assert tier.quality.malformed == KNOWN["mini"].quality.malformed


def test_a_tier_that_is_not_known_starts_from_mini() -> None:
    tier = parse_tier("medium:tokens=50", KNOWN)

    assert (tier.name, tier.output_tokens_p50, tier.output_tokens_p99) == ("medium", 50, 250)
    assert tier.latency == KNOWN["mini"].latency


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mini:tftt=1s", "did you mean ttft="),
        ("mini:zzz=1", "one of ttft"),
        ("mini:correct", "is not a setting"),
        ("mini:ttft=soon", "ttft is not a number"),
        ("mini:ttft=nan", "ttft is not a number"),
        ("mini:tail=0.5", "tail is not a number: write it like tail=0.02x6"),
        ("mini:ttft=0s", "more than 0 s"),
        ("mini:ttft=2s,ttft_p99=1s", "ttft_p99 must not be less"),
        ("mini:tail=2x3", r"in \[0, 1\]"),
        ("mini:correct=0.99,refusal=0.5", "add up"),
        (":ttft=1s", "needs a name"),
    ],
)
def test_a_tier_that_cannot_be_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_tier(text, KNOWN)

    assert "\n" not in str(caught.value)


def test_default_tiers_are_finite() -> None:
    assert [tier.name for tier in DEFAULT_TIERS] == ["mini", "large"]
    assert all(math.isfinite(tier.latency.pace(random.Random(5)).ttft_s) for tier in DEFAULT_TIERS)
