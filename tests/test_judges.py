"""From an item of the configuration to what judges answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from specroute.config.load import parse_settings
from specroute.judges import Judges
from specroute.upstreams.webhook import Webhook
from specroute.validators.judge import ConfiguredReviewer, ConfiguredValidator, OnAbstain
from specroute.validators.panel import Configured, is_learnt
from specroute.validators.quality.confidence import Confidence
from specroute.validators.registry import BUILT_IN
from tests.config.documents import VALID
from tests.engine.reviewers import Learnt

PREDICTOR = Path("the predictor's")


@dataclass
class Loader:
    """Loads a verifier from any folder but "empty", and keeps what it was asked for."""

    asked: list[tuple[Path, float | None]] = field(default_factory=list)

    def __call__(self, folder: Path, *, min_p: float | None) -> Learnt:
        self.asked.append((folder, min_p))
        if folder.name == "empty":
            raise ValueError(f"{folder} holds no verifier; train one with 'specroute train'")
        return Learnt()


def made(
    item: str, loader: Loader | None = None, *, folder: Path = Path(), model: Path | None = PREDICTOR
) -> Configured:
    text = f"{VALID.replace('{prior: 0.7}', '{model: .}')}validation: {{validators: [{item}]}}\n"
    (settings,) = parse_settings(text, folder=folder, environ={"KEY": "token"}).validation.validators
    judges = Judges(httpx.MockTransport(lambda _: httpx.Response(200)), model, loader or Loader())
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


def test_the_verifier_is_loaded_from_the_predictors_model_unless_it_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    loader = Loader()

    configured = made("{name: verifier, on_abstain: reject}", loader)
    made("{name: verifier, model: own, min_p: 0.7}", loader, folder=tmp_path)

    assert isinstance(configured, ConfiguredValidator)
    assert is_learnt(configured)
    assert configured.on_abstain is OnAbstain.REJECT
    assert loader.asked == [(PREDICTOR, None), (tmp_path / "own", 0.7)]


def test_a_model_without_a_verifier_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(ValueError, match="holds no verifier; train one"):
        made("{name: verifier, model: empty}", folder=tmp_path)
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
