from __future__ import annotations

import contextlib
import json
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.validators.structured.json_text import MAX_JSON_DEPTH, NotJson, parse_json
from specroute.validators.structured.patterns import TooComplex
from specroute.validators.structured.schema import (
    MAX_SCHEMA_BYTES,
    MAX_SCHEMA_DEPTH,
    SchemaError,
    check_schema,
    compile_schema,
)

BOUND_S = 2.0


def accepts(schema: object, value: object) -> bool:
    text = json.dumps(value)
    return compile_schema(json.dumps(schema)).accepts(parse_json(text), text)


def doubling(levels: int) -> str:
    definitions: dict[str, object] = {
        f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(levels)
    }
    definitions[f"d{levels}"] = {"type": "string"}
    return json.dumps({"$ref": "#/$defs/d0", "$defs": definitions})


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        ('{"type": NaN}', "not JSON"),
        ('{"type": "objekt"}', "at type"),
        ('{"properties": {"a": {"pattern": "(?=x)"}}}', "at properties/a/pattern"),
        ('{"pattern": "(a"}', "at pattern"),
        ('{"$ref": "#/$defs/missing"}', "leads nowhere"),
        ('{"$ref": "#missing"}', "names no $anchor"),
        ('{"$ref": "other.json"}', "is not fetched"),
        ('{"items": {"$ref": "http://127.0.0.1:9/s"}}', "is not fetched"),
        ('{"$defs": {"a": {"$ref": "file:///etc/passwd"}}}', "is not fetched"),
        ('{"properties": {"a": {"$id": "http://example.com/a"}}}', "$id is allowed at the top"),
        ('{"description": "' + "x" * MAX_SCHEMA_BYTES + '"}', "longer than"),
        ('{"items":' * MAX_SCHEMA_DEPTH + '{"not": {}}' + "}" * MAX_SCHEMA_DEPTH, "nests deeper"),
        ('{"pattern": "' + "(a{900}){50}" * 20 + '"}', "pattern"),
        (doubling(16), "fewer times"),
        (doubling(200), "fewer times"),
    ],
)
def test_a_schema_that_is_not_run_is_refused_with_the_reason(schema: str, complaint: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(complaint)):
        check_schema(schema)


def test_a_reference_hidden_in_data_is_not_followed_either() -> None:
    with pytest.raises(SchemaError):
        check_schema('{"enum": [{"$ref": "http://127.0.0.1:9/s"}], "allOf": [{"$ref": "#/enum/0"}]}')


def test_an_unknown_metaschema_is_not_fetched() -> None:
    check_schema('{"$schema": "http://127.0.0.1:9/meta", "type": "object"}')


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, 1, "1"),
        (True, {}, None),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}, "x", 1),
        ({"$ref": "#a", "$defs": {"x": {"$anchor": "a", "type": "string"}}}, "x", 1),
        ({"$ref": "#/$defs/a~1b%25", "$defs": {"a/b%": {"type": "string"}}}, "x", 1),
        ({"definitions": {"a": {"type": "string"}}, "items": {"$ref": "#/definitions/a"}}, ["x"], [1]),
        ({"properties": {"$ref": {"type": "string"}, "enum": {"type": "string"}}}, {"$ref": "x"}, {"$ref": 1}),
        ({"type": "string", "pattern": "^a+$"}, "aaa", "b"),
        ({"properties": {"a": {}}, "unevaluatedProperties": False}, {"a": 1}, {"b": 1}),
        ({"enum": [1, 2]}, 2, 3),
    ],
)
def test_a_schema_accepts_what_fits_and_nothing_else(schema: object, good: object, bad: object) -> None:
    assert accepts(schema, good)
    if schema is not True:
        assert not accepts(schema, bad)


def test_a_recursive_schema_is_allowed() -> None:
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False}

    assert accepts(schema, {"next": {"next": {}}})
    assert not accepts(schema, {"next": {"next": {"other": 1}}})


@pytest.mark.parametrize(
    "schema",
    [
        {"items": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}},
        {"$dynamicAnchor": "n", "items": {"allOf": [{"$dynamicRef": "#n"}, {"$dynamicRef": "#n"}]}},
        {"items": {"oneOf": [{"allOf": [{"$ref": "#"}, False]}, {"$ref": "#"}]}},
        {"items": {"$ref": "#"}, "contains": {"$ref": "#"}, "unevaluatedItems": {"$ref": "#"}},
    ],
)
def test_a_recursion_that_doubles_at_each_level_takes_no_longer(schema: object) -> None:
    value: object = "x"
    for _ in range(MAX_JSON_DEPTH - 1):
        value = [value]
    started_s = time.perf_counter()

    accepts(schema, value)

    assert time.perf_counter() - started_s < BOUND_S


def test_a_long_chain_of_references_does_not_overflow_a_stack() -> None:
    links = 1_400
    chain: dict[str, object] = {f"a{link}": {"$ref": f"#/$defs/a{link + 1}"} for link in range(links)}
    chain[f"a{links}"] = {"$ref": "#"}
    value: object = []
    for _ in range(30):
        value = [value]

    assert accepts({"items": {"$ref": "#/$defs/a0"}, "$defs": chain}, value)


def test_the_largest_allowed_schema_on_a_large_answer_is_bounded_in_time() -> None:
    value = ["x"] * 2_000
    schema = {"items": json.loads(doubling(10)), "$defs": json.loads(doubling(10))["$defs"]}
    started_s = time.perf_counter()

    with contextlib.suppress(TooComplex):
        accepts(schema, value)

    assert time.perf_counter() - started_s < BOUND_S


def test_a_backtracking_pattern_is_bounded_in_time() -> None:
    started_s = time.perf_counter()

    assert not accepts({"pattern": "^(a+)+$"}, "a" * 100_000 + "b")
    assert time.perf_counter() - started_s < BOUND_S


def test_a_huge_pattern_on_a_huge_answer_is_not_run() -> None:
    with pytest.raises(TooComplex):
        accepts({"pattern": "[ab]*a[ab]{900}c"}, "ab" * 200_000)


@pytest.mark.parametrize(
    "text",
    ["NaN", "[Infinity]", "1e999", '"\\ud83d"', "\ufeff{}", "{} {}", "{'a': 1}", "[1,]", "", "[" * 600 + "]" * 600],
)
def test_what_is_not_strict_json_is_refused(text: str) -> None:
    with pytest.raises(NotJson):
        parse_json(text)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_a_schema_or_is_refused(text: str) -> None:
    try:
        check_schema(text)
    except SchemaError as error:
        assert str(error)  # noqa: PT017 - either outcome is right; only another exception is wrong


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=20,
)
keywords = st.sampled_from(
    ["$ref", "$id", "$anchor", "allOf", "items", "properties", "$defs", "enum", "pattern", "type"]
)


@settings(deadline=None)
@given(st.dictionaries(keywords, json_values | st.sampled_from(["#", "#/$defs", "#/items", "#a"]), max_size=5))
def test_any_object_is_a_schema_or_is_refused(schema: dict[str, object]) -> None:
    try:
        check_schema(json.dumps(schema))
    except SchemaError as error:
        assert str(error)  # noqa: PT017 - either outcome is right; only another exception is wrong
