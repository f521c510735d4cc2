"""Streams on the wire: how the caller wants one delivered, and the events it is sent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from specroute.core.errors import FieldViolation, InvalidRequest
from specroute.core.request import estimated_tokens, utf8_length
from specroute.core.stream import Committed, Decided, Delivered, DeliveryMode, DeliveryWish, Delta
from specroute.edge.replies import COMMIT_REASONS, write_decision, write_response
from specroute.edge.requests import seconds, to_words
from specroute.v1 import router_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specroute.core.request import RouteRequest
    from specroute.core.stream import StreamEvent
    from specroute.edge.requests import RequestLimits
    from specroute.engine.router import Routed


def to_stream_words(message: pb.RouteStreamRequest, limits: RequestLimits) -> tuple[RouteRequest, DeliveryWish]:
    """Returns the request and how its answer is to be delivered, in the service's own words.

    Raises:
        InvalidRequest: something in it cannot be served; names every field.
    """
    wish = _wish(message)
    wrong = tuple(_wish_violations(wish))
    try:
        request = to_words(message.request, limits, place="request.")
    except InvalidRequest as error:
        raise InvalidRequest((*error.violations, *wrong)) from None
    if wrong:
        raise InvalidRequest(wrong)
    return request, wish


def event_bytes(event: StreamEvent) -> bytes:
    """Returns the encoded ``RouteStreamResponse``; a delta of text takes about 1 us."""
    message = pb.RouteStreamResponse()
    if isinstance(event, Delta):
        _write_delta(event, message.delta)
    elif isinstance(event, Committed):
        committed = message.committed
        committed.leg = event.leg
        committed.tier = event.tier
        committed.reason = COMMIT_REASONS[event.reason]
    elif isinstance(event, Decided):
        write_decision(event.decision, message.decided.decision)
    else:
        message.superseded.leg = event.leg
        message.superseded.reason = event.reason
    return message.SerializeToString()


def completed_bytes(routed: Routed) -> bytes:
    """Returns the encoded last event of a stream."""
    message = pb.RouteStreamResponse()
    write_response(routed, message.completed)
    return message.SerializeToString()


def delivered_whole(routed: Routed) -> Delivered | None:
    """Returns how much a stream had delivered when all of its answer was sent; ``None``: it never committed."""
    commit = routed.decision.commit
    if commit is None:
        return None
    size = utf8_length(routed.delivery.text)
    return Delivered(commit.leg, commit.tier, estimated_tokens(size), size)


def _write_delta(delta: Delta, message: pb.StreamDelta) -> None:
    message.leg = delta.leg
    message.text = delta.text
    if delta.provisional:
        message.provisional = True
    call = delta.tool_call
    if call is not None:
        asked = message.tool_call
        asked.id = call.id
        asked.name = call.name
        asked.arguments_json = call.arguments_json


def _wish(message: pb.RouteStreamRequest) -> DeliveryWish:
    match message.WhichOneof("delivery"):
        case "hold_back":
            hold = message.hold_back
            hold_s = seconds(hold.duration) if hold.HasField("duration") else None
            return DeliveryWish(DeliveryMode.HOLD_BACK, hold.tokens or None, hold_s)
        case "provisional":
            return DeliveryWish(DeliveryMode.PROVISIONAL)
        case _:
            return DeliveryWish()


def _wish_violations(wish: DeliveryWish) -> Iterator[FieldViolation]:
    if wish.mode is not DeliveryMode.HOLD_BACK:
        return
    if wish.hold_tokens is None and wish.hold_s is None:
        yield FieldViolation("hold_back.tokens", "is absent, and so is hold_back.duration; send at least one of them")
    if wish.hold_s is not None and math.isnan(wish.hold_s):
        yield FieldViolation("hold_back.duration", "is no duration; send 1 ms to 600 s, with 0 to 999999999 nanos")
