from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.core.outcome import Prefix, PrefixKind, PrefixVerdict, VerdictKind
from specroute.core.request import JsonObjectOutput, JsonSchemaOutput, Output
from specroute.validators.contract import OutputContract
from specroute.validators.structured.json_text import MAX_JSON_CHARACTERS, MAX_JSON_DEPTH
from tests.validators.builders import a_request, an_answer

NAMES = ("alpha", "beta", "gamma", "delta")
PERSON = JsonSchemaOutput(
    json.dumps(
        {
            "type": "object",
            "required": ["name", "age"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "maxLength": 5},
                "age": {"type": "integer", "maximum": 150},
                "kind": {"enum": ["person", "robot"]},
                "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
                "home": {"$ref": "#/$defs/place"},
                "past": {"type": "array", "items": {"$ref": "#/$defs/place"}},
                "other": {"anyOf": [{"type": "string"}, {"type": "object", "required": ["x"]}]},
            },
            "$defs": {"place": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}},
        }
    )
)


def read(output: Output, text: str) -> PrefixVerdict:
    return OutputContract().judge_prefix(a_request(output), Prefix(text))


def is_accepted(output: Output, text: str) -> bool:
    return OutputContract().judge(a_request(output), an_answer(text)).kind is VerdictKind.ACCEPT


def rejected_at(output: Output, text: str) -> str | None:
    """Returns the shortest beginning that is rejected."""
    cuts = (text[:cut] for cut in range(len(text) + 1))
    return next((cut for cut in cuts if read(output, cut).kind is PrefixKind.REJECT), None)


@pytest.mark.parametrize(
    ("output", "text", "rejected"),
    [
        (JsonObjectOutput(), "Here you are: {}", "H"),
        (JsonObjectOutput(), "[1, 2]", "["),
        (JsonObjectOutput(), '"text"', '"'),
        (JsonObjectOutput(), "nil", "n"),
        (JsonObjectOutput(), "\u00a0{}", None),
        (JsonObjectOutput(), '{"a": 1} Hope that helps', '{"a": 1} H'),
        (JsonObjectOutput(), '{"a": 1}{', '{"a": 1}{'),
        (JsonObjectOutput(), '{"a": NaN', '{"a": N'),
        (JsonObjectOutput(), '{"a": 12..', '{"a": 12..'),
        (JsonObjectOutput(), '{"a": 1,}', '{"a": 1,}'),
        (JsonObjectOutput(), "{'a'", "{'"),
        (JsonObjectOutput(), '{"a": "\\x', '{"a": "\\x'),
        (JsonObjectOutput(), '{"a": "\n', '{"a": "\n'),
        (JsonObjectOutput(), '```json\n{"a": 1}\n```\n', None),
        (JsonObjectOutput(), '```json\n{"a": 1}\n```\nDone', '```json\n{"a": 1}\n```\nD'),
        (JsonObjectOutput(), '```json\n{"a": 1}\n````', '```json\n{"a": 1}\n````'),
        (JsonObjectOutput(), '```json\n{"a": "```"}\n```', None),
        (JsonObjectOutput(), '```json\n{"a": 1 ```', '```json\n{"a": 1 `'),
        (JsonObjectOutput(), "```json\nHere", "```json\nH"),
        (JsonObjectOutput(), '~~~\n{"a": 1}\n~~~', None),
        (JsonObjectOutput(), '```{"a":\n 1}```', None),
        (JsonObjectOutput(), '```json {"a": 1}```', None),
        (JsonObjectOutput(), "`{}`", "`{"),
        (PERSON, '{"name": "Ann", "age": 3}', None),
        (PERSON, '{"name": 1', None),
        (PERSON, '{"name": 1,', '{"name": 1,'),
        (PERSON, '{"name": "Annabel",', '{"name": "Annabel"'),
        (PERSON, '{"name": [', '{"name": ['),
        (PERSON, '{"age": 1.5}', '{"age": 1.5}'),
        (PERSON, '{"age": 1500 ', '{"age": 1500 '),
        (PERSON, '{"kind": "animal"', '{"kind": "animal"'),
        (PERSON, '{"city": "Oslo"', '{"city": "Oslo"'),
        (PERSON, '{"tags": ["a", 2 ', '{"tags": ["a", 2 '),
        (PERSON, '{"tags": ["a", "b", "c"', '{"tags": ["a", "b", "c"'),
        (PERSON, '{"home": {"street": "x"}', '{"home": {"street": "x"}'),
        (PERSON, '{"home": {"city": 1}', '{"home": {"city": 1}'),
        (PERSON, '{"past": [{"city": "Oslo"}, {}', '{"past": [{"city": "Oslo"}, {}'),
        (PERSON, '{"other": {"y": [1, 2], "x', None),
        (PERSON, '{"other": {"y": 1}', '{"other": {"y": 1}'),
        (PERSON, '{"name": "Ann"}', '{"name": "Ann"}'),
        (PERSON, "[", "["),
        (PERSON, "null", "null"),
        (JsonSchemaOutput('{"type": "integer"}'), "15", None),
        (JsonSchemaOutput('{"type": "integer"}'), "15 x", "15 x"),
        (JsonSchemaOutput('{"type": "string"}'), '"ab', None),
        (JsonSchemaOutput("{"), "{", "{"),
    ],
)
def test_a_beginning_is_rejected_as_soon_as_nothing_can_mend_it(
    output: Output, text: str, rejected: str | None
) -> None:
    if text.startswith("\u00a0"):
        rejected = text[:2]

    assert rejected_at(output, text) == rejected


