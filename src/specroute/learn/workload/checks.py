"""How an answer of the workload is told right from wrong: one frozen value per kind of check, read from the data."""

from __future__ import annotations

import msgspec


class ExactCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="exact"):
    """The answer, or its stated final answer, equals one of ``accepted``.

    White space is collapsed and Markdown emphasis, quotes and a closing full stop are dropped on both sides; letter
    case counts only where ``case_sensitive`` says so.
    """

    accepted: tuple[str, ...]
    case_sensitive: bool = False


class NumberCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="number"):
    """The final number in the answer is within ``tolerance`` (absolute, >= 0) of ``value``."""

    value: int | float
    tolerance: float = 0.0


class JsonCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="json"):
    """The answer is a JSON object whose fields equal those of ``expected``; more fields than that are fine.

    Strings are compared without regard to case and outer white space, numbers by value. Lists are compared in order
    unless ``any_order`` is set.
    """

    expected: dict[str, object]
    any_order: bool = False


class WordsCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="words"):
    """The answer contains every one of ``words`` and none of ``without``; each may be a phrase, case does not count."""

    words: tuple[str, ...]
    without: tuple[str, ...] = ()


class RegexCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="regex"):
    """The whole answer matches ``pattern`` (RE2 syntax)."""

    pattern: str


Check = ExactCheck | NumberCheck | JsonCheck | WordsCheck | RegexCheck
