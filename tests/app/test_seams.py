"""What else than the service may put in the place of clock, models and upstreams."""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from specroute.app import Seams, build_router
from specroute.app.seams import build_predictor
from specroute.core.deadline import Deadline
from specroute.core.request import Message, Role, RouteRequest
from specroute.engine.router import Arrival
from specroute.predictor.verifier.loading import load_verifier
from tests.fakes import FakeUpstream, FixedPredictor, RecordingTelemetry, says
from tests.replay.world import settings

if TYPE_CHECKING:
    from specroute.config.schema.tiers import UpstreamSettings


def test_without_any_the_parts_are_the_services_own() -> None:
    seams = Seams()

    assert (seams.clock, seams.predictor, seams.verifier) == (time.monotonic, build_predictor, load_verifier)
    assert seams.upstream is None
    assert inspect.signature(build_router).parameters["seams"].default is None


@pytest.mark.anyio
async def test_clock_predictor_and_upstreams_can_be_replaced() -> None:
    predictor = FixedPredictor({"small": 0.95})
    asked: list[tuple[str, str]] = []

    def upstream(tier: str, own: UpstreamSettings) -> FakeUpstream:
        asked.append((tier, own.name))
        return FakeUpstream(own.name, says("Yes."))

    seams = Seams(anyio.current_time, lambda _: predictor, upstream=upstream)
    router = build_router(settings(), httpx.AsyncBaseTransport(), RecordingTelemetry(), seams)
    now_s = anyio.current_time()
    deadline = Deadline(now_s, now_s + 5.0, now_s + 5.0)

    routed = await router.route(RouteRequest("id", (Message(Role.USER, "Well?"),)), Arrival(0.0, deadline))

    assert asked == [("small", "small-0"), ("big", "big-0")]
    assert (routed.delivery.upstream, routed.delivery.text) == ("small-0", "Yes.")
    assert routed.decision.plan.kind.value == "direct"