@pytest.mark.parametrize("text", ["{", '{"a', '```json\n{"a": 1', '{"a": 1}', '```\n{"a": 1}\n``', '{"a": 1}\n'])
def test_a_beginning_that_holds_so_far_is_accepted_but_never_settled(text: str) -> None:
    verdict = read(JsonObjectOutput(), text)

    assert verdict.kind is PrefixKind.ACCEPT
    assert not verdict.is_settled


@pytest.mark.parametrize("text", ["", " \n", "`", "```", "```json", "```json\n", "```json\n  "])
def test_before_the_value_has_begun_nothing_is_decided(text: str) -> None:
    assert read(JsonObjectOutput(), text).kind is PrefixKind.UNDECIDED
    assert read(PERSON, text).kind is PrefixKind.UNDECIDED


def test_a_name_that_comes_twice_leaves_it_to_the_end() -> None:
    output = JsonSchemaOutput('{"properties": {"a": {"type": "string"}}}')

    assert read(output, '{"a": {"b": 1}').kind is PrefixKind.REJECT
    assert read(output, '{"a": {"b": 1}, "a": "x"').kind is PrefixKind.UNDECIDED


def test_the_bounds_of_a_whole_answer_bound_its_beginning() -> None:
    any_value = JsonSchemaOutput("{}")

    assert read(any_value, "[" * (MAX_JSON_DEPTH + 1)).kind is PrefixKind.REJECT
    assert read(any_value, "[" * MAX_JSON_DEPTH).kind is PrefixKind.UNDECIDED
    assert read(any_value, '"' + "x" * MAX_JSON_CHARACTERS).kind is PrefixKind.REJECT
    assert read(any_value, "[" + "9" * 400).kind is PrefixKind.UNDECIDED
    assert is_accepted(any_value, "[" + "9" * 400 + "e-399]")


@pytest.mark.parametrize("depth", [100, 199, 200, 201, MAX_JSON_DEPTH])
def test_deep_nesting_within_the_bound_is_not_rejected(depth: int) -> None:
    text = "[" * depth + "]" * depth

    assert is_accepted(JsonSchemaOutput("{}"), text)
    assert rejected_at(JsonSchemaOutput("{}"), text) is None


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-20, 20), st.floats(-9, 9), st.sampled_from(["", "x", 'a"b\\c', "```"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)),
    max_leaves=8,
)
Made = tuple[Any, st.SearchStrategy[Any]]
"""A schema and values of which most satisfy it."""


