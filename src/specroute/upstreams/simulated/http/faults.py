"""Faults on demand: what an endpoint can do other than answer, drawn by probability or asked for by a header."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from specroute.upstreams.simulated.http.wire import ApiError
from specroute.upstreams.simulated.profile import seeded

if TYPE_CHECKING:
    from collections.abc import Sequence

FAULT_HEADER = "x-specroute-fault"

MAX_REMEMBERED_PROMPTS = 65_536
"""Prompts whose number of calls is kept, so that a retry meets a fresh draw; the oldest is forgotten."""


class FaultKind(Enum):
    """What goes wrong, and when."""

    STATUS = "status"
    """An HTTP error at once."""
    HANG = "hang"
    """The request is read and never answered."""
    RESET = "reset"
    """The connection is reset (TCP RST) before any byte."""
    GARBAGE = "garbage"
    """HTTP 200 and something that is not JSON."""
    MID_STREAM_ERROR = "mid_stream_error"
    """Half of the answer, then an error event."""
    CUT = "cut"
    """Half of the answer, then the connection closes within the body."""
    EARLY_END = "early_end"
    """Half of the answer, then a well-formed end without finish reason and ``[DONE]``."""
    STALL = "stall"
    """Half of the answer, then silence."""


MID_ANSWER = frozenset({FaultKind.MID_STREAM_ERROR, FaultKind.CUT, FaultKind.EARLY_END, FaultKind.STALL})
FAULT_WORDS = "429, 500 (any status from 400 to 599), " + ", ".join(
    kind.value for kind in FaultKind if kind is not FaultKind.STATUS
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; ``status`` is the HTTP status of a ``STATUS`` fault, else 0."""

    kind: FaultKind
    status: int = 0

    @property
    def word(self) -> str:
        """The fault as options, headers and logs write it."""
        return str(self.status) if self.kind is FaultKind.STATUS else self.kind.value

    def error(self) -> ApiError:
        """Returns the body of a ``STATUS`` fault, and of the error event of a ``MID_STREAM_ERROR``."""
        if self.status == 429:
            message = "Rate limit reached (simulated fault)"
            return ApiError(429, message, "requests", code="rate_limit_exceeded", retry_after_s=1)
        if 400 <= self.status < 500:
            return ApiError(self.status, "The request was refused (simulated fault)")
        return ApiError(self.status or 500, "The server had an error (simulated fault)", "server_error")


def parse_fault(word: str) -> Fault:
    """Returns the fault that ``word`` names.

    Raises:
        ValueError: it names none; the message lists them.
    """
    if word.isascii() and word.isdigit() and 400 <= int(word) <= 599:
        return Fault(FaultKind.STATUS, int(word))
    if word != FaultKind.STATUS.value and word in {kind.value for kind in FaultKind}:
        return Fault(FaultKind(word))
    raise ValueError(f"{word!r} is not a fault: one of {FAULT_WORDS}")


@dataclass(frozen=True, slots=True)
class FaultRate:
    """How often a tier has a fault; ``tier`` "" means every tier; ``probability`` in [0, 1]."""

    fault: Fault
    probability: float
    tier: str = ""


def parse_fault_rate(text: str) -> FaultRate:
    """Returns the rate that ``[TIER:]FAULT:PROBABILITY`` describes.

    Raises:
        ValueError: says in one line what is wrong.
    """
    head, _, probability_text = text.rpartition(":")
    tier, _, word = head.rpartition(":")
    try:
        probability = float(probability_text)
    except ValueError:
        probability = -1.0
    if not head or not 0 <= probability <= 1:
        raise ValueError(f"{text!r} is not [TIER:]FAULT:PROBABILITY with a probability in [0, 1], as in 429:0.05")
    return FaultRate(parse_fault(word), probability, tier)


class FaultInjector:
    """Draws the fault of each call by (seed, tier, prompt, how many times that prompt was asked of that tier).

    Attributes:
        rates: of all tiers; of one tier they add up to at most 1.
    """

    def __init__(self, rates: Sequence[FaultRate], *, seed: int) -> None:
        self.rates = tuple(rates)
        self._seed = seed
        self._calls: OrderedDict[tuple[str, str], int] = OrderedDict()
        for tier in {rate.tier for rate in rates}:
            if sum(rate.probability for rate in self._rates_of(tier)) > 1 + 1e-9:
                raise ValueError(f"the fault probabilities of {tier or 'a tier'} add up to more than 1")

    def draw(self, tier: str, fingerprint: str) -> Fault | None:
        """Returns the fault of this call, or none."""
        if not self.rates:
            return None
        left = seeded(self._seed, "fault", tier, fingerprint, str(self._count(tier, fingerprint))).random()
        for rate in self._rates_of(tier):
            if left < rate.probability:
                return rate.fault
            left -= rate.probability
        return None

    def _rates_of(self, tier: str) -> list[FaultRate]:
        return [rate for rate in self.rates if rate.tier in ("", tier)]

    def _count(self, tier: str, fingerprint: str) -> int:
        key = (tier, fingerprint)
        count = self._calls.pop(key, 0) + 1
        self._calls[key] = count
        if len(self._calls) > MAX_REMEMBERED_PROMPTS:
            self._calls.popitem(last=False)
        return count
