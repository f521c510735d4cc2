"""JSON Schema (Draft 2020-12) with bounded cost: checked before any upstream is called, compiled once, run offline.

Three things make a schema dangerous. A remote ``$ref`` lets a caller make the service fetch: only references inside
the schema are followed. A pattern can freeze a backtracking engine: patterns run on a linear-time one. Chained
references that each double (``allOf: [a, a]``) make a schema of 2 kB cost 2**n steps: how large a schema is once its
references are written out is computed first, and bounded. A recursive reference costs nothing extra there, because the
engine remembers what it found for the same reference at the same place.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import jsonschema_rs

from specroute.validators.structured.json_text import JsonValue, NotJson, nesting, parse_json
from specroute.validators.structured.patterns import MAX_PATTERN_STEPS, TooComplex, pattern_positions

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SCHEMA_BYTES: Final = 65_536
MAX_SCHEMA_DEPTH: Final = 64
MAX_EXPANDED_NODES: Final = 20_000
"""Bound on the schema's size, in JSON values, with every reference written out."""
MAX_PATTERN_POSITIONS: Final = 50_000
MAX_STEPS: Final = 20_000_000
"""Bound on expanded schema size times answer size, in JSON values: about half a second at 20 ns a step."""
MAX_QUICK_STEPS: Final = 50_000
"""Bound on the same product, and on that for patterns, where an answer is checked while it grows."""

_CACHED_SCHEMAS = 256
_PATTERN_BYTES = 1 << 18
_NOTHING = (0, 0)
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_ANCHORS = ("$anchor", "$dynamicAnchor")
_DEFINITIONS = frozenset(("$defs", "definitions"))
_NAMED_SCHEMAS = frozenset(("properties", "patternProperties", "dependentSchemas", "$defs", "definitions"))
_DATA = frozenset(("const", "enum", "default", "examples", "required", "type", "dependentRequired", "$vocabulary"))


class SchemaError(ValueError):
    """A schema that is not valid or not bounded; the message says why, and how to mend it where that is not plain."""


def check_schema(text: str) -> None:
    """Checks a schema as a request brings it.

    Raises:
        SchemaError: it is no JSON Schema, or one that this service does not run.
    """
    compile_schema(text)


class CompiledSchema:
    """A checked schema, ready to judge answers."""

    __slots__ = ("_nodes", "_positions", "_validator")

    def __init__(self, validator: jsonschema_rs.Draft202012Validator, nodes: int, positions: int) -> None:
        self._validator = validator
        self._nodes = nodes
        self._positions = positions

    def accepts(self, value: JsonValue, text: str) -> bool:
        """Returns whether ``value``, which was parsed from ``text``, satisfies the schema.

        Raises:
            TooComplex: it was not checked, because it could take too long.
        """
        if self.is_too_complex(text):
            raise TooComplex
        return self._validator.is_valid(value)

    def is_too_complex(self, text: str) -> bool:
        """Returns whether checking what was parsed from ``text``, or from a longer text, could take too long."""
        nodes, characters = self._work(text)
        return nodes > MAX_STEPS or characters > MAX_PATTERN_STEPS

    def is_quick(self, text: str) -> bool:
        """Returns whether checking what was parsed from ``text`` takes a millisecond at most, again and again."""
        return max(self._work(text)) <= MAX_QUICK_STEPS

    def errors(self, value: JsonValue) -> Iterator[jsonschema_rs.ValidationError]:
        """Yields everything in ``value`` that breaks the schema; only where ``is_quick``."""
        if not self._validator.is_valid(value):
            yield from self._validator.iter_errors(value)

    def _work(self, text: str) -> tuple[int, int]:
        # Every value but the first follows a comma or an opening bracket: an upper bound without a walk.
        nodes = 1 + text.count(",") + text.count("[") + text.count("{")
        return nodes * self._nodes, len(text) * self._positions


