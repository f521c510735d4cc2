"""Text that is not UTF-8 is found by its path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.edge.wire import undecodable_field
from specroute.v1 import router_pb2

BROKEN = b"caf\xe9"


def field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data)]) + data


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (field(1, BROKEN), "request_id"),
        (field(2, field(2, b"ok")) + field(2, field(2, BROKEN)), "messages[1].content"),
        (field(2, field(3, field(3, BROKEN))), "messages[0].tool_calls[0].arguments_json"),
        (field(3, field(4, b"ok") + field(4, BROKEN)), "generation.stop[1]"),
        (field(7, field(1, b"k") + field(2, BROKEN)), "labels[0].value"),
        (field(7, field(1, BROKEN) + field(2, b"v")), "labels[0].key"),
    ],
)
def test_the_first_broken_text_is_named(data: bytes, path: str) -> None:
    assert undecodable_field(router_pb2.RouteRequest, data) == path


@pytest.mark.parametrize("data", [b"\xff\xff\xff", field(1, b"ok"), b""])
def test_where_no_text_is_broken_nothing_is_named(data: bytes) -> None:
    assert undecodable_field(router_pb2.RouteRequest, data) is None


@given(st.binary(max_size=64))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    path = undecodable_field(router_pb2.RouteRequest, data)
    assert path is None or path
