r"""All beginnings of what a pattern matches, as a pattern of its own.

A text that this pattern does not match as a whole can no longer be continued to a match of the first one: an ordinary
answer is known to be no refusal after a word or two, long before its end.

The beginnings of a sequence ``ab`` are those of ``a``, and ``a`` followed by those of ``b``; of ``a|b`` those of
either; of ``a*`` those of ``a`` after any number of whole ``a``. Conditions on a place (``^``, ``$``, ``\b``) and
bounds on how often a group is repeated are left out, which can only add beginnings: no text is given up too early.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# One step of a pattern: a class, an escape with braces, an escape, the start of a group, a repetition, or a character.
_STEPS = re.compile(
    r"\[\^?(?:\\x\{[0-9a-f]+\}|\\.|[^\]\\])+\]|\\[xpP]\{[^}]*\}|\\.|\(\?:|\{\d+(?:,\d*)?\}\??|[*+?]\??|.", re.DOTALL
)
_PLACES = frozenset(("^", "$", r"\b", r"\B"))


class Pattern(NamedTuple):
    """A pattern that matches the same texts and more, as it is less strict, and the pattern of their beginnings."""

    whole: str
    begun: str


def beginnings(pattern: str) -> Pattern:
    """Returns ``pattern``, an RE2 pattern with no groups but ``(?:``, less strict, and that of its beginnings.

    Raises:
        ValueError: a parenthesis is not closed, or closed without having been opened.
    """
    reader = _Reader(_STEPS.findall(pattern))
    parsed = reader.alternatives()
    if reader.step() is not None:
        raise ValueError("a parenthesis is closed that was not opened")
    return parsed


class _Reader:
    """Reads the steps of a pattern by recursive descent."""

    def __init__(self, steps: list[str]) -> None:
        self._steps = steps
        self._at = 0

    def step(self) -> str | None:
        """Returns the next step without taking it; ``None`` at the end."""
        return self._steps[self._at] if self._at < len(self._steps) else None

    def alternatives(self) -> Pattern:
        """Reads up to the end of a group or of the pattern."""
        found = [self._sequence()]
        while self.step() == "|":
            self._at += 1
            found.append(self._sequence())
        if len(found) == 1:
            return found[0]
        return Pattern(f"(?:{'|'.join(each.whole for each in found)})", f"(?:{'|'.join(each.begun for each in found)})")

    def _sequence(self) -> Pattern:
        parts: list[Pattern] = []
        while (step := self.step()) not in (None, "|", ")"):
            self._at += 1
            if step == "(?:":
                part = self._group()
            elif step in _PLACES:
                continue
            else:
                part = Pattern(str(step), "")
            parts.append(self._repeated(part))
        whole, begun = "", ""
        for part in reversed(parts):
            whole = part.whole + whole
            # A single character is not begun: it has come, and then what follows may have begun, or it has not.
            begun = f"(?:{part.begun}|{part.whole}{begun})" if part.begun else f"(?:{part.whole}{begun})?"
        return Pattern(whole, begun)

    def _group(self) -> Pattern:
        inner = self.alternatives()
        if self.step() != ")":
            raise ValueError("a parenthesis is not closed")
        self._at += 1
        return Pattern(f"(?:{inner.whole})", inner.begun)

    def _repeated(self, part: Pattern) -> Pattern:
        step = self.step()
        if step is None or step[0] not in "*+?{":
            return part
        self._at += 1
        count = step[:-1] if len(step) > 1 and step[-1] == "?" else step
        begun = part.begun or f"{part.whole}?"
        if count == "?":
            return Pattern(f"{part.whole}?", begun)
        if count in ("*", "+"):
            return Pattern(part.whole + count, f"{part.whole}*{begun}")
        if not part.begun:
            return Pattern(part.whole + count, f"{part.whole}{{0,{count[1:-1].rpartition(',')[2]}}}")
        # A bound on how often a group is repeated would cost a copy of it for each time.
        return Pattern(f"(?:{part.whole})*", f"(?:{part.whole})*{begun}")
