"""Every reply and every failure of a webhook, over a transport without sockets."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.outcome import Completion, FinishReason, Verdict, VerdictKind
from specroute.core.request import Message, Role, RouteRequest, ToolCall
from specroute.upstreams.openai_http import Secret
from specroute.upstreams.webhook import MAX_REPLY_BYTES, MAX_SENT_BYTES, Hook, Webhook, snake_case

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio

CALL = ToolCall("call_1", "weather", '{"city": "Oslo"}')
REQUEST = RouteRequest("req:1", (Message(Role.SYSTEM, "Be kind."), Message(Role.USER, "a private prompt")))
ANSWER = Completion("Oslo.", (CALL,), FinishReason.STOP, "m-1")
URL = "http://safety.internal/check/?v=2"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def hook(**fields: object) -> Hook:
    return Hook(**({"name": "safety", "url": URL, "timeout_s": 5.0} | fields))  # type: ignore[arg-type]  # as written


async def said(
    answer: Callable[[httpx.Request], httpx.Response] | httpx.AsyncBaseTransport, **fields: object
) -> Verdict:
    transport = answer if isinstance(answer, httpx.AsyncBaseTransport) else httpx.MockTransport(answer)
    return await Webhook(hook(**fields), transport).review(REQUEST, ANSWER, tier="mini")


def replies(content: bytes, status: int = 200) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, content=content)


async def test_it_is_told_the_prompt_and_the_answer_and_where_it_came_from() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"verdict": "accept"})

    await said(answer, api_key=Secret("token-1"))

    (request,) = seen
    assert (request.method, str(request.url)) == ("POST", URL)
    assert request.headers["authorization"] == "Bearer token-1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-request-id"] == "req:1"
    assert int(request.headers["content-length"]) == len(request.content)
    assert json.loads(request.content) == {
        "request_id": "req:1",
        "tier": "mini",
        "model": "m-1",
        "prompt": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "a private prompt"}],
        "output": "Oslo.",
        "output_kind": "text",
        "tool_calls": [{"id": "call_1", "name": "weather", "arguments_json": '{"city": "Oslo"}'}],
        "finish_reason": "stop",
    }


@pytest.mark.parametrize("kind", VerdictKind)
async def test_its_word_is_the_verdict(kind: VerdictKind) -> None:
    with_reason = json.dumps({"verdict": kind.value, "reason": "Self-harm (level 3)!", "other": [1]}).encode()
    without = json.dumps({"verdict": kind.value, "reason": 7}).encode()

    assert await said(replies(with_reason)) == Verdict("safety", kind, "self_harm_level_3")
    assert await said(replies(without)) == Verdict("safety", kind, f"webhook_{kind.value}")


@pytest.mark.parametrize(
    "content",
    [b"", b"accept", b'"accept"', b"[]", b"{}", b'{"verdict": 1}', b'{"verdict": "ACCEPT"}', b'{"verdict": "maybe"}',
     b'{"verdict": "accept"', b"\xff\xfe", b"[" * 100_000, b'{"verdict": "accept"}' + b" " * MAX_REPLY_BYTES],
)  # fmt: skip
async def test_a_reply_that_says_nothing_is_an_abstention(content: bytes) -> None:
    assert await said(replies(content)) == Verdict("safety", VerdictKind.ABSTAIN, "webhook_bad_reply")


@pytest.mark.parametrize("status", [201, 204, 301, 400, 404, 500, 503])
async def test_another_status_is_an_error_whatever_it_says(status: int) -> None:
    assert (await said(replies(b'{"verdict": "reject"}', status))).reason == "webhook_error"


class Fails(httpx.AsyncBaseTransport):
    """Raises the given errors, one per request; then replies."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return httpx.Response(200, stream=Body(b'{"verdict": "reject"}'))


class Body(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx.ConnectError("refused"), "webhook_error"),
        (httpx.ConnectTimeout("slow"), "webhook_timeout"),
        (httpx.RemoteProtocolError("garbage"), "webhook_error"),
        (RuntimeError("a bug"), "webhook_error"),
        (asyncio.CancelledError(), "webhook_error"),
    ],
)
async def test_a_failure_is_an_abstention_and_is_not_tried_again(error: BaseException, reason: str) -> None:
    transport = Fails(error)

    assert await said(transport) == Verdict("safety", VerdictKind.ABSTAIN, reason)
    assert transport.asked == 1


async def test_a_connection_that_was_closed_in_the_pool_is_asked_once_more() -> None:
    once, twice = Fails(httpx.ReadError("closed")), Fails(httpx.ReadError("closed"), httpx.ReadError("closed"))

    assert (await said(once)).kind is VerdictKind.REJECT
    assert (await said(twice)).reason == "webhook_error"
    assert (once.asked, twice.asked) == (2, 2)


async def test_a_service_that_takes_too_long_is_given_up() -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    verdict = await said(httpx.MockTransport(never), timeout_s=0.01)

    assert verdict == Verdict("safety", VerdictKind.ABSTAIN, "webhook_timeout")


async def test_an_answer_that_is_too_long_is_not_sent_in_part() -> None:
    answer = Completion("x" * (MAX_SENT_BYTES + 1), (), FinishReason.STOP, "m-1")
    transport = Fails()

    verdict = await Webhook(hook(), transport).review(REQUEST, answer, tier="mini")

    assert (verdict.reason, transport.asked) == ("webhook_too_large", 0)


async def test_an_answer_that_is_no_unicode_is_an_abstention() -> None:
    answer = Completion("half \ud83d", (), FinishReason.STOP, "m-1")

    verdict = await Webhook(hook(), Fails()).review(REQUEST, answer, tier="mini")

    assert verdict.reason == "webhook_error"


async def test_a_caller_who_goes_away_ends_the_question() -> None:
    entered = asyncio.Event()

    async def never(request: httpx.Request) -> httpx.Response:
        entered.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    task = asyncio.create_task(said(httpx.MockTransport(never)))
    await entered.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"url": "ftp://host/check"}, "webhook has to begin with http"),
        ({"url": "http:///check"}, "webhook has to begin with http"),
        ({"url": "http://me:pass@host"}, "without user or password"),
        ({"url": "http://[::1"}, "webhook: "),
        ({"api_key": Secret("two words")}, "the key of webhook safety is empty or holds a space"),
    ],
)
def test_what_cannot_be_called_is_refused_at_the_start(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match="webhook") as caught:
        Webhook(hook(**fields), Fails())

    assert complaint in str(caught.value)
    assert "two words" not in str(caught.value)


@given(st.text())
def test_any_reason_becomes_a_short_word(text: str) -> None:
    word = snake_case(text)

    assert len(word) <= 64
    assert word == "_".join(part for part in word.split("_") if part)
    assert all(each.isascii() and (each.isdigit() or each.islower() or each == "_") for each in word)
