"""Commands, and a service in another thread to call, because the commands block theirs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio.from_thread
from typer.testing import CliRunner, Result

from specroute.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


@contextmanager
def in_a_thread(serve: Callable[..., Coroutine[Any, Any, None]]) -> Iterator[str]:
    """Runs ``serve``, which tells its address by ``task_status``, until the block ends; gives the address."""
    with anyio.from_thread.start_blocking_portal() as portal:
        future, address = portal.start_task(serve)
        yield address
        future.cancel()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)
