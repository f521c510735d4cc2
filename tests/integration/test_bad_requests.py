"""What a caller can mend is refused with the field's name, before any upstream is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from google.rpc.error_details_pb2 import BadRequest, QuotaFailure, RetryInfo

from tests.integration.conftest import Service, config, serving
from tests.integration.mock_upstream import MockUpstream, hangs, says
from tests.integration.reflection_client import Failed, prompt_fields, seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

MAX_PROMPT_BYTES = 2_000
HI = {"role": "user", "content": "Hi"}
TOOL = {"name": "f"}


@pytest.fixture(scope="module")
async def service(upstream: MockUpstream) -> AsyncIterator[Service]:
    rules = [{"name": "secrets-stay", "when": {"labels": {"area": ["legal"]}}, "route": "large"}]
    limits = {"max_prompt_bytes": MAX_PROMPT_BYTES}
    async with serving(config(upstream.base_url, limits=limits, policy={"rules": rules})) as running:
        yield running


async def refusal(service: Service, request: Message | bytes, method: str = "Route") -> Failed:
    with pytest.raises(Failed) as caught:
        await service.client.call(method, request)
    return caught.value


def assert_names(failed: Failed, field: str) -> None:
    assert (failed.code.name, failed.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST"), failed
    assert failed.details[0][0] == "google.rpc.ErrorInfo"
    assert failed.detail("google.rpc.ErrorInfo").domain == "specroute"
    assert field in failed.fields
    assert all(violation.description for violation in failed.detail(BadRequest).field_violations)
    assert failed.message
    assert "grpc-retry-pushback-ms" not in failed.trailers


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no messages": ({"messages": []}, "messages"),
    "empty prompt": ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
    "white prompt": ({"messages": [{"role": "user", "content": " \n\t\u3000"}]}, "messages[0].content"),
    "oversize prompt": ({"messages": [{"role": "user", "content": "ü" * 1_001}]}, "messages"),
    "oversize in sum": ({"messages": [{"role": "system", "content": "x" * 1_999}, HI]}, "messages"),
    "unknown role": ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages[0].role"),
    "no role": ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
    "ends with the assistant": ({"messages": [HI, {"role": "assistant", "content": "Hello"}]}, "messages[1].role"),
    "tool message without a call": ({"messages": [HI, {"role": "tool", "content": "3"}]}, "messages[1].tool_call_id"),
    "a user's tool calls": (
        {"messages": [HI | {"tool_calls": [{"id": "1", "name": "f"}]}]},
        "messages[0].tool_calls",
    ),
    "bad request id": ({"request_id": "line\nbreak"}, "request_id"),
    "long request id": ({"request_id": "x" * 129}, "request_id"),
    "unknown allowed tier": ({"constraints": {"allowed_tiers": ["mini", "huge"]}}, "constraints.allowed_tiers[1]"),
    "a tier twice": ({"constraints": {"allowed_tiers": ["mini", "mini"]}}, "constraints.allowed_tiers"),
    "unknown force tier": ({"constraints": {"force_tier": "huge"}}, "constraints.force_tier"),
    "force tier not allowed": (
        {"constraints": {"force_tier": "mini", "allowed_tiers": ["large"]}},
        "constraints.force_tier",
    ),
    "high quality of the small tier": (
        {"constraints": {"force_tier": "mini"}, "hints": {"quality": "QUALITY_HIGH"}},
        "constraints.force_tier",
    ),
    "negative budget": ({"constraints": {"latency_budget": "-1s"}}, "constraints.latency_budget"),
    "zero budget": ({"constraints": {"latency_budget": "0s"}}, "constraints.latency_budget"),
    "tiny budget": ({"constraints": {"latency_budget": "0.000001s"}}, "constraints.latency_budget"),
    "budget below the reserve": ({"constraints": {"latency_budget": "0.005s"}}, "constraints.latency_budget"),
    "negative cost": ({"constraints": {"max_cost_nano_usd": -1}}, "constraints.max_cost_nano_usd"),
    "unknown speculation": ({"constraints": {"speculation": 77}}, "constraints.speculation"),
    "unknown on_budget": ({"constraints": {"on_budget": 77}}, "constraints.on_budget"),
    "unknown risk": ({"hints": {"risk": 77}}, "hints.risk"),
    "unknown quality": ({"hints": {"quality": -1}}, "hints.quality"),
    "task type with spaces": ({"hints": {"task_type": "Two Words"}}, "hints.task_type"),
    "NaN temperature": ({"generation": {"temperature": "NaN"}}, "generation.temperature"),
    "infinite temperature": ({"generation": {"temperature": "Infinity"}}, "generation.temperature"),
    "hot": ({"generation": {"temperature": 2.1}}, "generation.temperature"),
    "NaN top_p": ({"generation": {"top_p": "NaN"}}, "generation.top_p"),
    "no tokens": ({"generation": {"max_output_tokens": 0}}, "generation.max_output_tokens"),
    "empty stop": ({"generation": {"stop": [""]}}, "generation.stop[0]"),
    "duplicate tools": ({"generation": {"tools": [TOOL, TOOL]}}, "generation.tools[1].name"),
    "bad tool name": ({"generation": {"tools": [{"name": "two words"}]}}, "generation.tools[0].name"),
    "bad tool schema": (
        {"generation": {"tools": [TOOL | {"parameters_json_schema": "{"}]}},
        "generation.tools[0].parameters_json_schema",
    ),
    "unknown tool choice": ({"generation": {"tools": [TOOL], "tool_choice": "g"}}, "generation.tool_choice"),
    "tool choice without tools": ({"generation": {"tool_choice": "required"}}, "generation.tool_choice"),
    "no schema": ({"output": {"json_schema": {"schema": ""}}}, "output.json_schema.schema"),
    "schema is no JSON": ({"output": {"json_schema": {"schema": "{type: object}"}}}, "output.json_schema.schema"),
    "schema is no schema": ({"output": {"json_schema": {"schema": '{"type": "thing"}'}}}, "output.json_schema.schema"),
    "remote ref": (
        {"output": {"json_schema": {"schema": '{"$ref": "http://127.0.0.1:9/a.json"}'}}},
        "output.json_schema.schema",
    ),
    "file ref": (
        {"output": {"json_schema": {"schema": '{"$ref": "file:///etc/passwd"}'}}},
        "output.json_schema.schema",
    ),
    "dangling ref": (
        {"output": {"json_schema": {"schema": '{"$ref": "#/$defs/none"}'}}},
        "output.json_schema.schema",
    ),
    "deep schema": (
        {"output": {"json_schema": {"schema": '{"not":' * 5_000 + "{}" + "}" * 5_000}}},
        "output.json_schema.schema",
    ),
    "empty pattern": ({"output": {"regex": {"pattern": ""}}}, "output.regex.pattern"),
    "bad pattern": ({"output": {"regex": {"pattern": "(a"}}}, "output.regex.pattern"),
    "look-behind": ({"output": {"regex": {"pattern": "(?<=a)b"}}}, "output.regex.pattern"),
    "huge repetition": ({"output": {"regex": {"pattern": "((a{1000}){1000}){1000}"}}}, "output.regex.pattern"),
    "no choices": ({"output": {"choices": {"values": []}}}, "output.choices.values"),
    "a choice twice": ({"output": {"choices": {"values": ["a", "a"]}}}, "output.choices.values"),
    "empty choice": ({"output": {"choices": {"values": ["a", ""]}}}, "output.choices.values[1]"),
    "long label": ({"labels": {"area": "x" * 257}}, 'labels["area"]'),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("method", ["Route", "Decide"])
async def test_bad_input_is_refused_with_its_field_and_calls_nothing(
    service: Service, upstream: MockUpstream, case: str, method: str
) -> None:
    fields, field = BAD[case]
    request = prompt_fields("Hi") | fields
    called = len(upstream.calls)

    if method == "Decide":
        failed = await refusal(service, service.client.request({"request": request}, "DecideRequest"), method)
    else:
        failed = await refusal(service, service.client.request(request))

    named = [name.removeprefix("request.") for name in failed.fields] if method == "Decide" else failed.fields
    assert all(name.startswith("request.") for name in failed.fields) == (method == "Decide")
    assert field.replace('"', "'") in [name.replace('"', "'") for name in named]
    assert failed.code.name == "INVALID_ARGUMENT"
    assert failed.reason == "INVALID_REQUEST"
    assert len(upstream.calls) == called


async def test_several_violations_are_all_named(service: Service) -> None:
    request = service.client.request(
        {
            "messages": [{"role": "user", "content": ""}],
            "constraints": {"force_tier": "huge"},
            "output": {"regex": {"pattern": "("}},
        }
    )

    failed = await refusal(service, request)

    assert failed.fields == ["messages[0].content", "output.regex.pattern", "constraints.force_tier"]


def text(number: int, data: bytes) -> bytes:
    """Returns one length-delimited field."""
    return bytes([number << 3 | 2, len(data)]) + data


BROKEN = b"caf\xe9"
USER = text(1, b"user")
MESSAGE = text(2, USER + text(2, b"Hi"))


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (text(2, USER + text(2, BROKEN)), "messages[0].content"),
        (MESSAGE + text(2, text(1, BROKEN)), "messages[1].role"),
        (MESSAGE + text(1, BROKEN), "request_id"),
        (MESSAGE + text(6, text(3, b"mini") + text(3, BROKEN)), "constraints.allowed_tiers[1]"),
        (MESSAGE + text(3, text(6, text(1, BROKEN))), "generation.tools[0].name"),
        (MESSAGE + text(4, text(4, text(1, BROKEN))), "output.regex.pattern"),
    ],
)
async def test_text_that_is_not_utf8_is_refused_with_its_field(
    service: Service, upstream: MockUpstream, data: bytes, field: str
) -> None:
    called = len(upstream.calls)

    failed = await refusal(service, data)

    assert_names(failed, field)
    assert len(upstream.calls) == called


async def test_a_label_that_is_not_utf8_is_refused(service: Service) -> None:
    failed = await refusal(service, MESSAGE + text(7, text(1, b"area") + text(2, BROKEN)))

    assert failed.code.name == "INVALID_ARGUMENT"
    assert failed.fields[0].startswith("labels")


@pytest.mark.parametrize(
    "duration",
    [
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # 2**63 - 1 s
        b"\x08\x01\x10\xff\xff\xff\xff\x07",  # 1 s and 2**31 - 1 ns
        b"\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # 1 s and -1 ns
    ],
)
async def test_a_budget_that_is_no_duration_is_refused(service: Service, duration: bytes) -> None:
    assert_names(await refusal(service, MESSAGE + text(6, text(1, duration))), "constraints.latency_budget")


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\x0a\x05ab", b"\x00" * 40, b"GET / HTTP/1.1\r\n\r\n"])
async def test_bytes_that_are_no_message_are_refused(service: Service, data: bytes) -> None:
    failed = await refusal(service, data)

    assert (failed.code.name, failed.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert failed.detail(BadRequest).field_violations[0].description


async def test_an_empty_message_is_refused(service: Service) -> None:
    assert_names(await refusal(service, b""), "messages")
    assert_names(await refusal(service, b"", "Decide"), "request")


async def test_a_prompt_of_megabytes_gets_our_own_error(service: Service, upstream: MockUpstream) -> None:
    called = len(upstream.calls)

    failed = await refusal(service, service.client.request(prompt_fields("x" * (10 << 20))))

    assert_names(failed, "messages")
    assert len(upstream.calls) == called


async def test_a_request_id_comes_back_in_the_error(service: Service) -> None:
    request = service.client.request({"request_id": "mine-1", "messages": [{"role": "user", "content": ""}]})

    failed = await refusal(service, request)

    assert failed.detail("google.rpc.ErrorInfo").metadata["request_id"] == "mine-1"


async def test_a_prompt_of_exactly_the_limit_passes(service: Service, upstream: MockUpstream, nonce: str) -> None:
    prompt = upstream.on(nonce, mini=says("Fine."), large=hangs())

    reply = await service.client.route(prompt + " " * (MAX_PROMPT_BYTES - len(prompt)))

    assert reply.output.text == "Fine."


async def test_a_cost_bound_that_no_plan_fits_is_a_quota_failure(
    service: Service, upstream: MockUpstream, nonce: str
) -> None:
    with pytest.raises(Failed) as caught:
        await service.client.route(upstream.on(nonce), constraints={"max_cost_nano_usd": 1})

    failed = caught.value
    assert (failed.code.name, failed.reason) == ("RESOURCE_EXHAUSTED", "BUDGET_EXHAUSTED")
    (violation,) = failed.detail(QuotaFailure).violations
    assert violation.subject == "constraints.max_cost_nano_usd"
    assert not upstream.calls_of(nonce)
    assert "grpc-retry-pushback-ms" not in failed.trailers


async def test_a_rule_against_the_callers_tier_says_which_rule(
    service: Service, upstream: MockUpstream, nonce: str
) -> None:
    for constraints in ({"force_tier": "mini"}, {"allowed_tiers": ["mini"]}):
        with pytest.raises(Failed) as caught:
            await service.client.route(upstream.on(nonce), constraints=constraints, labels={"area": "legal"})
        failed = caught.value
        assert (failed.code.name, failed.reason) == ("FAILED_PRECONDITION", "NO_ELIGIBLE_TIER")
        assert "secrets-stay" in failed.message
    assert not upstream.calls_of(nonce)


async def test_more_requests_than_may_be_in_flight_are_shed(upstream: MockUpstream, nonce: str) -> None:
    async with serving(config(upstream.base_url, limits={"max_in_flight": 2})) as service:
        request = service.client.request(prompt_fields(upstream.on(nonce, mini=hangs(), large=hangs())))
        running = [service.client.start("Route", request) for _ in range(2)]
        await upstream.until(lambda: len(upstream.calls_of(nonce)) == 4)

        failed = await refusal(service, request)
        for call in running:
            call.cancel()
        await upstream.until_closed(nonce)
        with anyio.fail_after(5):
            reply = await service.client.route(upstream.on(f"{nonce}-after", mini=says("Free.")))

    assert (failed.code.name, failed.reason) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
    assert 0 < seconds(failed.detail(RetryInfo).retry_delay) <= 10
    assert reply.output.text == "Free."
    assert len(upstream.calls_of(nonce)) == 4
