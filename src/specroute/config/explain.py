"""Turns what the schema finds into problems that name the key as the file spells it and say how to mend it."""

from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from specroute.config.errors import Problem, shown
from specroute.config.schema.settings import Settings

if TYPE_CHECKING:
    from specroute.config.parse import Document, Path

_FOLLOW_UPS = ("default_factory_not_called",)
"""Errors that only say that another error happened before."""

_WHAT = {
    "string_type": "is not text; write it in quotes",
    "bool_type": "is neither true nor false; write one of them without quotes",
    "int_type": "is not a whole number; write one without quotes",
    "int_from_float": "is not a whole number; write one without a fraction",
    "float_type": "is not a number; write one without quotes",
    "finite_number": "is not a finite number; write one",
    "greater_than_equal": "is too small; write {ge:g} or more",
    "less_than_equal": "is too large; write {le:g} or less",
    "string_too_short": "is empty; write a name or remove the key",
    "string_too_long": "is too long; write at most {max_length} characters",
    "tuple_type": "is not a list; write [a, b] or one '- item' per line",
    "dict_type": "is not a mapping; write 'key: value' lines below it",
    "mapping_type": "is not a mapping; write 'key: value' lines below it",
}


def explain(document: "Document", error: ValidationError) -> list[Problem]:
    """Returns the problems that a failed validation of ``document`` stands for."""
    return [
        _problem(document, details) for details in error.errors(include_url=False) if details["type"] not in _FOLLOW_UPS
    ]


def yaml_keys(model: type[BaseModel]) -> list[str]:
    """Returns the keys that a section accepts, as the file spells them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def section_at(path: "Path", model: type[BaseModel] = Settings) -> type[BaseModel] | None:
    """Returns the model of the section at ``path``; ``None``: there is no section there."""
    section: type[BaseModel] | None = model
    for part in path:
        if section is None or isinstance(part, int):
            continue
        fields = {field.alias or name: field for name, field in section.model_fields.items()}
        section = section_of(fields[part].annotation) if part in fields else None
    return section


def section_of(annotation: object) -> type[BaseModel] | None:
    """Returns the one section within an annotation such as ``tuple[TierSettings, ...]`` or ``Section | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_of(part)) is not None), None)


def _problem(document: "Document", details: ErrorDetails) -> Problem:
    path = details["loc"]
    context = details.get("ctx", {})
    match details["type"]:
        case "refused":
            return document.problem(document.known((*path, *context["at"])), context["message"])
        case "extra_forbidden":
            return document.problem(path, _unknown_key(path))
        case "missing":
            return document.problem(path, _missing(path))
    return document.problem(document.known(path), _wrong_value(path, details))


def _unknown_key(path: "Path") -> str:
    section = section_at(path[:-1])
    keys = yaml_keys(section) if section is not None else []
    near = get_close_matches(str(path[-1]), keys, n=1)
    return f"unknown key; did you mean '{near[0]}'?" if near else f"unknown key; valid keys: {', '.join(keys)}"


def _missing(path: "Path") -> str:
    section = section_at(path[:-1])
    fields = {field.alias or name: field for name, field in section.model_fields.items()} if section else {}
    field = fields.get(str(path[-1]))
    example = field.examples[0] if field is not None and field.examples else "..."
    return f"missing; add {path[-1]}: {example}"


def _wrong_value(path: "Path", details: ErrorDetails) -> str:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return _wrong_name(path)
    if value is None:
        return "has no value; write one or remove the key"
    if kind in ("model_type", "model_attributes_type"):
        section = section_at(path)
        return f"is not a mapping; write 'key: value' lines below it, keys: {', '.join(yaml_keys(section or Settings))}"
    if kind == "literal_error":
        return _unknown_value(value, section_values(context["expected"]))
    if kind in _WHAT:
        value_shown = "the value" if isinstance(value, (tuple, dict)) else shown(value)
        return f"{value_shown} {_WHAT[kind].format(**context)}"
    return f"{shown(value)} is not valid; {details['msg'].replace('Input should be', 'it must be')}"


def section_values(expected: str) -> list[str]:
    """Returns the values of a pydantic ``expected`` text such as ``'low', 'medium' or 'high'``."""
    return expected.split("'")[1::2]


def _unknown_value(value: object, known: list[str]) -> str:
    near = get_close_matches(value, known, n=1) if isinstance(value, str) else []
    mend = f"did you mean '{near[0]}'?" if near else f"write one of {', '.join(known)}" if len(known) > 1 else ""
    return f"unknown value {shown(value)}; {mend or f'write {known[0]}'}"


def _wrong_name(path: "Path") -> str:
    # The value is not repeated: a key pasted where the name of a variable belongs must not reach a log.
    if path[-1] == "api_key_env":
        return "not the name of an environment variable; write its name, such as OPENAI_API_KEY, never the key itself"
    if len(path) == 3:
        return "not a tier's name; write lower-case letters, digits, '_' and '-' only"
    return "not an upstream's name; write letters, digits, '.', '_' and '-' only"
