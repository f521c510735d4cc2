"""Who is confirmed, and the service that each of them is served by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specroute.learn.play import ALWAYS_LARGE, Cuts
from specroute.learn.prices import ModelPrice, PairPrices
from specroute.predictor.certificate import write_certificate
from specroute.tuning.confirm.finalists import Finalist, finalists
from specroute.tuning.findings import Setting
from specroute.tuning.recommended.template import Shape
from tests.tuning.found import PAIR, SETTING, certificate, certified, effect, found, policies

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shape(tmp_path: Path) -> Shape:
    (tmp_path / "model").mkdir()
    return Shape(PAIR, PairPrices(ModelPrice(0.15, 0.6), ModelPrice(2.5, 10.0)), tmp_path / "model")


def by_name(**changes: object) -> dict[str, Finalist]:
    return {finalist.name: finalist for finalist in finalists(found(**changes))}


def test_the_best_both_tiers_and_what_is_certified_are_confirmed() -> None:
    assert list(by_name()) == ["recommended", "always_large", "always_mini", "certified"]


def test_a_certificate_that_holds_for_the_recommended_itself_needs_no_finalist_of_its_own() -> None:
    covering = certified()
    same = type(covering)(covering.certificate, covering.effect, covers_recommended=True, note="")

    assert "certified" not in by_name(certified=same)
    assert "certified" not in by_name(certified=None)


@pytest.mark.parametrize("cuts", [ALWAYS_LARGE, Cuts(0.0, -0.1, None)])
def test_a_best_setting_that_is_one_tier_alone_is_confirmed_as_that(cuts: Cuts) -> None:
    assert list(by_name(policies=policies(effect(), Setting(cuts, None)), certified=None)) == [
        "always_large",
        "always_mini",
    ]


def test_each_is_served_as_it_was_searched(shape: Shape) -> None:
    chosen = by_name()

    recommended = chosen["recommended"].settings(shape, None)
    large = chosen["always_large"].settings(shape, None)

    assert recommended.policy.thresholds.direct_mini == SETTING.cuts.direct_mini
    assert recommended.policy.thresholds.hedge_delay_s == SETTING.hedge_delay_s
    assert recommended.policy.tuned is None
    assert (large.policy.kind, large.policy.tier) == ("always", "large")
    assert recommended.tiers[1].price.output_nano_usd_per_mtok == 10_000_000_000


def test_a_certified_one_takes_its_cuts_from_the_file(shape: Shape, tmp_path: Path) -> None:
    file = tmp_path / "certificate.json"
    write_certificate(file, certificate())

    settings = by_name()["certified"].settings(shape, file)

    assert settings.policy.certificate == file
    assert settings.validation.validators[-1].name == "verifier"
    assert settings.validation.validators[-1].min_p is None


def test_faster_tiers_have_a_shorter_hedge_delay(shape: Shape) -> None:
    settings = by_name()["recommended"].settings(shape, None, base_url="http://127.0.0.1:5/v1", speed=5.0)

    assert settings.policy.thresholds.hedge_delay_s == pytest.approx(1.19 / 5, abs=5e-4)
    assert str(settings.tiers[0].upstreams[0].base_url).startswith("http://127.0.0.1:5/v1")
