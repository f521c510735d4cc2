"""What a verb says when an optional dependency is missing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAILURE = 1


@contextmanager
def needing_pyarrow(give_up: Callable[[int, str], object]) -> Iterator[None]:
    """Gives up in words where an import in the block misses pyarrow; any other missing module is a bug."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "pyarrow":
            raise
        give_up(FAILURE, "--outcomes needs pyarrow: pip install 'specroute[train]'")
