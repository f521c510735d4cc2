import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.upstreams.simulated.latency import (
    LARGE,
    LATENCY_MODELS,
    MINI,
    RECORDED,
    LatencyModel,
    latency_model,
    with_profiles,
)
from specroute.upstreams.simulated.profile import DEFAULT_TIERS, LatencyProfile, Pace

NAMES = st.sampled_from(sorted(LATENCY_MODELS))


def pace_of(model: LatencyModel, tier: str, prompt: str, *, recorded_s: float | None = None, **fields: int) -> Pace:
    return model.pace(tier, prompt, output_tokens=40, recorded_s=recorded_s, **({"seed": 0} | fields))


def first_tokens(model: LatencyModel, tier: str, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([pace_of(model, tier, f"prompt {index}").ttft_s for index in range(count)])


@given(NAMES, st.sampled_from([MINI, LARGE]), st.text(), st.integers(0, 9), st.integers(0, 9))
def test_a_draw_depends_on_seed_tier_prompt_and_number_alone(
    name: str, tier: str, prompt: str, seed: int, draw: int
) -> None:
    model = latency_model(name)
    pace = pace_of(model, tier, prompt, seed=seed, draw=draw)

    pace_of(model, LARGE, "something in between", seed=seed)
    assert pace_of(latency_model(name), tier, prompt, seed=seed, draw=draw) == pace
    assert pace_of(model, tier, f"{prompt}.", seed=seed, draw=draw) != pace
    assert pace_of(model, tier, prompt, seed=seed + 1, draw=draw) != pace
    assert pace_of(model, tier, prompt, seed=seed, draw=draw + 1) != pace


@pytest.mark.parametrize("name", sorted(LATENCY_MODELS))
def test_what_slows_one_tier_often_slows_the_other_as_much_as_the_model_says(name: str) -> None:
    model = latency_model(name)
    mini, large = (np.log(first_tokens(model, tier, 3000)) for tier in (MINI, LARGE))

    assert np.corrcoef(mini, large)[0, 1] == pytest.approx(model.correlation, abs=0.05)


def test_profiles_are_drawn_each_for_itself() -> None:
    model = LatencyModel.of_profiles(DEFAULT_TIERS)
    mini, large = (np.log(first_tokens(model, tier, 3000)) for tier in (MINI, LARGE))

    assert abs(np.corrcoef(mini, large)[0, 1]) < 0.05


@pytest.mark.parametrize("name", sorted(LATENCY_MODELS))
def test_the_median_and_the_tail_are_those_of_the_profile(name: str) -> None:
    model = latency_model(name)
    for tier, profile in model.tiers.items():
        p50, p99 = np.percentile(first_tokens(model, tier, 4000), [50, 99])
        assert p50 == pytest.approx(profile.ttft_p50_s, rel=0.06)
        assert p99 == pytest.approx(profile.ttft_p99_s, rel=0.2)


def test_a_recorded_latency_stands_above_the_profile_where_the_model_prefers_it() -> None:
    recorded = pace_of(latency_model(RECORDED), MINI, "x", recorded_s=3.0)

    assert recorded.ttft_s + 40 * recorded.per_token_s == pytest.approx(3.0)
    assert pace_of(latency_model("mini-fast"), MINI, "x", recorded_s=3.0) == pace_of(
        latency_model("mini-fast"), MINI, "x"
    )
    assert pace_of(latency_model(RECORDED), MINI, "x") == pace_of(latency_model("mini-fast"), MINI, "x")


def test_mini_is_faster_in_one_model_and_slower_in_the_other() -> None:
    for name, faster in (("mini-fast", MINI), ("mini-slow", LARGE)):
        tiers = latency_model(name).tiers
        slower = LARGE if faster == MINI else MINI
        assert tiers[faster].ttft_p50_s < tiers[slower].ttft_p50_s
        assert tiers[faster].tokens_per_s > tiers[slower].tokens_per_s
        assert "correlation 0.5" in latency_model(name).described()


def test_single_tiers_can_be_replaced_and_the_rest_stays() -> None:
    profile = LatencyProfile(0.1, 0.1, tokens_per_s=1000)
    model = with_profiles(latency_model("mini-fast"), {LARGE: profile})

    assert pace_of(model, LARGE, "x").ttft_s == pytest.approx(0.1)
    assert pace_of(model, MINI, "x") == pace_of(latency_model("mini-fast"), MINI, "x")


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="--latency 'fast': choose one of recorded, mini-fast, mini-slow"):
        latency_model("fast")


@pytest.mark.parametrize("correlation", [-0.1, 1.1, math.nan])
def test_a_correlation_that_is_none_is_refused(correlation: float) -> None:
    with pytest.raises(ValueError, match="correlation must be in"):
        LatencyModel("x", {}, correlation)
