"""Makes a JSON value that satisfies a JSON Schema: the keywords that structured outputs and tools use.

Understood: ``const``, ``enum``, ``type`` (also a list), local ``$ref``, ``anyOf``, ``oneOf``, ``allOf``,
``properties``, ``required``, ``minProperties``, ``additionalProperties``, ``items``, ``prefixItems``, ``minItems``,
``maxItems``, ``uniqueItems``, ``minLength``, ``maxLength``, ``format``, ``minimum``, ``maximum``,
``exclusiveMinimum``, ``exclusiveMaximum``, ``multipleOf``. Any other keyword (``pattern``, ``not``, ``if`` ...) is not
looked at, so a schema that leans on one may get a value that breaks it, as a model without constrained decoding gives.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jsonschema_rs

if TYPE_CHECKING:
    import random

    from specroute.upstreams.simulated.http.wire import Schema

MAX_DEPTH = 6
"""Below this depth only what is required is made, so that recursive schemas end."""

MAX_VALUES = 10_000
MAX_STRING_LENGTH = 100_000

# fmt: off
WORDS = (
    "amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "juniper", "kernel", "lantern",
    "meadow", "nickel", "orchard", "prairie", "quartz", "river", "summit", "timber", "upland", "valley", "willow",
    "yarrow", "zenith",
)
# fmt: on

# Compiled once from the bundled metaschema: a schema is data here, so nothing that it refers to is ever fetched.
_metaschema = jsonschema_rs.Draft202012Validator({"$ref": "https://json-schema.org/draft/2020-12/schema"})

_FORMATS = {
    "date": "2024-05-17",
    "time": "09:30:00Z",
    "date-time": "2024-05-17T09:30:00Z",
    "email": "ada@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.10",
    "ipv6": "2001:db8::10",
    "uri": "https://example.com/item",
    "uuid": "6f1d0a52-3f1e-4a4d-9d0b-2f6d8a7c1e90",
    "duration": "PT15M",
}


def value_of(schema: Schema, rng: random.Random) -> Any:
    """Returns a JSON value for ``schema``; an object where the schema says nothing.

    Raises:
        ValueError: it is not a JSON Schema, or asks for more than 10,000 values or 100,000 characters.
    """
    if not _metaschema.is_valid(schema):
        raise ValueError("the schema is not a valid JSON Schema")
    return _value(schema or {"type": "object"}, _Maker(schema, rng), 0)


class _Maker:
    """What all levels share: the root, for ``$ref``, the generator, and how many values are made yet."""

    __slots__ = ("made", "rng", "root")

    def __init__(self, root: Schema, rng: random.Random) -> None:
        self.root = root
        self.rng = rng
        self.made = 0

    def count(self) -> None:
        """Counts a value, so that no schema makes an answer without end."""
        self.made += 1
        if self.made > MAX_VALUES:
            raise ValueError(f"the schema asks for more than {MAX_VALUES} values")

    def resolved(self, reference: str) -> Schema:
        """Returns what a local reference points to; anything elsewhere is taken as unconstrained."""
        node: Any = self.root
        for part in reference.removeprefix("#").strip("/").split("/"):
            if part:
                name = part.replace("~1", "/").replace("~0", "~")
                node = node.get(name) if isinstance(node, dict) else None
        return node if isinstance(node, dict) and reference.startswith("#") else {}


def _value(schema: Any, maker: _Maker, depth: int) -> Any:
    maker.count()
    if not isinstance(schema, dict) or depth > 10 * MAX_DEPTH:
        return None
    schema = _flattened(schema, maker)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return maker.rng.choice(schema["enum"])
    match _type_of(schema):
        case "object":
            return _object(schema, maker, depth)
        case "array":
            return _array(schema, maker, depth)
        case "integer":
            return _integer(schema, maker)
        case "number":
            return _number(schema, maker)
        case "boolean":
            return maker.rng.random() < 0.5
        case "null":
            return None
        case _:
            return _string(schema, maker)


def _flattened(schema: Schema, maker: _Maker) -> Schema:
    """Returns ``schema`` with references, ``allOf`` and the first of ``anyOf``/``oneOf`` merged into it."""
    for _ in range(10 * MAX_DEPTH):
        merged = {key: value for key, value in schema.items() if key not in ("$ref", "allOf", "anyOf", "oneOf")}
        parts: list[Any] = [maker.resolved(schema["$ref"])] if "$ref" in schema else []
        parts += schema.get("allOf") or []
        parts += [options[0] for options in (schema.get("anyOf"), schema.get("oneOf")) if options]
        if not parts:
            return merged
        for part in (part for part in parts if isinstance(part, dict)):
            joined = {
                "properties": merged.get("properties", {}) | part.get("properties", {}),
                "required": [*merged.get("required", ()), *part.get("required", ())],
            }
            merged = {**merged, **part, **{key: value for key, value in joined.items() if value}}
        schema = merged
    return schema


def _type_of(schema: Schema) -> str:
    stated = schema.get("type")
    if isinstance(stated, list):
        stated = next((item for item in stated if item != "null"), "null")
    if isinstance(stated, str):
        return stated
    if "properties" in schema or "required" in schema or "additionalProperties" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "number" if "minimum" in schema or "maximum" in schema else "string"


def _object(schema: Schema, maker: _Maker, depth: int) -> dict[str, Any]:
    properties: Schema = schema.get("properties") or {}
    required: list[str] = schema.get("required") or []
    names = [*properties, *(name for name in required if name not in properties)] if depth < MAX_DEPTH else required
    extra = schema.get("additionalProperties")
    rest = extra if isinstance(extra, dict) else {"type": "string"}
    made = {name: _value(properties.get(name, rest), maker, depth + 1) for name in names}
    wanted = max(schema.get("minProperties", 0), 0 if properties or extra is False or depth else 1)
    for index in range(wanted):
        if len(made) >= wanted:
            break
        made[f"{WORDS[index % len(WORDS)]}_{index}"] = _value(rest, maker, depth + 1)
    return made


def _array(schema: Schema, maker: _Maker, depth: int) -> list[Any]:
    prefix: list[Any] = schema.get("prefixItems") or []
    least = schema.get("minItems", 0)
    usual = max(least, len(prefix), 0 if depth >= MAX_DEPTH else 2)
    count = max(least, min(usual, schema.get("maxItems", usual)))
    items = schema.get("items", {"type": "string"})
    if items is False:
        count = min(count, len(prefix))
    made: list[Any] = []
    # Unique items are drawn again when they repeat; an enum too small to fill the array ends the attempts.
    for _ in range(count * 50):
        if len(made) == count:
            break
        item = _value(prefix[len(made)] if len(made) < len(prefix) else items, maker, depth + 1)
        if not schema.get("uniqueItems") or item not in made:
            made.append(item)
    return made


def _string(schema: Schema, maker: _Maker) -> str:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if schema.get("minLength", 0) > MAX_STRING_LENGTH:
        raise ValueError(f"the schema asks for a string of more than {MAX_STRING_LENGTH} characters")
    text = " ".join(maker.rng.choices(WORDS, k=maker.rng.randint(1, 3)))
    while len(text) < schema.get("minLength", 0):
        text += " " + maker.rng.choice(WORDS)
    return text[: schema["maxLength"]] if "maxLength" in schema else text


def _integer(schema: Schema, maker: _Maker) -> int:
    low, high = _bounds(schema, unit=1)
    step = int(schema.get("multipleOf", 1)) or 1
    first, last = math.ceil(low / step), math.floor(high / step)
    return maker.rng.randint(first, max(first, last)) * step


def _number(schema: Schema, maker: _Maker) -> float:
    if "multipleOf" in schema:
        low, high = _bounds(schema, unit=schema["multipleOf"])
        first, last = math.ceil(low / schema["multipleOf"]), math.floor(high / schema["multipleOf"])
        return float(maker.rng.randint(first, max(first, last)) * schema["multipleOf"])
    low, high = _bounds(schema, unit=0)
    drawn = low + (high - low) * maker.rng.uniform(0.25, 0.75)
    rounded = round(drawn, 2)
    return rounded if low < rounded < high else drawn


def _bounds(schema: Schema, *, unit: float) -> tuple[float, float]:
    """Returns the least and the greatest value allowed; a bound that is excluded is moved by ``unit``."""
    low = max((schema[key] for key in ("minimum",) if key in schema), default=-math.inf)
    high = min((schema[key] for key in ("maximum",) if key in schema), default=math.inf)
    if "exclusiveMinimum" in schema:
        low = max(low, schema["exclusiveMinimum"] + unit)
    if "exclusiveMaximum" in schema:
        high = min(high, schema["exclusiveMaximum"] - unit)
    if low == -math.inf:
        low = 1 if high == math.inf or high > 1 else high - 100
    return low, low + 100 if high == math.inf else high
