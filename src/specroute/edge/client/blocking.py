"""A client of a running server, for the command line: blocking, with typed errors read back from the status details."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import grpc
from google.protobuf import json_format
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_status import rpc_status

from specroute.core.stream import DeliveryWish
from specroute.edge.client.channel import handshake_failure, open_channel
from specroute.edge.client.messages import to_stream_message
from specroute.v1 import decision_pb2, router_pb2, router_pb2_grpc
from specroute.v1.router_pb2 import RouteRequest as RouteRequest
from specroute.v1.router_pb2 import RouteResponse as RouteResponse
from specroute.v1.router_pb2 import RouteStreamResponse as RouteStreamResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from google.protobuf.message import Message

    from specroute.edge.client.channel import ClientTls

R = TypeVar("R", router_pb2.RouteResponse, router_pb2.DecideResponse)

CHANNEL_OPTIONS = (("grpc.max_receive_message_length", -1),)
COMMITTED = DeliveryWish()


@dataclass(frozen=True, slots=True)
class CallFailed(Exception):
    """A call that ended with a status.

    Attributes:
        code: name of the gRPC status code.
        reason: ``ErrorInfo.reason``, or "" where the server gave none.
        decision: what had been done; ``None``: nothing was decided.
        delivered: how much of a stream's answer had come for good when it broke off; ``None``: nothing.
    """

    code: str
    reason: str
    message: str
    decision: decision_pb2.Decision | None = None
    delivered: router_pb2.PartialDelivery | None = None

    def __str__(self) -> str:
        line = f"{self.code} {self.reason}: {self.message}" if self.reason else f"{self.code}: {self.message}"
        if self.delivered is None:
            return line
        had = self.delivered
        return f"{line}; {had.output_tokens} tokens ({had.output_bytes} bytes) by {had.tier} had been delivered"


def prompt_request(prompt: str) -> RouteRequest:
    """Returns a request of one user message."""
    return RouteRequest(messages=[router_pb2.Message(role="user", content=prompt)])


def read_request(path: Path) -> RouteRequest:
    """Returns the request in ``path``, the proto's JSON form.

    Raises:
        ValueError: one line that says what is wrong with the file.
    """
    try:
        return json_format.Parse(path.read_text("utf-8"), RouteRequest())
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; give the path of a JSON file") from error
    except (json_format.ParseError, UnicodeDecodeError, json.JSONDecodeError) as error:
        what = " ".join(str(error).split())
        raise ValueError(f"{path}: is no RouteRequest in the proto's JSON form: {what}") from error


def route(
    server: str, request: RouteRequest, timeout_s: float, tls: ClientTls | None = None
) -> router_pb2.RouteResponse:
    """Calls ``Route``; ``tls`` ``None``: in plaintext.

    Raises:
        CallFailed: it ended with a status.
        TlsFileError: a file of ``tls`` cannot be used.
    """
    return _call(server, tls, lambda stub: stub.Route(request, timeout=timeout_s))


def route_stream(
    server: str,
    request: RouteRequest,
    *,
    wish: DeliveryWish = COMMITTED,
    timeout_s: float,
    tls: ClientTls | None = None,
) -> Generator[RouteStreamResponse, None, None]:
    """Calls ``RouteStream`` and yields its events as they come; ``tls`` ``None``: in plaintext.

    Closing it before its end (``contextlib.closing``) cancels the call.

    Raises:
        CallFailed: it ended with a status.
        TlsFileError: a file of ``tls`` cannot be used.
    """
    has_begun = False
    with open_channel(server, tls, CHANNEL_OPTIONS) as channel:
        stub = router_pb2_grpc.RouterServiceStub(channel)
        call = stub.RouteStream(to_stream_message(request, wish), timeout=timeout_s)
        try:
            for event in call:
                has_begun = True
                yield event
        except grpc.RpcError as error:
            raise _failure(server, tls, cast("grpc.Call", error), has_begun=has_begun) from None
        finally:
            call.cancel()


def decide(
    server: str, request: RouteRequest, timeout_s: float, tls: ClientTls | None = None
) -> router_pb2.DecideResponse:
    """Calls ``Decide``; ``tls`` ``None``: in plaintext.

    Raises:
        CallFailed: it ended with a status.
        TlsFileError: a file of ``tls`` cannot be used.
    """
    return _call(server, tls, lambda stub: stub.Decide(router_pb2.DecideRequest(request=request), timeout=timeout_s))


def to_json(message: Message) -> str:
    """Returns the proto's JSON form."""
    return json_format.MessageToJson(message, preserving_proto_field_name=True)


def to_json_line(message: Message) -> str:
    """Returns the proto's JSON form in one line."""
    return json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None)


def _call(server: str, tls: ClientTls | None, call: Callable[[router_pb2_grpc.RouterServiceStub], R]) -> R:
    with open_channel(server, tls, CHANNEL_OPTIONS) as channel:
        try:
            return call(router_pb2_grpc.RouterServiceStub(channel))
        except grpc.RpcError as error:
            raise _failure(server, tls, cast("grpc.Call", error)) from None


def _failure(server: str, tls: ClientTls | None, error: grpc.Call, *, has_begun: bool = False) -> CallFailed:
    status = rpc_status.from_call(error)
    message = " ".join((error.details() or "").split())
    if status is None:
        if error.code() is grpc.StatusCode.UNAVAILABLE and has_begun:
            message = f"the connection to {server} broke off in the middle of the answer; send the request again"
        elif error.code() is grpc.StatusCode.UNAVAILABLE:
            nobody = f"no server answers at {server}; start one with `specroute serve` or give --server HOST:PORT"
            message = handshake_failure(server, tls, message) or nobody
        return CallFailed(error.code().name, "", message)
    info, bad_request = ErrorInfo(), BadRequest()
    decision, partial = decision_pb2.Decision(), router_pb2.PartialDelivery()
    found = delivered = None
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad_request)
        if detail.Unpack(decision):
            found = decision
        if detail.Unpack(partial):
            delivered = partial
    return CallFailed(error.code().name, info.reason, message, found, delivered)
