"""Edits of a YAML text that leave every other byte as it is: comments, order and layout stay the user's.

The text is the dialect of ``specroute.config.parse``. An edit finds its place by the marks of PyYAML's nodes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from yaml.nodes import Node

Path = tuple[str | int, ...]

_PLAIN = re.compile(r"[A-Za-z_][\w./|-]*")
_DURATION = re.compile(r"[0-9][0-9.]*(?:ms|s|m|h)")
_WORDS = frozenset({"true", "false", "null"})  # in any case they are read as something else than text


class CannotEdit(ValueError):
    """The text is laid out in a way that cannot be edited safely; one line with the mend."""


@dataclass(frozen=True, slots=True)
class Put:
    """Sets the value at ``path``; what is missing on the way is added, a list's next index appends.

    Attributes:
        as_block: a mapping is written with a line for each key, not in one line; new keys of block mappings only.
        after: the sibling behind which a new key is written; "": the last one.
    """

    path: Path
    value: Any
    as_block: bool = False
    after: str = ""


@dataclass(frozen=True, slots=True)
class Drop:
    """Removes the key or list item at ``path``, which must be there."""

    path: Path


Edit = Put | Drop


def edited(text: str, edits: Sequence[Edit]) -> str:
    """Returns ``text`` after all ``edits``, one after the other.

    Raises:
        CannotEdit: an edit finds no place.
    """
    for edit in edits:
        text = _put(text, edit) if isinstance(edit, Put) else _drop(text, edit.path)
    return text


def edited_data(root: Mapping[str, Any], edits: Sequence[Edit]) -> dict[str, Any]:
    """Returns what the text must hold after ``edits``, from what it holds before: the proof of ``edited``."""
    data: Any = _thawed(root)
    for edit in edits:
        at = data
        for part in edit.path[:-1]:
            if isinstance(at, dict) and at.get(part) is None:
                at[part] = {}
            at = at[part]
        last = edit.path[-1]
        if isinstance(edit, Drop):
            del at[last]
        elif isinstance(at, list) and last == len(at):
            at.append(_thawed(edit.value))
        else:
            at[last] = _thawed(edit.value)
    frozen: dict[str, Any] = _frozen(data)
    return frozen


def inline(value: Any) -> str:
    """Returns ``value`` as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    if (
        isinstance(value, str)
        and value.lower() not in _WORDS
        and (_PLAIN.fullmatch(value) or _DURATION.fullmatch(value))
    ):
        return value
    return json.dumps(value, ensure_ascii=False)


def _put(text: str, edit: Put) -> str:
    node, depth = _nearest(_compose(text), edit.path)
    rest = edit.path[depth:]
    if not rest:
        return _replaced(text, node, inline(edit.value))
    value = edit.value
    for part in reversed(rest[1:]):
        value = {part: value}
    if isinstance(node, yaml.SequenceNode):
        return _appended(text, node, inline(value))
    if not isinstance(node, yaml.MappingNode):
        if not _is_empty(node):
            raise CannotEdit(f"{edit.path[0]}: laid out in a way that cannot be edited; write it as a mapping")
        return _replaced(text, node, inline({rest[0]: value}))
    return _added(text, node, str(rest[0]), value, edit)


def _replaced(text: str, node: Node, rendered: str) -> str:
    start, end = node.start_mark.index, _end(node)
    return text[:start] + (" " if start == end else "") + rendered + text[end:]


def _added(text: str, node: yaml.MappingNode, key: str, value: Any, edit: Put) -> str:
    if node.flow_style or not node.value:
        return _before_bracket(text, node, f"{key}: {inline(value)}", is_empty=not node.value)
    values = {own.value: item for own, item in node.value}
    line_end = _line_end(text, _end(values.get(edit.after, node.value[-1][1])))
    indent = " " * node.value[0][0].start_mark.column
    if edit.as_block and isinstance(value, dict):
        lines = [f"{indent}{key}:", *(f"{indent}  {name}: {inline(item)}" for name, item in value.items())]
    else:
        lines = [f"{indent}{key}: {inline(value)}"]
    return text[:line_end] + "\n" + "\n".join(lines) + text[line_end:]


def _appended(text: str, node: yaml.SequenceNode, rendered: str) -> str:
    if node.flow_style or not node.value:
        return _before_bracket(text, node, rendered, is_empty=not node.value)
    line_end = _line_end(text, _end(node))
    return f"{text[:line_end]}\n{' ' * node.start_mark.column}- {rendered}{text[line_end:]}"


def _before_bracket(text: str, node: Node, rendered: str, *, is_empty: bool) -> str:
    close = node.end_mark.index - 1
    content = text[:close].rstrip()
    comma = (
        "" if is_empty or content.endswith(",") else ", " if content.count("\n") == text[:close].count("\n") else ","
    )
    return f"{content}{comma}{rendered}{text[len(content) : close] if comma == ',' else ''}{text[close:]}"


def _drop(text: str, path: Path) -> str:
    parent, depth = _nearest(_compose(text), path[:-1])
    entry = _entry(parent, path[-1])
    if depth < len(path) - 1 or entry is None:
        raise CannotEdit(f"{path[-1]}: not there")
    if isinstance(parent, yaml.CollectionNode) and parent.flow_style:
        left = [(key, value) for key, value in _entries(parent) if key != path[-1]]
        whole = {key: _plain(value) for key, value in left}
        return _replaced(text, parent, inline(whole if isinstance(parent, yaml.MappingNode) else list(whole.values())))
    first, last = entry
    start = text.rfind("\n", 0, first.start_mark.index) + 1
    return text[:start] + text[_line_end(text, _end(last)) + 1 :]


def _compose(text: str) -> Node:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        raise CannotEdit("the top level must be a mapping of keys")
    return node


def _nearest(node: Node, path: Path) -> tuple[Node, int]:
    """Returns the deepest node on the way to ``path`` that is there, and how many parts of the path lead to it."""
    for depth, part in enumerate(path):
        found = dict(_entries(node)).get(part)
        if found is None:
            return node, depth
        node = found
    return node, len(path)


def _entries(node: Node) -> list[tuple[str | int, Node]]:
    if isinstance(node, yaml.MappingNode):
        return [(key.value, value) for key, value in node.value]
    return list(enumerate(node.value)) if isinstance(node, yaml.SequenceNode) else []


def _entry(node: Node, part: str | int) -> tuple[Node, Node] | None:
    """Returns the first and the last node of an entry: key and value, or the item twice."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == part), None)
    return next(((item, item) for at, item in _entries(node) if at == part), None)


def _end(node: Node) -> int:
    """Returns where the node's own text ends: the end mark of a block lies behind the comments that follow it."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _end(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    return int(node.end_mark.index)


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found


def _is_empty(node: Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.start_mark.index == node.end_mark.index


def _plain(node: Node) -> Any:
    return yaml.SafeLoader("").construct_object(node, deep=True)


def _thawed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _thawed(item) for key, item in value.items()}
    return [_thawed(item) for item in value] if isinstance(value, (list, tuple)) else value


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
