"""Reads the tool calls of an answer, in JSON or as a list of Python calls, without evaluating anything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from specroute.predictor.verifier.reading.text import ascii_points

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_CALL_CHARS = 4_000
MAX_CALLS = 32
_MAX_DEPTH = 5
_SHORT_CHARS = 80
_SPECIAL = "\"'()[]{},\\"
_IS_SPECIAL = np.zeros(128, dtype=np.bool_)
_IS_SPECIAL[[ord(mark) for mark in _SPECIAL]] = True
_DECODER = json.JSONDecoder(strict=False)


class Bare(NamedTuple):
    """A value that is no literal: a variable's name, an expression."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the function's name and its arguments; ``positional``: arguments without a name."""

    name: str
    arguments: Mapping[str, object]
    positional: int = 0


class Calls(NamedTuple):
    """The calls of an answer.

    Attributes:
        calls: in order; empty: the answer calls nothing that can be read.
        is_json: whether they are written in JSON.
        extra_chars: characters of the answer beside them.
        lists: how many lists of calls there are; callers can run one.
    """

    calls: tuple[Call, ...]
    is_json: bool
    extra_chars: int
    lists: int


NO_CALLS = Calls((), False, 0, 0)


def find_calls(answer: str) -> Calls:
    """Returns the calls that ``answer``, of which the first ``MAX_CALL_CHARS`` are read, consists of or contains."""
    text = answer[:MAX_CALL_CHARS].strip()
    if text[:2] == "[{" or text[:1] == "{":
        found = _from_json(text)
        if found.calls:
            return found
    return _from_python(text)


def _from_json(text: str) -> Calls:
    try:
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return NO_CALLS
    items = value if isinstance(value, list) else [value]
    calls: list[Call] = []
    for item in items[:MAX_CALLS]:
        if not isinstance(item, dict):
            return NO_CALLS
        if isinstance(item.get("name"), str) and ("arguments" in item or "parameters" in item):
            calls.append(_json_call(item["name"], item.get("arguments", item.get("parameters"))))
        else:
            calls.extend(_json_call(str(name), arguments) for name, arguments in item.items())
    return Calls(tuple(calls), True, len(text) - end, 1)


def _json_call(name: str, arguments: object) -> Call:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return Call(name, {}, 1)
    return Call(name, arguments) if isinstance(arguments, dict) else Call(name, {}, 1)


def _from_python(text: str) -> Calls:
    lists, calls, start, inside = 0, list[Call](), 0, 0
    while len(calls) < MAX_CALLS:
        start = text.find("[", start)
        if start < 0:
            break
        end = _closing(text, start)
        if end < 0:
            break
        found = [call for part in split(text[start + 1 : end]) if (call := _python_call(part)) is not None]
        if found:
            lists += 1
            inside += end + 1 - start
            calls += found
            start = end + 1
        else:
            start += 1 if end - start > MAX_CALL_CHARS // 4 else end + 1 - start
    if not calls and text[-1:] == ")" and (call := _python_call(text)) is not None:
        return Calls((call,), False, 1, 1)
    return Calls(tuple(calls[:MAX_CALLS]), False, len(text) - inside, lists) if calls else NO_CALLS


def _closing(text: str, start: int) -> int:
    """Returns where the bracket at ``start`` closes, or -1; quotes hide what is in them."""
    depth = 0
    for at, mark in _marks(text, start):
        if mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth -= 1
            if depth == 0:
                return at
    return -1


def split(text: str) -> list[str]:
    """Returns what stands between the commas of ``text`` that are in no bracket and no quotes."""
    if "," not in text:
        return [text] if text.strip() else []
    parts, depth, begin = list[str](), 0, 0
    for at, mark in _marks(text, 0):
        if mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth -= 1
        elif depth == 0:
            parts.append(text[begin:at])
            begin = at + 1
    parts.append(text[begin:])
    return [part for part in parts if part.strip()]


def _marks(text: str, start: int) -> Iterator[tuple[int, str]]:
    """Yields the brackets and commas outside quotes, with their places."""
    quote, escaped = "", -1
    for at in _special(text, start):
        mark = text[at]
        if at == escaped:
            continue
        if quote:
            if mark == "\\":
                escaped = at + 1
            elif mark == quote:
                quote = ""
        elif mark in "\"'":
            quote = mark
        elif mark != "\\":
            yield at, mark


def _special(text: str, start: int) -> list[int]:
    if len(text) - start < _SHORT_CHARS:  # array arithmetic is not worth its start
        return [at for at in range(start, len(text)) if text[at] in _SPECIAL]
    places: list[int] = (_IS_SPECIAL.take(ascii_points(text[start:])).nonzero()[0] + start).tolist()
    return places


def _python_call(text: str) -> Call | None:
    text = text.strip()
    name, bracket, rest = text.partition("(")
    if not bracket or rest[-1:] != ")" or not name or not name.replace(".", "").replace("_", "").isalnum():
        return None
    arguments: dict[str, object] = {}
    positional = 0
    for part in split(rest[:-1]):
        key, equals, value = part.partition("=")
        if equals and key.strip().isidentifier():
            arguments[key.strip()] = literal(value, 0)
        else:
            positional += 1
    return Call(name, arguments, positional)


def literal(text: str, depth: int) -> object:
    """Returns the value of a Python or JSON literal; ``Bare`` for anything else or beyond five levels."""
    text = text.strip()
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        return text[1:-1]
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if depth < _MAX_DEPTH and text[:1] in ("[", "(") and text[-1:] in ("]", ")"):
        return [literal(part, depth + 1) for part in split(text[1:-1])]
    if depth < _MAX_DEPTH and text[:1] == "{" and text[-1:] == "}":
        pairs = (part.partition(":") for part in split(text[1:-1]))
        return {key.strip().strip("\"'"): literal(value, depth + 1) for key, _, value in pairs}
    try:
        return float(text) if not text.lstrip("+-").isdigit() else int(text[:18])
    except ValueError:
        return Bare(text)


_CONSTANTS = {"True": True, "False": False, "None": None, "true": True, "false": False, "null": None}
