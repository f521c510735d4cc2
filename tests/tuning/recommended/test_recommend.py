"""A recommended configuration: accepted by the schema, changed only where it must be, with its expected effect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from specroute.config import ConfigError, parse_settings, stale
from specroute.learn.play import Cuts
from specroute.learn.prices import ModelPrice, PairPrices
from specroute.tuning.findings import Setting
from specroute.tuning.recommended.recommend import Base, Origin, recommendation
from specroute.tuning.recommended.template import Shape, base_config, confirming_config
from specroute.tuning.recommended.text_edits import CannotEdit
from tests.tuning.found import PAIR, SETTING, certificate, certified, effect, found, policies

ORIGIN = Origin("mini-fast", 0)
SHAPE = Shape(PAIR, PairPrices(ModelPrice(0.15, 0.6), ModelPrice(2.5, 10.0)), Path("model"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "certificate.json").write_text("{}")
    return tmp_path


def base(folder: Path, text: str = "") -> Base:
    return Base("config.yaml", text or base_config(SHAPE), folder)


def test_the_recommended_file_decides_by_what_was_found(folder: Path) -> None:
    made = recommendation(found(), base(folder), ORIGIN)

    settings = parse_settings(made.text, "recommended.yaml", folder=folder, environ=None)
    thresholds = settings.policy.thresholds
    assert (thresholds.direct_mini, thresholds.direct_large, thresholds.hedge_delay_s) == (0.96, 0.65, 1.19)
    verifier = settings.validation.validators[-1]
    assert (verifier.name, verifier.on_abstain, verifier.min_p) == ("verifier", "reject", 0.7)
    assert stale(settings, "words-1") == ()


def test_it_carries_where_it_comes_from(folder: Path) -> None:
    made = recommendation(found(), base(folder), Origin("mini-slow", 7))

    tuned = parse_settings(made.text, "f", folder=folder, environ=None).policy.tuned
    assert tuned is not None
    assert (tuned.data_sha256, tuned.pair, tuned.mode, tuned.seed) == ("0a" * 32, PAIR, "interactive", 7)
    assert (tuned.latency_model, tuned.expected.saved_ratio) == ("mini-slow", 0.6)
    assert tuned.certificate is not None
    assert not tuned.certificate.covers


def test_the_diff_changes_policy_and_validators_only_and_says_the_effect(folder: Path) -> None:
    made = recommendation(found(), base(folder), ORIGIN)

    lines = made.diff.splitlines()
    assert lines[0] == "# specroute tune: interactive, tiny|huge, at most 2.0% of quality lost"
    assert "# saves 60.0 % (58.0 to 62.0) of the money, calls that were not delivered paid" in lines
    removed = [line for line in lines if line.startswith("-") and not line.startswith("---")]
    assert removed == [
        "-    direct_mini: 0.9",
        "-    direct_large: 0.3",
        "-    hedge_delay: on_rejection",
        "-  validators: [complete, not_refusal, output_contract]",
    ]


def test_comments_and_order_of_the_users_file_stay(folder: Path) -> None:
    text = base_config(SHAPE).replace("    direct_mini: 0.9\n", "    direct_mini: 0.9   # ours\n") + "\n# the end\n"

    made = recommendation(found(), base(folder, text), ORIGIN)

    assert "    direct_mini: 0.96   # ours\n" in made.text
    assert made.text.endswith("# the end\n")
    kept = [line for line in text.splitlines() if line.startswith("#")]
    assert [line for line in made.text.splitlines() if line.startswith("#")] == kept


def test_the_example_of_every_key_can_be_tuned(folder: Path) -> None:
    example = (Path(__file__).parents[3] / "config.example.yaml").read_text("utf-8")
    text = example.replace("model: router_models/default ", "model: model ")

    made = recommendation(found(), base(folder, text), ORIGIN)

    assert parse_settings(made.text, "f", folder=folder, environ=None).policy.thresholds.hedge_delay_s == 1.19
    assert made.notes == (
        "4 rules of the configuration bind before the thresholds: the expected effect is without them.",
    )
    assert sum(line.startswith("#") or "  #" in line for line in made.text.splitlines()) == sum(
        line.startswith("#") or "  #" in line for line in text.splitlines()
    )


def test_what_is_tuned_again_replaces_what_was_tuned(folder: Path) -> None:
    once = recommendation(found(), base(folder), ORIGIN).text

    twice = recommendation(found(), base(folder, once), ORIGIN)
    other = recommendation(found(n_holdout=700), base(folder, once), Origin("mini-fast", 3))

    assert twice.text == once
    assert other.text == once.replace("seed: 0", "seed: 3")


@pytest.mark.parametrize(
    ("policy", "delay", "more"),
    [
        ("policy: {kind: always, tier: mini}\n", 0.0, ""),
        ("policy:\n  kind: always\n  tier: large\n", None, ""),
        ("policy:\n  # nothing yet\n  rules: []\n", 0.25, "race: {prefer: cheapest, cheapest_grace: 1s}\n"),
        ("", 1.5, "speculation: {max_legs: 1}\nvalidation: {on_abstain: reject}\n"),
        ("policy: {thresholds: {direct_mini: 0.9, hedge_delay: 250ms}}\n", 0.25,
         "validation:\n  validators:\n    - complete\n    - {name: verifier, min_p: 0.3, on_abstain: accept}\n"),
        ("policy: {}\n", 2.0, "validation: {validators: [complete, verifier]}\n"),
    ],
)  # fmt: skip
def test_any_layout_comes_to_the_same_decision(folder: Path, policy: str, delay: float | None, more: str) -> None:
    tiers = base_config(SHAPE).partition("policy:")[0]
    setting = Setting(SETTING.cuts, delay)

    made = recommendation(found(policies=policies(effect(), setting)), base(folder, tiers + policy + more), ORIGIN)

    settings = parse_settings(made.text, "f", folder=folder, environ=None)
    thresholds = settings.policy.thresholds
    assert settings.policy.kind == "thresholds"
    assert (thresholds.direct_mini, thresholds.direct_large, thresholds.hedge_delay_s) == (0.96, 0.65, delay)
    (verifier,) = [item for item in settings.validation.validators if item.name == "verifier"]
    assert (verifier.min_p, verifier.on_abstain) == (0.7, "reject")
    assert delay is None or (settings.race.prefer, settings.speculation.max_legs) == ("first_valid", 2)


def test_cuts_that_are_never_reached_are_the_ends_of_what_can_be_written(folder: Path) -> None:
    setting = Setting(Cuts(1.1, -0.1, None), None)
    text = base_config(SHAPE).replace("output_contract]", "output_contract, verifier]")

    made = recommendation(found(policies=policies(effect(), setting)), base(folder, text), ORIGIN)

    settings = parse_settings(made.text, "f", folder=folder, environ=None)
    assert (settings.policy.thresholds.direct_mini, settings.policy.thresholds.direct_large) == (1.0, 0.0)
    assert [item.name for item in settings.validation.validators] == ["complete", "not_refusal", "output_contract"]


def test_the_certified_alternative_takes_its_cuts_from_the_certificate(folder: Path) -> None:
    made = recommendation(found(), base(folder), ORIGIN)

    settings = parse_settings(made.certified, "certified.yaml", folder=folder, environ=None)
    assert settings.policy.certificate == folder / "certificate.json"
    assert settings.policy.thresholds.hedge_delay_s == 1.19
    assert settings.validation.validators[-1].min_p is None
    assert settings.policy.tuned is not None
    assert settings.policy.tuned.expected.saved_ratio == 0.4
    assert stale(settings, "words-1") == ()


def test_a_certificate_of_nothing_gives_no_alternative(folder: Path) -> None:
    nothing = replace(certified(), certificate=certificate(always_large=True))

    assert recommendation(found(certified=nothing), base(folder), ORIGIN).certified == ""
    assert recommendation(found(certified=None), base(folder), ORIGIN).certified == ""


def test_a_wrong_base_is_told_by_file_and_key(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml:\d+: polcy: unknown key"):
        recommendation(found(), base(folder, base_config(SHAPE).replace("policy:", "polcy:")), ORIGIN)


def test_a_layout_that_cannot_be_edited_is_refused_with_the_keys(folder: Path) -> None:
    text = base_config(SHAPE).replace("    hedge_delay: on_rejection\n", '    hedge_delay: "250m\\\n      s"\n')
    odd = text.replace(
        "[complete, not_refusal, output_contract]", "[complete, not_refusal, # why\n    output_contract # x\n  ]"
    )

    made = recommendation(found(), base(folder, text), ORIGIN)
    with pytest.raises(CannotEdit, match=r"cannot be edited safely; write policy\.thresholds\.direct_large, "):
        recommendation(found(), base(folder, odd), ORIGIN)

    assert "hedge_delay: 1.19s" in made.text


def test_simulated_tiers_have_the_names_that_grades_go_by(folder: Path) -> None:
    text = confirming_config(
        replace(SHAPE, model=folder / "model"), "{kind: always, tier: mini}", "http://127.0.0.1:1/v1", max_in_flight=8
    )

    settings = parse_settings(text, "f", folder=folder, environ=None)

    assert settings.tier_names == ("mini", "large")
    assert [tier.upstreams[0].model for tier in settings.tiers] == ["mini", "large"]
    assert settings.listen.port == 0