@lru_cache(maxsize=_CACHED_SCHEMAS)
def compile_schema(text: str) -> CompiledSchema:
    """Returns the compiled schema; a schema seen before costs a dictionary look-up.

    Raises:
        SchemaError: it is no JSON Schema, or one that this service does not run.
    """
    # Counted in characters first: they are never more than the bytes, and counting them is free.
    if len(text) > MAX_SCHEMA_BYTES or len(text.encode("utf-8", "replace")) > MAX_SCHEMA_BYTES:
        raise SchemaError(f"the schema is longer than {MAX_SCHEMA_BYTES} bytes")
    try:
        root = parse_json(text)
    except NotJson as error:
        raise SchemaError(f"the schema is not JSON: {error}") from error
    if not isinstance(root, dict | bool):
        raise SchemaError("the schema must be a JSON object, true or false")
    if nesting(root, MAX_SCHEMA_DEPTH) > MAX_SCHEMA_DEPTH:
        raise SchemaError(f"the schema nests deeper than {MAX_SCHEMA_DEPTH} levels")
    nodes, positions = _Expansion(root).size()
    try:
        validator = jsonschema_rs.Draft202012Validator(
            root,
            offline=True,
            validate_formats=False,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise SchemaError(_explained(error)) from error
    return CompiledSchema(validator, nodes, positions)


def _explained(error: Exception) -> str:
    if not isinstance(error, jsonschema_rs.ValidationError):
        return f"the schema is not valid: {str(error)[:200]}"
    at = "/".join(str(part) for part in error.instance_path)[:200]
    return f"the schema is not valid{f' at {at}' if at else ''}: {error.message[:200]}"


class _Expansion:
    """Computes how large a schema is with its references written out."""

    def __init__(self, root: dict[str, JsonValue] | bool) -> None:
        self._root = root
        self._anchors: dict[str, JsonValue] = {}

    def size(self) -> tuple[int, int]:
        """Returns the JSON values of the schema and the positions of its patterns.

        Raises:
            SchemaError: a reference leads out of the schema or nowhere, or the size is over the bound.
        """
        self._scan()
        sizes: dict[int, tuple[int, int]] = {}
        # A walk with a stack of its own: a chain of references can be longer than Python's stack is deep.
        path = [_Visit(self._root, self._parts(self._root))]
        while True:
            visit = path[-1]
            child = next(visit.parts, None)
            if child is None:
                sizes[id(visit.node)] = (visit.nodes, visit.positions)
                path.pop()
                if not path:
                    return visit.nodes, visit.positions
                path[-1].add(visit.nodes, visit.positions)
            elif not isinstance(child, dict | list):
                visit.add(1, 0)
            elif (known := sizes.get(id(child))) is not None:
                visit.add(*known)
            else:
                # Stands until the true size is known, so that a recursive reference counts as nothing more.
                sizes[id(child)] = _NOTHING
                path.append(_Visit(child, self._parts(child)))

    def _parts(self, node: JsonValue) -> Iterator[JsonValue]:
        yield from _subschemas(node, with_definitions=False)
        if isinstance(node, dict):
            for keyword in _REFERENCES:
                if isinstance(reference := node.get(keyword), str):
                    yield self._target(reference)

    def _scan(self) -> None:
        pending: list[JsonValue] = [self._root]
        while pending:
            node = pending.pop()
            if isinstance(node, dict):
                self._scan_keywords(node, is_root=node is self._root)
            pending.extend(_subschemas(node, with_definitions=True))

    def _scan_keywords(self, node: dict[str, JsonValue], *, is_root: bool) -> None:
        if not is_root and isinstance(node.get("$id"), str):
            raise SchemaError("$id is allowed at the top of the schema only; use $defs and $anchor inside")
        for keyword in _REFERENCES:
            reference = node.get(keyword)
            if isinstance(reference, str) and not reference.startswith("#"):
                raise SchemaError(
                    f"{keyword} {reference[:100]!r} leads out of the schema and is not fetched; put it under $defs"
                )
        for keyword in _ANCHORS:
            if isinstance(anchor := node.get(keyword), str):
                self._anchors[anchor] = node

    def _target(self, reference: str) -> JsonValue:
        fragment = unquote(reference[1:])
        if not fragment:
            return self._root
        if not fragment.startswith("/"):
            if fragment not in self._anchors:
                raise SchemaError(f"$ref '#{fragment[:100]}' names no $anchor of the schema")
            return self._anchors[fragment]
        node: JsonValue = self._root
        for part in fragment[1:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and key in node:
                node = node[key]
            elif isinstance(node, list) and key.isdecimal() and int(key) < len(node):
                node = node[int(key)]
            else:
                raise SchemaError(f"$ref '#{fragment[:100]}' leads nowhere in the schema")
        return node


def _subschemas(node: JsonValue, *, with_definitions: bool) -> Iterator[JsonValue]:
    if isinstance(node, list):
        yield from node
    if not isinstance(node, dict):
        return
    for keyword, value in node.items():
        if keyword in _DATA or (keyword in _DEFINITIONS and not with_definitions):
            continue
        if keyword in _NAMED_SCHEMAS and isinstance(value, dict):
            yield from value.values()
        elif isinstance(value, dict | list):
            yield value


class _Visit:
    """A node on the way, and what is known of its size so far."""

    __slots__ = ("node", "nodes", "parts", "positions")

    def __init__(self, node: JsonValue, parts: Iterator[JsonValue]) -> None:
        self.node = node
        self.parts = parts
        self.nodes = 1
        self.positions = 0
        if isinstance(node, dict):
            self._count_keywords(node)

    def add(self, nodes: int, positions: int) -> None:
        """Adds the size of a part, and stops the walk at the bound."""
        self.nodes += nodes
        self.positions += positions
        if self.nodes > MAX_EXPANDED_NODES:
            raise SchemaError(
                f"the schema has more than {MAX_EXPANDED_NODES} nodes once its $refs are written out; "
                "refer to a definition fewer times"
            )
        if self.positions > MAX_PATTERN_POSITIONS:
            raise SchemaError(
                f"the schema's patterns have more than {MAX_PATTERN_POSITIONS} positions once their repetitions and "
                "the $refs are written out; repeat less in them"
            )

    def _count_keywords(self, node: dict[str, JsonValue]) -> None:
        self.nodes += len(node)
        if isinstance(choices := node.get("enum"), list):
            self.nodes += len(choices)
        if isinstance(pattern := node.get("pattern"), str):
            self.positions += pattern_positions(pattern)
        if isinstance(patterns := node.get("patternProperties"), dict):
            self.positions += sum(map(pattern_positions, patterns))
