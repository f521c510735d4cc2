"""What a caller gets: ids, answers in the form asked for, the whole decision, and money."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from specroute.v1 import router_pb2, router_pb2_grpc
from tests.integration.conftest import LARGE_PRICE, MINI_PRICE, Plans, Service, config, serving, tier
from tests.integration.mock_upstream import MockUpstream, answers_status, calls_tool, hangs, says
from tests.integration.reflection_client import SERVICE, Failed, ends, kind, seconds, words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

WEATHER = {
    "name": "weather",
    "description": "The weather of a city.",
    "parameters_json_schema": '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}',
}


async def test_a_request_id_is_echoed_and_sent_upstream(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    reply = await plans.direct.client.route(upstream.on(nonce), request_id="order-66:a")

    assert reply.request_id == reply.decision.request_id == "order-66:a"
    assert upstream.the_call(nonce, "mini").headers["x-request-id"] == "order-66:a"


async def test_without_an_id_a_uuid7_of_now_is_made(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    before_ms = time.time_ns() // 1_000_000

    reply = await plans.direct.client.route(upstream.on(nonce))

    made = uuid.UUID(reply.request_id)
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before_ms <= made.int >> 80 <= time.time_ns() // 1_000_000


async def test_the_decision_tells_everything(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    prompt = upstream.on(nonce, mini=says("Fine.", after_s=0.01, usage=(1_000, 500, 200)), large=hangs("We"))

    reply = await plans.race.client.route(
        prompt, timeout_s=5, hints={"task_type": "chat", "risk": "RISK_LOW"}, constraints={"latency_budget": "3s"}
    )

    decision = reply.decision
    assert abs(decision.received_time.ToNanoseconds() * 1e-9 - time.time_ns() * 1e-9) < 5
    prediction = decision.prediction
    assert prediction.tiers["mini"].p_accept == 0.6
    assert (prediction.task_type, prediction.risk, prediction.model_version) == ("chat", "low", "prior")
    assert prediction.input_tokens == -(-len(prompt) // 4)
    assert prediction.output_tokens > 0
    plan = decision.plan
    assert (kind(decision), plan.reason) == ("RACE", "threshold")
    assert plan.explanation
    assert len(plan.policy_version) == 8
    assert [(leg.tier, seconds(leg.launch_after), leg.speculative) for leg in plan.legs] == [
        ("mini", 0.0, False),
        ("large", 0.0, True),
    ]
    mini, large = sorted(decision.attempts, key=lambda attempt: attempt.leg)
    assert (mini.tier, mini.upstream, mini.model, mini.speculative) == ("mini", "mini-0", "mini-v1", False)
    assert (large.tier, large.upstream, large.speculative) == ("large", "large-0", True)
    assert 0.01 <= seconds(mini.time_to_first_token) <= seconds(mini.ended_after)
    assert seconds(large.launched_after) < 0.05
    assert [(verdict.validator, words(verdict.kind, verdict, "kind")) for verdict in mini.verdicts] == [
        ("complete", "VERDICT_KIND_ACCEPT"),
        ("not_refusal", "VERDICT_KIND_ACCEPT"),
        ("output_contract", "VERDICT_KIND_ACCEPT"),
    ]
    assert (mini.usage.input_tokens, mini.usage.cached_input_tokens, mini.usage.output_tokens) == (1_000, 200, 500)
    # 800 x 0.15 + 200 x 0.075 + 500 x 0.60 dollars per million tokens
    assert mini.cost_nano_usd == 120_000 + 15_000 + 300_000
    assert words(mini.cost_basis, mini, "cost_basis") == "COST_BASIS_METERED"
    assert words(large.cost_basis, large, "cost_basis") == "COST_BASIS_COUNTED"
    assert large.cost_nano_usd == prediction.input_tokens * 2_500 + 1 * 10_000
    cost = decision.cost
    assert (cost.delivered_nano_usd, cost.waste_nano_usd) == (mini.cost_nano_usd, large.cost_nano_usd)
    assert cost.always_large_estimate_nano_usd == 1_000 * 2_500 + 500 * 10_000
    assert cost.saved_nano_usd == (cost.always_large_estimate_nano_usd - cost.delivered_nano_usd - cost.waste_nano_usd)
    deadline = decision.deadline
    assert seconds(deadline.deadline) == pytest.approx(5, abs=0.1)
    assert seconds(deadline.latency_budget) == pytest.approx(3)
    assert seconds(deadline.used) + seconds(deadline.slack) == pytest.approx(seconds(deadline.deadline))
    assert {timing.stage for timing in decision.timings} >= {"admit", "predict", "plan", "judge"}


async def test_a_loser_that_goes_on_being_billed_is_bounded(upstream: MockUpstream, nonce: str) -> None:
    url = upstream.base_url
    tiers = [tier("mini", url, MINI_PRICE), tier("large", url, LARGE_PRICE, cancel_stops_billing=False)]
    async with serving(config(url, tiers=tiers)) as service:
        prompt = upstream.on(nonce, mini=says("Fine.", after_s=0.02), large=hangs("Well"))
        reply = await service.client.route(prompt, generation={"max_output_tokens": 1_000})

    large = next(attempt for attempt in reply.decision.attempts if attempt.tier == "large")
    assert words(large.cost_basis, large, "cost_basis") == "COST_BASIS_BOUNDED"
    assert large.cost_low_nano_usd < large.cost_nano_usd <= large.cost_high_nano_usd
    assert large.cost_high_nano_usd >= 1_000 * 10_000


async def test_deciding_plans_and_calls_nothing(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    reply = await plans.race.client.decide(upstream.on(nonce), request_id="dry")

    assert (reply.decision.request_id, kind(reply.decision)) == ("dry", "RACE")
    assert not reply.decision.attempts
    assert not upstream.calls_of(nonce)


async def test_tool_calls_come_back_whole(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    prompt = upstream.on(nonce, mini=calls_tool("weather", '{"city": "Oslo"}'))

    reply = await plans.direct.client.route(prompt, generation={"tools": [WEATHER], "tool_choice": "required"})

    (call,) = reply.output.tool_calls
    assert (call.id, call.name, json.loads(call.arguments_json)) == ("call_1", "weather", {"city": "Oslo"})
    assert reply.finish_reason == "tool_calls"
    body = upstream.the_call(nonce, "mini").body
    assert body["tools"][0]["function"]["parameters"] == json.loads(WEATHER["parameters_json_schema"])
    assert body["tool_choice"] == "required"


async def test_a_tool_result_is_passed_on(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    prompt = upstream.on(nonce, mini=says("Rain."))
    call = {"id": "call_1", "name": "weather", "arguments_json": '{"city": "Oslo"}'}
    messages = [
        {"role": "user", "content": prompt},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "content": f"rain nonce:{nonce}", "tool_call_id": "call_1"},
    ]

    reply = await plans.direct.client.call("Route", plans.direct.client.request({"messages": messages}))

    assert reply.output.text == "Rain."
    sent = upstream.the_call(nonce, "mini").body["messages"]
    assert sent[1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Oslo"}'}
    assert sent[2]["tool_call_id"] == "call_1"


@pytest.mark.parametrize("arguments", ['{"town": "Oslo"}', '{"city": 3}', '{"city": "Os'])
async def test_tool_arguments_against_their_schema_never_win(
    plans: Plans, upstream: MockUpstream, nonce: str, arguments: str
) -> None:
    good = calls_tool("weather", '{"city": "Bergen"}')
    prompt = upstream.on(nonce, mini=calls_tool("weather", arguments), large=good)

    reply = await plans.cascade.client.route(prompt, generation={"tools": [WEATHER]})

    assert reply.tier == "large"
    assert ends(reply.decision)[0][:2] == ("mini", "REJECTED")


OUTPUTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "fenced object": ({"json_object": {}}, '\n```json\n{"a": 1}\n```\n', '{"a": 1}'),
    "fenced schema": (
        {"json_schema": {"schema": '{"type": "array", "items": {"type": "integer"}}'}},
        "```\n[1, 2]\n```",
        "[1, 2]",
    ),
    "choice": ({"choices": {"values": ["yes", "no"]}}, "\n yes ", "yes"),
    "regex": ({"regex": {"pattern": "[0-9]+"}}, "42", "42"),
    "text with a fence": ({"text": {}}, "```\ncode\n```", "```\ncode\n```"),
}


@pytest.mark.parametrize("case", OUTPUTS)
async def test_an_answer_comes_in_the_form_asked_for(
    plans: Plans, upstream: MockUpstream, nonce: str, case: str
) -> None:
    output, said, delivered = OUTPUTS[case]

    reply = await plans.cascade.client.route(upstream.on(nonce, mini=says(said)), output=output)

    assert (reply.output.text, reply.tier) == (delivered, "mini")


@pytest.mark.parametrize(
    ("output", "said", "reason"),
    [
        ({"json_object": {}}, 'Sure: {"a": 1}', "not_json"),
        ({"json_object": {}}, "[1]", "not_an_object"),
        ({"json_schema": {"schema": '{"type": "object", "required": ["b"]}'}}, '{"a": 1}', "schema"),
        ({"regex": {"pattern": "[0-9]+"}}, "about 42", "regex"),
        ({"choices": {"values": ["yes", "no"]}}, "maybe", "not_a_choice"),
    ],
)
async def test_an_answer_in_another_form_is_rejected(
    plans: Plans, upstream: MockUpstream, nonce: str, output: dict[str, Any], said: str, reason: str
) -> None:
    with pytest.raises(Failed) as caught:
        await plans.cascade.client.route(upstream.on(nonce, mini=says(said), large=says(said)), output=output)

    assert caught.value.reason == "NO_ACCEPTABLE_ANSWER"
    assert ends(caught.value.decision) == [("mini", "REJECTED", reason), ("large", "REJECTED", reason)]


@pytest.fixture(scope="module")
async def ruled(upstream: MockUpstream) -> AsyncIterator[Service]:
    validators = ["complete", "output_contract", {"name": "polite", "use": "tests.integration.user_validators:Polite"}]
    rules = [
        {"name": "reviewed", "when": {"risk": ["high"]}, "route": "large", "review": True},
        {"name": "start-low", "when": {"task_type": ["extraction"]}, "start": "mini"},
    ]
    document = config(upstream.base_url, policy={"rules": rules}, validation={"validators": validators})
    async with serving(document) as service:
        yield service


async def test_a_rule_asks_for_review(ruled: Service, upstream: MockUpstream, nonce: str) -> None:
    reply = await ruled.client.route(upstream.on(nonce, large=says("Yes, please.")), hints={"risk": "RISK_HIGH"})

    assert (reply.tier, reply.needs_review, reply.decision.plan.reason) == ("large", True, "rule:reviewed")
    assert [(tier.tier, tier.reason) for tier in reply.decision.plan.excluded_tiers] == [("mini", "rule:reviewed")]


async def test_a_users_validator_decides(ruled: Service, upstream: MockUpstream, nonce: str) -> None:
    prompt = upstream.on(nonce, mini=says("No."), large=says("Yes, please."))

    reply = await ruled.client.route(prompt, hints={"task_type": "extraction"})

    assert (reply.tier, reply.degraded, reply.needs_review) == ("large", False, False)
    assert ends(reply.decision) == [("mini", "REJECTED", "no_magic_word"), ("large", "WON", "")]


async def test_an_answer_that_only_a_quality_check_rejected_is_delivered_as_degraded(
    ruled: Service, upstream: MockUpstream, nonce: str
) -> None:
    prompt = upstream.on(nonce, mini=says("Mini's answer."), large=says("Large's answer."))

    reply = await ruled.client.route(prompt)

    assert (reply.output.text, reply.tier, reply.degraded) == ("Large's answer.", "large", True)


async def test_a_degraded_answer_is_released_at_the_latency_budget(
    ruled: Service, upstream: MockUpstream, nonce: str
) -> None:
    prompt = upstream.on(nonce, mini=says("Mini's answer."), large=hangs("Hm"))
    began_s = time.monotonic()

    reply = await ruled.client.route(prompt, constraints={"latency_budget": "0.15s"})

    assert 0.15 <= time.monotonic() - began_s < 0.3
    assert (reply.output.text, reply.degraded) == ("Mini's answer.", True)


async def test_a_caller_who_asked_for_failure_gets_no_degraded_answer(
    ruled: Service, upstream: MockUpstream, nonce: str
) -> None:
    prompt = upstream.on(nonce, mini=says("Mini's answer."), large=says("Large's answer."))

    with pytest.raises(Failed) as caught:
        await ruled.client.route(prompt, constraints={"on_budget": "ON_BUDGET_FAIL"})

    assert caught.value.reason == "NO_ACCEPTABLE_ANSWER"


async def test_constraints_shape_the_plan(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    async def plan(client_of: Service, **constraints: Any) -> str:
        return kind((await client_of.client.decide("Hi", constraints=constraints)).decision)

    assert await plan(plans.race, speculation="SPECULATION_NEVER") == "CASCADE"
    assert await plan(plans.hedge, speculation="SPECULATION_NEVER") == "CASCADE"
    assert await plan(plans.direct, speculation="SPECULATION_ALWAYS") == "RACE"
    assert await plan(plans.race, force_tier="large") == "DIRECT"
    assert await plan(plans.race, allowed_tiers=["mini"]) == "DIRECT"


async def test_a_forced_tier_does_not_escalate(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    with pytest.raises(Failed) as caught:
        await plans.race.client.route(upstream.on(nonce, mini=answers_status(500)), constraints={"force_tier": "mini"})

    assert caught.value.reason == "ALL_UPSTREAMS_FAILED"
    assert not upstream.calls_of(nonce, "large")


async def test_tools_that_change_the_world_are_never_raced(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    tools = {"tools": [WEATHER | {"not_idempotent": True}]}
    prompt = upstream.on(nonce, mini=says("Done.", after_s=0.05))

    reply = await plans.race.client.route(prompt, generation=tools, constraints={"speculation": "SPECULATION_ALWAYS"})

    assert kind(reply.decision) == "CASCADE"
    assert not upstream.calls_of(nonce, "large")


async def test_a_second_upstream_of_a_tier_takes_over(upstream: MockUpstream, nonce: str) -> None:
    tiers = [tier("mini", upstream.base_url, MINI_PRICE), tier("large", upstream.base_url, LARGE_PRICE)]
    spare = {"kind": "openai", "base_url": upstream.base_url, "model": "spare"}
    tiers[0]["upstreams"].append(spare)  # type: ignore[attr-defined]  # a list in a mapping of objects
    async with serving(config(upstream.base_url, prior=0.95, tiers=tiers)) as service:
        reply = await service.client.route(upstream.on(nonce, mini=answers_status(503), spare=says("Here.")))

    assert (reply.output.text, reply.tier, reply.upstream) == ("Here.", "mini", "mini-1")
    assert ends(reply.decision) == [("mini", "FAILED", "http_503"), ("mini", "WON", "")]


async def test_an_upstream_that_does_not_listen_is_a_failed_attempt(upstream: MockUpstream, nonce: str) -> None:
    url = upstream.base_url
    tiers = [tier("mini", "http://127.0.0.1:1/v1", MINI_PRICE), tier("large", url, LARGE_PRICE)]
    async with serving(config(url, tiers=tiers)) as service:
        reply = await service.client.route(upstream.on(nonce, large=says("Here.")))

    assert ("mini", "FAILED", "connect") in ends(reply.decision)
    assert reply.tier == "large"


async def test_health_and_reflection_tell_of_the_service(plans: Plans) -> None:
    client = plans.race.client
    health = health_pb2_grpc.HealthStub(client.channel)
    for name in ("", SERVICE):
        reply = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert await client.services() == {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}


async def test_the_generated_stub_works_too(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    stub = router_pb2_grpc.RouterServiceStub(plans.direct.client.channel)
    request = router_pb2.RouteRequest(messages=[router_pb2.Message(role="user", content=upstream.on(nonce))])

    reply = await stub.Route(request)

    assert reply.output.text == f"Echo of {nonce} from mini."


async def test_an_unknown_method_is_unimplemented(plans: Plans) -> None:
    channel = plans.race.client.channel
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/Rout")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
