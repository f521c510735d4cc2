"""The whole configuration. Every default of the service lives in this package and nowhere else."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from specroute.config.schema.policy import PolicySettings, PredictorSettings
from specroute.config.schema.tiers import TierSettings
from specroute.config.schema.validation import ADDRESSES, ValidationSettings
from specroute.config.schema.values.addresses import Address, AddressValue
from specroute.config.schema.values.files import ReadableFile
from specroute.config.schema.values.section import (
    Count,
    DurationS,
    FrozenMapping,
    NotEmpty,
    PositiveDurationS,
    Section,
    Share,
    refuse,
)

if TYPE_CHECKING:
    from pydantic.main import IncEx


class SpeculationSettings(Section):
    """How far legs may run beside each other: at most ``max_legs`` at a time, 1 to 8; 1 forbids speculation."""

    max_legs: int = Field(default=2, ge=1, le=8)


class RaceSettings(Section):
    """Which acceptable answer of a race is delivered.

    Attributes:
        prefer: the first one, or the cheapest that comes within the grace.
        cheapest_grace_s: how long a dearer answer is held for a cheaper one.
    """

    prefer: Literal["first_valid", "cheapest"] = "first_valid"
    cheapest_grace_s: DurationS = Field(default=0.0, alias="cheapest_grace")


class DeadlineSettings(Section):
    """How long a request may take, seconds.

    Attributes:
        default_s: where the caller sets no deadline.
        max_s: the caller's deadline counts up to here.
        reserve_s: kept for the answer's way back.
    """

    default_s: PositiveDurationS = Field(default=60.0, alias="default")
    max_s: PositiveDurationS = Field(default=600.0, alias="max")
    reserve_s: DurationS = Field(default=0.02, alias="reserve")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.reserve_s >= self.default_s:
            raise refuse(f"leaves nothing of the default, {self.default_s:g}s; write less", at=("reserve",))
        if self.default_s > self.max_s:
            raise refuse(f"is above max, {self.max_s:g}s; write at most that, or raise max", at=("default",))
        return self


class LimitsSettings(Section):
    """What is refused instead of queued: requests in flight, bytes of a prompt, upstream calls of one request."""

    max_in_flight: Count = 256
    max_prompt_bytes: Count = 1_000_000
    max_attempts_per_request: Count = 4


class StreamingSettings(Section):
    """How answers are streamed.

    Attributes:
        write_stall_timeout_s: how long one message may wait for a reader that does not read; then the stream ends.
        max_commit_error_ratio: a HOLD_BACK stream commits after its window only while the measured share of such
            answers that fail at their end is at most this, [0, 1].
    """

    write_stall_timeout_s: PositiveDurationS = Field(default=10.0, alias="write_stall_timeout")
    max_commit_error_ratio: Share = 0.02


class DrainSettings(Section):
    """How the service stops, seconds: not ready but still serving for ``delay_s``, then ``grace_s`` to finish."""

    delay_s: DurationS = Field(default=5.0, alias="delay")
    grace_s: DurationS = Field(default=30.0, alias="grace")


class TlsSettings(Section):
    """Certificate and key of the server, and the authority that clients must be signed by; PEM files, or none."""

    cert_file: ReadableFile | None = None
    key_file: ReadableFile | None = None
    client_ca_file: ReadableFile | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            raise refuse("missing; a key needs its certificate", at=("cert_file",))
        if self.cert_file is not None and self.key_file is None:
            raise refuse("missing; a certificate needs its key", at=("key_file",))
        if self.client_ca_file is not None and self.cert_file is None:
            raise refuse("client certificates need TLS; add cert_file and key_file", at=("client_ca_file",))
        return self


class Settings(Section):
    """A validated configuration; ``tiers`` are cheapest first."""

    listen: AddressValue = Address("127.0.0.1", 50051)
    metrics_listen: AddressValue = Address("127.0.0.1", 9464)
    tiers: NotEmpty[TierSettings] = Field(examples=["[{name: mini, price: ..., upstreams: ...}]"])
    predictor: PredictorSettings | None = None
    policy: PolicySettings = PolicySettings()
    speculation: SpeculationSettings = SpeculationSettings()
    validation: ValidationSettings = ValidationSettings()
    race: RaceSettings = RaceSettings()
    deadline: DeadlineSettings = DeadlineSettings()
    limits: LimitsSettings = LimitsSettings()
    streaming: StreamingSettings = StreamingSettings()
    drain: DrainSettings = DrainSettings()
    tls: TlsSettings = TlsSettings()

    @property
    def tier_names(self) -> tuple[str, ...]:
        """The names of the tiers, cheapest first."""
        return tuple(tier.name for tier in self.tiers)

    @property
    def prior_by_tier(self) -> Mapping[str, float]:
        """The fixed chance of each tier: one number holds for every tier but the last; empty: a model or nothing."""
        prior = self.predictor.prior if self.predictor is not None else None
        if isinstance(prior, float):
            return FrozenMapping(dict.fromkeys(self.tier_names[:-1], prior))
        return FrozenMapping({}) if prior is None else prior


def policy_fingerprint(settings: Settings) -> str:
    """Returns the version of what decides: 8 hex digits that change with tiers, prices, policy or validation.

    Addresses, limits, timeouts, secrets and where thresholds come from are no part of it, so that the same policy has
    the same version everywhere.
    """
    addresses: IncEx = {"validators": {"__all__": set(ADDRESSES)}}
    of_rules: IncEx = {"__all__": addresses}
    of_policy: dict[str, IncEx | bool] = {"rules": of_rules, "tuned": True}
    not_decisive: IncEx = {"validation": addresses, "policy": of_policy}
    decides = {
        "tiers": [tier.model_dump(mode="json", include={"name", "price"}) for tier in settings.tiers],
        **settings.model_dump(
            mode="json",
            include={"policy", "speculation", "validation", "race"},
            exclude=not_decisive,
        ),
        "max_commit_error_ratio": settings.streaming.max_commit_error_ratio,
    }
    canonical = json.dumps(decides, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]
