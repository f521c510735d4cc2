"""From an item of the configuration to what judges answers."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from specroute.app.judges import Judges
from specroute.config.load import parse_settings
from specroute.predictor.verifier.leeway import STRAIGHT, Cut, Leeway
from specroute.predictor.verifier.validator import Verifier
from specroute.upstreams.webhook import Webhook
from specroute.validators.judge import ConfiguredReviewer, ConfiguredValidator, OnAbstain
from specroute.validators.panel import Configured, is_learnt
from specroute.validators.quality.confidence import Confidence
from specroute.validators.registry import BUILT_IN
from tests.config.documents import VALID

DEFAULT = Path(__file__).parents[2] / "router_models" / "default"


def made(item: str, *, folder: Path = Path(), model: Path | None = DEFAULT, certified: Cut | None = None) -> Configured:
    text = f"{VALID.replace('{prior: 0.7}', '{model: .}')}validation: {{validators: [{item}]}}\n"
    (settings,) = parse_settings(text, folder=folder, environ={"KEY": "token"}).validation.validators
    judges = Judges(httpx.MockTransport(lambda _: httpx.Response(200)), model, certified)
    return judges.make(settings, settings.on_abstain)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_name_makes_the_built_in_validator(name: str) -> None:
    configured = made(name)

    assert isinstance(configured, ConfiguredValidator)
    assert (configured.validator.name, configured.on_abstain) == (name, OnAbstain.ACCEPT)


def test_options_of_the_confidence_check_arrive() -> None:
    configured = made("{name: confidence, quantile: 0.5, min_logprob: -1.0, min_mean_logprob: -0.5, min_stated: null}")

    assert isinstance(configured.validator, Confidence)
    assert (configured.validator.quantile, configured.validator.min_logprob) == (0.5, -1.0)
    assert (configured.validator.min_mean_logprob, configured.validator.min_stated) == (-0.5, None)


def test_what_is_not_written_is_the_validators_own_default() -> None:
    configured, default = made("confidence"), Confidence()

    assert isinstance(configured.validator, Confidence)
    assert vars(configured.validator) == vars(default)


def test_the_verifier_is_loaded_from_the_predictors_model_unless_it_has_its_own() -> None:
    configured = made("{name: verifier, on_abstain: reject}")
    own = made(f"{{name: verifier, model: {json.dumps(str(DEFAULT))}, min_p: 0.7}}", model=None)

    assert isinstance(configured, ConfiguredValidator)
    assert isinstance(configured.validator, Verifier)
    assert is_learnt(configured)
    assert configured.on_abstain is OnAbstain.REJECT
    assert isinstance(own.validator, Verifier)
    assert own.validator.min_p == 0.7


def test_a_certified_cut_takes_the_place_of_the_models_own() -> None:
    own, certified = made("verifier"), made("{name: verifier, min_p: 0.6}", certified=Cut(0.9, Leeway(0.5, 470.0)))

    assert isinstance(own.validator, Verifier)
    assert isinstance(certified.validator, Verifier)
    assert own.validator.min_p != certified.validator.min_p == 0.9
    assert (own.validator.leeway, certified.validator.leeway) == (STRAIGHT, Leeway(0.5, 470.0))


def test_a_configured_leeway_bends_the_cut() -> None:
    configured = made("{name: verifier, min_p: 0.7, leeway: {exponent: 0.25, typical_tokens: 300}}")

    assert isinstance(configured.validator, Verifier)
    assert (configured.validator.min_p, configured.validator.leeway) == (0.7, Leeway(0.25, 300.0))


def test_without_a_model_there_is_nothing_to_verify_with() -> None:
    with pytest.raises(ValueError, match="no model to verify with; add model: PATH"):
        made("verifier", model=None)


def test_a_webhook_is_asked_elsewhere() -> None:
    configured = made(
        "{name: safety, webhook: 'http://host/check', contract: true, api_key_env: KEY, on_abstain: reject}"
    )

    assert isinstance(configured, ConfiguredReviewer)
    assert isinstance(configured.validator, Webhook)
    assert (configured.validator.name, configured.validator.is_contract) == ("safety", True)
    assert configured.on_abstain is OnAbstain.REJECT


def test_a_users_validator_is_imported() -> None:
    configured = made("{name: polite, use: 'tests.validators.user_validators:Polite'}")

    assert isinstance(configured, ConfiguredValidator)
    assert configured.validator.name == "polite"
    assert not is_learnt(configured)
