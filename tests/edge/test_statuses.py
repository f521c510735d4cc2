"""Errors on the wire: their details, their order and their bounds."""

from __future__ import annotations

import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from specroute.core.deadline import Deadline
from specroute.core.errors import (
    AllUpstreamsFailed,
    BudgetExhausted,
    DeadlineExceeded,
    FieldViolation,
    InvalidRequest,
    NoAcceptableAnswer,
    NoEligibleTier,
    Overloaded,
    ReaderStalled,
    RouteError,
    StreamInterrupted,
)
from specroute.core.outcome import Attempt, AttemptEnd, Decision, Verdict, VerdictKind
from specroute.core.plan import ExcludedTier, Leg, Plan, PlanKind, Prediction, Profile
from specroute.core.stream import Delivered
from specroute.edge.statuses import internal_error, wire_error
from specroute.v1 import decision_pb2, router_pb2

MAX_DETAIL_BYTES = 3072


def status_of(error: RouteError, request_id: str = "r") -> Status:
    return Status.FromString(dict(wire_error(error, request_id).trailing_metadata)["grpc-status-details-bin"])


def decision(*attempts: Attempt, excluded: int = 0) -> Decision:
    plan = Plan(
        PlanKind.RACE,
        (Leg("mini"), Leg("large", speculative=True)),
        "threshold",
        "A sentence. " * 100,
        excluded=tuple(ExcludedTier(f"tier-{number}", "rule:" + "x" * 60) for number in range(excluded)),
    )
    return Decision("r", 1.0, 1, 1, Profile(), Prediction(), plan, Deadline(0.0, 1.0, 0.9), attempts)


def attempt(number: int = 0) -> Attempt:
    verdicts = tuple(Verdict("validator" * 5, VerdictKind.REJECT, "reason" * 10) for _ in range(8))
    name = f"upstream-{number}-{'x' * 100}"
    return Attempt("mini", name, "m" * 200, 0, speculative=False, end=AttemptEnd.REJECTED, verdicts=verdicts)


@pytest.mark.parametrize(("attempts", "excluded"), [(1, 0), (4, 0), (60, 0), (4, 200)])
def test_a_decision_in_an_error_keeps_its_bound(attempts: int, excluded: int) -> None:
    whole = decision(*(attempt(number) for number in range(attempts)), excluded=excluded)

    status = status_of(NoAcceptableAnswer("rejected", whole))

    info, found = ErrorInfo(), decision_pb2.Decision()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(found)
    assert info.reason == "NO_ACCEPTABLE_ANSWER"
    assert found.request_id == "r"
    assert found.ByteSize() <= MAX_DETAIL_BYTES
    assert len(found.attempts) > 0
    assert status.ByteSize() < 8_000


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequest((FieldViolation("a", "b"),)), 3),
        (NoEligibleTier("none"), 9),
        (BudgetExhausted("dear"), 8),
        (Overloaded("full"), 8),
        (AllUpstreamsFailed("down"), 14),
        (NoAcceptableAnswer("bad"), 9),
        (DeadlineExceeded("late"), 4),
        (StreamInterrupted("broke off"), 14),
        (ReaderStalled("stalled"), 10),
    ],
)
def test_every_error_has_its_code_and_its_reason_first(error: RouteError, code: int) -> None:
    status = status_of(error)

    info = ErrorInfo()
    assert status.code == code
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, info.metadata["request_id"]) == (error.reason, "specroute", "r")


def test_only_an_error_after_a_call_forbids_the_retry() -> None:
    called = wire_error(AllUpstreamsFailed("down", decision(attempt())), "r")
    uncalled = wire_error(Overloaded("full"), "r")

    assert ("grpc-retry-pushback-ms", "-1") in called.trailing_metadata
    assert "grpc-retry-pushback-ms" not in dict(uncalled.trailing_metadata)


def test_waiting_is_advised_where_it_helps() -> None:
    retry = RetryInfo()
    assert any(detail.Unpack(retry) for detail in status_of(Overloaded("full")).details)
    assert retry.retry_delay.seconds >= 1


def test_a_flood_of_violations_stays_small() -> None:
    error = InvalidRequest(tuple(FieldViolation(f"messages[{n}].content", "x" * 5_000) for n in range(1_000)))

    status = status_of(error)

    bad = BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    assert len(status.message) <= 512
    assert 1 <= len(bad.field_violations) <= 16
    assert status.ByteSize() < 8_192 + 2_048


def test_a_bug_shows_nothing_but_the_id_to_ask_for() -> None:
    error = internal_error("r-9")

    assert error.code.name == "INTERNAL"
    assert "r-9" in error.message


def test_a_stream_that_broke_off_says_how_much_was_delivered() -> None:
    error = StreamInterrupted("broke off", decision(attempt()), Delivered(1, "large", 3, 10))

    status = status_of(error)

    info, partial = ErrorInfo(), router_pb2.PartialDelivery()
    assert status.details[0].Unpack(info)
    assert dict(info.metadata) == {
        "request_id": "r",
        "partial": "true",
        "delivered_tokens": "3",
        "delivered_bytes": "10",
    }
    assert status.details[-1].Unpack(partial)
    assert (partial.leg, partial.tier, partial.output_tokens, partial.output_bytes) == (1, "large", 3, 10)
    assert ("grpc-retry-pushback-ms", "-1") in wire_error(error, "r").trailing_metadata


def test_without_a_delivery_nothing_is_said_of_one() -> None:
    status = status_of(StreamInterrupted("broke off", decision(attempt())))

    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert dict(info.metadata) == {"request_id": "r"}
    assert not any(detail.Is(router_pb2.PartialDelivery.DESCRIPTOR) for detail in status.details)
