"""Every series moves when it should, as a scrape sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.integration.conftest import LARGE_PRICE, MINI_PRICE, Service, config, serving, tier
from tests.integration.mock_upstream import MockUpstream, answers_status, hangs, says
from tests.integration.reflection_client import Failed, prompt_fields
from tests.integration.stream_calls import COMMITTED, open_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

Samples = dict[str, float]


@pytest.fixture(scope="module")
async def service(upstream: MockUpstream) -> AsyncIterator[Service]:
    """A service that races, and waits 80 ms for a first token."""
    url, timeouts = upstream.base_url, {"first_token": "80ms"}
    tiers = [tier("mini", url, MINI_PRICE, timeouts=timeouts), tier("large", url, LARGE_PRICE, timeouts=timeouts)]
    async with serving(config(url, tiers=tiers)) as running:
        yield running


async def moved(service: Service, before: Samples) -> Samples:
    """Returns the samples that changed, by how much."""
    after = await service.metrics()
    return {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name, 0.0)}


async def test_a_race_moves_its_series(service: Service, upstream: MockUpstream, nonce: str) -> None:
    before = await service.metrics()
    prompt = upstream.on(nonce, mini=says("Fine.", after_s=0.02, usage=(1_000, 500, 0)), large=hangs("We"))

    reply = await service.client.route(prompt)

    change = await moved(service, before)
    assert change['specroute_requests_total{outcome="ok",plan="race",tier="mini"}'] == 1
    assert change['specroute_attempts_total{end="won",tier="mini"}'] == 1
    assert change['specroute_attempts_total{end="cancelled",tier="large"}'] == 1
    assert change['specroute_race_wins_total{tier="mini"}'] == 1
    assert change["specroute_request_duration_seconds_count"] == 1
    assert 0.02 <= change["specroute_request_duration_seconds_sum"] < 1
    assert change['specroute_time_to_first_token_seconds_count{tier="mini"}'] == 1
    assert change["specroute_cancel_latency_seconds_count"] == 1
    assert change["specroute_deadline_slack_seconds_count"] == 1
    assert change['specroute_deadline_slack_seconds_bucket{le="60.0"}'] == 1
    assert 'specroute_deadline_slack_seconds_bucket{le="10.0"}' not in change
    assert change['specroute_prediction_count{tier="mini"}'] == 1
    assert change['specroute_prediction_sum{tier="mini"}'] == pytest.approx(0.6)
    assert {name for name in change if name.startswith("specroute_overhead_seconds_count")} >= {
        f'specroute_overhead_seconds_count{{stage="{stage}"}}' for stage in ("admit", "predict", "plan", "judge")
    }
    for validator in ("complete", "not_refusal", "output_contract"):
        assert any(
            name.startswith("specroute_verdicts_total")
            and f'validator="{validator}"' in name
            and 'verdict="accept"' in name
            for name in change
        )
    cost = reply.decision.cost
    assert change['specroute_cost_usd_total{basis="metered",disposition="delivered",tier="mini"}'] == pytest.approx(
        cost.delivered_nano_usd * 1e-9
    )
    assert change['specroute_cost_usd_total{basis="counted",disposition="waste",tier="large"}'] == pytest.approx(
        cost.waste_nano_usd * 1e-9
    )
    assert change["specroute_saved_usd_total"] == pytest.approx(cost.saved_nano_usd * 1e-9)


async def test_calls_that_run_are_seen_and_a_client_that_leaves_is_counted(
    service: Service, upstream: MockUpstream, nonce: str
) -> None:
    before = await service.metrics()
    prompt = upstream.on(nonce, mini=hangs("a"), large=hangs("b"))
    call = service.client.start("Route", service.client.request(prompt_fields(prompt)))
    await upstream.until_called(nonce, ["mini", "large"])

    running = await moved(service, before)
    call.cancel()
    await upstream.until_closed(nonce)
    name = 'specroute_requests_total{outcome="cancelled",plan="race",tier="none"}'
    with anyio.fail_after(5):
        while name not in (over := await moved(service, before)):  # noqa: ASYNC110 - a scrape has no event
            await anyio.sleep(0.01)

    assert running['specroute_inflight{tier="mini"}'] == running['specroute_inflight{tier="large"}'] == 1
    assert 'specroute_inflight{tier="mini"}' not in over
    assert over['specroute_attempts_total{end="cancelled",tier="mini"}'] == 1


@pytest.mark.parametrize(
    ("scripts", "outcome", "end"),
    [
        ({"mini": answers_status(500), "large": answers_status(500)}, "all_upstreams_failed", "failed"),
        ({"mini": says(), "large": says()}, "no_acceptable_answer", "rejected"),
        ({"mini": hangs(), "large": hangs()}, "all_upstreams_failed", "timed_out"),
    ],
)
async def test_failures_are_counted_by_their_reason(
    service: Service, upstream: MockUpstream, nonce: str, scripts: dict[str, object], outcome: str, end: str
) -> None:
    before = await service.metrics()

    with pytest.raises(Failed):
        await service.client.route(upstream.on(nonce, **scripts))  # type: ignore[arg-type]  # scripts by model

    change = await moved(service, before)
    assert change[f'specroute_requests_total{{outcome="{outcome}",plan="race",tier="none"}}'] == 1
    assert change[f'specroute_attempts_total{{end="{end}",tier="mini"}}'] == 1
    assert change[f'specroute_attempts_total{{end="{end}",tier="large"}}'] == 1


async def test_a_deadline_is_counted_as_one(service: Service, upstream: MockUpstream, nonce: str) -> None:
    before = await service.metrics()

    with pytest.raises(Failed):
        await service.client.route(upstream.on(nonce, mini=hangs("a"), large=hangs("b")), timeout_s=0.15)

    change = await moved(service, before)
    assert change['specroute_requests_total{outcome="deadline_exceeded",plan="race",tier="none"}'] == 1


async def test_a_rejection_is_counted_with_its_reason(service: Service, upstream: MockUpstream, nonce: str) -> None:
    before = await service.metrics()

    await service.client.route(upstream.on(nonce, mini=says("I'm sorry, I can't help with that."), large=says("Yes.")))

    change = await moved(service, before)
    assert change['specroute_verdicts_total{reason="refusal",validator="not_refusal",verdict="reject"}'] == 1


async def test_a_hedge_that_is_not_needed_is_counted_as_not_launched(upstream: MockUpstream, nonce: str) -> None:
    async with serving(config(upstream.base_url, hedge_delay="5s")) as service:
        await service.client.route(upstream.on(nonce, mini=says("Fine.")))
        after = await service.metrics()

    assert after['specroute_attempts_total{end="not_launched",tier="large"}'] == 1
    assert after['specroute_race_wins_total{tier="mini"}'] == 1
    assert after['specroute_requests_total{outcome="ok",plan="hedge",tier="mini"}'] == 1


async def test_a_degraded_answer_is_counted_as_one(upstream: MockUpstream, nonce: str) -> None:
    validators = ["complete", {"name": "polite", "use": "tests.integration.user_validators:Polite"}]
    async with serving(config(upstream.base_url, validation={"validators": validators})) as service:
        await service.client.route(upstream.on(nonce, mini=says("No."), large=says("No.")))
        after = await service.metrics()

    assert after['specroute_requests_total{outcome="degraded",plan="race",tier="large"}'] == 1


async def test_refused_requests_are_counted(upstream: MockUpstream, nonce: str) -> None:
    limits = {"max_in_flight": 1}
    async with serving(config(upstream.base_url, limits=limits)) as service:
        unservable: tuple[dict[str, Any], ...] = (
            {"messages": []},
            prompt_fields("Hi") | {"constraints": {"max_cost_nano_usd": 1}},
        )
        for fields in unservable:
            with pytest.raises(Failed):
                await service.client.call("Route", service.client.request(fields))
        request = service.client.request(prompt_fields(upstream.on(nonce, mini=hangs(), large=hangs())))
        running = service.client.start("Route", request)
        await upstream.until_called(nonce, ["mini", "large"])
        with pytest.raises(Failed):
            await service.client.call("Route", request)
        running.cancel()
        await upstream.until_closed(nonce)
        after = await service.metrics()

    for outcome in ("invalid_request", "budget_exhausted", "overloaded"):
        assert after[f'specroute_requests_total{{outcome="{outcome}",plan="none",tier="none"}}'] == 1


@pytest.mark.parametrize(("finish", "end"), [("stop", "upheld"), ("length", "overturned")])
async def test_the_commit_of_a_stream_is_counted_with_its_reason_and_how_it_ended(
    service: Service, upstream: MockUpstream, nonce: str, finish: str, end: str
) -> None:
    before = await service.metrics()
    prompt = upstream.on(nonce, mini=says("Oslo is ", "the capital.", finish=finish), large=hangs())

    events = [event async for event in open_stream(service.client, prompt, COMMITTED)]

    assert events[-1].WhichOneof("event") == "completed"
    change = await moved(service, before)
    assert change[f'specroute_commits_total{{end="{end}",reason="prefix_settled",tier="mini"}}'] == 1
    assert change['specroute_commit_seconds_count{reason="prefix_settled"}'] == 1
