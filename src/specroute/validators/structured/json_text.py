"""Strict JSON out of a model's text, and the Markdown fence that models like to put around it.

Strict is RFC 8259 as ``orjson`` reads it: no NaN or Infinity, no number beyond a double, no lone surrogate, no byte
order mark, nesting bounded. A repeated key is allowed, and the last one counts, as in the parsers of most callers.
"""

from __future__ import annotations

from typing import TypeAlias

import orjson

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"

MAX_JSON_CHARACTERS = 1_048_576
MAX_JSON_DEPTH = 512

FENCES = ("```", "~~~")
"""The marks of a Markdown fence."""
_MAX_INFO_CHARACTERS = 20


class NotJson(ValueError):
    """The text is not one strict JSON value within the bounds."""


def parse_json(text: str) -> JsonValue:
    """Returns the one JSON value that ``text`` is.

    Raises:
        NotJson: it is not strict JSON, is longer than ``MAX_JSON_CHARACTERS``, or nests deeper than ``MAX_JSON_DEPTH``.
    """
    if len(text) > MAX_JSON_CHARACTERS:
        raise NotJson(f"longer than {MAX_JSON_CHARACTERS} characters")
    try:
        value: JsonValue = orjson.loads(text)
    except ValueError as error:
        raise NotJson(str(error)) from error
    # A value cannot nest deeper than it has opening brackets, so the walk is left out for nearly every answer.
    if text.count("[") + text.count("{") > MAX_JSON_DEPTH and nesting(value, MAX_JSON_DEPTH) > MAX_JSON_DEPTH:
        raise NotJson(f"nested deeper than {MAX_JSON_DEPTH}")
    return value


def nesting(value: JsonValue, limit: int) -> int:
    """Returns how deep ``value`` nests (0 for a scalar); stops counting at ``limit`` + 1."""
    level: list[JsonValue] = [value]
    depth = 0
    while depth <= limit:
        level = [child for node in level for child in _children(node)] if depth else level
        level = [node for node in level if isinstance(node, dict | list)]
        if not level:
            return depth
        depth += 1
    return depth


def unfenced(text: str) -> str:
    """Returns what stands inside the one Markdown fence around ``text``, or ``text`` where there is none.

    Only white space may stand around the fence. Nothing is said about what is inside: two fences in a row come back as
    the text between the first and the last mark, which is no JSON.
    """
    trimmed = text.strip()
    if len(trimmed) < 2 * len(FENCES[0]) or trimmed[:3] not in FENCES or trimmed[-3:] != trimmed[:3]:
        return text
    info, newline, body = trimmed[3:-3].partition("\n")
    if not newline:
        return info.removeprefix("json").strip()
    info = info.strip()
    if not is_info(info):
        body = f"{info}\n{body}"
    return body.strip()


def is_info(line: str) -> bool:
    """Returns whether the rest of the line that opens a fence names a language, and is not a part of the answer."""
    return len(line) <= _MAX_INFO_CHARACTERS and not any(mark in line for mark in '{}[]"')


def _children(node: JsonValue) -> list[JsonValue]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []
