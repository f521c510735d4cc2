"""Validators with settings of their own: the verifier, webhooks, and what rules add."""

import pickle
from pathlib import Path

import pytest

from specroute.config import policy_fingerprint
from tests.config.documents import VALID, changed, only_problem, settings_of

HOOK = (
    "{name: safety, webhook: 'http://127.0.0.1:9000/check/', timeout: 250ms, contract: true, api_key_env: SAFETY_KEY}"
)
ENVIRON = {"SAFETY_KEY": "token-canary-55"}
RULE = "{name: risky, when: {risk: high}, route: large}"


def validated(*items: str) -> str:
    return f"{VALID}validation: {{validators: [{', '.join(items)}]}}\n"


def ruled(action: str, *items: str) -> str:
    return changed(RULE, f"{{name: risky, {action}, validators: [{', '.join(items)}]}}")


def with_model(text: str) -> str:
    return text.replace("{prior: 0.7}", "{model: .}")


def test_a_webhook_has_a_timeout_a_kind_and_a_key_that_is_masked_everywhere() -> None:
    settings = settings_of(validated("complete", HOOK), environ=ENVIRON)
    hook = settings.validation.validators[1]

    assert (hook.webhook, hook.timeout_s, hook.contract) == ("http://127.0.0.1:9000/check/", 0.25, True)
    assert hook.api_key is not None
    assert hook.api_key.get_secret_value() == "token-canary-55"
    for text in (repr(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert "canary" not in text
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_a_webhook_is_a_quality_check_that_waits_half_a_second_unless_told_otherwise() -> None:
    hook = settings_of(validated("{name: safety, webhook: 'http://host/check'}")).validation.validators[0]

    assert (hook.timeout_s, hook.contract, hook.on_abstain, hook.api_key) == (0.5, False, "accept", None)


def test_a_missing_token_is_named_on_its_line() -> None:
    assert only_problem(validated(HOOK), environ={}) == (
        "specroute.yaml:22: validation.validators[0].api_key_env: missing secret: "
        "the environment variable SAFETY_KEY is not set; set it"
    )


def test_a_verifier_takes_its_model_from_its_own_key_or_from_the_predictor(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    own = settings_of(validated("{name: verifier, model: models, min_p: 0.5}"), folder=tmp_path)
    shared = settings_of(with_model(validated("verifier")), folder=tmp_path)

    assert (own.validation.validators[0].model, own.validation.validators[0].min_p) == (tmp_path / "models", 0.5)
    assert (shared.validation.validators[0].model, shared.validation.validators[0].min_p) == (None, None)


def test_a_rule_may_add_a_verifier_where_a_model_is_known() -> None:
    rule = ruled("start: mini", "{name: verifier, min_p: 0.9}")

    assert settings_of(with_model(rule)).policy.rules[0].validators[0].min_p == 0.9
    assert only_problem(rule) == (
        "specroute.yaml:21: policy.rules[0].validators[0]: no model to verify with; "
        "add model: PATH to it, or write predictor: {model: PATH}"
    )


def test_a_rule_that_names_the_configured_verifier_needs_no_model_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    text = ruled("start: mini", "verifier") + "validation: {validators: [{name: verifier, model: models}]}\n"

    assert settings_of(text, folder=tmp_path).policy.rules[0].validators[0].is_a_name_alone


@pytest.mark.parametrize("item", ["verifier", "{name: verifier, min_p: 0.9}"])
def test_a_verifier_that_would_never_be_asked_is_refused(item: str) -> None:
    assert only_problem(with_model(ruled("route: mini", item))) == (
        "specroute.yaml:21: policy.rules[0].validators[0]: never asked, the answer of a route's only tier is final; "
        "write start in place of route"
    )


def test_a_rule_may_add_a_webhook_of_its_own() -> None:
    settings = settings_of(ruled("route: large", "{name: safety, webhook: 'http://host/check'}"))

    assert settings.policy.rules[0].validators[0].webhook == "http://host/check"


def test_the_version_of_the_policy_tells_what_is_decided_not_where_it_is_asked() -> None:
    def version(item: str) -> str:
        return policy_fingerprint(settings_of(validated(item)))

    here = version("{name: safety, webhook: 'http://here/check'}")

    assert version("{name: safety, webhook: 'http://there/check', timeout: 9s}") == here
    assert version("{name: safety, webhook: 'http://here/check', contract: true}") != here
    assert version("{name: confidence, min_stated: 0.9}") != version("confidence")
    rule = ruled("route: large", "{name: safety, webhook: 'http://here/check'}")
    assert policy_fingerprint(settings_of(rule)) == policy_fingerprint(settings_of(rule.replace("here", "there")))
