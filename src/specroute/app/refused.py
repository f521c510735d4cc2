"""What a setting names cannot be used: said with the setting that asked for it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class SettingRefused(ValueError):
    """What a setting names cannot be used; ``key`` is the setting's path, the text says what to mend."""

    def __init__(self, key: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.key = key


@contextmanager
def naming(*key: str | int) -> Iterator[None]:
    """Adds to what is refused in the block which setting asked for it."""
    try:
        yield
    except ValueError as error:
        raise SettingRefused(key, str(error)) from error
