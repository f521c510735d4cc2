"""Every answer and every failure of an endpoint, over a transport without sockets."""

import asyncio
import json
import pickle
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.errors import UpstreamError
from specroute.core.outcome import Chunk, FinishReason, ToolCallDelta, Usage
from specroute.core.request import Message, Role, RouteRequest
from specroute.upstreams.openai_answer import StreamedAnswer
from specroute.upstreams.openai_http import Endpoint, OpenAIHttpUpstream, Secret

pytestmark = pytest.mark.anyio

KEY = "sk-very-secret-key"
PROMPT = "a private prompt"
REQUEST = RouteRequest("req:1", (Message(Role.USER, PROMPT),))
DONE = b"data: [DONE]\n\n"
SSE = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}


def event(payload: object) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def delta(finish_reason: str | None = None, **fields: object) -> bytes:
    return event({"model": "m-1-2026", "choices": [{"index": 0, "delta": fields, "finish_reason": finish_reason}]})


def usage(**fields: object) -> bytes:
    return event({"choices": [], "usage": fields})


class Reads(httpx.AsyncByteStream):
    """A body that comes in the given reads; an exception among them is raised. Remembers that it was closed."""

    def __init__(self, reads: Sequence[bytes | BaseException]) -> None:
        self.reads = reads
        self.closes = 0
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for read in self.reads:
            self.taken += 1
            if isinstance(read, BaseException):
                raise read
            yield read

    async def aclose(self) -> None:
        self.closes += 1


def upstream(handler: Callable[[httpx.Request], httpx.Response], **changes: Any) -> OpenAIHttpUpstream:
    endpoint = replace(Endpoint("mini-0", "http://model.test/v1", "m-1", Secret(KEY)), **changes)
    return OpenAIHttpUpstream(endpoint, httpx.MockTransport(handler))


def answering(*reads: bytes | BaseException, status: int = 200, headers: dict[str, str] = SSE) -> OpenAIHttpUpstream:
    return upstream(lambda _: httpx.Response(status, headers=headers, stream=Reads(reads)))


async def chunks_of(upstream: OpenAIHttpUpstream) -> list[Chunk]:
    return [chunk async for chunk in upstream.stream(REQUEST)]


async def failure_of(upstream: OpenAIHttpUpstream) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await chunks_of(upstream)
    error = caught.value
    assert KEY not in f"{error} {error.detail} {error!r}"
    assert PROMPT not in f"{error} {error.detail} {error!r}"
    assert len(error.detail) <= 256
    assert error.__suppress_context__ or error.__context__ is None
    return error


