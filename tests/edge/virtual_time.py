"""An asyncio loop whose time jumps to the next timer whenever every task waits: what is asyncio's own can be timed."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple, Unpack

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextvars import Context

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _JumpingSelector(selectors.DefaultSelector):
    """Does not wait for a timer, but moves the clock to it."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            self.now_s += timeout
            timeout = 0
        return super().select(timeout)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0; ``timers`` are all that were ever set."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        self.timers: list[asyncio.TimerHandle] = []
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = super().call_at(when, callback, *args, context=context)
        self.timers.append(timer)
        return timer


def loop() -> VirtualLoop:
    """Returns the virtual loop that runs."""
    running = asyncio.get_running_loop()
    assert isinstance(running, VirtualLoop)
    return running


def on_virtual_loop(story: Callable[[], Awaitable[T]]) -> T:
    """Runs ``story`` on a virtual loop of its own."""
    return anyio.run(story, backend="asyncio", backend_options={"loop_factory": VirtualLoop})
