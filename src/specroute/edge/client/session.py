"""A blocking client that keeps its connection and speaks the service's own words: for load tests, one per user.

Messages stay inside, as in ``aio``: what goes in is a ``core.request.RouteRequest``, what comes out are values of
``core``. It runs under gevent, which grpc.aio does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import grpc

from specroute.edge.client.aio import COMMITTED, answered, event_of, failure
from specroute.edge.client.channel import open_channel
from specroute.edge.client.messages import to_message, to_stream_message
from specroute.v1 import router_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from specroute.core import request as words
    from specroute.core.stream import DeliveryWish
    from specroute.edge.client.aio import Answered, Event
    from specroute.edge.client.channel import ClientTls

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    # Channels to one address share a connection otherwise, and many users would be one.
    ("grpc.use_local_subchannel_pool", 1),
)


class RouterSession:
    """Calls one server over a connection of its own. ``with RouterSession("127.0.0.1:50051") as session:``.

    ``tls`` ``None``: in plaintext. ``TlsFileError`` where one of its files cannot be used.
    """

    def __init__(self, server: str, tls: ClientTls | None = None) -> None:
        self._channel = open_channel(server, tls, CHANNEL_OPTIONS)
        self._stub = router_pb2_grpc.RouterServiceStub(self._channel)

    def __enter__(self) -> RouterSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect(self, *, timeout_s: float) -> bool:
        """Returns whether the connection is there within ``timeout_s``, so that no call has to wait for it."""
        try:
            grpc.channel_ready_future(self._channel).result(timeout=timeout_s)
        except grpc.FutureTimeoutError:
            return False
        return True

    def close(self) -> None:
        """Closes the connection; calls that run on it are cancelled."""
        self._channel.close()

    def route(self, request: words.RouteRequest, *, timeout_s: float) -> Answered:
        """Sends ``request`` with a deadline ``timeout_s`` from now and returns the answer.

        Raises:
            RouteFailed: it ended with a status.
        """
        try:
            return answered(self._stub.Route(to_message(request), timeout=timeout_s))
        except grpc.RpcError as error:
            raise failure(cast("grpc.Call", error)) from None

    def stream(
        self, request: words.RouteRequest, wish: DeliveryWish = COMMITTED, *, timeout_s: float
    ) -> Generator[Event, None, None]:
        """Sends ``request`` with a deadline ``timeout_s`` from now and yields the events of its answer as they come.

        Closing it before its end (``contextlib.closing``) cancels the call.

        Raises:
            RouteFailed: it ended with a status.
        """
        call = self._stub.RouteStream(to_stream_message(to_message(request), wish), timeout=timeout_s)
        try:
            for message in call:
                found = event_of(message)
                if found is not None:
                    yield found
        except grpc.RpcError as error:
            raise failure(cast("grpc.Call", error)) from None
        finally:
            call.cancel()
