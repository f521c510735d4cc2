"""Asks a service over HTTP what it thinks of an answer: a safety filter, a fact checker, a policy of one's own.

It is sent one JSON object by POST, and replies 200 with ``{"verdict": "accept"|"reject"|"abstain", "reason": ".."}``.
Whatever else happens is an abstention that says why: ``webhook_timeout``, ``webhook_error`` (no connection, another
status), ``webhook_bad_reply`` (not that JSON, or longer than 64 KiB), ``webhook_too_large`` (what had to be sent).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import AsyncGeneratorType
from typing import TYPE_CHECKING, Final

import anyio
import httpx
import orjson

from specroute.core.outcome import Verdict, VerdictKind
from specroute.upstreams.transport import is_cancel_requested

if TYPE_CHECKING:
    from specroute.core.outcome import Completion
    from specroute.core.request import Message, RouteRequest, ToolCall
    from specroute.upstreams.openai_http import Secret

MAX_SENT_BYTES: Final = 8 << 20
"""What is longer is not sent: a part of an answer would say nothing of the whole."""
MAX_REPLY_BYTES: Final = 64 << 10
MAX_REASON_CHARACTERS: Final = 64

_OK = 200
_READ_REASON_CHARACTERS = 4 * MAX_REASON_CHARACTERS
_KINDS = {kind.value: kind for kind in VerdictKind}
_REFUSED = (httpx.ConnectError, httpx.TimeoutException, httpx.ProtocolError, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Hook:
    """Where to ask, and what the reply means.

    Attributes:
        name: of the validator, in verdicts and metrics.
        url: http or https, asked as it is written.
        timeout_s: for one question from connecting to the end of the reply, > 0.
        is_contract: whether an answer that it rejects may never be delivered.
        api_key: sent as a bearer token; ``None``: none is sent.
    """

    name: str
    url: str
    timeout_s: float = 0.5
    is_contract: bool = False
    api_key: Secret | None = None


class Webhook:
    """Implements ``core.ports.AsyncValidator``.

    Raises:
        ValueError: the URL or the key can't be used; the message says why, without the key.
    """

    def __init__(self, hook: Hook, transport: httpx.AsyncBaseTransport) -> None:
        self.name = hook.name
        self.is_contract = hook.is_contract
        self._transport = transport
        self._timeout_s = hook.timeout_s
        self._url = _url(hook.url)
        self._headers = _headers(self._url, hook)
        self._extensions = {"timeout": {"connect": hook.timeout_s}}

    async def review(self, request: RouteRequest, completion: Completion, *, tier: str) -> Verdict:
        """Returns what the service says of an answer of ``tier``; an abstention where it says nothing."""
        with anyio.move_on_after(self._timeout_s):
            try:
                return self._read(await self._reply(request, completion, tier))
            except asyncio.CancelledError:
                if is_cancel_requested():
                    raise
                return self._abstain("webhook_error")  # made up by the HTTP library
            except httpx.TimeoutException:
                return self._abstain("webhook_timeout")
            except _Silence as silence:
                return self._abstain(str(silence))
            except Exception:  # noqa: BLE001 - the border: whatever a transport or a peer does is an abstention
                return self._abstain("webhook_error")
        return self._abstain("webhook_timeout")

    async def _reply(self, request: RouteRequest, completion: Completion, tier: str) -> bytes:
        body = encode_question(request, completion, tier)
        if len(body) > MAX_SENT_BYTES:
            raise _Silence("webhook_too_large")
        try:
            response = await self._post(request.request_id, body)
        except _REFUSED:
            raise
        except httpx.TransportError:  # a pooled connection that the service had just closed: asking twice does no harm
            response = await self._post(request.request_id, body)
        return await _body_of(response)

    async def _post(self, request_id: str, body: bytes) -> httpx.Response:
        headers = [
            *self._headers,
            (b"x-request-id", request_id.encode("ascii", "replace")),
            (b"content-length", b"%d" % len(body)),
        ]
        stream = httpx.ByteStream(body)
        return await self._transport.handle_async_request(
            httpx.Request("POST", self._url, headers=headers, stream=stream, extensions=self._extensions)
        )

    def _read(self, reply: bytes) -> Verdict:
        try:
            said = orjson.loads(reply)
        except orjson.JSONDecodeError:
            raise _Silence("webhook_bad_reply") from None
        word = said.get("verdict") if isinstance(said, dict) else None
        if not isinstance(word, str) or word not in _KINDS:
            raise _Silence("webhook_bad_reply")
        reason = said.get("reason")
        written = snake_case(reason) if isinstance(reason, str) else ""
        return Verdict(self.name, _KINDS[word], written or f"webhook_{word}")

    def _abstain(self, reason: str) -> Verdict:
        return Verdict(self.name, VerdictKind.ABSTAIN, reason)


class _Silence(Exception):
    """The service said nothing that can be used; the text is the reason."""


def encode_question(request: RouteRequest, completion: Completion, tier: str) -> bytes:
    """Returns the body of a question as UTF-8 JSON.

    Raises:
        orjson.JSONEncodeError: a text holds half a character.
    """
    return orjson.dumps(
        {
            "request_id": request.request_id,
            "tier": tier,
            "model": completion.model,
            "prompt": [_message(message) for message in request.messages],
            "output": completion.text,
            "output_kind": request.output.kind,
            "tool_calls": [_tool_call(call) for call in completion.tool_calls],
            "finish_reason": completion.finish_reason.value,
        }
    )


def snake_case(text: str) -> str:
    """Returns the words of ``text`` in lower-case ASCII, joined by ``_``, at most ``MAX_REASON_CHARACTERS``."""
    kept = (each if each.isascii() and each.isalnum() else " " for each in text[:_READ_REASON_CHARACTERS].lower())
    return "_".join("".join(kept).split())[:MAX_REASON_CHARACTERS].strip("_")


def _message(message: Message) -> dict[str, object]:
    fields: dict[str, object] = {"role": message.role.value, "content": message.content}
    if message.name:
        fields["name"] = message.name
    if message.tool_call_id:
        fields["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        fields["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    return fields


def _tool_call(call: ToolCall) -> dict[str, str]:
    return {"id": call.id, "name": call.name, "arguments_json": call.arguments_json}


def _url(written: str) -> httpx.URL:
    try:
        url = httpx.URL(written)
    except httpx.InvalidURL as error:
        raise ValueError(f"webhook: {error}") from None
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise ValueError("webhook has to begin with http:// or https:// and a host, without user or password")
    return url


def _headers(url: httpx.URL, hook: Hook) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"host", url.netloc),
        (b"content-type", b"application/json"),
        (b"accept", b"application/json"),
        (b"accept-encoding", b"identity"),
        (b"user-agent", b"specroute"),
    ]
    if hook.api_key is not None:
        key = hook.api_key.reveal()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError(f"the key of webhook {hook.name} is empty or holds a space, line break or non-ASCII sign")
        headers.append((b"authorization", b"Bearer " + key.encode("ascii")))
    return headers


async def _body_of(response: httpx.Response) -> bytes:
    """Returns the body of a reply with status 200; closes any other, and one that is too long, unread."""
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise _Silence("webhook_error")
    read = bytearray()
    reads = aiter(stream)
    try:
        if response.status_code != _OK:
            raise _Silence("webhook_error")
        async for data in reads:
            read += data
            if len(read) > MAX_REPLY_BYTES:
                raise _Silence("webhook_bad_reply")
        return bytes(read)
    finally:
        if isinstance(reads, AsyncGeneratorType):  # another transport's body does not like to be dropped half read
            await reads.aclose()
        await stream.aclose()
