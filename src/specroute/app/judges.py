"""From settings to what judges answers: validators, webhooks and the verifier, those of rules included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specroute.app.refused import naming
from specroute.predictor.verifier.leeway import STRAIGHT, Cut, Leeway
from specroute.predictor.verifier.loading import load_verifier
from specroute.upstreams.openai_http import Secret
from specroute.upstreams.webhook import Hook, Webhook
from specroute.validators.judge import ConfiguredReviewer, ConfiguredValidator, OnAbstain
from specroute.validators.panel import Validation
from specroute.validators.quality.confidence import Confidence
from specroute.validators.registry import BUILT_IN, VERIFIER, load_validator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from specroute.config import Settings
    from specroute.config.schema.policy import RuleSettings
    from specroute.config.schema.validation import RuleValidatorSettings
    from specroute.core.ports import Validator
    from specroute.validators.panel import Configured


@dataclass(frozen=True, slots=True)
class Judges:
    """Makes validators.

    Attributes:
        transport: what webhooks are called over.
        predictor_model: the folder of the predictor's model, which may hold a verifier; ``None``: no model.
        certified: the verifier's cut where a certificate gives it; ``None``: as configured.
        load_verifier: folder and cut -> the verifier.
    """

    transport: httpx.AsyncBaseTransport
    predictor_model: Path | None
    certified: Cut | None = None
    load_verifier: Callable[[Path, Cut], Validator] = load_verifier

    def make(self, settings: RuleValidatorSettings, on_abstain: str) -> Configured:
        """Returns the validator that ``settings`` describe.

        Raises:
            ValueError: it cannot be used; one line says why and how to mend it.
        """
        if settings.webhook is not None:
            return ConfiguredReviewer(self._webhook(settings, settings.webhook), OnAbstain(on_abstain))
        return ConfiguredValidator(self._validator(settings), OnAbstain(on_abstain))

    def _validator(self, settings: RuleValidatorSettings) -> Validator:
        if settings.use is not None:
            return load_validator(settings.use)
        if settings.name == VERIFIER:
            folder = settings.model or self.predictor_model
            if folder is None:
                raise ValueError("no model to verify with; add model: PATH to it, or write predictor: {model: PATH}")
            return self.load_verifier(folder, _cut(settings) if self.certified is None else self.certified)
        if settings.name == Confidence.name:
            return Confidence(
                settings.quantile,
                settings.min_logprob,
                settings.min_tokens,
                min_mean_logprob=settings.min_mean_logprob,
                min_stated=settings.min_stated,
            )
        return BUILT_IN[settings.name]()

    def _webhook(self, settings: RuleValidatorSettings, url: str) -> Webhook:
        key = None if settings.api_key is None else Secret(settings.api_key.get_secret_value())
        hook = Hook(settings.name, url, settings.timeout_s, is_contract=settings.contract, api_key=key)
        return Webhook(hook, self.transport)


def _cut(settings: RuleValidatorSettings) -> Cut:
    bent = settings.leeway
    return Cut(settings.min_p, STRAIGHT if bent is None else Leeway(bent.exponent, bent.typical_tokens))


def validation(settings: Settings, judges: Judges) -> Validation:
    """Returns the configured validators, and those that rules add by name.

    Raises:
        SettingRefused: one cannot be used.
    """
    configured: dict[str, Configured] = {}
    for index, item in enumerate(settings.validation.validators):
        with naming("validation", "validators", index):
            configured[item.name] = judges.make(item, item.on_abstain)
    by_name = dict(configured)
    for index, rule in enumerate(settings.policy.rules):
        for place, extra in enumerate(rule.validators):
            key = added_name(rule, extra)
            if key not in by_name:
                with naming("policy", "rules", index, "validators", place):
                    by_name[key] = judges.make(extra, extra.on_abstain or settings.validation.on_abstain)
    return Validation(configured.values(), by_name)


def added_name(rule: RuleSettings, extra: RuleValidatorSettings) -> str:
    """Returns what a plan calls a validator that a rule adds; two rules may give the same one other options."""
    return extra.name if extra.is_a_name_alone else f"{rule.name}/{extra.name}"
