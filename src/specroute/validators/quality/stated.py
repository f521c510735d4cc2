"""Reads the confidence that an answer states about itself: "Confidence: 85%", ``"confidence": 0.85``, "90 % sicher"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import re2

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD_CHARACTERS: Final = 2_000
TAIL_CHARACTERS: Final = 4_000
"""A longer text is read from both ends: there answers speak about themselves."""

_SHARE = r"([0-9]{1,3}(?:[.,][0-9]{1,6})?)"
_PERCENT = (
    r"(?:[%％]|percent|per cent|prozent|pour ?cent|por ?ciento|por ?cento|per ?cento|procent|процент\pL*"
    r"|パーセント|퍼센트)"
)
_LONGEST_SCALE = 10.0
_OF_TEN = r"(?:/|out of|von|sur|de)\s*(100?)\b"
_NOUN = (
    r"(?:confidence|certainty|konfidenz|zuversicht|gewissheit|sicherheit|confiance|certitude|confianza|certeza|confiança"
    r"|fiducia|confidenza|certezza|zekerheid|уверенность|置信度|信心|把握|确信度|可信度|確信度|信頼度|自信度|신뢰도|확신도"
    r"|الثقة|ثقة)"
)
_SURE = (
    r"(?:sure|certain|confident|confidence|certainty|sicher|überzeugt|sûre?|certaine?|confiance|certitude|segur[oa]"
    r"|ciert[oa]|confianza|certeza|confiança|sicur[oa]|cert[oa]|zeker|уверен\pL*|的?把握|的?信心|的?置信度|确定|确信|確信|확신)"
)
_LABELLED = re2.compile(
    rf"(?i){_NOUN}(?:[ _](?:score|level|rating))?[\"'*_`)\s]*(?:[:：=]|\bis\b|\bist\b|\best\b|\bes\b| è | é |是|为|は)"
    rf"[\s\"'*_`~(]*(?:about |around |approximately |etwa |environ |约|大约)?{_SHARE}\s*(?:({_PERCENT})|{_OF_TEN})?"
)
_SURE_FIRST = re2.compile(
    rf"(?i)(?:^|[\s(,;*]){_SURE}\s+(?:at|zu|to|à|a|al|на)\s+(?:about |etwa |environ )?{_SHARE}\s*{_PERCENT}"
)
_NUMBER_FIRST = re2.compile(
    rf"(?i)(\b(?:not|nicht|pas|no|non|niet)\s+|n't\s+)?{_SHARE}\s*{_PERCENT}\s*(?:de )?{_SURE}"
    r"(\s*(?:interval|level|limit|region|band|bound|区间|水平|niveau))?"
)


def stated_confidence(text: str) -> float | None:
    """Returns the last confidence that ``text`` states, in [0, 1]; ``None``: it states none.

    A number above 10 without a sign is a percentage; one between is on a scale that is not known. Neither a level
    nor an interval of statistics is a confidence in the answer, nor is what it is not ("not 100% sure").
    """
    if len(text) > HEAD_CHARACTERS + TAIL_CHARACTERS:
        text = f"{text[:HEAD_CHARACTERS]}\n{text[-TAIL_CHARACTERS:]}"
    return max(_found(text), default=(0, None))[1]


def _found(text: str) -> Iterator[tuple[int, float]]:
    for found in _LABELLED.finditer(text):
        number, percent, most = _number(found.group(1)), found.group(2), found.group(3)
        whole = float(most) if most else 100.0 if percent or number > _LONGEST_SCALE else 1.0
        if number <= whole:
            yield found.start(), number / whole
    for found in _SURE_FIRST.finditer(text):
        if (number := _number(found.group(1))) <= 100.0:
            yield found.start(), number / 100.0
    for found in _NUMBER_FIRST.finditer(text):
        if not found.group(1) and not found.group(3) and (number := _number(found.group(2))) <= 100.0:
            yield found.start(), number / 100.0


def _number(written: str) -> float:
    return float(written.replace(",", "."))
