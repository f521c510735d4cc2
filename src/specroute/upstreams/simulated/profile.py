"""How a simulated tier behaves: how fast it is and how often it is right.

Every draw is a pure function of a ``random.Random``, and ``seeded`` makes one from words, so that the same seed, tier
and prompt give the same answer at the same pace in every run, in any order and at any concurrency.
"""

from __future__ import annotations

import difflib
import math
import random
from dataclasses import dataclass, replace
from enum import Enum
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Z_99 = 2.3263478740408408
"""The 99th percentile of the standard normal distribution."""

MAX_ABS_Z = 3.5
"""Lognormal draws are clipped here (1 in 2,000 is), so that a profile bounds its own delays."""


def seeded(seed: int, *words: str) -> random.Random:
    """Returns a generator that depends on nothing but its arguments (``hash`` differs between processes)."""
    digest = blake2b("\0".join((str(seed), *words)).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return random.Random(int.from_bytes(digest, "big"))


def lognormal(p50: float, p99: float, rng: random.Random) -> float:
    """Returns a draw of the lognormal distribution with these percentiles, clipped at 3.5 standard deviations."""
    return p50 * math.exp(math.log(p99 / p50) / Z_99 * _clipped(rng.gauss(0.0, 1.0)))


def _clipped(z: float) -> float:
    return max(-MAX_ABS_Z, min(MAX_ABS_Z, z))


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed of one answer: seconds to the first token, then seconds per token, each >= 0."""

    ttft_s: float
    per_token_s: float


@dataclass(frozen=True, slots=True)
class LatencyProfile:
    """How fast a tier answers.

    Attributes:
        ttft_p50_s: median time to the first token, > 0.
        ttft_p99_s: its 99th percentile without stragglers, >= ``ttft_p50_s``.
        tokens_per_s: output tokens per second after the first, > 0.
        tail_probability: share of stragglers, in [0, 1].
        tail_factor: how many times slower a straggler is, first token and pace alike, >= 1.
        rate_sigma: standard deviation of the logarithm of ``tokens_per_s`` between answers, >= 0.
    """

    ttft_p50_s: float
    ttft_p99_s: float
    tokens_per_s: float
    tail_probability: float = 0.0
    tail_factor: float = 1.0
    rate_sigma: float = 0.0

    def __post_init__(self) -> None:
        _require(0 < self.ttft_p50_s < math.inf, "ttft must be more than 0 s")
        _require(self.ttft_p50_s <= self.ttft_p99_s < math.inf, "ttft_p99 must not be less than ttft")
        _require(0 < self.tokens_per_s < math.inf, "tokens_per_s must be more than 0")
        _require(0 <= self.tail_probability <= 1, "the probability of tail must be in [0, 1]")
        _require(1 <= self.tail_factor < math.inf, "the factor of tail must be at least 1")
        _require(0 <= self.rate_sigma < math.inf, "rate_sigma must be at least 0")

    def pace(self, rng: random.Random) -> Pace:
        """Returns the speed of one answer."""
        first_z, rate_z = rng.gauss(0.0, 1.0), rng.gauss(0.0, 1.0)
        return self.pace_at(first_z, rate_z, rng.random())

    def pace_at(self, first_z: float, rate_z: float, chance: float) -> Pace:
        """Returns the speed of one answer.

        Args:
            first_z: how slow its first token is, in standard deviations of the logarithm; clipped at 3.5.
            rate_z: how slow its tokens are, likewise.
            chance: in [0, 1); below ``tail_probability`` it is a straggler.
        """
        ttft_s = self.ttft_p50_s * math.exp(math.log(self.ttft_p99_s / self.ttft_p50_s) / Z_99 * _clipped(first_z))
        per_token_s = math.exp(self.rate_sigma * _clipped(rate_z)) / self.tokens_per_s
        factor = self.tail_factor if chance < self.tail_probability else 1.0
        return Pace(ttft_s * factor, per_token_s * factor)

    def described(self) -> str:
        """Returns the profile in a few words, for reports."""
        sigma = math.log(self.ttft_p99_s / self.ttft_p50_s) / Z_99
        tail = f", {self.tail_probability:.0%} {self.tail_factor:g} times slower" if self.tail_probability else ""
        return (
            f"first token {self.ttft_p50_s:g} s (log-sd {sigma:.2g}), {self.tokens_per_s:g} tokens/s "
            f"(log-sd {self.rate_sigma:g}){tail}"
        )

    def pace_of_recorded(self, latency_s: float, output_tokens: int) -> Pace:
        """Returns the speed at which a whole answer takes ``latency_s``.

        It is split into first token and rest as the profile's median answer of that length is.
        """
        writing_s = output_tokens / self.tokens_per_s
        first_share = self.ttft_p50_s / (self.ttft_p50_s + writing_s)
        return Pace(latency_s * first_share, latency_s * (1.0 - first_share) / max(1, output_tokens))


class AnswerKind(Enum):
    """How good a simulated answer is."""

    CORRECT = "correct"
    WRONG = "wrong"
    REFUSAL = "refusal"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class QualityProfile:
    """How often a tier's answers are of each kind. What is left to 1 is ``WRONG``.

    Attributes:
        correct: probability of a right answer, in [0, 1], for prompts whose level is not in ``correct_by_level``.
        refusal, empty, truncated, malformed: probabilities of the other kinds; the same at every level.
        correct_by_level: level of difficulty -> probability of a right answer.
    """

    correct: float
    refusal: float = 0.0
    empty: float = 0.0
    truncated: float = 0.0
    malformed: float = 0.0
    correct_by_level: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        failures = (self.refusal, self.empty, self.truncated, self.malformed)
        _require(all(0 <= p <= 1 for p in failures), "probabilities must be in [0, 1]")
        for correct in (self.correct, *dict(self.correct_by_level).values()):
            _require(0 <= correct <= 1, "probabilities must be in [0, 1]")
            _require(correct + sum(failures) <= 1 + 1e-9, "the probabilities of a tier's answers add up to more than 1")

    def kind(self, rng: random.Random, level: str = "") -> AnswerKind:
        """Returns the kind of one answer, by one uniform draw: raising ``correct`` never spoils a right one."""
        left = rng.random()
        for kind, probability in (
            (AnswerKind.CORRECT, dict(self.correct_by_level).get(level, self.correct)),
            (AnswerKind.REFUSAL, self.refusal),
            (AnswerKind.EMPTY, self.empty),
            (AnswerKind.TRUNCATED, self.truncated),
            (AnswerKind.MALFORMED, self.malformed),
        ):
            if left < probability:
                return kind
            left -= probability
        return AnswerKind.WRONG


@dataclass(frozen=True, slots=True)
class TierProfile:
    """One simulated tier.

    Attributes:
        name: the model name that clients ask for.
        output_tokens_p50: median length of a made-up answer, in tokens, > 0.
        output_tokens_p99: its 99th percentile, >= the median.
    """

    name: str
    latency: LatencyProfile
    quality: QualityProfile
    output_tokens_p50: float = 80.0
    output_tokens_p99: float = 400.0

    def __post_init__(self) -> None:
        _require(bool(self.name), "a tier needs a name")
        _require(0 < self.output_tokens_p50 <= self.output_tokens_p99 < math.inf, "tokens must be more than 0")


# Orders of magnitude of hosted small and large chat models, not a measurement of any of them.
DEFAULT_TIERS = (
    TierProfile(
        name="mini",
        latency=LatencyProfile(0.35, 1.2, tokens_per_s=110, tail_probability=0.01, tail_factor=5),
        quality=QualityProfile(correct=0.75, refusal=0.01, empty=0.005, truncated=0.01, malformed=0.015),
    ),
    TierProfile(
        name="large",
        latency=LatencyProfile(0.6, 2.0, tokens_per_s=60, tail_probability=0.01, tail_factor=5),
        quality=QualityProfile(correct=0.92, refusal=0.01, empty=0.002, truncated=0.005, malformed=0.003),
    ),
)

_LATENCY_KEYS = {"ttft": "ttft_p50_s", "ttft_p99": "ttft_p99_s", "tokens_per_s": "tokens_per_s"}
_QUALITY_KEYS = ("correct", "refusal", "empty", "truncated", "malformed")
TIER_KEYS = (*_LATENCY_KEYS, "tail", "tokens", "tokens_p99", *_QUALITY_KEYS, "correct@LEVEL")


def parse_tier(text: str, known: Mapping[str, TierProfile]) -> TierProfile:
    """Returns the tier that ``NAME:key=value,...`` describes; keys left out are those of ``known[NAME]``, else of mini.

    Keys: ``ttft``, ``ttft_p99`` (``0.15s``, ``150ms``), ``tokens_per_s``, ``tail`` (``0.02x6``: 2 % are 6 times
    slower), ``tokens``, ``tokens_p99`` (length of made-up answers), ``correct``, ``refusal``, ``empty``, ``truncated``,
    ``malformed`` (probabilities) and ``correct@LEVEL``. Where only a median is given, the ratio to its 99th percentile
    stays.

    Raises:
        ValueError: says in one line what is wrong.
    """
    name, _, body = text.partition(":")
    settings: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in body.split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals or (key not in TIER_KEYS and not key.startswith("correct@")):
            nearest = difflib.get_close_matches(key, TIER_KEYS, n=1, cutoff=0.5)
            hint = f"did you mean {nearest[0]}=...?" if nearest else f"one of {', '.join(TIER_KEYS)}"
            raise ValueError(f"{item!r} is not a setting of a tier: {hint}")
        settings[key] = value
    before = replace(known.get(name) or replace(DEFAULT_TIERS[0]), name=name.strip())
    return _with_settings(before, settings)


def _with_settings(before: TierProfile, settings: Mapping[str, str]) -> TierProfile:
    latency = {_LATENCY_KEYS[key]: _number(key, settings[key]) for key in _LATENCY_KEYS if key in settings}
    if "ttft" in settings and "ttft_p99" not in settings:
        latency["ttft_p99_s"] = latency["ttft_p50_s"] * before.latency.ttft_p99_s / before.latency.ttft_p50_s
    if "tail" in settings:
        probability, _, factor = settings["tail"].partition("x")
        latency |= {"tail_probability": _number("tail", probability), "tail_factor": _number("tail", factor)}
    p50, p99 = before.output_tokens_p50, before.output_tokens_p99
    if "tokens" in settings:
        p50, p99 = _number("tokens", settings["tokens"]), _number("tokens", settings["tokens"]) * p99 / p50
    if "tokens_p99" in settings:
        p99 = _number("tokens_p99", settings["tokens_p99"])
    levels = dict(before.quality.correct_by_level) | {
        key.partition("@")[2]: _number(key, value) for key, value in settings.items() if key.startswith("correct@")
    }
    probabilities = {key: _number(key, settings[key]) for key in _QUALITY_KEYS if key in settings}
    return replace(
        before,
        latency=replace(before.latency, **latency),
        quality=replace(before.quality, **probabilities, correct_by_level=tuple(levels.items())),
        output_tokens_p50=p50,
        output_tokens_p99=p99,
    )


def _number(key: str, text: str) -> float:
    scale = 1.0
    if key.startswith("ttft"):
        text, scale = (text.removesuffix("ms"), 1e-3) if text.endswith("ms") else (text.removesuffix("s"), 1.0)
    try:
        value = float(text) * scale
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        example = {"tail": "0.02x6", "ttft": "0.15s", "ttft_p99": "0.6s", "tokens_per_s": "120"}.get(key, "0.75")
        raise ValueError(f"{key} is not a number: write it like {key}={example}")
    return value
