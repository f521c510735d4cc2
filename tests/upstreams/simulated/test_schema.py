import random
from typing import Any

import jsonschema_rs
import pytest

from specroute.upstreams.simulated.schema import value_of

SCHEMAS: dict[str, dict[str, Any]] = {
    "flat object": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "ok": {"type": "boolean"}},
        "required": ["name", "age", "ok"],
        "additionalProperties": False,
    },
    "nested": {
        "type": "object",
        "properties": {
            "tags": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 2, "uniqueItems": True},
            "where": {"type": "object", "properties": {"lat": {"type": "number", "minimum": -90, "maximum": 90}}},
        },
        "required": ["tags", "where", "unlisted"],
    },
    "const": {"const": {"a": [1]}},
    "enum": {"enum": [None, 3, "x"]},
    "nullable": {"type": ["null", "string"], "minLength": 30, "maxLength": 40},
    "bounds": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    "negative": {"type": "integer", "maximum": -7},
    "multiple": {"type": "integer", "multipleOf": 7, "minimum": 50, "maximum": 60},
    "narrow number": {"type": "number", "exclusiveMinimum": 0.001, "exclusiveMaximum": 0.002},
    "number step": {"type": "number", "multipleOf": 0.5, "minimum": 1, "maximum": 2},
    "references": {
        "$defs": {"point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
        "type": "array",
        "items": {"$ref": "#/$defs/point"},
        "minItems": 1,
        "maxItems": 4,
    },
    "recursive": {
        "type": "object",
        "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["value"],
    },
    "any of": {"anyOf": [{"type": "string", "format": "email"}, {"type": "null"}]},
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
        ]
    },
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    "map": {"type": "object", "additionalProperties": {"type": "number"}, "minProperties": 3},
    "date": {"type": "string", "format": "date-time"},
    "anything": {},
}


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("seed", range(5))
def test_a_made_value_satisfies_its_schema(name: str, seed: int) -> None:
    value = value_of(SCHEMAS[name], random.Random(seed))

    jsonschema_rs.Draft202012Validator(SCHEMAS[name], validate_formats=True).validate(value)


def test_without_a_schema_an_object_is_made() -> None:
    assert isinstance(value_of({}, random.Random(0)), dict)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": 3},
        {"type": "nonsense"},
        {"type": "array", "minItems": 10**9, "items": {"type": "integer"}},
        {"type": "object", "minProperties": 10**9},
        {"type": "string", "minLength": 10**9},
    ],
)
def test_a_schema_that_cannot_be_answered_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="schema"):
        value_of(schema, random.Random(0))


def test_references_elsewhere_are_never_fetched() -> None:
    schema = {
        "$schema": "http://192.0.2.1/meta",
        "type": "object",
        "properties": {"a": {"$ref": "http://192.0.2.1/a"}, "b": {"$ref": "#/nowhere"}},
    }

    assert set(value_of(schema, random.Random(0))) == {"a", "b"}


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}

    assert isinstance(value_of(schema, random.Random(0)), str)
