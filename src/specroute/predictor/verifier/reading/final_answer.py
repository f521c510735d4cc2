"""Where an answer states its result, and what it states."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import NamedTuple

MAX_STATED_CHARS = 400
_DECODER = json.JSONDecoder(strict=False)  # models write line breaks into strings
_KEYS = ("answer", "final_answer", "result", "solution", "output", "label", "choice")
_SAID = (
    "answer is", "answer:", "answer**:", "answer would be", "answer should be", "the result is", "respuesta es",
    "respuesta:", "réponse est", "réponse :", "réponse:", "antwort ist", "antwort lautet", "antwort:", "resposta é",
    "resposta:", "risposta è", "risposta:", "ответ:", "ответ —", "ответ -", "答案是", "答案为", "答案:", "答案：",
    "答えは", "答え:", "答え：", "정답은", "답은",
    "답:", "الإجابة هي", "الجواب هو", "الإجابة:", "الجواب:", "उत्तर है", "उत्तर:",
)  # fmt: skip


class Form(IntEnum):
    """How a result is stated, from the plainest to the least."""

    NONE = 0
    TAGGED = 1
    JSON = 2
    MARKED = 3
    SAID = 4
    BARE = 5


class Stated(NamedTuple):
    """A stated result.

    Attributes:
        form: how it is stated.
        text: what is stated, without quotes; "" where the form is NONE.
        start: where the statement begins in the answer.
        times: how often an answer is stated.
        differing: whether two statements differ.
        json_state: 0: no JSON object, 1: a broken one, 2: one with raw line breaks in strings, 3: strict JSON.
        json_type: of the stated value in JSON: 0 none, 1 text, 2 number, 3 boolean, 4 list, 5 object, 6 null.
        extra_chars: characters outside the JSON object.
    """

    form: Form
    text: str = ""
    start: int = -1
    times: int = 0
    differing: bool = False
    json_state: int = 0
    json_type: int = 0
    extra_chars: int = 0


def find_stated(text: str, lower: str) -> Stated:
    """Returns the result that ``text`` states last, in the plainest form it uses; ``lower`` is the same, lower case."""
    tagged = _tagged(text, lower)
    if tagged is not None:
        return tagged
    found = _json(text, lower)
    if found.form is not Form.NONE:
        return found
    return (_marked(text, lower) or _said(text, lower) or _bare(text) or found)._replace(json_state=found.json_state)


def _tagged(text: str, lower: str) -> Stated | None:
    start = lower.rfind("<answer>")
    if start < 0:
        return None
    end = lower.find("</answer>", start)
    stated = text[start + 8 : end if end >= 0 else None].strip()[:MAX_STATED_CHARS]
    return Stated(Form.TAGGED, stated, start, lower.count("<answer>"))


def _json(text: str, lower: str) -> Stated:
    if "{" not in text:
        return Stated(Form.NONE)
    fence = lower.rfind("```json")
    start = text.find("{", max(0, fence))
    while start >= 0:
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            break
        key = next((each for each in _KEYS if each in value), None) if isinstance(value, dict) else None
        if key is not None:
            return _from_object(value[key], text, start, end)
        start = text.find("{", end) if start < end else -1
    return _from_broken(text, lower)


def _from_object(value: object, text: str, start: int, end: int) -> Stated:
    written = text[start:end]
    state = 2 if "\n" in written and _has_raw_control(written) else 3
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    kind = _json_type(value)
    extra = len(text[:start].strip(" \n`json")) + len(text[end:].strip(" \n`"))
    return Stated(Form.JSON, shown.strip()[:MAX_STATED_CHARS], start, 1, False, state, kind, extra)


def _has_raw_control(written: str) -> bool:
    try:
        json.loads(written)
    except (ValueError, RecursionError):
        return True
    return False


def _json_type(value: object) -> int:
    if isinstance(value, bool):
        return 3
    for kind, types in ((1, str), (2, int | float), (4, list), (5, dict)):
        if isinstance(value, types):
            return kind
    return 6


def _from_broken(text: str, lower: str) -> Stated:
    start = max(lower.rfind(f'"{key}"') for key in _KEYS[:3])
    if start < 0:
        return Stated(Form.NONE, json_state=1)
    colon = text.find(":", start)
    if colon < 0:
        return Stated(Form.NONE, json_state=1)
    stated = text[colon + 1 : colon + MAX_STATED_CHARS].strip().removesuffix("```").strip(" \n}")
    if stated[:1] == '"':
        stated = stated[1:].partition('"')[0]
    return Stated(Form.JSON, stated, start, 1, False, 1, 1, start)


def _marked(text: str, lower: str) -> Stated | None:
    start = text.rfind("####")
    if start >= 0:
        return Stated(Form.MARKED, text[start + 4 : start + 80].strip().partition("\n")[0], start, text.count("####"))
    start = text.rfind("\\boxed{")
    if start >= 0:
        return Stated(Form.MARKED, text[start + 7 : start + 80].partition("}")[0], start, text.count("\\boxed{"))
    return None


def _said(text: str, lower: str) -> Stated | None:
    start, marker = max((lower.rfind(each), each) for each in _SAID)
    if start < 0:
        return None
    stated = _line_after(text, start + len(marker))
    times, differing = 0, False
    at = lower.find(marker)
    while at >= 0 and times < 8:
        times += 1
        differing = differing or _line_after(text, at + len(marker))[:6] != stated[:6]
        at = lower.find(marker, at + len(marker))
    return Stated(Form.SAID, stated, start, times, differing)


def _line_after(text: str, start: int) -> str:
    line = text[start : start + 120].strip().partition("\n")[0]
    return line.partition(". ")[0].strip(" .*:$")


def _bare(text: str) -> Stated | None:
    """An answer that is a number, a letter or a truth value and nothing else."""
    bare = text.strip().strip("*`\"'. ")
    if not bare or len(bare) > 24 or "\n" in bare:
        return None
    is_letter = len(bare.strip("()")) == 1
    is_number = bare.lstrip("-+$€£").replace(",", "").replace(".", "", 1).rstrip("%").isdigit()
    is_truth = bare.lower() in ("true", "false", "yes", "no")
    return Stated(Form.BARE, bare, 0, 1) if is_letter or is_number or is_truth else None
