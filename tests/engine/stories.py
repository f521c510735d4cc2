"""Runs one request on the virtual clock and checks what holds for every request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.core.stream import DeliveryWish
from tests.engine.invariants import assert_settled, assert_streamed
from tests.fakes import FakeReader, on_virtual_clock, request_of

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


def streamed(
    service: Service,
    wish: DeliveryWish | None = None,
    request: RouteRequest | None = None,
    *,
    reader: FakeReader | None = None,
    deadline_s: float = 60.0,
    cancel_at: Until | None = None,
) -> tuple[Ended, FakeReader]:
    """Returns how a streamed ``request`` ended and what its reader saw, after checking what holds for every stream."""
    sees = reader or FakeReader()

    async def tell() -> Ended:
        return await service.stream(
            request or request_of(), wish or DeliveryWish(), sees, deadline_s=deadline_s, cancel_at=cancel_at
        )

    ended = on_virtual_clock(tell)
    assert_settled(service, ended)
    assert_streamed(ended, sees)
    return ended, sees
