"""A client that knows nothing of the service but what server reflection tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import grpc
from google.protobuf import descriptor_pb2, json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

if TYPE_CHECKING:
    from google.protobuf.message import Message

SERVICE = "specroute.v1.RouterService"


@dataclass(frozen=True)
class Failed(Exception):
    """A call that ended with a status; ``details`` are its messages in wire order, by their full names."""

    code: grpc.StatusCode
    message: str
    details: tuple[tuple[str, Message], ...]
    trailers: dict[str, str | bytes]

    def detail(self, kind: type[Message] | str) -> Any:
        name = kind if isinstance(kind, str) else kind.DESCRIPTOR.full_name
        return next((message for found, message in self.details if found == name), None)

    @property
    def reason(self) -> str:
        info = self.detail(ErrorInfo)
        return "" if info is None else str(info.reason)

    @property
    def decision(self) -> Any:
        return self.detail("specroute.v1.Decision")

    @property
    def fields(self) -> list[str]:
        """The fields that ``BadRequest`` names."""
        found = self.detail(BadRequest)
        return [] if found is None else [violation.field for violation in found.field_violations]


KNOWN_DETAILS: dict[str, type[Message]] = {
    kind.DESCRIPTOR.full_name: kind for kind in (BadRequest, ErrorInfo, QuotaFailure, RetryInfo)
}


class ReflectionClient:
    """A channel with the message types that the server told of."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self._pool = DescriptorPool()
        self._files: set[str] = set()

    @classmethod
    async def connect(cls, address: str) -> Self:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        client = cls(grpc.aio.insecure_channel(address, options=options))
        await client._learn()
        return client

    async def close(self) -> None:
        await self.channel.close()

    def type(self, name: str) -> type[Message]:
        return GetMessageClass(self._pool.FindMessageTypeByName(f"specroute.v1.{name}"))

    def request(self, fields: dict[str, Any], kind: str = "RouteRequest") -> Message:
        return json_format.ParseDict(fields, self.type(kind)(), descriptor_pool=self._pool)

    def start(
        self, method: str, request: Message | bytes, timeout_s: float | None = 30.0
    ) -> grpc.aio.UnaryUnaryCall[bytes, Any]:
        """Starts a call and leaves it running; the type of its reply is known to the server only."""
        descriptor = self._pool.FindServiceByName(SERVICE).methods_by_name[method]
        send: grpc.aio.UnaryUnaryMultiCallable[bytes, Any] = self.channel.unary_unary(
            f"/{SERVICE}/{method}", response_deserializer=GetMessageClass(descriptor.output_type).FromString
        )
        data = request if isinstance(request, bytes) else request.SerializeToString()
        return send(data, timeout=timeout_s)

    async def call(self, method: str, request: Message | bytes, timeout_s: float | None = 30.0) -> Any:
        """Calls and returns the reply; raises ``Failed``."""
        try:
            return await self.start(method, request, timeout_s)
        except grpc.aio.AioRpcError as error:
            raise self.failed(error) from None

    async def route(self, prompt: str, *, timeout_s: float | None = 30.0, **fields: Any) -> Any:
        return await self.call("Route", self.request(prompt_fields(prompt) | fields), timeout_s)

    async def decide(self, prompt: str, **fields: Any) -> Any:
        return await self.call("Decide", self.request({"request": prompt_fields(prompt) | fields}, "DecideRequest"))

    def failed(self, error: grpc.aio.AioRpcError) -> Failed:
        """Reads a status with its details."""
        trailers = dict(error.trailing_metadata() or ())
        status = Status.FromString(trailers.get("grpc-status-details-bin", b""))
        details = []
        for packed in status.details:
            name = packed.type_url.rpartition("/")[2]
            kind = KNOWN_DETAILS.get(name) or GetMessageClass(self._pool.FindMessageTypeByName(name))
            details.append((name, kind.FromString(packed.value)))
        return Failed(error.code(), error.details() or "", tuple(details), trailers)

    async def services(self) -> set[str]:
        reply = await self._ask(reflection_pb2.ServerReflectionRequest(list_services=""))
        return {service.name for service in reply.list_services_response.service}

    async def _learn(self) -> None:
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE)
        await self._add((await self._ask(request)).file_descriptor_response.file_descriptor_proto)

    async def _add(self, files: Any) -> None:
        protos = {proto.name: proto for proto in map(descriptor_pb2.FileDescriptorProto.FromString, files)}
        for proto in protos.values():
            await self._add_one(proto, protos)

    async def _add_one(
        self, proto: descriptor_pb2.FileDescriptorProto, known: dict[str, descriptor_pb2.FileDescriptorProto]
    ) -> None:
        if proto.name in self._files:
            return
        self._files.add(proto.name)
        for name in proto.dependency:
            if name in known:
                await self._add_one(known[name], known)
            elif name not in self._files:
                request = reflection_pb2.ServerReflectionRequest(file_by_filename=name)
                await self._add((await self._ask(request)).file_descriptor_response.file_descriptor_proto)
        self._pool.Add(proto)

    async def _ask(self, request: reflection_pb2.ServerReflectionRequest) -> reflection_pb2.ServerReflectionResponse:
        stub = reflection_pb2_grpc.ServerReflectionStub(self.channel)
        call = stub.ServerReflectionInfo()
        await call.write(request)
        reply = await call.read()
        await call.done_writing()
        return reply


def prompt_fields(prompt: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": prompt}]}


def words(enum_value: int, message: Message, field: str) -> str:
    """Returns the name of an enum value of ``message``'s ``field``."""
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    assert enum is not None, f"{field} is no enum"
    return str(enum.values_by_number[enum_value].name)


def ends(decision: Any) -> list[tuple[str, str, str]]:
    """Returns (tier, end, reason) of every attempt."""
    return [
        (attempt.tier, words(attempt.end, attempt, "end").removeprefix("ATTEMPT_END_"), attempt.reason)
        for attempt in decision.attempts
    ]


def kind(decision: Any) -> str:
    """Returns the plan's kind."""
    return words(decision.plan.kind, decision.plan, "kind").removeprefix("PLAN_KIND_")


def seconds(duration: Any) -> float:
    return float(duration.seconds + duration.nanos * 1e-9)
