"""What is compared with a configured policy, and several policies on the same rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import pytest

from specroute.config.schema.validation import LeewaySettings
from specroute.predictor.certificate import CertifiedCuts, write_certificate
from specroute.predictor.verifier.leeway import Leeway
from specroute.replay.answers import ReplayError
from specroute.replay.comparison import Comparison, World
from specroute.replay.policies import BASELINES, baselines, mini_p95_s
from specroute.replay.report.page import page, to_document
from specroute.replay.run import Stopped
from specroute.upstreams.simulated.latency import latency_model
from tests.predictor.test_certificate import certificate
from tests.replay.world import MODEL, PAIR, constant, document, row, settings

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [row(number, mini_ok=number % 2 == 0) for number in range(12)]


def world(rows: list[object] | None = None) -> World:
    return World(ROWS if rows is None else rows, 3, PAIR, latency_model("mini-fast"), None, 0)  # type: ignore[arg-type]


@dataclass
class Watching:
    """Notes what is played; stops after ``stop_after`` rows in all."""

    stop_after: int = 10**9
    order: list[str] = field(default_factory=list)
    rows: int = 0

    def started(self, policy: str, total: int) -> None:
        self.order.append(policy)

    def advanced(self, policy: str) -> None:
        self.rows += 1
        if self.rows == self.stop_after:
            raise Stopped


def compared(*names: str, stop_after: int = 10**9) -> tuple[Comparison, Watching]:
    comparison = Comparison.of({"configured": settings("500ms")}, names, world())
    progress = Watching(stop_after)
    comparison.run(progress)
    return comparison, progress


def test_each_baseline_does_what_its_name_says() -> None:
    comparison, _ = compared()
    plans = {name: set(summary.plans) for name, summary in comparison.summaries().items()}

    assert plans == {
        "configured": {"hedge"},
        "always_mini": {"direct_mini"},
        "always_large": {"direct_large"},
        "cascade": {"cascade"},
        "zones_cascade": {"cascade"},
        "race": {"race"},
        "race_all": {"race"},
        "fixed_hedge": {"hedge"},
    }
    assert list(plans) == ["configured", *BASELINES]


def test_always_large_is_played_first_whatever_is_asked_for() -> None:
    comparison, progress = compared("race")

    assert progress.order == ["always_large", "configured", "race"]
    assert list(comparison.summaries()) == ["configured", "always_large", "race"]
    assert comparison.is_whole


@pytest.mark.parametrize("name", ["always_mini", "always_large"])
def test_a_config_of_one_tier_equals_the_baseline_of_its_name(name: str) -> None:
    tier = "small" if name == "always_mini" else "big"
    comparison = Comparison.of({"configured": settings(policy={"kind": "always", "tier": tier})}, [name], world())
    comparison.run(Watching())

    assert comparison.runs["configured"].played == comparison.runs[name].played


def test_rules_hold_under_every_baseline_but_those_of_one_tier() -> None:
    policy = document()["policy"] | {"rules": [{"name": "all-large", "route": "big"}]}
    comparison = Comparison.of({"configured": settings(policy=policy)}, ["always_mini", "race"], world())
    comparison.run(Watching())
    found = comparison.summaries()

    assert found["race"].plans == {"direct_large": 1.0}
    assert found["always_mini"].plans == {"direct_mini": 1.0}


def test_a_comparison_that_is_stopped_has_what_was_played_on_the_same_rows() -> None:
    comparison, _ = compared(stop_after=len(ROWS) + 5)
    found = comparison.summaries()

    assert not comparison.is_whole
    assert {name: summary.n for name, summary in found.items()} == {"always_large": 12, "configured": 5}
    written = to_document(comparison, found, {})
    assert written["partial"] is True
    assert written["policies"]["configured"]["partial"] is True
    assert written["policies"]["always_large"]["partial"] is False
    assert "Interrupted" in page(comparison, found, command="again")


def test_a_page_names_every_policy_and_needs_nothing_else() -> None:
    comparison, _ = compared()
    html = page(comparison, comparison.summaries(), command="specroute replay <again>")

    assert all(name in html for name in ("configured", *BASELINES))
    assert "&lt;again&gt;" in html
    assert "http" not in html
    assert "3 left out" in html


def test_an_unknown_baseline_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ReplayError, match="--policy 'rcae': choose of configured, always_mini, always_large, cascade"):
        Comparison.of({"configured": settings()}, ["rcae"], world())


def test_cuts_cannot_be_borrowed_from_a_config_that_has_none() -> None:
    own = settings(policy={"kind": "always", "tier": "small"})

    assert [each.name for each in baselines(own, [], hedge_delay_s=1.0)] == [
        name for name in BASELINES if name not in ("race", "zones_cascade")
    ]
    with pytest.raises(ReplayError, match="--policy race: the config has no cuts"):
        baselines(own, ["race"], hedge_delay_s=1.0)


def test_a_config_may_not_be_called_like_a_baseline() -> None:
    with pytest.raises(ReplayError, match="--config race: that is the name of a baseline; rename the file"):
        Comparison.of({"race": settings()}, [], world())


def test_no_rows_are_nothing_to_compare() -> None:
    with pytest.raises(ReplayError, match="there is no row to replay"):
        Comparison.of({"configured": settings()}, [], world([]))


def test_a_model_that_cannot_be_used_is_named_with_its_setting(tmp_path: Path) -> None:
    own = settings(predictor={"model": str(tmp_path)}, validation={"validators": ["complete"]})
    comparison = Comparison.of({"configured": own}, [], world())

    with pytest.raises(ReplayError, match=r"^config 'configured': predictor\.model: "):
        comparison.run(Watching())


def test_the_fixed_hedge_waits_for_the_slowest_twentieth_of_the_minis_answers() -> None:
    assert mini_p95_s(ROWS, pair=PAIR, latency=constant(1.234, 2.0), seed=0) == 1.23


def test_baselines_of_a_certified_config_have_the_certified_cuts(tmp_path: Path) -> None:
    bent = CertifiedCuts(None, 0.2, 0.8, Leeway(0.5, 470.0))
    write_certificate(tmp_path / "certificate.json", msgspec.structs.replace(certificate(), thresholds=bent))
    own = settings(
        predictor={"model": str(MODEL)},
        policy={"kind": "thresholds", "certificate": str(tmp_path / "certificate.json")},
        validation={"validators": ["complete", {"name": "verifier", "on_abstain": "reject"}]},
    )

    (race,) = baselines(own, ["race"], hedge_delay_s=1.0)

    cuts = race.settings.policy.thresholds
    assert race.settings.policy.certificate is None
    assert cuts.direct_mini > 1.0  # never
    assert (cuts.direct_large, cuts.hedge_delay_s) == (0.2, 0.0)
    _, verifier = race.settings.validation.validators
    assert (verifier.min_p, verifier.leeway) == (0.8, LeewaySettings(exponent=0.5, typical_tokens=470.0))
