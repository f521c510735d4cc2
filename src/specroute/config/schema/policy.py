"""How a request is sent: the predictor, the policy and its rules."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from specroute.config.errors import shown
from specroute.config.schema.tuned import TunedSettings, hedge_delay
from specroute.config.schema.validation import RuleValidatorSettings, named_items
from specroute.config.schema.values.files import ModelPath, ReadableFile
from specroute.config.schema.values.section import (
    AnyOf,
    FrozenMap,
    Names,
    Section,
    Share,
    Text,
    given_keys,
    refuse,
)

TaskType = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
ACTIONS = ("route", "start", "race", "allow")


def _prior(value: object) -> object:
    if isinstance(value, dict):
        if not value:
            raise refuse("an empty mapping; write a number, or one per tier such as {mini: 0.7}")
        return {name: _chance(p, at=(name,)) for name, p in value.items()}
    return _chance(value, at=())


def _chance(value: object, *, at: tuple[str, ...]) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise refuse(f"{shown(value)} is not a chance; write a number from 0 to 1", at=at)
    return float(value)


class PredictorSettings(Section):
    """What scores requests: a trained model, or a fixed chance.

    Attributes:
        model: an existing artifact; not loaded here.
        tiers: the service's tiers that the model's tiers stand for, in the model's order; empty: the model's own names.
        prior: the chance that a tier's answer is acceptable, in [0, 1], for every tier or by tier; ``None``: a model.
    """

    model: ModelPath | None = None
    tiers: Names = ()
    prior: Annotated[float | FrozenMap[float], BeforeValidator(_prior)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = given_keys(self, ("model", "prior"))
        if not given:
            raise refuse("neither a model nor a prior; write {model: PATH} or {prior: 0.7}")
        if len(given) > 1:
            raise refuse("a model and a prior at once; keep one", at=("prior",))
        if self.tiers and self.model is None:
            raise refuse("only a model has tiers to map; remove it", at=("tiers",))
        return self


class ThresholdSettings(Section):
    """Where the score is clear enough for one tier; both bounds inclusive.

    Attributes:
        direct_mini: at or above it the cheaper tier answers alone.
        direct_large: at or below it the cheaper tier is skipped.
        hedge_delay_s: between them, when the next tier starts beside it: 0.0 a race; ``None`` on rejection only.
    """

    direct_mini: Share = 0.90
    direct_large: Share = 0.30
    hedge_delay_s: Annotated[float | None, BeforeValidator(hedge_delay)] = Field(default=0.0, alias="hedge_delay")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.direct_large >= self.direct_mini:
            message = f"{self.direct_large} is not below direct_mini, {self.direct_mini}; write a smaller number"
            raise refuse(message, at=("direct_large",))
        return self


class WhenSettings(Section):
    """Conditions of a rule: all that are given must hold; an empty tuple, mapping or ``None`` is not tested.

    What a request's hints leave open, its task type and its risk, is taken as a trained model infers it; the risk
    domain always is.
    """

    task_type: AnyOf[TaskType] = ()
    risk: AnyOf[Literal["low", "medium", "high"]] = ()
    risk_domain: AnyOf[Literal["law", "medicine", "finance", "security", "operations"]] = ()
    user_tier: AnyOf[Text] = ()
    output: AnyOf[Literal["text", "json_object", "json_schema", "regex", "choices"]] = ()
    quality: AnyOf[Literal["standard", "high"]] = ()
    min_input_tokens: int | None = Field(default=None, ge=0)
    max_input_tokens: int | None = Field(default=None, ge=0)
    has_tools: bool | None = None
    min_turns: int | None = Field(default=None, ge=1)
    labels: FrozenMap[AnyOf[str]] = Field(default={}, validate_default=True)

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        low, high = self.min_input_tokens, self.max_input_tokens
        if low is not None and high is not None and low > high:
            raise refuse(f"{low} is above max_input_tokens, {high}; the rule can never match", at=("min_input_tokens",))
        return self


class RuleSettings(Section):
    """One rule: exactly one of ``route``, ``start``, ``race`` and ``allow`` says which tiers may answer.

    Attributes:
        when: without conditions it matches every request.
        route: this tier and no other.
        start: a cascade from this tier upward.
        race: these two at once.
        allow: the policy decides among these.
        review: whether a person shall look at the answer.
        validators: validators added to the configured ones.
    """

    name: Text = Field(examples=["high-risk"])
    when: WhenSettings = WhenSettings()
    route: Text | None = None
    start: Text | None = None
    race: Names | None = None
    allow: Names | None = None
    review: bool = False
    validators: tuple[RuleValidatorSettings, ...] = ()

    @field_validator("validators", mode="before")
    @classmethod
    def _as_mappings(cls, value: object) -> object:
        return named_items(value)

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers that its action names."""
        single = tuple(tier for tier in (self.route, self.start) if tier is not None)
        return (*single, *(self.race or ()), *(self.allow or ()))

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        given = given_keys(self, ACTIONS)
        if not given:
            raise refuse("says not what to do; add one of route, start, race, allow")
        if len(given) > 1:
            raise refuse(f"conflicts with {given[0]}; a rule has one of route, start, race, allow", at=(given[1],))
        if self.race is not None and len(self.race) != 2:
            raise refuse(f"{len(self.race)} tiers; a race is between two, write [mini, large]", at=("race",))
        return self


class PolicySettings(Section):
    """Who decides.

    Attributes:
        certificate: what ``specroute calibrate`` wrote; its cuts replace those of ``thresholds``. Not loaded here.
        thresholds: read with kind ``thresholds`` only.
        tuned: where ``thresholds`` come from; nothing is decided by it. ``None``: they were not tuned.
        tier: the tier of kind ``always``, ``None`` otherwise.
        rules: run before scoring; the first match wins.
    """

    kind: Literal["thresholds", "always"] = "thresholds"
    thresholds: ThresholdSettings = ThresholdSettings()
    certificate: ReadableFile | None = None
    tuned: TunedSettings | None = None
    tier: Text | None = None
    rules: tuple[RuleSettings, ...] = ()

    @model_validator(mode="after")
    def _kind_has_its_keys(self) -> Self:
        if self.kind == "always" and self.tier is None:
            raise refuse("missing; kind 'always' needs a tier, such as tier: mini", at=("tier",))
        if self.kind == "always" and "thresholds" in self.model_fields_set:
            raise refuse("belongs to kind 'thresholds'; remove it, or write kind: thresholds", at=("thresholds",))
        for key in ("certificate", "tuned"):
            if self.kind == "always" and getattr(self, key) is not None:
                raise refuse("belongs to kind 'thresholds'; remove it, or write kind: thresholds", at=(key,))
        if self.certificate is not None and (given := given_keys(self.thresholds, ("direct_mini", "direct_large"))):
            message = "comes from the certificate; remove it here, or remove policy.certificate"
            raise refuse(message, at=("thresholds", given[0]))
        if self.kind == "thresholds" and self.tier is not None:
            raise refuse("belongs to kind 'always'; remove it, or write kind: always", at=("tier",))
        return self
