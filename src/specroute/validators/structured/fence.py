"""The Markdown fence around a JSON answer of which only the beginning has come."""

from __future__ import annotations

from typing import NamedTuple

from specroute.validators.structured.json_text import FENCES, is_info

_MARK_CHARACTERS = len(FENCES[0])


class Fence(NamedTuple):
    """How an answer begins.

    Attributes:
        mark: what the fence is made of; "": the answer is not fenced.
        start: index of the first character inside it.
        line: what stands on the line of the mark though it names no language, and so belongs to what is inside.
    """

    mark: str = ""
    start: int = 0
    line: str = ""

    def inside(self, text: str) -> str:
        """Returns what of ``text`` stands inside the fence, with what has come of the closing mark."""
        if not self.mark:
            return text
        body = text[self.start :]
        return (f"{self.line}\n{body}" if self.line else body).strip()

    def unclosed(self, body: str) -> str:
        """Returns ``body``, what is inside, without what may be the closing mark or a part of it."""
        if not self.mark:
            return body
        sign = self.mark[0]
        bare = body.rstrip(sign)
        return (bare if len(body) - len(bare) <= _MARK_CHARACTERS else body[:-_MARK_CHARACTERS]).rstrip()


NO_FENCE = Fence()


def opened_fence(text: str) -> Fence | None:
    """Returns the fence that ``text``, the beginning of an answer, begins with; ``None`` while that is not known.

    Known it is once visible text follows the line of the mark: an answer in a single line is unfenced differently.
    """
    trimmed = text.lstrip()
    mark = trimmed[:_MARK_CHARACTERS]
    if not any(each.startswith(mark) for each in FENCES):
        return NO_FENCE
    if len(mark) < _MARK_CHARACTERS:
        return None
    line, newline, rest = trimmed[_MARK_CHARACTERS:].partition("\n")
    if not newline or not rest.strip():
        return None
    info = line.strip()
    return Fence(mark, len(text) - len(rest), "" if is_info(info) else info)
