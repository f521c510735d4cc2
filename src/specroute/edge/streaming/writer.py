"""Writes the events of one stream to its reader, and tells when there is no reader any more.

A write waits while the reader is slow, so nothing piles up here. After a write that was cut in half nothing is written
any more but the status. One watchdog per stream ends a write that takes too long: a timer that looks at the write that
runs, not a timer or a cancel scope for every write, which would cost more than encoding the event.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import anyio
import grpc

from specroute.edge.rpc import is_cancelled
from specroute.edge.streaming.messages import event_bytes

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from specroute.core.stream import StreamEvent

CANCEL_WAIT_S = 0.05
"""How long to wait for the cancellation of an RPC whose write failed; grpc sends it right behind."""


class Outbox(Protocol):
    """Where encoded messages go: ``grpc.aio.ServicerContext``."""

    async def write(self, message: bytes, /) -> None:
        """Hands over one message; waits while the reader is slow."""
        ...


class StreamWriter:
    """The sink of one stream's events; used as a context manager, so that its watchdog ends with it.

    ``patience_s`` > 0: a reader that takes nothing for this long is taken for stalled.
    """

    __slots__ = ("_began_s", "_has_stalled", "_is_open", "_loop", "_outbox", "_timer", "_writer", "patience_s")

    def __init__(self, outbox: Outbox, patience_s: float) -> None:
        self._outbox = outbox
        self.patience_s = patience_s
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._has_stalled = False
        self._writer: asyncio.Task[object] | None = None
        self._began_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> StreamWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def send(self, event: StreamEvent) -> Coroutine[object, object, bool]:
        """Writes one event; returns whether there is still a reader. Not a coroutine of its own: one less per token."""
        return self.write(event_bytes(event))

    async def write(self, data: bytes) -> bool:
        """Writes one encoded message; returns whether there is still a reader.

        After a write that did not come to its end nothing is written any more: half of it may be on its way.
        """
        if not self._is_open:
            return False
        self._is_open = False
        self._began_s = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_at(self._began_s + self.patience_s, self._look)
        self._writer = task = asyncio.current_task()
        try:
            await self._outbox.write(data)
            self._is_open = True
            return True
        except grpc.aio.BaseError:
            pass
        except asyncio.CancelledError:
            if self._has_stalled and task is not None and task.uncancel() == 0:
                return False
            if is_cancelled():
                raise
        finally:
            self._writer = None
        # The client has gone. The cancellation of its RPC is on its way, and says so better than a stalled reader.
        await anyio.sleep(CANCEL_WAIT_S)
        return False

    def _look(self) -> None:
        """Ends the write that runs if it has run for too long; the timer rests while nothing is written."""
        self._timer = None
        if self._writer is None:
            return
        due_s = self._began_s + self.patience_s
        if self._loop.time() >= due_s:
            self._has_stalled = True
            self._writer.cancel()
        else:
            self._timer = self._loop.call_at(due_s, self._look)