@st.composite
def scalars(draw: st.DrawFn) -> Made:
    kind = draw(st.sampled_from(["string", "integer", "number", "boolean", "null", "enum"]))
    if kind == "enum":
        values = draw(st.lists(json_values, min_size=1, max_size=3))
        return {"enum": values}, st.sampled_from(values)
    schema: dict[str, Any] = {"type": kind}
    values_by_kind: dict[str, st.SearchStrategy[Any]] = {
        "string": st.sampled_from(["", "x", "alpha", '"']),
        "integer": st.integers(-20, 20),
        "number": st.floats(-9, 9),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    if kind in ("integer", "number") and draw(st.booleans()):
        schema["maximum"] = draw(st.integers(0, 15))
    if kind == "string" and draw(st.booleans()):
        schema["maxLength"] = 3
    return schema, values_by_kind[kind]


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Made]) -> Made:
    members = draw(st.dictionaries(st.sampled_from(NAMES), inner, max_size=3))
    schema: dict[str, Any] = {"type": "object", "properties": {name: made[0] for name, made in members.items()}}
    extras: dict[str, st.SearchStrategy[Any]] = {
        "required": st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
        "additionalProperties": st.one_of(st.just(False), inner.map(lambda made: made[0])),
        "unevaluatedProperties": st.just(False),
        "maxProperties": st.integers(0, 3),
        "minProperties": st.integers(0, 3),
        "propertyNames": st.just({"maxLength": 4}),
        "dependentRequired": st.just({"alpha": ["beta"]}),
        "dependentSchemas": inner.map(lambda made: {"beta": {"properties": {"alpha": made[0]}}}),
        "if": st.just({"required": ["gamma"]}),
        "then": st.just({"required": ["alpha"], "properties": {"beta": {"type": "string"}}}),
        "else": st.just({"properties": {"beta": {"type": "integer"}}}),
        "not": st.just({"required": ["delta"]}),
    }
    for keyword in draw(st.lists(st.sampled_from(sorted(extras)), max_size=3, unique=True)):
        schema[keyword] = draw(extras[keyword])
    return schema, st.fixed_dictionaries({}, optional={name: made[1] for name, made in members.items()})


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[Made]) -> Made:
    items, values = draw(inner)
    schema: dict[str, Any] = {"type": "array", "items": items}
    extras: dict[str, st.SearchStrategy[Any]] = {
        "maxItems": st.integers(0, 3),
        "minItems": st.integers(0, 3),
        "uniqueItems": st.just(True),
        "contains": st.just({"type": "integer"}),
        "prefixItems": inner.map(lambda made: [made[0]]),
        "unevaluatedItems": st.just(False),
    }
    for keyword in draw(st.lists(st.sampled_from(sorted(extras)), max_size=2, unique=True)):
        schema[keyword] = draw(extras[keyword])
    return schema, st.lists(values, max_size=3)


@st.composite
def combined(draw: st.DrawFn, inner: st.SearchStrategy[Made]) -> Made:
    made, other = draw(inner), draw(inner)
    keyword = draw(st.sampled_from(["allOf", "anyOf", "oneOf", "$ref"]))
    if keyword == "$ref":
        return {"$ref": "#/$defs/tree"}, st.recursive(
            st.just({}), lambda tree: st.fixed_dictionaries({}, optional={"alpha": tree, "beta": json_values})
        )
    return {keyword: [made[0], other[0]]}, st.one_of(made[1], other[1])


made_schemas = st.recursive(
    scalars(), lambda inner: st.one_of(objects(inner), objects(inner), arrays(inner), combined(inner)), max_leaves=6
)
TREE = {"type": "object", "properties": {"alpha": {"$ref": "#/$defs/tree"}, "beta": {"type": "integer"}}}


@st.composite
def answers(draw: st.DrawFn) -> tuple[JsonSchemaOutput, str]:
    schema, values = draw(made_schemas)
    value = draw(st.one_of(values, values, values, json_values))
    text = json.dumps(value, indent=draw(st.sampled_from([None, None, 1])))
    if draw(st.integers(0, 3)) == 0:
        place = draw(st.integers(0, len(text)))
        text = (
            text[:place]
            + draw(st.sampled_from(["", "x", "]", "}", ",", " ", "`", "\u00a0"]))
            + text[place + draw(st.integers(0, 1)) :]
        )
    text = draw(
        st.sampled_from(["{}", "{}", " {}\n", "```json\n{}\n```", "~~~\n\u00a0{}\u00a0~~~\n", "```{}```", "{} ok"])
    ).replace("{}", text)
    return JsonSchemaOutput(json.dumps({**schema, "$defs": {"tree": TREE}})), text


@settings(deadline=None, max_examples=300)
@given(answers())
def test_no_beginning_of_an_accepted_answer_is_rejected(answer: tuple[JsonSchemaOutput, str]) -> None:
    output, text = answer
    for each in (output, JsonObjectOutput()):
        rejected = rejected_at(each, text)
        assert rejected is None or not is_accepted(each, text)


@settings(deadline=None)
@given(st.text(), st.sampled_from([JsonObjectOutput(), PERSON]))
def test_any_text_gets_a_verdict(text: str, output: Output) -> None:
    assert isinstance(read(output, text), PrefixVerdict)
