"""Whether the beginning of an answer can still become the JSON asked for.

What is certain is certain by construction: the text is read by the parser that reads the whole answer, and what of it
is whole is checked by the engine that checks the whole answer. One thing is taken for granted: that no object names a
member a second time, further on, to replace one that breaks the schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jiter
import jsonschema_rs
import orjson

from specroute.core.outcome import PrefixKind, PrefixVerdict
from specroute.validators.structured.fence import Fence, opened_fence
from specroute.validators.structured.json_text import MAX_JSON_CHARACTERS, MAX_JSON_DEPTH, JsonValue
from specroute.validators.structured.patterns import TooComplex
from specroute.validators.structured.schema import CompiledSchema, SchemaError, compile_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNDECIDED = PrefixVerdict(PrefixKind.UNDECIDED, "json_so_far")
_HOLDS = PrefixVerdict(PrefixKind.ACCEPT, "json_so_far")
_WHOLE = PrefixVerdict(PrefixKind.ACCEPT, "json_whole")

_NUMBER = frozenset("0123456789+-.eE")
_LONG_NUMBER_CHARACTERS = 300
"""Above this a number can be too large for a double now, and not once it has its exponent."""

_Kind = jsonschema_rs.ValidationErrorKind
_LASTING = (
    _Kind.Type,
    _Kind.AdditionalProperties,
    _Kind.FalseSchema,
    _Kind.MaxItems,
    _Kind.MaxProperties,
    _Kind.PropertyNames,
)
"""What no further member of an object or array can mend."""
_DEPENDING = frozenset(("if", "then", "else", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"))
"""Keywords whose schema applies or not, depending on other members."""
_CONDITIONAL = _DEPENDING | {"anyOf", "oneOf", "not", "contains"}
"""Those, and keywords under which a single schema need not hold."""


class _Parsed(NamedTuple):
    """``text`` as JSON: a whole value, or the beginning of one."""

    text: str
    is_whole: bool
    value: JsonValue = None


def _decode_error(text: str) -> str:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return str(error.msg)
    return ""


_UNFINISHED = frozenset((_decode_error("["), _decode_error("[" * 200)))
"""What the parser says of a text that ends too early, and of one too short for as many brackets, as it guesses from the
length how much memory it needs. Asked of it, as it is a matter of its version."""


def judge_json_prefix(text: str, schema: str | None) -> PrefixVerdict:
    """Returns what can be said of ``text``, the beginning of an answer that is to be JSON.

    Never settled: after the value more text can come, and then the answer is rejected.

    Args:
        text: what has come, at least once a character that is not white space.
        schema: JSON Schema as text; ``None``: any object is asked for.
    """
    fence = opened_fence(text)
    if fence is None:
        return _UNDECIDED
    body = fence.inside(text)
    if len(body) > MAX_JSON_CHARACTERS + len(fence.mark):
        return _rejected("not_json")
    parsed = _parsed(body, fence)
    if parsed is None:
        return _UNDECIDED if _ends_in_long_number(body) else _rejected("not_json")
    if schema is None:
        return _judge_object(parsed)
    try:
        compiled = compile_schema(schema)
        return _judge_whole(parsed, compiled) if parsed.is_whole else _judge_begun(parsed.text, compiled)
    except SchemaError:
        return _rejected("invalid_schema")
    except TooComplex:
        return _rejected("too_complex")


def _judge_object(parsed: _Parsed) -> PrefixVerdict:
    if not parsed.text.lstrip().startswith("{"):
        return _rejected("not_an_object")
    return _WHOLE if parsed.is_whole else _HOLDS


def _judge_whole(parsed: _Parsed, schema: CompiledSchema) -> PrefixVerdict:
    if isinstance(parsed.value, int | float) and parsed.text[-1] in _NUMBER:
        return _UNDECIDED  # a number alone: its next digit may be on the way
    return _WHOLE if schema.accepts(parsed.value, parsed.text) else _rejected("schema")


def _judge_begun(text: str, schema: CompiledSchema) -> PrefixVerdict:
    if schema.is_too_complex(text):
        raise TooComplex
    if not schema.is_quick(text):
        return _HOLDS
    depth = _depth(text)
    try:
        value: JsonValue = jiter.from_json(text.encode(), partial_mode=True, catch_duplicate_keys=True)
    except ValueError:
        # A text or a literal alone, a repeated name, or deeper than this parser goes.
        return _rejected("not_json") if depth > MAX_JSON_DEPTH else _UNDECIDED
    path = _last_keys(value)
    if len(path) < depth - 1:
        return _UNDECIDED
    # A number may go on: it is left out, as the last member of the innermost object or array.
    growing = path[:depth] if text[-1] in _NUMBER else None
    path = path[: depth - 1]
    for error in schema.errors(value):
        if error.instance_path != growing and _is_lasting(error, path):
            return _rejected("schema")
    return _HOLDS


def _is_lasting(error: jsonschema_rs.ValidationError, path: Sequence[str | int]) -> bool:
    *above, keyword = error.evaluation_path
    if keyword in _DEPENDING or any(each in _CONDITIONAL for each in above):
        return False
    at = error.instance_path
    return at != path[: len(at)] or isinstance(error.kind, _LASTING)


def _parsed(body: str, fence: Fence) -> _Parsed | None:
    try:
        return _Parsed(body, is_whole=True, value=orjson.loads(body))
    except orjson.JSONDecodeError as error:
        if error.msg in _UNFINISHED:
            return _Parsed(body, is_whole=False)
    bare = fence.unclosed(body)
    try:
        return _Parsed(bare, is_whole=True, value=orjson.loads(bare)) if bare != body else None
    except orjson.JSONDecodeError:
        return None


def _depth(text: str) -> int:
    """Returns how many objects and arrays are open at the end of ``text``, the beginning of a JSON value."""
    outside = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    return outside.count("{") + outside.count("[") - outside.count("}") - outside.count("]")


def _last_keys(value: JsonValue) -> list[str | int]:
    """Returns the keys that lead from ``value`` to its last member, to the last member of that, and so on."""
    keys: list[str | int] = []
    while value and isinstance(value, dict | list):
        key = next(reversed(value)) if isinstance(value, dict) else len(value) - 1
        keys.append(key)
        value = value[key]  # type: ignore[index]  # a key of this very object or array
    return keys


def _ends_in_long_number(body: str) -> bool:
    return len(body) > _LONG_NUMBER_CHARACTERS and _NUMBER.issuperset(body[-_LONG_NUMBER_CHARACTERS:])


def _rejected(reason: str) -> PrefixVerdict:
    return PrefixVerdict(PrefixKind.REJECT, reason)
