import pickle
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from specroute.config import Address, load_settings, policy_fingerprint
from specroute.config.explain import section_of, yaml_keys
from specroute.config.schema.settings import Settings
from tests.config.documents import VALID, changed, settings_of

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
ENVIRON = {"OPENAI_API_KEY": "sk-canary-7d1f"}


def test_what_is_not_written_has_its_default() -> None:
    settings = settings_of()
    upstream = settings.tiers[0].upstreams[0]

    assert settings.listen == Address("127.0.0.1", 0)
    assert (upstream.name, upstream.max_concurrency, upstream.retry.max_retries) == ("mini-0", 64, 1)
    assert (upstream.timeouts.connect_s, upstream.timeouts.first_token_s) == (2.0, 20.0)
    assert (upstream.timeouts.idle_s, upstream.timeouts.total_s) == (15.0, 120.0)
    assert (upstream.cancel_stops_billing, upstream.logprobs, upstream.api_key) == (True, False, None)
    assert settings.tiers[0].expected.output_tokens == 300
    assert settings.speculation.max_legs == 2
    assert [item.name for item in settings.validation.validators] == ["complete", "not_refusal", "output_contract"]
    assert {item.on_abstain for item in settings.validation.validators} == {"accept"}
    assert (settings.race.prefer, settings.race.cheapest_grace_s) == ("first_valid", 0.0)
    assert (settings.deadline.default_s, settings.deadline.max_s, settings.deadline.reserve_s) == (60.0, 600.0, 0.02)
    assert settings.limits.model_dump() == {
        "max_in_flight": 256,
        "max_prompt_bytes": 1_000_000,
        "max_attempts_per_request": 4,
    }
    assert (settings.drain.delay_s, settings.drain.grace_s) == (5.0, 30.0)
    assert settings.tls.cert_file is None


def test_prices_become_whole_nano_dollars_and_cached_input_costs_what_input_costs() -> None:
    price = settings_of().tiers[0].price

    assert price.input_nano_usd_per_mtok == 150_000_000
    assert price.output_nano_usd_per_mtok == 600_000_000
    assert price.cached_input_nano_usd_per_mtok == 150_000_000


def test_a_price_below_a_nano_dollar_is_rounded_up() -> None:
    assert settings_of(changed("0.15", "1e-12")).tiers[0].price.input_nano_usd_per_mtok == 1


def test_a_free_tier_is_a_tier_with_a_price_of_zero() -> None:
    assert settings_of(changed("0.15", "0")).tiers[0].price.input_nano_usd_per_mtok == 0


@pytest.mark.parametrize(("written", "seconds"), [("0s", 0.0), ("250ms", 0.25), ("on_rejection", None), ("1.5s", 1.5)])
def test_a_hedge_delay_is_a_span_or_on_rejection(written: str, seconds: float | None) -> None:
    assert settings_of(changed("250ms", written)).policy.thresholds.hedge_delay_s == seconds


def test_one_prior_holds_for_every_tier_but_the_last() -> None:
    assert settings_of().prior_by_tier == {"mini": 0.7}


def test_priors_by_tier_are_taken_as_written() -> None:
    settings = settings_of(changed("{prior: 0.7}", "{prior: {mini: 0.3, large: 1}}"))

    assert settings.prior_by_tier == {"mini": 0.3, "large": 1.0}


def test_always_needs_no_predictor() -> None:
    text = changed("predictor: {prior: 0.7}\n", "").replace(
        "  kind: thresholds\n  thresholds: {direct_mini: 0.9, direct_large: 0.3, hedge_delay: 250ms}\n",
        "  kind: always\n  tier: large\n",
    )

    assert settings_of(text).policy.tier == "large"
    assert settings_of(text).prior_by_tier == {}


def test_conditions_take_one_value_or_several() -> None:
    rule = "{name: r, when: {risk: high, user_tier: [a, b], labels: {x: y, z: [v, w]}}, race: [mini, large]}"
    when = settings_of(changed("{name: risky, when: {risk: high}, route: large}", rule)).policy.rules[0].when

    assert (when.risk, when.user_tier) == (("high",), ("a", "b"))
    assert when.labels == {"x": ("y",), "z": ("v", "w")}


