"""Where tuned settings come from: what ``specroute tune`` writes beside the settings that it found."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from specroute.config.durations import format_duration, parse_duration_s
from specroute.config.schema.validation import VERIFIER, LeewaySettings
from specroute.config.schema.values.section import Count, PositiveDurationS, Section, Share, Text, refuse

if TYPE_CHECKING:
    from specroute.config.schema.settings import Settings

_Ratio = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
_Usd = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
_Sha256 = Annotated[str, Field(min_length=64, max_length=64)]


def hedge_delay(value: object) -> float | None:
    """Returns the seconds of a delay as the file writes it; ``None``: on rejection."""
    if value == "on_rejection":
        return None
    try:
        return parse_duration_s(value)
    except ValueError as error:
        raise refuse(f"{error}, or on_rejection") from None


class TunedThresholds(Section):
    """The tuned settings themselves, so that a later change beside them is noticed.

    Attributes:
        direct_mini, direct_large: ``None``: a certificate gives them.
        min_p: the verifier's cut; ``None``: there is no verifier, or a certificate gives it.
        hedge_delay_s: ``None`` on rejection.
    """

    direct_mini: Share | None = None
    direct_large: Share | None = None
    min_p: Share | None = None
    hedge_delay_s: Annotated[float | None, BeforeValidator(hedge_delay)] = Field(alias="hedge_delay", examples=["0s"])


class TunedCertificate(Section):
    """What the certificate says of the same data, in short.

    Attributes:
        alpha: the most quality that may be lost; ``confidence``: how sure that is.
        n: prompts that it was tested on.
        covers: whether it holds for the tuned settings; false: for stricter ones only.
    """

    alpha: Share
    confidence: Share
    method: Literal["binomial", "betting"]
    n: Count
    covers: bool


class TunedEffect(Section):
    """What was measured on rows that the settings were not tuned on, against always-large."""

    saved_ratio: _Ratio
    retention: _Ratio
    p50_ratio: _Ratio
    p99_ratio: _Ratio


class TunedSettings(Section):
    """Where the thresholds come from: data, model, targets, and the effect that was measured.

    Nothing is decided by it. ``check-config`` shows it, and warns, as ``serve`` does, where the service is no longer
    what was tuned.

    Attributes:
        data_sha256: of the recorded outcomes.
        model_version: of the predictor that scored them.
        latency_value_usd_per_s: what a second of waiting was worth.
        deadline_s: ``None``: none.
        latency_model: how fast the tiers were taken to answer.
        certificate: ``None``: nothing could be certified.
    """

    data_sha256: _Sha256
    model_version: Text
    pair: Text
    mode: Literal["economy", "interactive"]
    max_quality_loss: Share
    latency_value_usd_per_s: _Usd = 0.0
    deadline_s: PositiveDurationS | None = Field(default=None, alias="deadline")
    latency_model: Text
    seed: int = Field(ge=0)
    thresholds: TunedThresholds
    certificate: TunedCertificate | None = None
    expected: TunedEffect

    @model_validator(mode="after")
    def _is_a_hash(self) -> Self:
        if not set(self.data_sha256) <= set("0123456789abcdef"):
            raise refuse("not a SHA-256; leave it as `specroute tune` wrote it", at=("data_sha256",))
        return self

    @property
    def statement(self) -> str:
        """Says in one line what was tuned for and what came of it."""
        expected = self.expected
        return (
            f"{self.mode}, {self.pair}, at most {self.max_quality_loss:.1%} of quality lost, latencies "
            f"{self.latency_model}; expected: saves {expected.saved_ratio:.1%}, keeps {expected.retention:.1%}, p50 x "
            f"{expected.p50_ratio:.2f}, p99 x {expected.p99_ratio:.2f} of always-large; data {self.data_sha256[:12]}, "
            f"model {self.model_version}{self._certified()}"
        )

    def _certified(self) -> str:
        own = self.certificate
        if own is None:
            return "; not certified"
        what = "certified" if own.covers else "not certified itself; stricter thresholds are,"
        return f"; {what} to lose at most {own.alpha:.1%} at confidence {own.confidence:.4g} ({own.method}, {own.n})"


def stale(settings: "Settings", model_version: str | None) -> tuple[str, ...]:
    """Returns why ``settings`` are no longer what was tuned, a line each; empty: they are, or nothing was tuned.

    Args:
        settings: as they are served.
        model_version: of the predictor's model; ``None``: there is no model.
    """
    tuned = settings.policy.tuned
    if tuned is None:
        return ()
    lines = []
    if model_version != tuned.model_version:
        serving = "no model" if model_version is None else model_version
        lines.append(
            f"policy.tuned: tuned for model {tuned.model_version}, serving {serving}; run `specroute tune` again"
        )
    if changes := _changes(settings, tuned.thresholds):
        mend = "run `specroute tune` again, or remove policy.tuned"
        lines.append(f"policy.tuned: {', '.join(changes)} since it was tuned; {mend}")
    return tuple(lines)


def _changes(settings: "Settings", tuned: TunedThresholds) -> list[str]:
    now = settings.policy.thresholds
    items = [item for item in settings.validation.validators if item.name == VERIFIER]
    pairs = [("hedge_delay", _delay(tuned.hedge_delay_s), _delay(now.hedge_delay_s))]
    if settings.policy.certificate is None:
        pairs += [
            ("direct_mini", _cut(tuned.direct_mini), _cut(now.direct_mini)),
            ("direct_large", _cut(tuned.direct_large), _cut(now.direct_large)),
            ("min_p", _cut(tuned.min_p), _cut(items[0].min_p) if items else "none"),
            ("leeway.exponent", "none", _bend(items[0].leeway) if items else "none"),
        ]
    return [f"{name} has become {new} (was {old})" for name, old, new in pairs if old != new]


def _delay(seconds: float | None) -> str:
    return "on_rejection" if seconds is None else format_duration(seconds)


def _bend(leeway: LeewaySettings | None) -> str:
    """Returns how the verifier's cut bends; what is tuned never does."""
    return "none" if leeway is None else f"{leeway.exponent:g}"


def _cut(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
