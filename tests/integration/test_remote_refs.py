"""A schema must not make the service fetch anything: a listening server sees no connection."""

from __future__ import annotations

import json
import select
import socket
from typing import TYPE_CHECKING

import pytest

from specroute.core.outcome import VerdictKind
from specroute.core.request import JsonSchemaOutput
from specroute.validators.contract import OutputContract
from specroute.validators.structured.schema import SchemaError, check_schema
from tests.validators.builders import a_request, an_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

SCHEMAS = [
    {"$ref": "{url}/schema.json"},
    {"$ref": "{url}"},
    {"properties": {"a": {"$ref": "{url}/schema.json#/$defs/a"}}},
    {"$defs": {"unused": {"$ref": "{url}/schema.json"}}},
    {"$id": "{url}/root.json", "$ref": "other.json"},
    {"$id": "{url}/root.json", "$ref": "#/$defs/a", "$defs": {"a": {"$ref": "/other.json"}}},
    {"$defs": {"a": {"$id": "{url}/a", "$ref": "b"}}, "$ref": "#/$defs/a"},
    {"$dynamicRef": "{url}/schema.json#node"},
    {"$recursiveRef": "{url}/schema.json"},
    {"$schema": "{url}/metaschema.json", "type": "object"},
    {"enum": [{"$ref": "{url}/schema.json"}], "allOf": [{"$ref": "#/enum/0"}]},
    {"x-unknown": {"$ref": "{url}/schema.json"}, "$ref": "#/x-unknown"},
]


@pytest.fixture
def trap() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_no_schema_makes_a_connection(trap: socket.socket, schema: dict[str, object]) -> None:
    url = f"http://127.0.0.1:{trap.getsockname()[1]}"
    text = json.dumps(schema).replace("{url}", url)

    try:
        check_schema(text)
        refused = False
    except SchemaError:
        refused = True
    verdict = OutputContract().judge(a_request(JsonSchemaOutput(text)), an_answer("{}"))

    connections, _, _ = select.select([trap], [], [], 0)
    assert connections == []
    assert (verdict.kind is VerdictKind.REJECT and verdict.reason == "invalid_schema") == refused
