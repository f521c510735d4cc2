"""Streams on the wire: what a caller can ask for, and every event as its message."""

from __future__ import annotations

import pytest

from specroute.core.errors import InvalidRequest
from specroute.core.outcome import Completion, Delivery, FinishReason
from specroute.core.request import ToolCall
from specroute.core.stream import (
    Commit,
    CommitReason,
    Committed,
    Decided,
    Delivered,
    DeliveryMode,
    DeliveryWish,
    Delta,
    StreamEvent,
    Superseded,
)
from specroute.edge.client.messages import to_stream_message
from specroute.edge.requests import RequestLimits, parse
from specroute.edge.streaming.messages import completed_bytes, delivered_whole, event_bytes, to_stream_words
from specroute.engine.router import Routed
from specroute.v1 import decision_pb2
from specroute.v1 import router_pb2 as pb
from tests.edge.test_replies import a_decision

LIMITS = RequestLimits(tiers=("mini", "large"), max_prompt_bytes=1000, min_latency_budget_s=0.02)
HI = pb.RouteRequest(messages=[pb.Message(role="user", content="Hi")])


def wish_of(message: pb.RouteStreamRequest) -> DeliveryWish:
    _, wish = to_stream_words(parse(pb.RouteStreamRequest, message.SerializeToString()), LIMITS)
    return wish


def violated(message: pb.RouteStreamRequest) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        wish_of(message)
    return [violation.field for violation in caught.value.violations]


def sent(event: StreamEvent) -> pb.RouteStreamResponse:
    return pb.RouteStreamResponse.FromString(event_bytes(event))


def routed(commit: Commit | None = None) -> Routed:
    completion = Completion("Sí", (ToolCall("c", "add", "{}"),), FinishReason.TOOL_CALLS, "m")
    return Routed(Delivery(completion, "Sí, claro", "large", "large-0", degraded=True), a_decision(commit=commit))


def test_without_a_word_about_it_a_stream_is_delivered_once_committed() -> None:
    assert wish_of(pb.RouteStreamRequest(request=HI)) == DeliveryWish(DeliveryMode.COMMITTED)


@pytest.mark.parametrize(
    "wish",
    [
        DeliveryWish(DeliveryMode.COMMITTED),
        DeliveryWish(DeliveryMode.PROVISIONAL),
        DeliveryWish(DeliveryMode.HOLD_BACK, hold_tokens=32),
        DeliveryWish(DeliveryMode.HOLD_BACK, hold_s=0.25),
        DeliveryWish(DeliveryMode.HOLD_BACK, 1_000_000, 600.0),
    ],
)
def test_what_a_client_wishes_is_what_the_server_reads(wish: DeliveryWish) -> None:
    assert wish_of(to_stream_message(HI, wish)) == wish


@pytest.mark.parametrize(
    ("hold_back", "field"),
    [
        (b"", "hold_back.tokens"),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "hold_back.tokens"),  # -1
        (b"\x08\xc1\x84\x3d", "hold_back.tokens"),  # 1,000,001
        (b"\x12\x00", "hold_back.duration"),  # 0 s
        (b"\x12\x03\x08\xd9\x04", "hold_back.duration"),  # 601 s
        (b"\x12\x08\x08\x01\x10\xff\xff\xff\xff\x07", "hold_back.duration"),  # 1 s and 2**31 - 1 ns
    ],
)
def test_a_window_that_is_none_names_its_field(hold_back: bytes, field: str) -> None:
    message = pb.RouteStreamRequest(request=HI, hold_back=pb.HoldBackDelivery.FromString(hold_back))

    assert violated(message) == [field]


def test_a_window_without_bounds_says_how_to_mend_it() -> None:
    with pytest.raises(InvalidRequest) as caught:
        wish_of(pb.RouteStreamRequest(request=HI, hold_back=pb.HoldBackDelivery()))

    (violation,) = caught.value.violations
    assert "hold_back.duration" in violation.description
    assert "send at least one" in violation.description


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.RouteRequest(messages=[pb.Message(role="user", content=" ")]), "request.messages[0].content"),
        (pb.RouteRequest(messages=[pb.Message(role="robot", content="x")]), "request.messages[0].role"),
        (
            pb.RouteRequest(messages=HI.messages, constraints=pb.Constraints(force_tier="huge")),
            "request.constraints.force_tier",
        ),
    ],
)
def test_fields_are_paths_in_the_streams_own_request(request_: pb.RouteRequest, field: str) -> None:
    assert violated(pb.RouteStreamRequest(request=request_)) == [field]


def test_a_stream_without_a_request_is_refused() -> None:
    assert violated(pb.RouteStreamRequest()) == ["request"]


def test_all_violations_are_told_at_once() -> None:
    message = pb.RouteStreamRequest(
        request=pb.RouteRequest(messages=HI.messages, constraints=pb.Constraints(force_tier="huge")),
        hold_back=pb.HoldBackDelivery(),
    )

    assert violated(message) == ["request.constraints.force_tier", "hold_back.tokens"]


def test_a_decision_opens_the_stream() -> None:
    assert sent(Decided(a_decision())).decided.decision.request_id == "r-1"


@pytest.mark.parametrize("text", ["", "a", "Grüße 😀\0", "x" * 100_000])
@pytest.mark.parametrize("provisional", [True, False])
def test_a_delta_keeps_its_text_and_its_leg(text: str, provisional: bool) -> None:
    message = sent(Delta(2, text, provisional))

    assert message.WhichOneof("event") == "delta"
    assert (message.delta.leg, message.delta.text, message.delta.provisional) == (2, text, provisional)
    assert not message.delta.HasField("tool_call")


def test_a_delta_of_the_first_leg_without_text_is_still_a_delta() -> None:
    assert sent(Delta(0)).WhichOneof("event") == "delta"
    assert sent(Superseded(0, "")).WhichOneof("event") == "superseded"


def test_a_tool_call_is_whole() -> None:
    call = sent(Delta(0, tool_call=ToolCall("c1", "add", '{"a": 1}'))).delta.tool_call

    assert (call.id, call.name, call.arguments_json) == ("c1", "add", '{"a": 1}')


def test_what_is_taken_back_says_why() -> None:
    message = sent(Superseded(1, "refusal")).superseded

    assert (message.leg, message.reason) == (1, "refusal")


@pytest.mark.parametrize("reason", CommitReason)
def test_every_reason_of_a_commit_has_its_word(reason: CommitReason) -> None:
    message = sent(Committed(1, "large", reason)).committed

    assert (message.leg, message.tier) == (1, "large")
    assert decision_pb2.CommitReason.Name(message.reason) == f"COMMIT_REASON_{reason.name}"


def test_the_last_event_is_the_whole_reply() -> None:
    reply = pb.RouteStreamResponse.FromString(completed_bytes(routed())).completed

    assert (reply.output.text, reply.tier, reply.upstream, reply.model) == ("Sí, claro", "large", "large-0", "m")
    assert reply.output.tool_calls[0].name == "add"
    assert (reply.finish_reason, reply.degraded, reply.decision.request_id) == ("tool_calls", True, "r-1")


def test_how_much_was_delivered_is_counted_in_bytes() -> None:
    commit = Commit(1, "large", CommitReason.VALIDATED, 0.1, 3)

    assert delivered_whole(routed(commit)) == Delivered(1, "large", 3, 10)
    assert delivered_whole(routed()) is None
