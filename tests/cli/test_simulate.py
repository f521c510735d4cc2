"""How fast the tiers of ``specroute simulate`` are."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from specroute.cli.simulate import read_tiers, simulate
from specroute.upstreams.simulated.latency import LARGE, MINI, latency_model
from specroute.upstreams.simulated.profile import DEFAULT_TIERS

APP = typer.Typer()
APP.command()(simulate)


def test_without_a_model_each_tier_has_its_own_profile() -> None:
    assert read_tiers([], None) == (DEFAULT_TIERS, None)


@pytest.mark.parametrize("name", ["mini-fast", "mini-slow", "recorded"])
def test_a_named_model_is_taken_as_it_is(name: str) -> None:
    tiers, model = read_tiers([], name)

    assert model == latency_model(name)
    assert [tier.quality for tier in tiers] == [tier.quality for tier in DEFAULT_TIERS]


def test_a_tier_changes_the_keys_that_it_gives_and_keeps_the_rest_of_the_model() -> None:
    tiers, model = read_tiers(["large:ttft=0.1s", "mini:correct=0.5"], "mini-slow")
    named = latency_model("mini-slow")

    assert model is not None
    assert model.tiers[LARGE].ttft_p50_s == 0.1
    assert model.tiers[LARGE].tokens_per_s == named.tiers[LARGE].tokens_per_s
    assert model.tiers[MINI] == named.tiers[MINI]
    assert model.correlation == named.correlation
    assert tiers[0].quality.correct == 0.5


def test_a_further_tier_has_a_latency_too() -> None:
    tiers, model = read_tiers(["medium:ttft=0.2s"], "mini-fast")

    assert model is not None
    assert {tier.name for tier in tiers} == set(model.tiers) == {MINI, LARGE, "medium"}


def test_an_unknown_model_is_refused_in_one_line() -> None:
    result = CliRunner().invoke(APP, ["--latency", "fast"])

    assert result.exit_code == 2
    assert result.stderr == ("specroute simulate: --latency 'fast': choose one of recorded, mini-fast, mini-slow\n")


def test_a_file_of_outcomes_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(APP, ["--outcomes", str(tmp_path / "absent.csv")])

    assert result.exit_code == 1
    assert "absent.csv: no such file" in result.stderr
    assert result.stderr.count("\n") == 1
