from pathlib import Path

import pytest

from specroute.config import ConfigError
from specroute.demo.policies import (
    BASELINE,
    DIRECT_LARGE,
    DIRECT_MINI,
    PRIOR,
    RECORDED_POLICIES,
    SIMULATED_POLICIES,
)

URL = "http://127.0.0.1:9/v1"


def test_every_policy_is_a_configuration_that_the_service_accepts() -> None:
    found = {policy.name: policy.settings(URL, model=None, max_in_flight=8) for policy in SIMULATED_POLICIES}
    assert list(found) == ["always-mini", BASELINE, "cascade", "race"]
    assert found["always-mini"].tier_names == ("mini",)
    assert found[BASELINE].tier_names == ("large",)
    assert found["cascade"].policy.thresholds.hedge_delay_s is None
    assert found["race"].policy.thresholds.hedge_delay_s == 0.0
    assert all(settings.listen.port == settings.metrics_listen.port == 0 for settings in found.values())


def test_cascade_and_race_differ_by_the_launch_of_the_second_leg_alone() -> None:
    cascade, race = (
        policy.config(URL, model=None, max_in_flight=8)
        for policy in SIMULATED_POLICIES
        if policy.name in ("cascade", "race")
    )
    assert cascade.replace("hedge_delay: on_rejection", "hedge_delay: 0s") == race


def test_the_prior_lies_between_the_cuts_so_that_without_a_model_both_tiers_run() -> None:
    assert DIRECT_LARGE < PRIOR < DIRECT_MINI


def test_a_model_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no model at"):
        SIMULATED_POLICIES[-1].settings(URL, model=tmp_path / "none", max_in_flight=8)


def test_with_a_model_that_has_a_verifier_answers_that_large_stands_behind_are_verified(tmp_path: Path) -> None:
    (tmp_path / "verifier.onnx").touch()

    verified, alone = (policy.config(URL, model=tmp_path, max_in_flight=8) for policy in RECORDED_POLICIES[::-2])

    assert "{name: verifier, on_abstain: reject}" in verified
    assert "verifier" not in alone.replace(str(tmp_path), "")
