"""Both clients of ``RouteStream`` against a scripted server: events, failures, and leaving early."""

from __future__ import annotations

import threading
from contextlib import aclosing, closing

import anyio
import anyio.to_thread
import pytest

from specroute.core.errors import AllUpstreamsFailed, StreamInterrupted
from specroute.core.plan import PlanKind
from specroute.core.request import Message, Role, RouteRequest, ToolCall
from specroute.core.stream import (
    CommitReason,
    Committed,
    Delivered,
    DeliveryMode,
    DeliveryWish,
    Delta,
    Superseded,
)
from specroute.edge.client import blocking
from specroute.edge.client.aio import Answered, Event, Receipt, RouteFailed, RouterClient
from tests.edge.scripted_server import (
    WAIT_S,
    calls,
    committed,
    completed,
    decided,
    delta,
    scripted,
    superseded,
)
from tests.edge.test_replies import WON, a_decision

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

HI = RouteRequest("r-1", (Message(Role.USER, "Hi"),))
HI_MESSAGE = blocking.prompt_request("Hi")
ANSWER = (decided("mini", "large"), committed(0, "mini"), delta("Lima."), completed("Lima."))
HAD = Delivered(0, "mini", 12, 47)


async def events_of(address: str, wish: DeliveryWish) -> list[Event]:
    async with RouterClient(address) as client, aclosing(client.stream(HI, wish, timeout_s=WAIT_S)) as events:
        return [event async for event in events]


async def test_events_come_in_the_services_own_words() -> None:
    script = (
        decided("mini", "large"),
        delta("I'm", provisional=True),
        superseded(0, "refusal"),
        committed(1, "large"),
        calls("add", "{}", 1),
        completed("", "large"),
    )
    wish = DeliveryWish(DeliveryMode.PROVISIONAL)
    with scripted(*script) as (address, router):
        told, *events, answered = await events_of(address, wish)

    assert isinstance(told, Receipt)
    assert events == [
        Delta(0, "I'm", provisional=True),
        Superseded(0, "refusal"),
        Committed(1, "large", CommitReason.VALIDATED),
        Delta(1, tool_call=ToolCall("c", "add", "{}")),
    ]
    assert isinstance(answered, Answered)
    assert answered.tier == "large"
    assert answered.receipt.commit is not None
    assert answered.receipt.commit.upheld
    assert router.requests[0].WhichOneof("delivery") == "provisional"


async def test_a_stream_that_breaks_off_tells_what_was_done_and_what_was_delivered() -> None:
    error = StreamInterrupted("reset", a_decision(attempts=(WON,)), HAD)
    with scripted(*ANSWER[:3], error) as (address, _), pytest.raises(RouteFailed) as caught:
        await events_of(address, DeliveryWish())

    failed = caught.value
    assert (failed.code, failed.reason, failed.delivered) == ("UNAVAILABLE", "STREAM_INTERRUPTED", HAD)
    assert failed.receipt is not None
    assert failed.receipt.plan is PlanKind.CASCADE


async def test_a_stream_that_fails_before_its_commit_delivered_nothing() -> None:
    with scripted(AllUpstreamsFailed("down", a_decision())) as (address, _), pytest.raises(RouteFailed) as caught:
        await events_of(address, DeliveryWish())

    assert (caught.value.reason, caught.value.delivered) == ("ALL_UPSTREAMS_FAILED", None)


async def test_closing_the_iterator_early_cancels_the_call() -> None:
    with scripted(*ANSWER[:3], threading.Event()) as (address, router):
        async with RouterClient(address) as client:
            async with aclosing(client.stream(HI)) as events:
                assert isinstance(await anext(events), Receipt)
            assert await anyio.to_thread.run_sync(router.ended.wait, WAIT_S)


async def test_cancelling_the_reader_cancels_the_call() -> None:
    with scripted(*ANSWER[:3], threading.Event()) as (address, router):
        async with RouterClient(address) as client:
            with anyio.move_on_after(0.2) as scope:
                async with aclosing(client.stream(HI)) as events:
                    async for _ in events:
                        pass
            assert scope.cancelled_caught
            assert await anyio.to_thread.run_sync(router.ended.wait, WAIT_S)


def test_the_blocking_client_yields_the_messages() -> None:
    with scripted(*ANSWER) as (address, router):
        wish = DeliveryWish(DeliveryMode.HOLD_BACK, hold_tokens=3)
        events = list(blocking.route_stream(address, HI_MESSAGE, wish=wish, timeout_s=WAIT_S))

    assert events == list(ANSWER)
    assert router.requests[0].hold_back.tokens == 3


def test_the_blocking_client_tells_what_was_delivered() -> None:
    error = StreamInterrupted("reset", a_decision(), HAD)
    with scripted(*ANSWER[:3], error) as (address, _), pytest.raises(blocking.CallFailed) as caught:
        list(blocking.route_stream(address, HI_MESSAGE, timeout_s=WAIT_S))

    assert caught.value.delivered is not None
    assert caught.value.delivered.output_bytes == HAD.output_bytes
    assert caught.value.decision is not None
    assert "12 tokens (47 bytes) by mini had been delivered" in str(caught.value)


def test_leaving_the_blocking_client_early_cancels_the_call() -> None:
    with scripted(*ANSWER[:3], threading.Event()) as (address, router):
        with closing(blocking.route_stream(address, HI_MESSAGE, timeout_s=WAIT_S)) as events:
            assert next(events).WhichOneof("event") == "decided"
        assert router.ended.wait(WAIT_S)


def test_a_deadline_that_passes_in_the_middle_is_told_as_such() -> None:
    with scripted(*ANSWER[:3], threading.Event()) as (address, _), pytest.raises(blocking.CallFailed) as caught:
        list(blocking.route_stream(address, HI_MESSAGE, timeout_s=0.2))

    assert caught.value.code == "DEADLINE_EXCEEDED"
