"""YAML text to plain values that remember their lines.

The dialect is the small, unsurprising part of YAML 1.2: mappings with text keys, lists, strings, numbers, ``true`` and
``false``, ``null``. ``no`` and ``on`` are strings, ``010`` is ten. Anchors, aliases and tags are refused: a
configuration needs none of them, and a nest of aliases can grow a small file to gigabytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, cast

import yaml

from specroute.config.errors import ConfigError, Problem, printable, shown

if TYPE_CHECKING:
    from yaml.nodes import Node

Value = str | int | float | bool | None | tuple["Value", ...] | dict[str, "Value"]
Path = tuple[str | int, ...]

MAX_FILE_BYTES = 1 << 20
MAX_DEPTH = 16
MAX_NUMBER_CHARS = 64


@dataclass(slots=True)
class Document:
    """A parsed file: lists are tuples, mappings keep their order.

    Attributes:
        lines: path of every key and list item -> its line, counted from 1.
        problems: what is wrong with the text itself but leaves it readable: keys given twice.
    """

    file: str
    root: dict[str, Value] = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, path: Path, message: str) -> Problem:
        """Returns a problem of the key at ``path``, on the line of the nearest enclosing key that the file holds."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        return Problem(self.file, self.lines.get(known, 1), path_text(path), message)

    def known(self, path: Path) -> Path:
        """Returns ``path`` without trailing list indexes that the file does not hold."""
        while path and path not in self.lines and isinstance(path[-1], int):
            path = path[:-1]
        return path


def path_text(path: Path) -> str:
    """Returns a path as messages show it, such as ``tiers[0].upstreams[1].base_url``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{printable(part)[:60]}" if text else printable(part)[:60]
    return text


def decode(file: str, raw: bytes) -> str:
    """Returns the text of a file.

    Raises:
        ConfigError: it is too large or not UTF-8.
    """
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError((Problem(file, None, "", f"larger than {MAX_FILE_BYTES} bytes; is it the right file?"),))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError((Problem(file, line, "", "not UTF-8 text; save the file as UTF-8"),)) from None


def parse(file: str, text: str) -> Document:
    """Reads one YAML document whose top level is a mapping.

    Raises:
        ConfigError: the text is not YAML, uses what is refused, is empty, or is no mapping.
    """
    try:
        # RecursionError cannot occur: the composer bounds the depth before it descends.
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError((Problem(file, mark.line + 1 if mark else 1, "", _syntax_message(error)),)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"character U+{int(error.character):04X} is not allowed in YAML; remove it"
        raise ConfigError((Problem(file, line, "", message),)) from None
    document = Document(file)
    if node is None or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"):
        raise ConfigError((Problem(file, 1, "", "empty; start from config.example.yaml"),))
    if not isinstance(node, yaml.MappingNode):
        message = "the top level must be a mapping of keys; write 'key: value' lines, such as 'tiers:'"
        raise ConfigError((Problem(file, node.start_mark.line + 1, "", message),))
    document.lines[()] = node.start_mark.line + 1
    document.root = _mapping(node, (), document)
    return document


def _value(node: Node, path: Path, document: Document) -> Value:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            item_path = (*path, index)
            document.lines[item_path] = item.start_mark.line + 1
            items.append(_value(item, item_path, document))
        return tuple(items)
    return _scalar(node.tag, node.value)


def _mapping(node: yaml.MappingNode, path: Path, document: Document) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
            what = shown(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "a list or mapping"
            message = f"{what} as a key is not text; write a name, in quotes if need be"
            document.problems.append(Problem(document.file, line, path_text(path), message))
            continue
        key_path = (*path, key_node.value)
        if key_node.value in values:
            message = f"given twice, first on line {document.lines[key_path]}; keep one"
            document.problems.append(Problem(document.file, line, path_text(key_path), message))
            continue
        document.lines[key_path] = line
        values[key_node.value] = _value(value_node, key_path, document)
    return values


def _scalar(tag: str, text: str) -> str | int | float | bool | None:
    match tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        # A number of thousands of digits is no number that anybody meant: it stays text and is refused as such.
        case "int" if len(text) <= MAX_NUMBER_CHARS:
            return int(text)
        case "float" if len(text) <= MAX_NUMBER_CHARS:
            return float(text.replace(".inf", "inf").replace(".nan", "nan"))
        case _:
            return text


def _syntax_message(error: yaml.MarkedYAMLError) -> str:
    if isinstance(error, _Refused):
        return str(error.problem)
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return f"not YAML: {printable(said)}; check indentation, quotes and colons here"


class _Refused(yaml.composer.ComposerError):
    """A part of YAML that is not accepted here."""


class _Loader(yaml.SafeLoader):
    """Composes nodes of the accepted dialect; nothing is ever constructed from a tag."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it bare
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            self._refuse("anchors and aliases are not accepted; write the value out", event)
        if getattr(event, "tag", None) is not None:
            self._refuse("tags are not accepted; remove the '!...'", event)
        if self._depth >= MAX_DEPTH:
            self._refuse(f"nested more than {MAX_DEPTH} levels deep; no key lies that deep", event)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def _refuse(self, message: str, event: yaml.Event) -> NoReturn:
        raise _Refused(None, None, message, cast("yaml.error.Mark", event.start_mark))


_Loader.yaml_implicit_resolvers = {}  # none of YAML 1.1's: yes and no, 1:30, 0777, dates


def _resolve(name: str, pattern: str, first: list[str]) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{name}", re.compile(pattern), first)


_resolve("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""])
_resolve("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF"))
_resolve("int", r"^[-+]?[0-9]+$", list("-+0123456789"))
_resolve(
    "float",
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan)$",
    list("-+.0123456789"),
)
