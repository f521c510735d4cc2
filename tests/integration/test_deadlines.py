"""Every reply and every error comes in time and typed, and no upstream call outlives its request."""

from __future__ import annotations

import time
from typing import Any

import anyio
import pytest

from tests.integration.conftest import LARGE_PRICE, MINI_PRICE, Plans, Service, config, new_nonce, serving, tier
from tests.integration.mock_upstream import MockUpstream, Script, answers_status, drips, hangs, says
from tests.integration.reflection_client import Failed, ends, seconds

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

DEADLINE_S = 0.3
PLANS = ["direct", "direct_large", "cascade", "hedge", "race"]
SLOW: dict[str, Script] = {
    "silent": hangs(),
    "stuck": hangs("Well"),
    "dripping": drips(),
    "late": says("Late.", after_s=2.0),
    "refuses_late": says("I'm sorry, I can't help with that.", after_s=0.15),
    "fails": answers_status(500),
}


async def failure_of(service: Service, prompt: str, *, timeout_s: float | None = 30.0, **fields: Any) -> Failed:
    with pytest.raises(Failed) as caught:
        await service.client.route(prompt, timeout_s=timeout_s, **fields)
    return caught.value


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("slow", ["silent", "stuck", "dripping", "late"])
async def test_the_servers_own_typed_error_comes_before_the_clients_deadline(
    plans: Plans, upstream: MockUpstream, nonce: str, plan: str, slow: str
) -> None:
    prompt = upstream.on(nonce, mini=SLOW[slow], large=SLOW[slow])
    began_s = time.monotonic()

    failed = await failure_of(getattr(plans, plan), prompt, timeout_s=DEADLINE_S)

    assert time.monotonic() - began_s < DEADLINE_S
    assert (failed.code.name, failed.reason) == ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")
    assert failed.trailers["grpc-retry-pushback-ms"] == "-1"
    called = {end for _, end, _ in ends(failed.decision)} - {"NOT_LAUNCHED"}
    assert called <= {"TIMED_OUT", "CANCELLED"}
    assert seconds(failed.decision.deadline.slack) > 0
    await upstream.until_closed(nonce)
    assert all(call.closed_s is None or call.closed_s - began_s < DEADLINE_S for call in upstream.calls_of(nonce))


async def test_300_ms_requests_at_mixed_slow_upstreams_all_end_in_time(plans: Plans, upstream: MockUpstream) -> None:
    late: list[float] = []
    nonces = []

    async def one(plan: str, mini: str, large: str) -> None:
        nonce = new_nonce()
        nonces.append(nonce)
        prompt = upstream.on(nonce, mini=SLOW[mini], large=SLOW[large])
        began_s = time.monotonic()
        with pytest.raises(Failed) as caught:
            await getattr(plans, plan).client.route(prompt, timeout_s=DEADLINE_S)
        late.append(time.monotonic() - began_s)
        assert caught.value.reason in ("DEADLINE_EXCEEDED", "NO_ACCEPTABLE_ANSWER", "ALL_UPSTREAMS_FAILED")
        assert caught.value.decision is not None

    async with anyio.create_task_group() as group:
        for plan in PLANS:
            for mini in SLOW:
                for large in SLOW:
                    group.start_soon(one, plan, mini, large)
                    # Apart from each other: client, upstreams and service share this thread.
                    await anyio.sleep(0.01)

    assert len(late) == len(PLANS) * len(SLOW) ** 2
    assert max(late) < DEADLINE_S
    await upstream.until(lambda: not any(call.is_open for nonce in nonces for call in upstream.calls_of(nonce)))


@pytest.mark.parametrize("timeout_s", [0.001, 0.015])
async def test_a_deadline_too_short_for_a_call_makes_none(
    plans: Plans, upstream: MockUpstream, nonce: str, timeout_s: float
) -> None:
    failed = await failure_of(plans.race, upstream.on(nonce, mini=says("Hi.")), timeout_s=timeout_s)

    assert failed.code.name == "DEADLINE_EXCEEDED"
    assert not upstream.calls_of(nonce)