def test_a_validator_inherits_what_an_abstention_means() -> None:
    text = VALID + (
        "validation:\n  validators: [complete, {name: not_refusal, on_abstain: accept}, {name: own, use: 'a.b:C'}]\n"
        "  on_abstain: reject\n"
    )
    items = settings_of(text).validation.validators

    assert [(item.name, item.on_abstain, item.use) for item in items] == [
        ("complete", "reject", None),
        ("not_refusal", "accept", None),
        ("own", "reject", "a.b:C"),
    ]


def test_a_rule_may_add_a_configured_validator_of_the_user() -> None:
    text = changed("route: large}", "route: large, validators: [own]}") + (
        "validation: {validators: [{name: own, use: 'a:b'}]}\n"
    )

    assert [item.name for item in settings_of(text).policy.rules[0].validators] == ["own"]


def test_a_rule_may_bring_a_validator_of_its_own() -> None:
    text = changed("route: large}", "route: large, validators: [{name: own, use: 'a:b', on_abstain: reject}]}")

    item = settings_of(text).policy.rules[0].validators[0]

    assert (item.name, item.use, item.on_abstain) == ("own", "a:b", "reject")


def test_settings_cannot_be_changed() -> None:
    settings = settings_of()

    with pytest.raises(ValidationError, match="frozen"):
        settings.race.prefer = "cheapest"
    with pytest.raises(TypeError):
        settings.policy.rules[0].when.labels["a"] = ("b",)  # type: ignore[index]  # as above


def test_a_model_is_looked_for_beside_the_file_and_then_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside, here = tmp_path / "etc", tmp_path / "here"
    (here / "m").mkdir(parents=True)
    beside.mkdir()
    monkeypatch.chdir(here)
    text = changed("{prior: 0.7}", "{model: m}")

    found_here = settings_of(text, folder=beside).predictor
    (beside / "m").mkdir()
    found_beside = settings_of(text, folder=beside).predictor

    assert found_here is not None
    assert found_beside is not None
    assert (found_here.model, found_beside.model) == (here / "m", beside / "m")


def test_the_version_of_a_policy_changes_with_what_decides_and_with_nothing_else() -> None:
    version = policy_fingerprint(settings_of())

    assert re.fullmatch("[0-9a-f]{8}", version)
    for same in (
        changed("metrics_listen: 127.0.0.1:9464", "metrics_listen: 127.0.0.1:9465"),
        changed("http://127.0.0.1:8000/v1", "http://elsewhere/v1"),
        f"# a comment\n{VALID}",
        VALID + "race: {prefer: first_valid}\n",
    ):
        assert policy_fingerprint(settings_of(same)) == version
    for other in (
        changed("0.15", "0.16"),
        changed("direct_mini: 0.9", "direct_mini: 0.91"),
        changed("risk: high", "risk: low"),
        VALID + "race: {prefer: cheapest}\n",
        VALID + "speculation: {max_legs: 1}\n",
        VALID + "validation: {on_abstain: reject}\n",
    ):
        assert policy_fingerprint(settings_of(other)) != version


def test_settings_travel_to_a_worker_process() -> None:
    settings = settings_of()

    copy = pickle.loads(pickle.dumps(settings))

    assert copy == settings


def test_the_example_loads_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "router_models" / "default").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    settings = load_settings(EXAMPLE, ENVIRON)

    assert settings.tier_names == ("mini", "large")
    assert settings.policy.kind == "thresholds"
    assert len(settings.policy.rules) == 4


def test_the_example_shows_every_key() -> None:
    words = set(re.findall(r"[a-z0-9_]+(?=[:,]| {3,})", EXAMPLE.read_text()))

    def missing(model: type) -> list[str]:
        fields = model.model_fields  # type: ignore[attr-defined]  # sections only come in here
        below = [name for field in fields.values() if (s := section_of(field.annotation)) for name in missing(s)]
        return [key for key in yaml_keys(model) if key not in words] + below

    assert missing(Settings) == []
