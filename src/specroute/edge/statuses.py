"""From a ``RouteError`` to a gRPC status with typed details (AIP-193): the only place that makes one.

Details come in this order: ``ErrorInfo`` always, then the ``Decision`` once the request had an id, then what the reason
asks for: ``BadRequest``, ``QuotaFailure``, ``RetryInfo``, ``PartialDelivery``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status

from specroute.core.errors import BudgetExhausted, InvalidRequest
from specroute.edge.replies import cut_decision, write_duration
from specroute.v1 import decision_pb2, router_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from specroute.core.errors import RouteError
    from specroute.core.stream import Delivered

DOMAIN = "specroute"
DETAILS_KEY = "grpc-status-details-bin"
PUSHBACK_KEY = "grpc-retry-pushback-ms"
MAX_MESSAGE_CHARACTERS = 512
MAX_VIOLATIONS = 16


@dataclass(frozen=True, slots=True)
class WireError:
    """What ``context.abort`` takes."""

    code: grpc.StatusCode
    message: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def wire_error(error: RouteError, request_id: str) -> WireError:
    """Returns the status of ``error``; ``request_id`` is "" where the request could not be read."""
    details: list[Message] = [_info(error.reason, request_id, error.delivered)]
    if error.decision is not None:
        details.append(cut_decision(error.decision))
    elif request_id:
        details.append(decision_pb2.Decision(request_id=request_id))
    if isinstance(error, InvalidRequest):
        details.append(_bad_request(error))
    if isinstance(error, BudgetExhausted):
        violation = QuotaFailure.Violation(subject="constraints.max_cost_nano_usd", description=error.message)
        details.append(QuotaFailure(violations=[violation]))
    if error.retry_after_s is not None:
        retry = RetryInfo()
        write_duration(error.retry_after_s, retry.retry_delay)
        details.append(retry)
    if error.delivered is not None:
        details.append(_partial(error.delivered))
    was_called = error.decision is not None and any(attempt.upstream for attempt in error.decision.attempts)
    return _wire(grpc.StatusCode[error.code], error.message, details, pushback=was_called)


def internal_error(request_id: str) -> WireError:
    """Returns the status of a bug: the request's id to look for, nothing of what happened."""
    message = f"internal error; give the request id {request_id or '(unknown)'} to the operator"
    return _wire(grpc.StatusCode.INTERNAL, message, [_info("INTERNAL", request_id)], pushback=True)


def _info(reason: str, request_id: str, delivered: Delivered | None = None) -> ErrorInfo:
    metadata = {"request_id": request_id} if request_id else {}
    if delivered is not None:
        # For clients that know no more of a status than its ErrorInfo.
        metadata["partial"] = "true"
        metadata["delivered_tokens"] = str(delivered.tokens)
        metadata["delivered_bytes"] = str(delivered.output_bytes)
    return ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)


def _partial(delivered: Delivered) -> router_pb2.PartialDelivery:
    return router_pb2.PartialDelivery(
        leg=delivered.leg,
        tier=delivered.tier,
        output_tokens=delivered.tokens,
        output_bytes=delivered.output_bytes,
    )


def _bad_request(error: InvalidRequest) -> BadRequest:
    shown = error.violations[:MAX_VIOLATIONS]
    return BadRequest(
        field_violations=[
            BadRequest.FieldViolation(field=violation.field, description=violation.description[:MAX_MESSAGE_CHARACTERS])
            for violation in shown
        ]
    )


def _wire(code: grpc.StatusCode, message: str, details: list[Message], *, pushback: bool) -> WireError:
    text = message if len(message) <= MAX_MESSAGE_CHARACTERS else f"{message[: MAX_MESSAGE_CHARACTERS - 3]}..."
    status = Status(code=code.value[0], message=text)
    for detail in details:
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    metadata: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status.SerializeToString())]
    if pushback:
        # A client's retry policy must not pay for the race again (gRFC A6: negative means do not retry).
        metadata.append((PUSHBACK_KEY, "-1"))
    return WireError(code, text, tuple(metadata))
