"""Webhooks over sockets: what they are told, what their word does, and that nobody waits for one that hangs."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.integration.conftest import config, serving
from tests.integration.mock_upstream import MockUpstream, drips, says
from tests.integration.reflection_client import Failed, ends, seconds
from tests.integration.scripted_upstream import Do, ScriptedUpstream, SeenRequest, Send, Step
from tests.integration.stream_calls import open_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from tests.integration.conftest import Service

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

GONE_WITHIN_S = 0.25


def http(body: bytes, status: str = "200 OK") -> list[Step]:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return [Send(head.encode() + body)]


def verdict(word: str, reason: str = "") -> list[Step]:
    return http(json.dumps({"verdict": word, "reason": reason}).encode())


def by_word(request: SeenRequest) -> Iterable[Step]:
    """Rejects what is unsafe."""
    unsafe = "unsafe" in json.loads(request.body)["output"]
    return verdict("reject", "Unsafe content") if unsafe else verdict("accept", "fine")


@asynccontextmanager
async def reviewed(
    upstream: MockUpstream, script: Callable[[SeenRequest], Iterable[Step]], *, plan: str = "on_rejection", **item: Any
) -> AsyncIterator[tuple[Service, ScriptedUpstream]]:
    """A service whose answers a webhook reviews, and the webhook."""
    async with ScriptedUpstream(script) as safety:
        hook = {"name": "safety", "webhook": f"http://127.0.0.1:{safety.port}/check", "timeout": "2s"} | item
        validation = {"validators": ["complete", hook]}
        document = config(upstream.base_url, hedge_delay=plan, validation=validation)
        async with serving(document, environ={"SAFETY_KEY": "token-7"}) as service:
            yield service, safety


async def test_an_answer_that_is_accepted_is_delivered(upstream: MockUpstream, nonce: str) -> None:
    async with reviewed(upstream, by_word, api_key_env="SAFETY_KEY") as (service, safety):
        first = await service.client.route(upstream.on(nonce, mini=says("All is well.")))
        await service.client.route(upstream.on(nonce, mini=says("Still well.")))
        samples = await service.metrics()

    assert (first.output.text, first.tier) == ("All is well.", "mini")
    review = first.decision.attempts[0].verdicts[-1]
    assert (review.validator, review.reason) == ("safety", "fine")
    assert any(timing.stage == "review" and seconds(timing.duration) > 0 for timing in first.decision.timings)
    request = safety.requests[0]
    assert (request.path, request.headers["authorization"]) == ("/check", "Bearer token-7")
    told = json.loads(request.body)
    assert (told["tier"], told["output"], told["request_id"]) == ("mini", "All is well.", first.request_id)
    assert nonce in told["prompt"][-1]["content"]
    assert len(safety.connections) == 1, "the connection is used again"
    assert samples['specroute_verdicts_total{reason="fine",validator="safety",verdict="accept"}'] == 2


async def test_an_answer_that_is_rejected_escalates(upstream: MockUpstream, nonce: str) -> None:
    prompt = upstream.on(nonce, mini=says("unsafe"), large=says("Safe."))
    async with reviewed(upstream, by_word, contract=True) as (service, _):
        reply = await service.client.route(prompt)

    assert reply.output.text == "Safe."
    assert ends(reply.decision) == [("mini", "REJECTED", "unsafe_content"), ("large", "WON", "")]


@pytest.mark.parametrize("contract", [True, False])
async def test_what_a_contract_rejects_is_never_delivered(upstream: MockUpstream, nonce: str, contract: bool) -> None:
    prompt = upstream.on(nonce, mini=says("unsafe"), large=says("unsafe, too"))
    async with reviewed(upstream, by_word, contract=contract) as (service, _):
        if not contract:
            reply = await service.client.route(prompt)
            assert (reply.output.text, reply.degraded) == ("unsafe, too", True)
            return
        with pytest.raises(Failed) as caught:
            await service.client.route(prompt)
        assert caught.value.reason == "NO_ACCEPTABLE_ANSWER"


def garbage(_: SeenRequest) -> list[Step]:
    return [Send(b"\x00garbage\r\n\r\n"), Do.FIN]


def hangs(_: SeenRequest) -> list[Step]:
    return [Do.HANG]


FAULTS: dict[str, tuple[Callable[[SeenRequest], Iterable[Step]], str]] = {
    "hang": (hangs, "webhook_timeout"),
    "half a reply": (
        lambda _: [Send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), Do.HANG],
        "webhook_timeout",
    ),
    "garbage": (garbage, "webhook_error"),
    "reset": (lambda _: [Do.RST], "webhook_error"),
    "not json": (lambda _: http(b"<html>"), "webhook_bad_reply"),
    "endless": (lambda _: [Send(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 200_000), Do.HANG], "webhook_bad_reply"),
    "busy": (lambda _: http(b"{}", "503 Service Unavailable"), "webhook_error"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("on_abstain", "tier"), [("accept", "mini"), ("reject", None)])
async def test_a_webhook_that_fails_abstains_in_time(
    upstream: MockUpstream, nonce: str, fault: str, on_abstain: str, tier: str | None
) -> None:
    script, reason = FAULTS[fault]
    prompt = upstream.on(nonce, mini=says("Hello."), large=says("Hello."))
    item: dict[str, Any] = {"timeout": "150ms", "contract": True, "on_abstain": on_abstain}
    async with reviewed(upstream, script, **item) as (service, safety):
        began_s = time.monotonic()
        if tier is None:
            with pytest.raises(Failed) as caught:
                await service.client.route(prompt)
            said = caught.value.decision.attempts[0].reason
        else:
            reply = await service.client.route(prompt)
            assert reply.tier == tier
            said = reply.decision.attempts[0].verdicts[-1].reason
        took_s = time.monotonic() - began_s

    assert said == reason
    assert took_s < 2.0
    assert safety.requests


async def test_a_webhook_that_is_not_there_abstains(upstream: MockUpstream, nonce: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/check"
        async with reviewed(upstream, by_word, webhook=url) as (service, _):
            reply = await service.client.route(upstream.on(nonce, mini=says("Hello.")))

    assert reply.decision.attempts[0].verdicts[-1].reason == "webhook_error"
    assert reply.tier == "mini"


@pytest.mark.parametrize("plan", ["on_rejection", "0s"])
async def test_a_caller_who_goes_away_is_seen_by_the_webhook(upstream: MockUpstream, nonce: str, plan: str) -> None:
    prompt = upstream.on(nonce, mini=says("Hello."), large=drips())
    async with reviewed(upstream, hangs, plan=plan, timeout="30s") as (service, safety):
        call = asyncio.create_task(service.client.route(prompt))
        await safety.wait_for_requests(1)
        began_s = time.monotonic()
        call.cancel()
        with anyio.fail_after(5):
            await safety.connections[0].ended.wait()
        ended_at_s = safety.connections[0].ended_at_s
        await upstream.until_closed(nonce)

    assert ended_at_s is not None
    assert ended_at_s - began_s < GONE_WITHIN_S


async def test_the_review_of_a_loser_is_cancelled_at_once(upstream: MockUpstream, nonce: str) -> None:
    def slow_for_mini(request: SeenRequest) -> Iterable[Step]:
        return [Do.HANG] if json.loads(request.body)["tier"] == "mini" else verdict("accept")

    prompt = upstream.on(nonce, mini=says("Mini."), large=says("Large.", after_s=0.05))
    async with reviewed(upstream, slow_for_mini, plan="0s", timeout="30s") as (service, safety):
        reply = await service.client.route(prompt)
        answered_at_s = time.monotonic()
        with anyio.fail_after(5):
            await safety.connections[0].ended.wait()
        ended_at_s = safety.connections[0].ended_at_s

    assert reply.output.text == "Large."
    assert ends(reply.decision) == [("mini", "CANCELLED", "lost_race"), ("large", "WON", "")]
    assert ended_at_s is not None
    assert ended_at_s - answered_at_s < GONE_WITHIN_S


async def test_a_stream_shows_nothing_before_the_webhook_has_accepted(upstream: MockUpstream, nonce: str) -> None:
    prompt = upstream.on(nonce, mini=says("unsafe ", "text", between_s=0.02), large=says("Safe ", "text."))
    async with reviewed(upstream, by_word, contract=True) as (service, safety):
        events = [event async for event in open_stream(service.client, prompt, {"committed": {}})]

    deltas = [event.delta.text for event in events if event.WhichOneof("event") == "delta"]
    assert "".join(deltas) == "Safe text."
    committed = next(event.committed for event in events if event.WhichOneof("event") == "committed")
    assert committed.tier == "large"
    assert [json.loads(request.body)["output"] for request in safety.requests] == ["unsafe text", "Safe text."]
