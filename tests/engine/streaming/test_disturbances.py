"""What calls that fail and readers that are slow must not do to a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specroute.core.errors import UpstreamError
from specroute.core.outcome import Chunk, FinishReason, ToolCallDelta
from specroute.core.request import Generation, JsonObjectOutput, Tool
from specroute.core.stream import DeliveryMode, DeliveryWish, Delta
from specroute.engine.leg.attempt import ListenerFailed
from specroute.engine.tiers import Timeouts
from specroute.guards.early_commit import EarlyCommits
from tests.engine.invariants import assert_settled, assert_streamed
from tests.engine.stories import streamed
from tests.fakes import (
    PREFIX_VALIDATORS,
    Ended,
    FakeReader,
    FakeUpstream,
    Hang,
    Pause,
    Service,
    on_virtual_clock,
    pair_of,
    request_of,
    router_of,
    served_of,
    tokens,
)

if TYPE_CHECKING:
    from specroute.core.stream import StreamEvent

COMMITTED = DeliveryWish()
PROVISIONAL = DeliveryWish(DeliveryMode.PROVISIONAL)
HOLD_BACK = DeliveryWish(DeliveryMode.HOLD_BACK, hold_tokens=1)
JSON = request_of(output=JsonObjectOutput())
WITH_TOOLS = request_of(generation=Generation(tools=(Tool("add"),)))


def alone(*upstreams: FakeUpstream, timeouts: Timeouts | None = None) -> Service:
    return router_of(served_of("large", *upstreams, timeouts=timeouts), validators=PREFIX_VALIDATORS)


# --- another call of the leg takes the place of one that failed ----------------------------------------------------


def test_what_is_delivered_is_counted_of_the_call_that_said_it() -> None:
    """A tool call fixes the winner and shows nothing, so its leg may call again when it fails."""
    begun = Chunk(tool_calls=(ToolCallDelta(0, "c1", "add", "{"),))
    service = alone(
        FakeUpstream("large-0", (Pause(1), begun, Pause(1), UpstreamError("reset"))),
        FakeUpstream("large-1", tokens("Nothing to add", first_s=1, then=(UpstreamError("reset"),))),
    )

    ended, reader = streamed(service, request=WITH_TOOLS)

    assert reader.standing_text == "Nothing to add"
    assert ended.error is not None
    assert ended.error.delivered is not None
    assert ended.error.delivered.output_bytes == len("Nothing to add")


def test_the_text_of_a_call_that_failed_is_not_shown_when_its_leg_comes_to_the_front() -> None:
    """It failed unseen, as a cheaper leg was in front; by the time that one fails, another call has taken its place."""
    service = router_of(
        served_of("mini", FakeUpstream("mini-0", (Pause(3), UpstreamError("http_500")))),
        served_of(
            "large",
            FakeUpstream("large-0", tokens("Lost", first_s=1, then=(UpstreamError("reset"),))),
            FakeUpstream("large-1", tokens("Paris.", first_s=2)),
        ),
        validators=PREFIX_VALIDATORS,
    )

    ended, reader = streamed(service, PROVISIONAL)

    assert ended.text == "Paris."
    assert reader.standing_text == "Paris."


def test_a_tool_call_that_was_not_asked_for_leaves_the_text_beside_it_as_it_was_shown() -> None:
    unasked = Chunk(tool_calls=(ToolCallDelta(0, "c1", "add", "{}"),))
    large = (
        Pause(1),
        Chunk('```json\n{"a": 1}'),
        Pause(1),
        Chunk("\n```"),
        unasked,
        Chunk(finish_reason=FinishReason.TOOL_CALLS),
    )

    ended, reader = streamed(alone(FakeUpstream("large-0", large)), request=JSON)

    assert reader.standing_text == ended.text


# --- slow readers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pace_s", "idle_s"), [(3.0, 2.0), (6.0, 11.0)])
def test_a_slow_reader_does_not_make_its_upstream_idle(pace_s: float, idle_s: float) -> None:
    """While the reader is slow the upstream is not read; that silence is not the upstream's, however many writes."""
    large = tokens("Paris", " is it.", first_s=1, gap_s=0.1)
    service = alone(FakeUpstream("large-0", large), timeouts=Timeouts(idle_s=idle_s))

    ended, _ = streamed(service, reader=FakeReader(pace_s=pace_s, stall_s=10.0))

    assert ended.ends == ["large won"]


def test_a_call_ends_with_the_write_that_the_deadline_meets() -> None:
    """The write is cut off, and none follows it, though its slow reader has events to come."""
    service = alone(FakeUpstream("large-0", tokens("Paris", " is it.", first_s=1)))

    streamed_late, reader = streamed_until(service, deadline_s=2.5, pace_s=1.0)

    assert streamed_late.reason == "DEADLINE_EXCEEDED"
    assert reader.story == ["1 decided"]
    assert [call.closed_at_s for call in service.calls] == [2.5]


def streamed_until(service: Service, *, deadline_s: float, pace_s: float) -> tuple[Ended, FakeReader]:
    reader = FakeReader(pace_s=pace_s)
    ended = on_virtual_clock(lambda: service.stream(request_of(), COMMITTED, reader, deadline_s=deadline_s))
    assert_settled(service, ended, late_s=10.0)
    assert_streamed(ended, reader)
    return ended, reader


def test_readers_that_stall_say_nothing_about_early_commits() -> None:
    commits = EarlyCommits(0.02)
    mini = tokens('{"city":', ' "Paris"', "}", first_s=1)
    before = commits.error_ratio("mini json_object")

    service = pair_of(mini, (Hang(),), plan="cascade", validators=PREFIX_VALIDATORS, early_commits=commits)
    ended, _ = streamed(service, HOLD_BACK, JSON, reader=FakeReader(leaves_after=2))

    assert ended.reason == "READER_STALLED"
    assert commits.error_ratio("mini json_object") == before


def test_callers_without_time_say_nothing_about_early_commits() -> None:
    commits = EarlyCommits(0.02)
    mini = tokens('{"city":', ' "Paris"', "}", first_s=1)
    before = commits.error_ratio("mini json_object")

    service = pair_of(mini, (Hang(),), plan="cascade", validators=PREFIX_VALIDATORS, early_commits=commits)
    ended, _ = streamed(service, HOLD_BACK, JSON, deadline_s=2.5)

    assert ended.reason == "DEADLINE_EXCEEDED"
    assert commits.error_ratio("mini json_object") == before


class BrokenReader(FakeReader):
    """A sink with a bug."""

    async def send(self, event: StreamEvent) -> bool:
        if isinstance(event, Delta):
            raise RuntimeError("a bug of the sink")
        return await super().send(event)


@pytest.mark.parametrize("plan", ["direct", "race"])
def test_a_bug_of_the_sink_is_not_taken_for_a_failed_upstream(plan: str) -> None:
    mini, large = tokens("Paris", " is it.", first_s=1), tokens("Paris.", first_s=9)
    service = pair_of(mini, large, plan=plan, validators=PREFIX_VALIDATORS)

    with pytest.raises(Exception) as caught:  # noqa: PT011 - a task group wraps what its tasks raise
        on_virtual_clock(lambda: service.stream(request_of(), COMMITTED, BrokenReader()))

    innermost: BaseException = caught.value
    while isinstance(innermost, BaseExceptionGroup):
        (innermost,) = innermost.exceptions
    assert isinstance(innermost, ListenerFailed)
    assert isinstance(innermost.__cause__, RuntimeError)
    assert all(call.times_closed == 1 for call in service.calls)
