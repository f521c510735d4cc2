"""Tells whether an answer to a task is right. Pure; patterns run on RE2, so that no answer can freeze it.

Real models wrap answers in Markdown, restate the question and write numbers in many ways. None of that makes an answer
wrong, so it is taken off before the comparison; what the task's output contract demands is the validators' business.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import msgspec
import re2

from specroute.learn.workload.checks import ExactCheck, JsonCheck, NumberCheck, RegexCheck, WordsCheck

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specroute.learn.workload.checks import Check
    from specroute.learn.workload.workload import Task

NUMBER_SLACK = 1e-9
"""Absolute slack for the rounding of decimal fractions in binary."""

_FENCE = re2.compile(r"(?s)\A\s*```[A-Za-z0-9_+-]*[ \t]*\n(.*?)\n?[ \t]*```\s*\z")
_FINAL_ANSWER = re2.compile(
    r"(?i)(?:answer|antwort|ergebnis|respuesta|résultat|réponse|resposta|ответ|उत्तर|الإجابة|答案)"
    r"\s*(?:is|ist|es|est)?\s*[:\x{FF1A}]"
)
_NUMBER = re2.compile(r"[-−+]?\p{Nd}(?:[.,'’٫٬\x{00A0}\x{202F}]?\p{Nd})*")
_SPACES = re2.compile(r"[\s\x{00A0}\x{202F}]+")
_GROUPED = re2.compile(r"\d{1,3}(?:[.,]\d{3})+")
_QUOTES = "\"'“”„«»‘’`"


def is_correct(task: Task, answer_text: str) -> bool:
    """Returns whether ``answer_text`` is a right answer to ``task``; never raises, whatever the text is."""
    return satisfies(task.check, answer_text)


def satisfies(check: Check, answer_text: str) -> bool:
    """Returns whether ``answer_text`` passes ``check``."""
    # A lone surrogate, which some upstreams' JSON smuggles in, is no text that RE2 could read.
    answer = _without_fence(answer_text.encode("utf-8", "replace").decode())
    match check:
        case ExactCheck():
            return _is_one_of(check, answer)
        case NumberCheck():
            return _ends_in_number(check, answer)
        case JsonCheck():
            return _has_fields(check, answer)
        case WordsCheck():
            text = _folded(answer)
            return all(_contains(text, word) for word in check.words) and not any(
                _contains(text, word) for word in check.without
            )
        case RegexCheck():
            return re2.fullmatch(check.pattern, answer) is not None


def _without_fence(text: str) -> str:
    """Returns the text in one Markdown fence that holds everything, else the text; trimmed."""
    match = _FENCE.match(text)
    inner: str = match.group(1) if match else text
    return inner.strip()


def _folded(text: str, *, case_sensitive: bool = False) -> str:
    spaced: str = _SPACES.sub(" ", unicodedata.normalize("NFKC", text).replace("**", ""))
    plain = spaced.strip()
    return plain if case_sensitive else plain.casefold()


def _is_one_of(check: ExactCheck, answer: str) -> bool:
    accepted = {_bare(value, case_sensitive=check.case_sensitive) for value in check.accepted}
    return any(_bare(stated, case_sensitive=check.case_sensitive) in accepted for stated in _stated(answer))


def _stated(answer: str) -> Iterator[str]:
    """Yields what may be the final answer: the whole text, and what follows the last "Answer:" or the last line."""
    yield answer
    last_line = answer.rsplit("\n", 1)[-1]
    yield last_line
    tail = _after_marker(answer)
    if tail is not None:
        yield tail


def _bare(text: str, *, case_sensitive: bool) -> str:
    folded = _folded(text, case_sensitive=case_sensitive).strip(_QUOTES)
    return folded.rstrip(".。।").strip(_QUOTES).strip()


def _after_marker(answer: str) -> str | None:
    """Returns the text after the last "Answer:" in any of our languages, or ``None`` where there is none."""
    end = None
    for match in _FINAL_ANSWER.finditer(answer):
        end = match.end()
    return None if end is None else answer[end:].strip()


def _ends_in_number(check: NumberCheck, answer: str) -> bool:
    tail = _after_marker(answer)
    numbers = _numbers(answer if tail is None else tail)
    if not numbers:
        return False
    final = numbers[-1] if tail is None else numbers[0]
    slack = check.tolerance + NUMBER_SLACK
    return any(abs(value - check.value) <= slack for value in _readings(final))


def _numbers(text: str) -> list[str]:
    """Returns the numbers in ``text`` in order, as written; digits inside a word, such as in ``m2``, are not one."""
    found = []
    for match in _NUMBER.finditer(text):
        before = text[: match.start()][-1:]
        written = match.group(0)
        if before.isalpha() and before.isascii():
            continue
        # A hyphen that follows a word or a digit joins or ranges; it is not a sign.
        found.append(written.lstrip("-−+") if before.isalnum() else written)
    return found


def _readings(written: str) -> Iterator[float]:
    """Yields the values that a written number can have: 1.234 is a thousand in German and a fraction in English."""
    ascii_digits = "".join(str(unicodedata.digit(char)) if char.isdecimal() else char for char in written)
    signed = ascii_digits.replace("−", "-").replace("٬", ",").replace("٫", ".")
    plain = signed.translate(dict.fromkeys(map(ord, "'’\u00a0\u202f+")))
    sign, digits = (-1.0, plain[1:]) if plain.startswith("-") else (1.0, plain)
    if _GROUPED.fullmatch(digits):
        yield sign * float(digits.replace(",", "").replace(".", ""))
    decimal = max(digits.rfind("."), digits.rfind(","))
    if decimal < 0:
        yield sign * float(digits)
        return
    whole = digits[:decimal].replace(",", "").replace(".", "")
    yield sign * float(f"{whole}.{digits[decimal + 1 :]}")


def _has_fields(check: JsonCheck, answer: str) -> bool:
    try:
        actual = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return _matches(check.expected, actual, any_order=check.any_order)


def _matches(expected: object, actual: object, *, any_order: bool) -> bool:
    match expected:
        case int() | float() if not isinstance(expected, bool):
            return isinstance(actual, (int, float)) and _same_number(expected, actual)
        case str():
            return isinstance(actual, str) and _folded(actual) == _folded(expected)
        case list():
            return isinstance(actual, list) and _lists_match(expected, actual, any_order=any_order)
        case dict():
            return isinstance(actual, dict) and all(
                key in actual and _matches(value, actual[key], any_order=any_order) for key, value in expected.items()
            )
        case _:
            return actual is expected


def _same_number(expected: float, actual: float) -> bool:
    # Compared, not subtracted: an integer of any length compares with a float, but need not fit into one.
    return not isinstance(actual, bool) and expected - NUMBER_SLACK <= actual <= expected + NUMBER_SLACK


def _lists_match(expected: list[object], actual: list[object], *, any_order: bool) -> bool:
    if len(expected) != len(actual):
        return False
    if not any_order:
        return all(_matches(want, have, any_order=False) for want, have in zip(expected, actual, strict=True))
    left = list(actual)
    for want in expected:
        found = next((i for i, have in enumerate(left) if _matches(want, have, any_order=True)), None)
        if found is None:
            return False
        del left[found]
    return True


def _contains(text: str, phrase: str) -> bool:
    """Returns whether folded ``text`` holds ``phrase``, not as a part of a longer ASCII word or of a longer number."""
    wanted = _folded(phrase)
    start = text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if not _continues(text[:start][::-1], wanted[0]) and not _continues(text[end:], wanted[-1]):
            return True
        start = text.find(wanted, start + 1)
    return False


def _continues(outside: str, edge: str) -> bool:
    """Returns whether the text ``outside`` of a hit, read away from it, goes on with the word or number of ``edge``."""
    if not outside or not (edge.isascii() and edge.isalnum()):
        return False
    if outside[0].isascii() and outside[0].isalnum():
        return True
    return edge.isdigit() and outside[0] in ".," and outside[1:2].isdigit()
