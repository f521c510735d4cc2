"""Calls one OpenAI-compatible endpoint: request out, chunks in, every failure as an ``UpstreamError``.

Timeouts for the first token, between tokens and in total are the caller's, who cancels or closes the generator; only
connecting is timed by the transport.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import AsyncGeneratorType
from typing import TYPE_CHECKING

import httpx

from specroute.core.errors import UpstreamError
from specroute.upstreams.openai_answer import StreamedAnswer, WholeAnswer
from specroute.upstreams.openai_body import encode_body
from specroute.upstreams.openai_wire import decode, error_words
from specroute.upstreams.transport import AiohttpStream, AiohttpTransport, is_cancel_requested

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from specroute.core.outcome import Chunk
    from specroute.core.request import RouteRequest
    from specroute.upstreams.openai_answer import Answer

_OK = 200
_MAX_REFUSAL_BYTES = 16 << 10
_COMPLETIONS_PATH = "/chat/completions"

# The first row that fits wins, so subclasses stand above their bases. The flag tells whether the request surely got no
# byte of a response, if the error came before the response's head did.
_AS_REASON: tuple[tuple[type[httpx.HTTPError], str, bool], ...] = (
    (httpx.ConnectTimeout, "connect_timeout", True),
    (httpx.PoolTimeout, "connect_timeout", True),
    (httpx.ConnectError, "connect", True),
    (httpx.UnsupportedProtocol, "internal", True),
    (httpx.LocalProtocolError, "internal", True),
    (httpx.RemoteProtocolError, "garbage", False),
    (httpx.DecodingError, "garbage", False),
    (httpx.TransportError, "reset", True),
)


class Secret:
    """A text that shows itself only when asked to: not in ``repr``, ``str``, format or tracebacks."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")

    def reveal(self) -> str:
        """Returns the text."""
        return self._value


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is called, and how.

    Attributes:
        name: of the upstream, as the configuration calls it.
        base_url: up to and without ``/chat/completions``; a query (Azure's ``api-version``) is kept.
        model: the model to ask for.
        api_key: sent as a bearer token; ``None``: no key is sent.
        connect_timeout_s: for name lookup, TCP and TLS together, > 0.
        logprobs: whether to ask for the log-probabilities of the answer's tokens.
    """

    name: str
    base_url: str
    model: str
    api_key: Secret | None = None
    connect_timeout_s: float = 2.0
    logprobs: bool = False


class OpenAIHttpUpstream:
    """One model behind one endpoint.

    Raises:
        ValueError: the base URL or the key can't be used; the message says why, without the key.
    """

    def __init__(self, endpoint: Endpoint, transport: httpx.AsyncBaseTransport) -> None:
        self._endpoint = endpoint
        self._transport = transport
        self._url = _completions_url(endpoint.base_url)
        self._headers = _headers(self._url, endpoint)
        self._extensions = {"timeout": {"connect": endpoint.connect_timeout_s}}

    def __repr__(self) -> str:
        return f"OpenAIHttpUpstream({self._endpoint!r})"

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self._endpoint.name

    @property
    def model(self) -> str:
        """The model it is asked for."""
        return self._endpoint.model

    async def stream(self, request: RouteRequest) -> AsyncGenerator[Chunk, None]:
        """Calls the endpoint and yields one chunk per read, until the answer is whole.

        Raises:
            UpstreamError: the call failed; nothing else escapes but cancellation.
        """
        body: httpx.AsyncByteStream | None = None
        reads: AsyncIterator[bytes] | None = None
        try:
            response = await self._transport.handle_async_request(self._request(request))
            body = _body_of(response)
            answer = await _answer_to(response, body)
            reads = aiter(body)
            async for data in reads:
                chunk = answer.feed(data)
                if answer.is_done:
                    _finish(body)
                if chunk is not None:
                    yield chunk
                if answer.is_done:
                    return
            chunk = answer.end()
            if chunk is not None:
                yield chunk
        except asyncio.CancelledError:
            if is_cancel_requested():
                raise
            raise UpstreamError("internal", "cancelled by the HTTP library", before_first_byte=body is None) from None
        except Exception as error:  # noqa: BLE001 - the border: whatever a transport or a peer does becomes a value
            raise self._as_upstream_error(error, has_response=body is not None) from None
        finally:
            if body is not None:  # over our own transport nothing here suspends
                await _close_reads(reads)
                await body.aclose()

    def _request(self, request: RouteRequest) -> httpx.Request:
        body = encode_body(request, self._endpoint.model, with_logprobs=self._endpoint.logprobs)
        headers = [
            *self._headers,
            (b"x-request-id", request.request_id.encode("ascii", "replace")),
            (b"content-length", b"%d" % len(body)),
        ]
        # With a stream instead of content httpx.Request takes 3 us instead of 18.
        return httpx.Request(
            "POST", self._url, headers=headers, stream=httpx.ByteStream(body), extensions=self._extensions
        )

    def _as_upstream_error(self, error: Exception, *, has_response: bool) -> UpstreamError:
        if isinstance(error, UpstreamError):
            return error
        detail = type(error).__name__
        if isinstance(self._transport, AiohttpTransport):
            detail = f"{detail}: {error}"  # its words are ours; another transport's may quote what a peer sent
        for known, reason, is_before_response in _AS_REASON:
            if isinstance(error, known):
                return UpstreamError(reason, detail, before_first_byte=is_before_response and not has_response)
        return UpstreamError("internal", type(error).__name__)


def _completions_url(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ValueError(f"base_url: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("base_url has to begin with http:// or https:// and a host")
    if url.userinfo:
        raise ValueError("base_url must not hold a user or password: use the API key")
    return url.copy_with(path=url.path.rstrip("/") + _COMPLETIONS_PATH, fragment=None)


def _headers(url: httpx.URL, endpoint: Endpoint) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"host", url.netloc),
        (b"content-type", b"application/json"),
        (b"accept", b"text/event-stream, application/json"),
        # Compression would hold tokens back until a block is full.
        (b"accept-encoding", b"identity"),
        (b"user-agent", b"specroute"),
    ]
    if endpoint.api_key is not None:
        key = endpoint.api_key.reveal()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError(f"the API key of {endpoint.name} is empty or holds a space, line break or non-ASCII sign")
        headers.append((b"authorization", b"Bearer " + key.encode("ascii")))
    return headers


def _body_of(response: httpx.Response) -> httpx.AsyncByteStream:
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise UpstreamError("internal", "the transport is not asynchronous")
    return response.stream


async def _answer_to(response: httpx.Response, body: httpx.AsyncByteStream) -> Answer:
    """Returns the reader for a response's body, or raises what its head says."""
    status = response.status_code
    if status != _OK:
        if 300 <= status < 400:
            raise UpstreamError("redirect", f"status={status}")
        raise UpstreamError(f"http_{status}", await _refusal_words(body))
    headers = response.headers
    if headers.get("content-encoding", "identity") != "identity":
        raise UpstreamError("garbage", "compressed, though that was not accepted")
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "text/html":
        raise UpstreamError("garbage", "HTML")
    return WholeAnswer() if content_type == "application/json" else StreamedAnswer()


async def _refusal_words(body: httpx.AsyncByteStream) -> str:
    """Returns type and code of an error body, or "" where there are none; reads little more than 16 KiB of it."""
    read = bytearray()
    reads = aiter(body)
    try:
        async for data in reads:
            read += data
            if len(read) > _MAX_REFUSAL_BYTES:
                await _close_reads(reads)
                return ""
        return error_words(decode(bytes(read)).error)
    except (httpx.RequestError, UpstreamError):
        return ""  # the status says enough


async def _close_reads(reads: AsyncIterator[bytes] | None) -> None:
    # Another transport's body may be a generator, which does not like to be dropped half read.
    if isinstance(reads, AsyncGeneratorType):
        await reads.aclose()


def _finish(body: httpx.AsyncByteStream) -> None:
    if isinstance(body, AiohttpStream):
        body.finish()
