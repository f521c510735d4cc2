"""What judges answers: the validators, and what their abstentions count as."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, ValidationInfo, field_validator, model_validator

from specroute.config.errors import shown
from specroute.config.schema.values.addresses import CalledUrl
from specroute.config.schema.values.files import EnvName, SecretPath, VerifierPath, resolved_key
from specroute.config.schema.values.section import (
    Count,
    LogProbability,
    PositiveDurationS,
    Section,
    Share,
    Text,
    refuse,
)

DEFAULT_VALIDATORS = ("complete", "not_refusal", "output_contract")
VERIFIER = "verifier"
BUILT_IN_VALIDATORS = (*DEFAULT_VALIDATORS, "not_repetitive", "same_script", "confidence", "consistent", VERIFIER)
ADDRESSES = frozenset({"webhook", "timeout_s", "api_key_env", "api_key_file", "model"})
"""Keys of a validator that say where something is and how long it may take, not what is decided."""

OnAbstain = Literal["accept", "reject"]

_OWN_KEYS = {
    "confidence": ("quantile", "min_logprob", "min_mean_logprob", "min_stated", "min_tokens"),
    VERIFIER: ("min_p", "leeway", "model"),
}
_WEBHOOK_KEYS = ("timeout_s", "contract", "api_key_env", "api_key_file")
_USE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class LeewaySettings(Section):
    """How the verifier's cut bends: the risk it allows times (tokens at stake / typical_tokens) ** exponent."""

    exponent: Share
    typical_tokens: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class RuleValidatorSettings(Section):
    """One validator as a rule names it: a built-in one, a user's own with ``use``, or a service with ``webhook``.

    Attributes:
        use: ``package.module:attribute`` of a user's own validator, not imported here.
        webhook: the URL that is asked about each answer.
        on_abstain: what an abstention counts as; ``None``: as it is configured under ``validation``.
        quantile: of ``confidence`` only: which quantile of an answer's token log-probabilities is looked at.
        min_logprob: of ``confidence`` only: an answer is rejected where that quantile is below it, <= 0.
        min_mean_logprob: of ``confidence`` only: likewise for the mean; ``None``: it is not looked at.
        min_stated: of ``confidence`` only: likewise for the confidence that an answer without log-probabilities states,
            in [0, 1]; ``None``: it is not read.
        min_tokens: of ``confidence`` only: with fewer tokens it says nothing of the log-probabilities.
        min_p: of ``verifier`` only: an answer is rejected where its chance is below it, in [0, 1]; ``None``: as the
            model was certified.
        leeway: of ``verifier`` only: lets a dear answer be less certain than a cheap one; ``None``: all alike.
        model: of ``verifier`` only: the model's folder; ``None``: the predictor's.
        timeout_s: of a webhook only: from connecting to the end of its reply.
        contract: of a webhook only: whether an answer that it rejects may never be delivered.
        api_key_env: of a webhook only: the environment variable that holds its bearer token.
        api_key_file: of a webhook only: the file that holds it.
    """

    name: Text = Field(examples=["complete"])
    on_abstain: OnAbstain | None = None
    use: Text | None = None
    webhook: CalledUrl | None = None
    quantile: Share = 0.1
    min_logprob: LogProbability = -4.0
    min_mean_logprob: LogProbability | None = None
    min_stated: Share | None = 0.85
    min_tokens: Count = 20
    min_p: Share | None = None
    leeway: LeewaySettings | None = None
    model: VerifierPath | None = None
    timeout_s: PositiveDurationS = Field(default=0.5, alias="timeout")
    contract: bool = False
    api_key_env: EnvName | None = None
    api_key_file: SecretPath | None = None
    _api_key: SecretStr | None = PrivateAttr(None)

    @property
    def api_key(self) -> SecretStr | None:
        """The webhook's bearer token; ``None``: it wants none, or secrets were skipped."""
        return self._api_key

    @property
    def is_a_name_alone(self) -> bool:
        """Whether the file gives nothing but the name: the validator is meant as it is configured elsewhere."""
        return self.model_fields_set == {"name"}

    @model_validator(mode="after")
    def _has_its_keys(self, info: ValidationInfo) -> Self:
        for owner, keys in _OWN_KEYS.items():
            if self.name != owner and (given := self._given(keys)):
                raise refuse(f"belongs to the validator {owner!r}; remove it", at=(given,))
        if self.webhook is None and (given := self._given(_WEBHOOK_KEYS)):
            raise refuse("belongs to a webhook; remove it, or add 'webhook: URL'", at=(given,))
        if self.webhook is not None and self.use is not None:
            raise refuse("a webhook and a class at once; keep one", at=("use",))
        if self.webhook is not None and _NAME.fullmatch(self.name) is None:
            message = f"{shown(self.name)} is not a webhook's name; write lower-case letters, digits and '_' only"
            raise refuse(message, at=("name",))
        if (self.use or self.webhook) and self.name in BUILT_IN_VALIDATORS:
            raise refuse(f"{self.name!r} is built in; give your own validator another name", at=("name",))
        if self.use is not None and _USE.fullmatch(self.use) is None:
            raise refuse(f"{shown(self.use)} names no attribute; write package.module:attribute", at=("use",))
        self._api_key = resolved_key(self.api_key_env, self.api_key_file, info)
        return self

    def _given(self, keys: tuple[str, ...]) -> str:
        """Returns the first of ``keys`` that the file gives, as it spells it; "": none."""
        fields = type(self).model_fields
        return next((fields[key].alias or key for key in keys if key in self.model_fields_set), "")


class ValidatorSettings(RuleValidatorSettings):
    """One configured validator; ``on_abstain`` is resolved from the section."""

    on_abstain: OnAbstain

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.use is None and self.webhook is None and self.name not in BUILT_IN_VALIDATORS:
            known = ", ".join(BUILT_IN_VALIDATORS)
            own = "your own with 'use: module:attribute' or 'webhook: URL'"
            raise refuse(f"unknown validator {shown(self.name)}; use {known}, or {own}")
        return self


def named_items(value: object) -> object:
    """Returns a list of names and mappings as mappings; anything else as it is."""
    if not isinstance(value, tuple):
        return value
    return tuple({"name": item} if isinstance(item, str) else item for item in value)


class ValidationSettings(Section):
    """What judges answers, in this order. A validator in the file is its name, or a mapping with more keys."""

    on_abstain: OnAbstain = "accept"
    validators: tuple[ValidatorSettings, ...] = Field(default=DEFAULT_VALIDATORS, validate_default=True)

    @field_validator("validators", mode="before")
    @classmethod
    def _as_mappings(cls, value: object, info: ValidationInfo) -> object:
        items = named_items(value)
        if not isinstance(items, tuple):
            return items
        fill = {"on_abstain": info.data.get("on_abstain", "accept")}
        return tuple({**fill, **item} if isinstance(item, dict) else item for item in items)
