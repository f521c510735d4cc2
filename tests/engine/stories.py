"""Runs one request on the virtual clock and checks what holds for every request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.engine.invariants import assert_settled
from tests.fakes import on_virtual_clock, request_of

if TYPE_CHECKING:
    from specroute.core.request import RouteRequest
    from tests.fakes import Ended, Service, Until


def story(
    service: Service,
    request: RouteRequest | None = None,
    *,
    deadline_s: float = 60.0,
    cancel_at: Until | None = None,
) -> Ended:
    """Returns how ``request`` ended, after checking the invariants of every request."""

    async def tell() -> Ended:
        return await service.run(request or request_of(), deadline_s=deadline_s, cancel_at=cancel_at)

    ended = on_virtual_clock(tell)
    assert_settled(service, ended)
    return ended