async def test_without_a_deadline_the_servers_default_holds(upstream: MockUpstream, nonce: str) -> None:
    document = config(upstream.base_url, deadline={"default": "200ms", "max": "400ms"})
    async with serving(document) as service:
        began_s = time.monotonic()
        failed = await failure_of(service, upstream.on(nonce, mini=hangs(), large=hangs()), timeout_s=None)
        default_s = time.monotonic() - began_s
        capped = await failure_of(service, upstream.on(nonce, mini=hangs(), large=hangs()), timeout_s=60)

    assert failed.reason == capped.reason == "DEADLINE_EXCEEDED"
    assert default_s < 0.2
    assert seconds(failed.decision.deadline.deadline) == pytest.approx(0.2)
    assert seconds(capped.decision.deadline.deadline) == pytest.approx(0.4)


@pytest.mark.parametrize("plan", PLANS)
async def test_a_budget_that_fails_ends_the_request_when_it_is_over(
    plans: Plans, upstream: MockUpstream, nonce: str, plan: str
) -> None:
    began_s = time.monotonic()
    failed = await failure_of(
        getattr(plans, plan),
        upstream.on(nonce, mini=drips(), large=hangs()),
        constraints={"latency_budget": "0.1s", "on_budget": "ON_BUDGET_FAIL"},
    )

    assert 0.1 <= time.monotonic() - began_s < 0.2
    assert (failed.code.name, failed.reason) == ("DEADLINE_EXCEEDED", "LATENCY_BUDGET_EXCEEDED")
    await upstream.until_closed(nonce)
    assert max(call.closed_s or 0.0 for call in upstream.calls_of(nonce)) - began_s < 0.2


async def test_a_budget_of_best_effort_goes_on_when_there_is_nothing_to_deliver(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    prompt = upstream.on(nonce, mini=hangs(), large=says("Late but good.", after_s=0.15))

    reply = await plans.race.client.route(prompt, constraints={"latency_budget": "0.05s"})

    assert (reply.output.text, reply.degraded) == ("Late but good.", False)


async def test_a_latency_budget_longer_than_the_deadline_does_not_extend_it(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    prompt = upstream.on(nonce, mini=hangs(), large=hangs())

    failed = await failure_of(
        plans.race, prompt, timeout_s=0.2, constraints={"latency_budget": "5s", "on_budget": "ON_BUDGET_FAIL"}
    )

    assert failed.code.name == "DEADLINE_EXCEEDED"
    assert failed.decision is not None


@pytest.mark.parametrize(
    ("timeouts", "script", "reason"),
    [
        ({"first_token": "60ms"}, hangs(), "first_token_timeout"),
        ({"idle": "60ms"}, hangs("Well"), "idle_timeout"),
        ({"total": "60ms"}, drips(), "total_timeout"),
    ],
)
async def test_the_timeouts_of_an_upstream_fire_and_the_next_tier_answers(
    upstream: MockUpstream, nonce: str, timeouts: dict[str, str], script: Script, reason: str
) -> None:
    url = upstream.base_url
    tiers = [tier("mini", url, MINI_PRICE, timeouts=timeouts), tier("large", url, LARGE_PRICE)]
    async with serving(config(url, prior=0.95, tiers=tiers)) as service:
        reply = await service.client.route(upstream.on(nonce, mini=script, large=says("Fine.")))

    assert ends(reply.decision) == [("mini", "TIMED_OUT", reason), ("large", "WON", "")]
    assert upstream.the_call(nonce, "mini").closed_s is not None


async def test_a_full_upstream_queues_within_the_deadline(upstream: MockUpstream) -> None:
    url = upstream.base_url
    tiers = [tier("mini", url, MINI_PRICE, max_concurrency=1), tier("large", url, LARGE_PRICE)]
    first, second = new_nonce(), new_nonce()
    async with serving(config(url, tiers=tiers, policy={"rules": [{"name": "m", "route": "mini"}]})) as service:
        call = service.client.start(
            "Route",
            service.client.request({"messages": [{"role": "user", "content": upstream.on(first, mini=hangs("A"))}]}),
        )
        await upstream.until_called(first, ["mini"])
        failed = await failure_of(service, upstream.on(second, mini=says("B.")), timeout_s=0.2)
        call.cancel()
        await upstream.until_closed(first)
        reply = await service.client.route(upstream.on(second, mini=says("B.")))

    assert failed.reason == "DEADLINE_EXCEEDED"
    assert reply.output.text == "B."
    assert len(upstream.calls_of(second)) == 1
