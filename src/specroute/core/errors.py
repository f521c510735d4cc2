"""What can go wrong for a caller, and what each means.

::

    RouteError
    ├── InvalidRequest          INVALID_ARGUMENT      the caller can mend it: names the field
    ├── NoEligibleTier          FAILED_PRECONDITION   rules and constraints leave no tier
    ├── BudgetExhausted         RESOURCE_EXHAUSTED    every plan costs more than the caller's bound
    ├── Overloaded              RESOURCE_EXHAUSTED    shed at admission; retry later
    ├── AllUpstreamsFailed      UNAVAILABLE           every attempt failed in transport or at the provider
    ├── NoAcceptableAnswer      FAILED_PRECONDITION   answers came, all were rejected
    ├── LatencyBudgetExceeded   DEADLINE_EXCEEDED     on_budget FAIL and the latency budget is over
    ├── DeadlineExceeded        DEADLINE_EXCEEDED     time ran out
    ├── StreamInterrupted       UNAVAILABLE           the winner of a stream failed after a part of it was delivered
    └── ReaderStalled           ABORTED               the caller stopped reading its stream

    UpstreamError               raised by an upstream adapter; becomes the end of an attempt, never reaches a caller

Status code and ``reason`` are stable parts of the contract (AIP-193); messages are for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from specroute.core.outcome import Decision
    from specroute.core.stream import Delivered


class RouteError(Exception):
    """An expected failure of a request.

    Attributes:
        reason: UPPER_SNAKE, the stable ``ErrorInfo.reason``.
        code: name of the gRPC status code.
        retry_after_s: how long the caller should wait before it tries again; ``None``: waiting does not help.
        decision: what had been done when it failed; ``None``: nothing was decided yet.
        delivered: how much of the answer a stream had delivered; ``None``: nothing for good.
    """

    reason: ClassVar[str]
    code: ClassVar[str]
    retry_after_s: ClassVar[float | None] = None

    def __init__(self, message: str, decision: Decision | None = None, delivered: Delivered | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.decision = decision
        self.delivered = delivered


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field of the request, by its path in the proto, and how to mend it."""

    field: str
    description: str


class InvalidRequest(RouteError):
    """The request breaks the contract; ``violations`` name each field."""

    reason = "INVALID_REQUEST"
    code = "INVALID_ARGUMENT"

    def __init__(self, violations: tuple[FieldViolation, ...]) -> None:
        super().__init__("; ".join(f"{violation.field}: {violation.description}" for violation in violations))
        self.violations = violations


class NoEligibleTier(RouteError):
    """Rules and constraints leave no tier that may answer."""

    reason = "NO_ELIGIBLE_TIER"
    code = "FAILED_PRECONDITION"


class BudgetExhausted(RouteError):
    """No plan fits ``max_cost_nano_usd``."""

    reason = "BUDGET_EXHAUSTED"
    code = "RESOURCE_EXHAUSTED"


class Overloaded(RouteError):
    """The service has as many requests in flight as it may have."""

    reason = "OVERLOADED"
    code = "RESOURCE_EXHAUSTED"
    retry_after_s = 1.0


class AllUpstreamsFailed(RouteError):
    """Every attempt failed in transport or at the provider."""

    reason = "ALL_UPSTREAMS_FAILED"
    code = "UNAVAILABLE"
    retry_after_s = 1.0


class NoAcceptableAnswer(RouteError):
    """Answers came and all were rejected."""

    reason = "NO_ACCEPTABLE_ANSWER"
    code = "FAILED_PRECONDITION"


class LatencyBudgetExceeded(RouteError):
    """The latency budget is over and the caller asked to fail then."""

    reason = "LATENCY_BUDGET_EXCEEDED"
    code = "DEADLINE_EXCEEDED"


class DeadlineExceeded(RouteError):
    """Time ran out."""

    reason = "DEADLINE_EXCEEDED"
    code = "DEADLINE_EXCEEDED"


class StreamInterrupted(RouteError):
    """The winner of a stream failed after a part of its answer had been delivered."""

    reason = "STREAM_INTERRUPTED"
    code = "UNAVAILABLE"


class ReaderStalled(RouteError):
    """The caller stopped reading its stream for longer than it may."""

    reason = "READER_STALLED"
    code = "ABORTED"


class UpstreamError(Exception):
    """A call to an upstream failed; raised by adapters only.

    Attributes:
        reason: snake_case, one of a small set: http_<status>, connect, connect_timeout, reset, stream_ended_early,
            garbage, provider_error, too_large, redirect, internal.
        detail: for the operator's log: never prompt, answer or secret.
        before_first_byte: no byte of a response had come, so the same call may be sent again.
    """

    def __init__(self, reason: str, detail: str = "", *, before_first_byte: bool = False) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.before_first_byte = before_first_byte
