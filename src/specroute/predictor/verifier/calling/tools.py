"""The functions that a prompt offers, as the JSON list that recorded prompts and rendered requests carry."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specroute.predictor.verifier.reading.words import stems

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TOOL_CHARS = 40_000
"""The longest function list that is read; a longer one counts as unreadable."""
MAX_TOOLS = 64

_DECODER = json.JSONDecoder(strict=False)
_OPENINGS = ('[{"name"', '[{ "name"', '[\n{"name"', '[{"type": "function"', '[{"type":"function"')
_REQUEST_MARK = "User request:"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function: its JSON type in lower case, the values it may take, what its text says."""

    kind: str
    choices: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function that may be called."""

    name: str
    parameters: Mapping[str, Parameter]
    required: tuple[str, ...]
    name_stems: frozenset[str]
    all_stems: frozenset[str]


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What a prompt offers.

    Attributes:
        tools: by name with dots as underscores, as function-calling interfaces write it.
        request: the prompt without the function list.
        is_offered: whether the prompt has a function list, readable or not.
    """

    tools: Mapping[str, ToolSpec]
    request: str
    is_offered: bool


def find_tools(prompt: str) -> Toolbox:
    """Returns the functions listed in ``prompt``, none where it lists none."""
    start = min((at for opening in _OPENINGS if (at := prompt.find(opening)) >= 0), default=-1)
    if start < 0:
        return Toolbox({}, prompt, is_offered=False)
    tail = prompt[prompt.rfind(_REQUEST_MARK) + len(_REQUEST_MARK) :] if _REQUEST_MARK in prompt else prompt[:start]
    try:
        listed, end = _DECODER.raw_decode(prompt[: start + MAX_TOOL_CHARS], start)
    except (ValueError, RecursionError):
        return Toolbox({}, tail, is_offered=True)
    request = f"{prompt[:start]} {prompt[end:]}"
    _, mark, after = request.partition(_REQUEST_MARK)
    specs = (_spec(item) for item in listed[:MAX_TOOLS] if isinstance(item, dict))
    tools = {plain_name(spec.name): spec for spec in specs if spec is not None}
    return Toolbox(tools, after if mark else request, is_offered=True)


def plain_name(name: str) -> str:
    """Returns a function's name with dots as underscores, since interfaces forbid dots and models then rename."""
    return name.replace(".", "_")


def _spec(item: dict[str, object]) -> ToolSpec | None:
    inner = item.get("function")
    if isinstance(inner, dict):
        item = inner
    name, description = item.get("name"), item.get("description")
    if not isinstance(name, str):
        return None
    schema = item.get("parameters")
    schema = schema if isinstance(schema, dict) else {}
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    parameters = {str(key): _parameter(value) for key, value in properties.items()}
    name_stems = stems(name, is_name=True)
    said = description if isinstance(description, str) else ""
    about = " ".join(f"{key} {parameter.description}" for key, parameter in parameters.items())
    return ToolSpec(
        name,
        parameters,
        tuple(str(each) for each in required) if isinstance(required, list) else (),
        name_stems,
        name_stems | stems(said) | stems(about[:1_000]),
    )


def _parameter(value: object) -> Parameter:
    if not isinstance(value, dict):
        return Parameter("", (), "")
    kind, choices, description = value.get("type"), value.get("enum"), value.get("description")
    return Parameter(
        kind.lower() if isinstance(kind, str) else "",
        tuple(str(each) for each in choices) if isinstance(choices, list) else (),
        description if isinstance(description, str) else "",
    )
