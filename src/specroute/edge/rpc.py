"""What stands around every RPC: whatever happens inside, it ends with a reply or with one typed status.

It alone sees a ``CancelledError``: one that is the RPC's own passes through (grpc.aio needs it to end the call); any
other would leave the client without a status for ever, and becomes INTERNAL.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar

import anyio
import grpc

from specroute.core.errors import RouteError
from specroute.edge.statuses import WireError, internal_error, wire_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from specroute.core.ports import Telemetry

T = TypeVar("T")

STATUS_WAIT_S = 0.25
"""How long a handler waits for its status to leave: a reader that has stalled may never take it."""

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the RPC that runs; "" until it is known."""


class Abortable(Protocol):
    """An RPC that can be ended with a status: ``grpc.aio.ServicerContext``."""

    async def abort(
        self, code: grpc.StatusCode, details: str, trailing_metadata: tuple[tuple[str, str | bytes], ...], /
    ) -> NoReturn:
        """Sends the status, then raises ``grpc.aio.AbortError``."""
        ...


class Border:
    """Turns what an RPC's behaviour raises into the status it ends with."""

    def __init__(self, telemetry: Telemetry, report_bug: Callable[[str, BaseException], None]) -> None:
        self._telemetry = telemetry
        self._report_bug = report_bug

    async def outcome(self, behaviour: Awaitable[T]) -> T | WireError:
        """Returns what ``behaviour`` returns, or the status of what it raises.

        Raises:
            asyncio.CancelledError: the RPC itself was cancelled.
        """
        try:
            return await behaviour
        except RouteError as error:
            if error.decision is None:
                self._telemetry.refused(error.reason.lower())
            return wire_error(error, request_id.get())
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            self._report_bug(request_id.get(), error)
        except Exception as error:  # noqa: BLE001 - the last border: a bug becomes INTERNAL, never a stack trace
            self._telemetry.refused("internal")
            self._report_bug(request_id.get(), error)
        return internal_error(request_id.get())


def is_cancelled() -> bool:
    """Returns whether somebody cancelled the task that runs, so that a ``CancelledError`` in it is meant for it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def end_stream(context: Abortable, error: WireError) -> None:
    """Ends a stream with a status, and leaves soon whether or not the client takes it.

    The status stands behind what the client has not read yet. Once it is queued there is no need to wait for it: grpc
    delivers it when the client reads on, and drops it when the client goes.
    """
    with anyio.move_on_after(STATUS_WAIT_S):
        try:
            await context.abort(error.code, error.message, error.trailing_metadata)
        except grpc.aio.AbortError:
            raise  # grpc ends an aborted handler so
        except grpc.aio.BaseError:
            return  # the client has gone: nobody is left to be told
