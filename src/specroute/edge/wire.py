"""Names the field of a message that cannot be parsed because its text is not UTF-8.

protobuf refuses such a message as a whole and does not say where. The same bytes are therefore parsed once more by a
twin of the schema in which every string is bytes, and the twin is searched for the text that does not decode. Only
refused requests pay for it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor, FileDescriptor


def undecodable_field(message: type[Message], data: bytes) -> str | None:
    """Returns the path of the first text field in ``data`` that is not UTF-8.

    ``None``: there is none, so the bytes are no ``message`` at all.
    """
    twin = _twin(message.DESCRIPTOR)()
    try:
        twin.ParseFromString(data)
    except DecodeError:
        return None
    return next(_undecodable(twin, ""), None)


@cache
def _twin(descriptor: Descriptor) -> type[Message]:
    pool = descriptor_pool.DescriptorPool()
    _add(pool, descriptor.file, set())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(descriptor.full_name))


def _add(pool: descriptor_pool.DescriptorPool, file: FileDescriptor, done: set[str]) -> None:
    if file.name in done:
        return
    done.add(file.name)
    for dependency in file.dependencies:
        _add(pool, dependency, done)
    proto = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(proto)
    for message in proto.message_type:
        _strings_to_bytes(message)
    pool.Add(proto)


def _strings_to_bytes(message: descriptor_pb2.DescriptorProto) -> None:
    for field in message.field:
        if field.type == descriptor_pb2.FieldDescriptorProto.TYPE_STRING:
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
            field.ClearField("options")
    for nested in message.nested_type:
        # A map's key cannot be bytes: as a plain repeated entry it has the same encoding.
        nested.options.ClearField("map_entry")
        _strings_to_bytes(nested)


def _undecodable(message: Message, path: str) -> Iterator[str]:
    for field, value in message.ListFields():
        here = f"{path}{field.name}"
        repeated = field.is_repeated
        for index, item in enumerate(value if repeated else (value,)):
            place = f"{here}[{index}]" if repeated else here
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                yield from _undecodable(item, f"{place}.")
            elif field.type == FieldDescriptor.TYPE_BYTES and not _is_utf8(item):
                yield place


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
