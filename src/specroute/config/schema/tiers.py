"""Who can answer: tiers with their prices and upstreams."""

from decimal import ROUND_CEILING, Decimal
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, ValidationInfo, field_validator, model_validator

from specroute.config.errors import shown
from specroute.config.schema.values.addresses import BaseUrl
from specroute.config.schema.values.files import EnvName, SecretPath, resolved_key
from specroute.config.schema.values.section import Count, NotEmpty, PositiveDurationS, Section, Text, refuse

NANO_USD = 1_000_000_000
MAX_USD_PER_MTOK = 1_000_000


def _nano_usd(value: object) -> int:
    """Returns dollars as whole nano-dollars, rounded up: a bill is never understated."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise refuse(f"{shown(value)} is not a price; write US dollars per million tokens, such as 0.15")
    if not 0 <= value <= MAX_USD_PER_MTOK:
        message = f"{value} is not a price; write a finite number of US dollars per million tokens, 0 or more"
        raise refuse(message if not value > MAX_USD_PER_MTOK else f"{message}, at most {MAX_USD_PER_MTOK}")
    return int((Decimal(repr(value)) * NANO_USD).to_integral_value(ROUND_CEILING))


NanoUsd = Annotated[int, BeforeValidator(_nano_usd)]
TierName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
Rate = Annotated[float, Field(ge=0.0, le=1_000_000.0, allow_inf_nan=False)]
UpstreamName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class PriceSettings(Section):
    """List price of a tier: US dollars per million tokens in the file, nano-USD per million tokens here.

    Attributes:
        cached_input_nano_usd_per_mtok: of input tokens that the provider read from its cache; default: the input price.
    """

    input_nano_usd_per_mtok: NanoUsd = Field(alias="input_usd_per_mtok", examples=["0.15"])
    output_nano_usd_per_mtok: NanoUsd = Field(alias="output_usd_per_mtok", examples=["0.60"])
    cached_input_nano_usd_per_mtok: NanoUsd = Field(
        alias="cached_input_usd_per_mtok", default_factory=lambda given: given["input_nano_usd_per_mtok"]
    )


class ExpectedSettings(Section):
    """What an answer of a tier looks like before any was measured: its output tokens."""

    output_tokens: Count = 300


class TimeoutSettings(Section):
    """Bounds of one call, seconds: to connect, to the first token, between reads, in all.

    Attributes:
        min_tokens_per_s: the least rate of output tokens since the first one, while the answer may still lose to
            another tier's; 0: none.
        rate_window_s: how long an answer must have streamed before its rate is judged.
    """

    connect_s: PositiveDurationS = Field(default=2.0, alias="connect")
    first_token_s: PositiveDurationS = Field(default=20.0, alias="first_token")
    idle_s: PositiveDurationS = Field(default=15.0, alias="idle")
    total_s: PositiveDurationS = Field(default=120.0, alias="total")
    min_tokens_per_s: Rate = Field(default=0.0, alias="min_tokens_per_second")
    rate_window_s: PositiveDurationS = Field(default=5.0, alias="rate_window")


class RetrySettings(Section):
    """How often one upstream is called again after a failure that is safe to repeat, 0 to 10."""

    max_retries: int = Field(default=1, alias="max", ge=0, le=10)


class UpstreamSettings(Section):
    """One endpoint that serves a tier.

    Attributes:
        name: unique over all tiers; default ``TIER-INDEX``.
        base_url: without a slash at its end.
        model: what the endpoint is asked for.
        api_key_env: name of the environment variable that holds the key.
        api_key_file: the file that holds it.
        max_concurrency: calls at a time.
        cancel_stops_billing: whether the provider stops billing when a call is cut off.
        logprobs: whether token log-probabilities are asked for.
    """

    kind: Literal["openai"] = Field(examples=["openai"])
    name: UpstreamName
    base_url: BaseUrl = Field(examples=["https://api.openai.com/v1"])
    model: Text = Field(examples=["gpt-4o-mini"])
    api_key_env: EnvName | None = None
    api_key_file: SecretPath | None = None
    max_concurrency: Count = 64
    timeouts: TimeoutSettings = TimeoutSettings()
    retry: RetrySettings = RetrySettings()
    cancel_stops_billing: bool = True
    logprobs: bool = False
    _api_key: SecretStr | None = PrivateAttr(None)

    @property
    def api_key(self) -> SecretStr | None:
        """The key, masked until ``get_secret_value()``; ``None``: the endpoint wants none, or secrets were skipped."""
        return self._api_key

    @model_validator(mode="after")
    def _resolve_secret(self, info: ValidationInfo) -> Self:
        self._api_key = resolved_key(self.api_key_env, self.api_key_file, info)
        return self


class TierSettings(Section):
    """A quality and price class."""

    name: TierName = Field(examples=["mini"])
    price: PriceSettings = Field(examples=["{input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.60}"])
    expected: ExpectedSettings = ExpectedSettings()
    upstreams: NotEmpty[UpstreamSettings] = Field(
        examples=['[{kind: openai, base_url: "https://api.openai.com/v1", model: gpt-4o-mini}]']
    )

    @field_validator("upstreams", mode="before")
    @classmethod
    def _name_upstreams(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, tuple):
            return value
        tier = info.data.get("name", "tier")
        return tuple(
            {"name": f"{tier}-{index}", **item} if isinstance(item, dict) else item for index, item in enumerate(value)
        )
