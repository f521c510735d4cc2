"""What judges answers: the validators, and what their abstentions count as."""

import re
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from specroute.config.errors import shown
from specroute.config.schema.section import Count, LogProbability, Section, Share, Text, given_keys, refuse

DEFAULT_VALIDATORS = ("complete", "not_refusal", "output_contract")
BUILT_IN_VALIDATORS = (*DEFAULT_VALIDATORS, "not_repetitive", "same_script", "confidence")
CONFIDENCE_KEYS = ("quantile", "min_logprob", "min_tokens")
OnAbstain = Literal["accept", "reject"]

_USE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)


class RuleValidatorSettings(Section):
    """One validator as a rule names it.

    Attributes:
        use: ``package.module:attribute`` of a user's own validator, not imported here; ``None``: a built-in one.
        on_abstain: what an abstention counts as; ``None``: as it is configured under ``validation``.
        quantile: of ``confidence`` only: which quantile of an answer's token log-probabilities is looked at.
        min_logprob: of ``confidence`` only: an answer is rejected where that quantile is below it, <= 0.
        min_tokens: of ``confidence`` only: with fewer tokens it abstains.
    """

    name: Text = Field(examples=["complete"])
    on_abstain: OnAbstain | None = None
    use: Text | None = None
    quantile: Share = 0.1
    min_logprob: LogProbability = -4.0
    min_tokens: Count = 20

    @model_validator(mode="after")
    def _exists(self) -> Self:
        if self.name != "confidence" and (given := given_keys(self, CONFIDENCE_KEYS)):
            raise refuse("belongs to the validator 'confidence'; remove it", at=(given[0],))
        if self.use is not None and self.name in BUILT_IN_VALIDATORS:
            raise refuse(f"{self.name!r} is built in; give your own validator another name", at=("name",))
        if self.use is not None and _USE.fullmatch(self.use) is None:
            raise refuse(f"{shown(self.use)} names no attribute; write package.module:attribute", at=("use",))
        return self


class ValidatorSettings(RuleValidatorSettings):
    """One configured validator; ``on_abstain`` is resolved from the section."""

    on_abstain: OnAbstain

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.use is None and self.name not in BUILT_IN_VALIDATORS:
            known = ", ".join(BUILT_IN_VALIDATORS)
            raise refuse(f"unknown validator {shown(self.name)}; use {known}, or your own with 'use: module:attribute'")
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
