"""From settings to the policy: what a certificate decides, and what it is refused for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from specroute.app.deciding import Deciding
from specroute.app.refused import SettingRefused
from specroute.config import parse_settings
from specroute.policy.planner import Always, Thresholds
from specroute.predictor.certificate import CertifiedCuts, Requires, read_certificate, write_certificate
from specroute.predictor.verifier.leeway import Cut, Leeway
from tests.fakes import LARGE, MINI, FixedPredictor
from tests.predictor.test_certificate import certificate

if TYPE_CHECKING:
    from pathlib import Path

    from specroute.predictor.certificate import Certificate

VERIFIER = {"name": "verifier", "on_abstain": "reject"}


def predictor() -> FixedPredictor:
    return FixedPredictor(version=certificate().model_version)


def decided(folder: Path, promise: Certificate, **sections: Any) -> Deciding:
    """What a service with two tiers, this certificate and these sections decides by."""
    (folder / "router_models").mkdir()
    write_certificate(folder / "certificate.json", promise)
    tiers = [
        {
            "name": name,
            "price": {"input_usd_per_mtok": price, "output_usd_per_mtok": price},
            "upstreams": [{"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "model": name}],
        }
        for name, price in sections.pop("tiers", {"mini": 1, "large": 10}).items()
    ]
    document = {
        "listen": "127.0.0.1:0",
        "metrics_listen": "127.0.0.1:0",
        "tiers": tiers,
        "predictor": {"model": "router_models"},
        "policy": {"kind": "thresholds", "certificate": "certificate.json"},
        "validation": {"validators": ["complete", VERIFIER]},
    }
    return Deciding.of(parse_settings(json.dumps(document | sections), folder=folder), predictor())


def but(promise: Certificate, **changes: object) -> Certificate:
    return msgspec.structs.replace(promise, **changes)


def test_the_certified_cuts_replace_those_of_the_configuration(tmp_path: Path) -> None:
    deciding = decided(tmp_path, certificate())

    policy = deciding.planner([MINI, LARGE]).policy

    assert isinstance(policy, Thresholds)
    assert policy.direct_mini > 1.0  # never
    assert (policy.direct_large, deciding.cut) == (0.2, Cut(0.8))
    assert deciding.planner([MINI, LARGE]).certificate == read_certificate(tmp_path / "certificate.json").sha256[:12]


def test_a_certified_cut_comes_with_its_leeway(tmp_path: Path) -> None:
    bent = but(certificate(), thresholds=CertifiedCuts(None, 0.2, 0.8, Leeway(0.5, 470.0)))

    assert decided(tmp_path, bent).cut == Cut(0.8, Leeway(0.5, 470.0))


def test_where_nothing_could_be_certified_everything_goes_to_the_strongest_tier(tmp_path: Path) -> None:
    nothing = but(certificate(), always_large=True, thresholds=CertifiedCuts(None, 1.0, None))

    assert decided(tmp_path, nothing).planner([MINI, LARGE]).policy == Always("large")


def test_a_certificate_about_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingRefused, match="calibrated for model older-1, loaded is made-up-1"):
        decided(tmp_path, but(certificate(), model_version="older-1"))


def test_a_certificate_is_about_two_tiers(tmp_path: Path) -> None:
    with pytest.raises(SettingRefused, match="two tiers, the service has 3"):
        decided(tmp_path, certificate(), tiers={"mini": 1, "medium": 5, "large": 10})


@pytest.mark.parametrize(
    ("validators", "problem"),
    [
        (["complete"], "add {name: verifier, on_abstain: reject}"),
        ([{"name": "verifier"}], "write on_abstain: reject"),
        ([VERIFIER | {"min_p": 0.5}], "comes from policy.certificate; remove it here"),
        ([VERIFIER | {"leeway": {"exponent": 0.5, "typical_tokens": 9.0}}], "comes from policy.certificate; remove it"),
    ],
)
def test_a_certificate_that_verifies_needs_the_verifier_as_it_was_certified(
    tmp_path: Path, validators: list[object], problem: str
) -> None:
    with pytest.raises(SettingRefused, match=problem):
        decided(tmp_path, certificate(), validation={"validators": validators})


def test_a_certificate_without_the_verifier_is_not_served_with_it(tmp_path: Path) -> None:
    with pytest.raises(SettingRefused, match="made without the verifier"):
        decided(tmp_path, but(certificate(), thresholds=CertifiedCuts(0.9, 0.2, None), verifier=False))


@pytest.mark.parametrize(
    ("thresholds", "race", "is_kept"),
    [
        ({"hedge_delay": "on_rejection"}, {}, True),
        ({"hedge_delay": "0s"}, {"prefer": "cheapest", "cheapest_grace": "600s"}, True),
        ({"hedge_delay": "0s"}, {"prefer": "cheapest", "cheapest_grace": "1s"}, False),
        ({"hedge_delay": "250ms"}, {}, False),
    ],
)
def test_a_signed_loss_is_served_only_where_large_never_displaces_an_accepted_mini(
    tmp_path: Path, thresholds: dict[str, object], race: dict[str, object], is_kept: bool
) -> None:
    signed = but(certificate(), method="betting", requires=Requires(prefer="cheapest"))
    policy = {"kind": "thresholds", "certificate": "certificate.json", "thresholds": thresholds}

    if is_kept:
        assert decided(tmp_path, signed, policy=policy, race=race).certificate_name
    else:
        with pytest.raises(SettingRefused, match="never displaces an accepted mini answer"):
            decided(tmp_path, signed, policy=policy, race=race)
