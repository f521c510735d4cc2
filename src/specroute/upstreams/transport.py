"""An ``httpx`` transport over one ``aiohttp`` session: HTTP/1.1, made for calls that are cancelled all the time.

Closing a response before its end resets its TCP connection at once: over HTTP/1.1 nothing else tells a model to stop
generating. A response that was read to its end leaves its connection in the pool. The pool has no limit, because a
cancelled waiter inside a pool is where pools break; whoever calls limits the concurrency.
"""

from __future__ import annotations

import asyncio
import errno
import io
import math
import socket
import struct
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

import aiohttp
import httpx
from aiohttp import client_proto, http_exceptions
from yarl import URL

if TYPE_CHECKING:
    import ssl

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger {on, 0 s}: closing sends RST instead of FIN
_READ_AHEAD_BYTES = 8192
_MAX_INLINE_BODY_BYTES = 1 << 20  # a larger request body is written in pieces, so that it does not hold the loop
_DECODED_HERE = frozenset({"gzip", "deflate", "br", "zstd"})
_NEVER_CEIL = math.inf  # aiohttp rounds timeouts above this threshold up to whole seconds

_LIBRARY_ERRORS = (aiohttp.ClientError, http_exceptions.HttpProcessingError, OSError, ValueError, RuntimeError)
# The first row that fits wins, so subclasses stand above their bases.
_AS_HTTPX: tuple[tuple[type[BaseException], type[httpx.RequestError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ServerFingerprintMismatch, httpx.ConnectError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (http_exceptions.ContentEncodingError, httpx.DecodingError),
    (http_exceptions.TransferEncodingError, httpx.ReadError),
    (http_exceptions.ContentLengthError, httpx.ReadError),
    (http_exceptions.HttpProcessingError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.ClientError, httpx.ReadError),
    (TimeoutError, httpx.ReadTimeout),
    (OSError, httpx.ReadError),
    (ValueError, httpx.LocalProtocolError),
    (RuntimeError, httpx.ReadError),
)


def is_cancel_requested() -> bool:
    """Returns whether somebody asked the current asyncio task to stop.

    A ``CancelledError`` that arrives without such a request was let out by a library, and is just an error.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no asyncio loop runs here, so no asyncio cancellation can be ours
        return False
    return task is not None and task.cancelling() > 0


class AiohttpStream(httpx.AsyncByteStream):
    """The body of one response, as it arrives, decompressed."""

    def __init__(self, response: aiohttp.ClientResponse, linger_s: float) -> None:
        self._response = response
        self._linger_s = linger_s
        self._is_over = False

    def __aiter__(self) -> AiohttpStream:
        return self

    async def __anext__(self) -> bytes:
        try:
            data = await self._response.content.readany()
        except asyncio.CancelledError:
            self.abort()
            if is_cancel_requested():
                raise
            raise httpx.ReadError("cancelled by the HTTP library") from None
        except _LIBRARY_ERRORS as error:
            self.abort()
            raise _as_httpx(error) from None
        if not data:
            # Still holding the connection here means that the request body was not sent yet: it can't be reused.
            self.abort()
            raise StopAsyncIteration
        return data

    def abort(self) -> None:
        """Resets the connection, unless the body has come in whole; never waits, and may be called again."""
        self._is_over = True
        self._response.close()

    def finish(self) -> None:
        """Ends a response of which all that matters was read; never waits.

        The connection goes back to the pool if the end of the body is here or comes within the linger time, as it
        does when a server sends the last chunk by itself; else it is reset.
        """
        if self._is_over:
            return
        self._is_over = True
        if self._response.connection is not None:
            asyncio.get_running_loop().call_later(self._linger_s, self._response.close)

    async def aclose(self) -> None:
        """Does what ``abort`` does, if nothing ended it before; does not suspend."""
        if not self._is_over:
            self.abort()


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends each request over a pooled or a new HTTP/1.1 connection of one session.

    Neither proxies and credentials from the environment nor cookies nor redirects are followed. The session is made on
    the first call, or by ``start``, and belongs to the event loop that runs then.

    Args:
        connect_timeout_s: for name lookup, TCP and TLS together; a request's ``timeout`` extension (``connect``)
            overrides it.
        keepalive_timeout_s: how long an idle connection stays in the pool.
        linger_s: how long ``AiohttpStream.finish`` lets the end of a body come in.
        ssl_context: for certificates of one's own; ``None``: the system's.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float = 2.0,
        keepalive_timeout_s: float = 15.0,
        linger_s: float = 0.1,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._keepalive_timeout_s = keepalive_timeout_s
        self._linger_s = linger_s
        self._ssl_context = ssl_context
        self._connector: _Connector | None = None
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    @property
    def acquired_connections(self) -> int:
        """The number of connections that serve, or are being opened for, a request; 0 when nothing is in flight."""
        return 0 if self._connector is None else self._connector.acquired_connections

    async def start(self) -> None:
        """Makes the session; calling it is optional."""
        self._open_session()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Returns the response once its head is here; raises ``httpx.RequestError`` and nothing else of its own."""
        stream = request.stream
        body = b"".join(stream) if isinstance(stream, httpx.ByteStream) else await request.aread()
        try:
            response = await self._open_session().request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=_request_headers(request),
                data=(body or None) if len(body) <= _MAX_INLINE_BODY_BYTES else io.BytesIO(body),
                allow_redirects=False,
                timeout=self._timeout(request),
            )
        except asyncio.CancelledError:
            if is_cancel_requested():
                raise
            raise httpx.ReadError("cancelled by the HTTP library", request=request) from None
        except _LIBRARY_ERRORS as error:
            # Without its cause: aiohttp's exceptions carry the request's headers, and with them its secrets.
            raise _as_httpx(error, request) from None
        return httpx.Response(
            response.status,
            headers=_response_headers(response),
            stream=AiohttpStream(response, self._linger_s),
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def aclose(self) -> None:
        """Closes the session with every connection; later requests fail."""
        self._is_closed = True
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise httpx.ConnectError("the transport is closed")
        if self._session is None:
            self._connector = _Connector(
                limit=0, keepalive_timeout=self._keepalive_timeout_s, ssl=self._ssl_context or True
            )
            self._session = aiohttp.ClientSession(
                connector=self._connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                response_class=_Response,
                # A read-ahead of a few kilobytes: what an upstream floods us with while a reader stalls stays with it.
                read_bufsize=_READ_AHEAD_BYTES,
            )
        return self._session

    def _timeout(self, request: httpx.Request) -> aiohttp.ClientTimeout:
        timeouts = request.extensions.get("timeout")
        return _client_timeout((timeouts and timeouts.get("connect")) or self._connect_timeout_s)


class _Response(aiohttp.ClientResponse):
    """Resets its connection when it is closed early, before and after its head has come."""

    def close(self) -> None:
        connection = self.connection
        transport = None if connection is None else connection.transport
        if transport is not None:
            sock = transport.get_extra_info("socket")
            if sock is not None:
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            # Closing alone would first wait until the peer has taken the rest of the request body.
            transport.abort()
        super().close()


class _Protocol(client_proto.ResponseHandler):
    """Mends two things of aiohttp 3.14; the attributes with an underscore are the library's, and tests watch them."""

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Also tells the reader of a body, which else waits for ever when a chunk's size is not a number."""
        super().set_exception(exc, *cause)
        payload = self._payload
        if payload is not None and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(exc)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Does nothing unless reading was paused; it is called for every chunk, and took a third of a stream's time."""
        if self._reading_paused:
            super().resume_reading(resume_parser)


class _Connector(aiohttp.TCPConnector):
    """Makes connections with our protocol; ``_factory`` and ``_acquired`` are the library's, and tests watch both."""

    def __init__(self, *, limit: int, keepalive_timeout: float, ssl: ssl.SSLContext | bool) -> None:
        super().__init__(limit=limit, keepalive_timeout=keepalive_timeout, ssl=ssl)
        self._factory = self._make_protocol  # type: ignore[assignment] # declared as a partial, called as a function

    @property
    def acquired_connections(self) -> int:
        return len(self._acquired)

    def _make_protocol(self) -> client_proto.ResponseHandler:
        return _Protocol(self._loop)


@lru_cache(maxsize=64)
def _client_timeout(connect_s: float) -> aiohttp.ClientTimeout:
    # Only connecting is timed here: first token, idle and total time belong to whoever reads.
    return aiohttp.ClientTimeout(total=None, connect=connect_s, ceil_threshold=_NEVER_CEIL)


def _request_headers(request: httpx.Request) -> list[tuple[str, str]]:
    # The body was read whole, so it goes out with a length whatever the caller had planned.
    return [
        (name.decode("ascii"), value.decode("latin-1"))
        for name, value in request.headers.raw
        if name.lower() != b"transfer-encoding"
    ]


def _response_headers(response: aiohttp.ClientResponse) -> list[tuple[bytes, bytes]]:
    headers = list(response.raw_headers)
    if response.headers.get("content-encoding", "").lower() in _DECODED_HERE:
        headers = [pair for pair in headers if pair[0].lower() not in (b"content-encoding", b"content-length")]
    return headers


def _as_httpx(error: BaseException, request: httpx.Request | None = None) -> httpx.RequestError:
    """Returns the ``httpx`` error for a library's, in our words: theirs quote URLs, headers and what the peer sent."""
    if isinstance(error, aiohttp.ClientPayloadError) and error.__cause__ is not None:
        error = error.__cause__
    kind: type[httpx.RequestError] = next(
        (kind for known, kind in _AS_HTTPX if isinstance(error, known)), httpx.ReadError
    )
    if isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str):
        kind = httpx.RemoteProtocolError  # the peer left within the head of its response
    # In a TLS error the number is OpenSSL's.
    number = error.errno if isinstance(error, OSError) and not isinstance(error, aiohttp.ClientSSLError) else None
    name = "" if number is None else f" {errno.errorcode.get(number, number)}"
    return kind(f"{type(error).__name__}{name}", request=request)
