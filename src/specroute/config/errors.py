"""What is wrong with a configuration: each problem is one line that names file, line, key and mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import PurePath

SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend.

    Attributes:
        file: the file as the user named it.
        line: counted from 1; ``None``: it concerns the file as a whole.
        key: path of the key, such as ``tiers[0].price``; "": the whole document.
        message: what is wrong and, after a semicolon, how to mend it.
    """

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        """Returns ``FILE:LINE: KEY.PATH: MESSAGE``."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.message) if part)


class ConfigError(Exception):
    """The configuration is refused.

    ``str()`` is one line: the first problem by line, and how many more there are. ``errors`` holds all of them, in the
    order of the file; there is at least one.
    """

    def __init__(self, errors: tuple[Problem, ...]) -> None:
        self.errors = tuple(sorted(errors, key=lambda problem: problem.line or 0))
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{self.errors[0]}{more}")


def shown(value: object) -> str:
    """Returns a value as a message quotes it: one line, printable, cut to a bearable length."""
    text = repr(value) if isinstance(value, str) else printable(str(value))
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."


def path_shown(path: PurePath) -> str:
    """Returns a path as a message quotes it: one line, whole."""
    return printable(str(path))


def printable(text: str) -> str:
    """Returns ``text`` with everything escaped that could break a line or hide in it."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