class TestAnswers:
    async def test_text_finish_usage_and_model_come_through(self) -> None:
        spent = usage(
            prompt_tokens=10,
            completion_tokens=5,
            prompt_tokens_details={"cached_tokens": 4},
            completion_tokens_details={"reasoning_tokens": 2},
        )
        chunks = await chunks_of(
            answering(
                delta(role="assistant", content=""), delta(content="Hel"), delta(content="lo"), delta("stop"), spent
            )
        )
        assert chunks == [
            Chunk(model="m-1-2026"),
            Chunk("Hel"),
            Chunk("lo"),
            Chunk(finish_reason=FinishReason.STOP),
            Chunk(usage=Usage(10, 4, 5, 2)),
        ]

    async def test_all_events_of_one_read_are_one_chunk(self) -> None:
        body = b"".join([delta(content="a"), delta(content="b"), delta("length"), usage(prompt_tokens=1), DONE])
        assert await chunks_of(answering(body)) == [
            Chunk("ab", finish_reason=FinishReason.LENGTH, usage=Usage(1), model="m-1-2026")
        ]

    async def test_tool_calls_come_as_pieces_in_order(self) -> None:
        def call(**fields: object) -> bytes:
            return delta(tool_calls=[fields])

        chunks = await chunks_of(
            answering(
                call(index=0, id="c-0", type="function", function={"name": "f", "arguments": ""})
                + call(index=0, function={"arguments": '{"a"'})
                + call(index=1, id="c-1", function={"name": "g", "arguments": "{}"})
                + call(index=0, function={"arguments": ": 1}"})
                + delta("tool_calls")
                + DONE
            )
        )
        assert chunks == [
            Chunk(
                tool_calls=(
                    ToolCallDelta(0, "c-0", "f", ""),
                    ToolCallDelta(0, "", "", '{"a"'),
                    ToolCallDelta(1, "c-1", "g", "{}"),
                    ToolCallDelta(0, "", "", ": 1}"),
                ),
                finish_reason=FinishReason.TOOL_CALLS,
                model="m-1-2026",
            )
        ]

    async def test_tool_calls_without_an_index_are_counted(self) -> None:
        whole = [{"id": "a", "function": {"name": "f", "arguments": "{}"}}, {"id": "b", "function": {"name": "g"}}]
        (chunk,) = await chunks_of(answering(delta(tool_calls=whole) + delta(tool_calls=[{"function": {}}]) + DONE))
        assert [piece.index for piece in chunk.tool_calls] == [0, 1, 1]

    async def test_the_old_function_call_is_a_tool_call(self) -> None:
        body = delta(function_call={"name": "f", "arguments": "{}"}) + delta("function_call") + DONE
        (chunk,) = await chunks_of(answering(body))
        assert chunk.tool_calls == (ToolCallDelta(0, "", "f", "{}"),)
        assert chunk.finish_reason is FinishReason.TOOL_CALLS

    @pytest.mark.parametrize(
        ("word", "reason"),
        [
            ("stop", FinishReason.STOP),
            ("length", FinishReason.LENGTH),
            ("content_filter", FinishReason.CONTENT_FILTER),
            ("tool_calls", FinishReason.TOOL_CALLS),
            ("something new", FinishReason.STOP),
        ],
    )
    async def test_finish_reasons_are_mapped(self, word: str, reason: FinishReason) -> None:
        assert (await chunks_of(answering(delta(word, content="x"), DONE)))[0].finish_reason is reason

    async def test_log_probabilities_belong_to_the_text_beside_them(self) -> None:
        choice = {"delta": {"content": "ab"}, "logprobs": {"content": [{"logprob": -0.5}, {"logprob": -1}]}}
        (chunk,) = await chunks_of(answering(event({"choices": [choice]}) + DONE))
        assert (chunk.text, chunk.logprobs) == ("ab", (-0.5, -1.0))

    async def test_a_refusal_in_its_own_field_is_text(self) -> None:
        (chunk,) = await chunks_of(answering(delta(refusal="I can't.") + DONE))
        assert chunk.text == "I can't."

    async def test_content_in_parts_is_joined_without_what_is_no_text(self) -> None:
        parts = [{"type": "thinking", "text": "hm"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
        (chunk,) = await chunks_of(answering(delta(content=parts) + DONE))
        assert chunk.text == "ab"

    async def test_other_choices_are_left_out(self) -> None:
        other = event({"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}]})
        (chunk,) = await chunks_of(answering(other + delta(content="yes") + DONE))
        assert (chunk.text, chunk.finish_reason) == ("yes", FinishReason.STOP)

    async def test_a_body_that_ends_after_a_finish_reason_is_whole(self) -> None:
        assert (await chunks_of(answering(delta("stop", content="x"))))[0].text == "x"

    async def test_done_without_a_finish_reason_ends_the_answer(self) -> None:
        assert [chunk.finish_reason for chunk in await chunks_of(answering(delta(content="x"), DONE))] == [
            None,
            FinishReason.STOP,
        ]

    @pytest.mark.parametrize("last", [DONE, usage(prompt_tokens=1)], ids=["done", "usage after the finish reason"])
    async def test_what_comes_after_the_end_is_not_waited_for(self, last: bytes) -> None:
        body = Reads([delta("stop", content="x"), last, httpx.ReadError("reset"), b"data: not JSON\n\n"])
        await chunks_of(upstream(lambda _: httpx.Response(200, headers=SSE, stream=body)))
        assert (body.taken, body.closes) == (2, 1)

    async def test_usage_before_the_finish_reason_does_not_end_the_answer(self) -> None:
        running = event({"choices": [{"delta": {"content": "x"}}], "usage": {"completion_tokens": 1}})
        chunks = await chunks_of(answering(running, delta("stop", content="y"), usage(completion_tokens=2)))
        assert [chunk.usage and chunk.usage.output_tokens for chunk in chunks] == [1, None, 2]

    async def test_comments_pings_and_empty_events_bring_nothing(self) -> None:
        reads = (b": ping\n\n", b"data:\n\n", event({"choices": []}), delta("stop", content="x"), DONE)
        assert [chunk.text for chunk in await chunks_of(answering(*reads))] == ["x"]

    async def test_counts_that_cannot_be_are_cut_to_what_can(self) -> None:
        odd = usage(prompt_tokens=-5, completion_tokens=2**70, prompt_tokens_details={"cached_tokens": 9})
        (_, chunk) = await chunks_of(answering(delta("stop"), odd))
        assert chunk.usage == Usage(0, 0, 2**40, 0)

    async def test_whole_json_is_accepted_from_a_server_that_does_not_stream(self) -> None:
        message = {"content": "hi", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}
        body = json.dumps(
            {
                "model": "m-9",
                "choices": [{"message": message, "finish_reason": "tool_calls"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 2},
            }
        ).encode()
        assert await chunks_of(answering(body[:20], body[20:], headers=JSON)) == [
            Chunk("hi", (ToolCallDelta(0, "c", "f", "{}"),), FinishReason.TOOL_CALLS, Usage(1, 0, 2), "m-9")
        ]


class TestUnicode:
    @pytest.mark.parametrize(
        ("content", "text"),
        [
            (rb"a\ud83d\ude00b", "a😀b"),
            (rb"a\ud800b", "a�b"),
            (rb"\udc00", "�"),
            (rb"\ud83d", "�"),
            (b"a\xffb", "a�b"),
            (rb"\\ud800", r"\ud800"),
        ],
    )
    async def test_text_can_always_be_written_as_utf8(self, content: bytes, text: str) -> None:
        body = b'data: {"choices":[{"delta":{"content":"' + content + b'"}}]}\n\n' + DONE
        (chunk,) = await chunks_of(answering(body))
        assert chunk.text == text
        chunk.text.encode()

    async def test_a_pair_that_two_events_share_does_not_break_the_answer(self) -> None:
        first = rb'data: {"choices":[{"delta":{"content":"\ud83d"}}]}' + b"\n\n"
        second = rb'data: {"choices":[{"delta":{"content":"\ude00"}}]}' + b"\n\n"
        (chunk,) = await chunks_of(answering(first + second + DONE))
        assert chunk.text == "��"


TEXTS = st.lists(st.text(max_size=8), max_size=6)


@given(texts=TEXTS, cuts=st.lists(st.integers(0, 3000), max_size=10))
async def test_any_cuts_between_reads_give_the_same_answer(texts: list[str], cuts: list[int]) -> None:
    body = b"".join(
        [
            *(delta(content=text) for text in texts),
            *(
                delta(tool_calls=[{"index": n, "id": f"c{n}", "function": {"arguments": t}}])
                for n, t in enumerate(texts)
            ),
            delta("stop"),
            usage(prompt_tokens=7),
            DONE,
        ]
    )
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    answer = StreamedAnswer()
    chunks = []
    for start, end in pairwise(places):
        if not answer.is_done:
            chunks.append(answer.feed(body[start:end]))
    brought = [chunk for chunk in chunks if chunk is not None]
    assert "".join(chunk.text for chunk in brought) == "".join(texts)
    assert [call.arguments_json for chunk in brought for call in chunk.tool_calls] == texts
    assert [chunk.usage for chunk in brought if chunk.usage] == [Usage(7)]
    assert [chunk.finish_reason for chunk in brought if chunk.finish_reason] == [FinishReason.STOP]
    assert answer.is_done


class TestFailures:
    @pytest.mark.parametrize(
        ("raised", "reason", "before_first_byte"),
        [
            (httpx.ConnectError(PROMPT), "connect", True),
            (httpx.ConnectTimeout(PROMPT), "connect_timeout", True),
            (httpx.PoolTimeout(PROMPT), "connect_timeout", True),
            (httpx.ReadError(PROMPT), "reset", True),
            (httpx.WriteError(PROMPT), "reset", True),
            (httpx.RemoteProtocolError(PROMPT), "garbage", False),
            (httpx.LocalProtocolError(PROMPT), "internal", True),
            (ZeroDivisionError(KEY), "internal", False),
            (asyncio.CancelledError(PROMPT), "internal", True),
        ],
    )
    async def test_what_a_transport_raises_before_the_head_is_an_upstream_error(
        self, raised: BaseException, reason: str, before_first_byte: bool
    ) -> None:
        def handler(_: httpx.Request) -> httpx.Response:
            raise raised

        error = await failure_of(upstream(handler))
        assert (error.reason, error.before_first_byte) == (reason, before_first_byte)

    @pytest.mark.parametrize("raised", [httpx.ReadError(PROMPT), asyncio.CancelledError(PROMPT), OSError(PROMPT)])
    async def test_what_a_transport_raises_in_mid_stream_is_too_and_may_not_be_sent_again(
        self, raised: BaseException
    ) -> None:
        body = Reads([delta(content="x"), raised])
        error = await failure_of(upstream(lambda _: httpx.Response(200, headers=SSE, stream=body)))
        assert error.reason == ("reset" if isinstance(raised, httpx.ReadError) else "internal")
        assert not error.before_first_byte
        assert body.closes == 1

    @pytest.mark.parametrize("status", [400, 401, 404, 408, 429, 500, 502, 503, 529, 204])
    async def test_a_status_names_itself_and_only_plain_words_of_its_body(self, status: int) -> None:
        body = json.dumps({"error": {"message": f"{PROMPT} {KEY}", "type": "rate_limit_error", "code": 1301}}).encode()
        error = await failure_of(answering(body, status=status, headers=JSON))
        assert (error.reason, error.detail) == (f"http_{status}", "type=rate_limit_error code=1301")
        assert not error.before_first_byte

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>" + KEY.encode(),
            json.dumps({"error": {"type": PROMPT, "code": KEY}}).encode(),
            json.dumps({"error": {"type": "x" * 65, "code": [PROMPT]}}).encode(),
            json.dumps({"error": PROMPT}).encode(),
            b"[" * 10_000,
            b"x" * 100_000,
        ],
    )
    async def test_other_words_of_an_error_body_are_not_told(self, body: bytes) -> None:
        error = await failure_of(answering(body, status=500))
        assert (error.reason, error.detail) == ("http_500", "")

    async def test_an_error_body_that_breaks_off_still_gives_the_status(self) -> None:
        assert (await failure_of(answering(b"{", httpx.ReadError("reset"), status=503))).reason == "http_503"

    async def test_an_endless_error_body_is_left(self) -> None:
        body = Reads([b"x" * 10_000] * 1_000)
        await failure_of(upstream(lambda _: httpx.Response(500, stream=body)))
        assert (body.taken, body.closes) == (2, 1)

    @pytest.mark.parametrize("status", [301, 302, 307, 308, 304])
    async def test_a_redirect_is_not_followed(self, status: int) -> None:
        calls: list[str] = []

        def handler(request: httpx.Request) -> httpx.Response:
            calls.append(str(request.url))
            return httpx.Response(status, headers={"location": "http://evil.test/"}, stream=Reads([]))

        assert (await failure_of(upstream(handler))).reason == "redirect"
        assert calls == ["http://model.test/v1/chat/completions"]

    @pytest.mark.parametrize(
        "reads",
        [
            [],
            [b": only comments\n\n"],
            [delta(content="half")],
            [delta(content="x") + b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n'],
            [usage(prompt_tokens=1)],
        ],
    )
    async def test_a_body_that_ends_without_its_end_is_told_apart_from_an_answer(self, reads: list[bytes]) -> None:
        assert (await failure_of(answering(*reads))).reason == "stream_ended_early"

    @pytest.mark.parametrize(
        "body",
        [
            event({"error": {"message": PROMPT, "type": "server_error", "code": 500}}),
            b"event: error\n" + event({"error": {"message": PROMPT}}),
            event({"object": "error", "message": PROMPT, "code": 400}),
            event({"error": PROMPT}),
            delta("error"),
        ],
    )
    async def test_an_error_in_mid_stream_is_the_providers(self, body: bytes) -> None:
        error = await failure_of(answering(delta(content="x"), body + DONE))
        assert error.reason == "provider_error"

    async def test_an_error_in_a_whole_body_is_the_providers(self) -> None:
        assert (
            await failure_of(answering(b'{"error": {"type": "overloaded"}}', headers=JSON))
        ).detail == "type=overloaded"

    @pytest.mark.parametrize(
        ("body", "headers"),
        [
            (b"<!doctype html><p>hello", {"content-type": "text/html"}),
            (b"\n <html>", SSE),
            (b'{"choices": []}', SSE),
            ("data: {}\n\n".encode("utf-16"), SSE),
            (b"data: hello\n\n", SSE),
            (b"data: 7\n\n", SSE),
            (b'data: {"choices": {}}\n\n', SSE),
            (b'data: {"choices": [{"delta": {"content": 7}}]}\n\n', SSE),
            (b'data: {"choices": [{"delta": {"tool_calls": [{"index": -1}]}}]}\n\n', SSE),
            (b'data: {"choices": [{"delta": {"tool_calls": [{"index": 1000000}]}}]}\n\n', SSE),
            (b'data: {"usage": {"prompt_tokens": NaN}}\n\n', SSE),
            (b'data: {"usage": {"prompt_tokens": 1e999}}\n\n', SSE),
            (b'data: {"usage": {"prompt_tokens": ' + b"9" * 5000 + b"}}\n\n", SSE),
            (b'data: {"x": "\\ud800", "usage": {"prompt_tokens": ' + b"9" * 5000 + b"}}\n\n", SSE),
            (b'data: {"error": ' + b"[" * 100_000 + b"\n\n", SSE),
            (b'data: {"x": "\\ud800", "error": ' + b"[" * 100_000 + b"\n\n", SSE),
            (b"", JSON),
            (b"{}", JSON),
            (b"[]", JSON),
            (b"<html>", JSON),
            (b"\x1f\x8b", SSE | {"content-encoding": "gzip"}),
        ],
    )
    async def test_garbage_is_an_error(self, body: bytes, headers: dict[str, str]) -> None:
        assert (await failure_of(answering(body, headers=headers))).reason == "garbage"

    @pytest.mark.parametrize(
        ("read", "times", "headers"),
        [
            (b": ping\n\n" * 8192, 200, SSE),
            (b"x" * 65536, 20, SSE),
            (b"data: " + b"x" * (300 << 10) + b"\n\n", 1, SSE),
            (b" " * 65536, 200, JSON),
        ],
        ids=["total", "line", "event", "whole body"],
    )
    async def test_what_is_over_a_bound_is_cut(self, read: bytes, times: int, headers: dict[str, str]) -> None:
        body = Reads([read] * times)
        error = await failure_of(upstream(lambda _: httpx.Response(200, headers=headers, stream=body)))
        assert error.reason == "too_large"
        assert body.taken <= 130
        assert body.closes == 1


class TestEnding:
    async def test_closing_the_generator_closes_the_body(self) -> None:
        body = Reads([delta(content="a"), delta(content="b")])
        answer = upstream(lambda _: httpx.Response(200, headers=SSE, stream=body)).stream(REQUEST)
        assert (await anext(answer)).text == "a"
        await answer.aclose()
        assert body.closes == 1

    async def test_cancelling_closes_the_body_and_stays_a_cancellation(self) -> None:
        class Hangs(Reads):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                yield delta(content="a")
                await anyio.sleep_forever()

        body = Hangs([])
        hanging = upstream(lambda _: httpx.Response(200, headers=SSE, stream=body))
        with anyio.CancelScope() as scope:
            async for _ in hanging.stream(REQUEST):
                scope.cancel()
        assert scope.cancelled_caught
        assert body.closes == 1

    @pytest.mark.parametrize("anyio_backend", ["trio"])
    async def test_it_runs_on_trio_too_over_a_transport_that_does(self) -> None:
        assert (await chunks_of(answering(delta("stop", content="x"), DONE)))[0].text == "x"

        def handler(_: httpx.Request) -> httpx.Response:
            raise asyncio.CancelledError

        assert (await failure_of(upstream(handler))).reason == "internal"


class TestRequests:
    async def sent(self, **changes: Any) -> httpx.Request:
        requests: list[httpx.Request] = []

        def handler(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            return httpx.Response(200, headers=SSE, stream=Reads([delta("stop"), DONE]))

        await chunks_of(upstream(handler, **changes))
        return requests[0]

    async def test_the_request_is_complete(self) -> None:
        request = await self.sent(connect_timeout_s=0.5)
        assert (request.method, str(request.url)) == ("POST", "http://model.test/v1/chat/completions")
        assert request.extensions["timeout"] == {"connect": 0.5}
        assert dict(request.headers) == {
            "host": "model.test",
            "content-type": "application/json",
            "accept": "text/event-stream, application/json",
            "accept-encoding": "identity",
            "user-agent": "specroute",
            "authorization": f"Bearer {KEY}",
            "x-request-id": "req:1",
            "content-length": str(len(request.content)),
        }
        assert json.loads(request.content)["model"] == "m-1"
        assert "logprobs" not in json.loads(request.content)

    async def test_logprobs_are_asked_for_when_the_endpoint_wants_them(self) -> None:
        assert json.loads((await self.sent(logprobs=True)).content)["logprobs"] is True

    async def test_without_a_key_no_authorization_is_sent(self) -> None:
        assert "authorization" not in (await self.sent(api_key=None)).headers

    @pytest.mark.parametrize(
        ("base_url", "url"),
        [
            ("https://api.test/v1/", "https://api.test/v1/chat/completions"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000/chat/completions"),
            (
                "https://x.azure.test/openai/deployments/d?api-version=2024-06-01",
                "https://x.azure.test/openai/deployments/d/chat/completions?api-version=2024-06-01",
            ),
            ("http://[::1]:9/v1", "http://[::1]:9/v1/chat/completions"),
        ],
    )
    async def test_the_path_is_added_to_any_base_url(self, base_url: str, url: str) -> None:
        assert str((await self.sent(base_url=base_url)).url) == url

    @pytest.mark.parametrize(
        "base_url", ["", "api.test/v1", "ftp://x/", "http://", f"http://u:{KEY}@x/", "http://x:y/"]
    )
    async def test_an_unusable_base_url_is_refused(self, base_url: str) -> None:
        with pytest.raises(ValueError, match="base_url") as caught:
            OpenAIHttpUpstream(Endpoint("m", base_url, "m"), httpx.MockTransport(lambda _: httpx.Response(200)))
        assert KEY not in str(caught.value)

    @pytest.mark.parametrize("key", ["", f"{KEY}\n", f"{KEY} x", f"{KEY}é"])
    async def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(self, key: str) -> None:
        endpoint = Endpoint("mini-0", "http://x/v1", "m", Secret(key))
        with pytest.raises(ValueError, match="API key of mini-0") as caught:
            OpenAIHttpUpstream(endpoint, httpx.MockTransport(lambda _: httpx.Response(200)))
        assert KEY not in str(caught.value)


async def test_a_key_is_shown_nowhere() -> None:
    secret = Secret(KEY)
    here = answering(DONE)
    shown = f"{secret} {secret!r} {secret!s:>30} {[secret]} {here!r} {Endpoint('n', 'http://x', 'm', secret)!r}"
    assert KEY not in shown
    assert secret.reveal() == KEY
    with pytest.raises(TypeError):
        pickle.dumps(secret)
