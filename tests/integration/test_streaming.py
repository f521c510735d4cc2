"""Streams over sockets, mode by mode, as a client sees them that knows only what reflection told it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import grpc
import pytest

from tests.integration.conftest import Plans, Service, config, new_nonce, serving
from tests.integration.mock_upstream import (
    MockUpstream,
    Reply,
    Script,
    answers_status,
    calls_tool,
    drips,
    ends_early,
    hangs,
    resets,
    says,
    waits_for,
)
from tests.integration.reflection_client import SERVICE, Failed, ReflectionClient, ends, kind, prompt_fields, words

if TYPE_CHECKING:
    from google.protobuf.message import Message

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

COMMITTED: dict[str, Any] = {"committed": {}}
PROVISIONAL: dict[str, Any] = {"provisional": {}}
HOLD_8_TOKENS: dict[str, Any] = {"hold_back": {"tokens": 8}}
MODES = {"committed": COMMITTED, "hold_back": HOLD_8_TOKENS, "provisional": PROVISIONAL}
PLANS = ["direct", "cascade", "hedge", "race"]

PIECES = ("Oslo is ", "the capital ", "of Norway, ", "and its ", "largest city.")
OSLO = "".join(PIECES)
JSON_PIECES = ('{"city": "Oslo", ', '"country": "Norway", ', '"people": 700', "000}")
REFUSAL = ("I'm sorry, ", "but I can't ", "help with ", "that request.")


@dataclass(frozen=True)
class Told:
    """All that one stream said: its events, and the status it ended with if it failed."""

    events: tuple[Any, ...]
    failed: Failed | None = None

    @property
    def kinds(self) -> list[str]:
        return [event.WhichOneof("event") for event in self.events]

    @property
    def reply(self) -> Any:
        assert self.failed is None, self.failed
        return self.events[-1].completed

    @property
    def committed(self) -> tuple[int, str, str]:
        """Returns leg, tier and reason of the one commit."""
        (event,) = (event.committed for event in self.events if event.WhichOneof("event") == "committed")
        return event.leg, event.tier, words(event.reason, event, "reason").removeprefix("COMMIT_REASON_")

    @property
    def text(self) -> str:
        """Returns the text that was not taken back."""
        gone = {event.superseded.leg for event in self.events if event.WhichOneof("event") == "superseded"}
        deltas = [event.delta for event in self.events if event.WhichOneof("event") == "delta"]
        return "".join(delta.text for delta in deltas if delta.leg not in gone)

    def assert_in_order(self) -> None:
        """Asserts what holds of every stream, whatever came of it."""
        assert self.kinds[0] == "decided"
        assert self.kinds.count("decided") == 1
        assert self.kinds.count("committed") <= 1
        assert (self.kinds[-1] == "completed") == (self.failed is None)
        gone: set[int] = set()
        winner: int | None = None
        for event in self.events:
            match event.WhichOneof("event"):
                case "superseded":
                    assert winner is None
                    gone.add(event.superseded.leg)
                case "committed":
                    winner = event.committed.leg
                case "delta":
                    assert event.delta.leg not in gone
                    assert event.delta.provisional == (winner is None)
                    assert winner in (None, event.delta.leg)
                case "completed":
                    assert winner is not None
        if self.failed is None:
            assert self.text == self.reply.output.text
            commit = self.reply.decision.commit
            assert (commit.leg, commit.tier) == self.committed[:2]


def open_stream(
    client: ReflectionClient, prompt: str, delivery: dict[str, Any], **fields: Any
) -> grpc.aio.UnaryStreamCall[bytes, Any]:
    request = {"request": prompt_fields(prompt) | fields} | delivery
    reply: type[Message] = client.type("RouteStreamResponse")
    method: grpc.aio.UnaryStreamMultiCallable[bytes, Any] = client.channel.unary_stream(
        f"/{SERVICE}/RouteStream", response_deserializer=reply.FromString
    )
    return method(client.request(request, "RouteStreamRequest").SerializeToString(), timeout=30)


async def stream(
    service: Service, prompt: str, delivery: dict[str, Any], *, seen: anyio.Event | None = None, **fields: Any
) -> Told:
    """Reads a stream to its end, and asserts what holds of every one; the first delta sets ``seen``."""
    call = open_stream(service.client, prompt, delivery, **fields)
    return await read_to_the_end(service.client, call, [], seen=seen)


async def read_to_the_end(
    client: ReflectionClient,
    call: grpc.aio.UnaryStreamCall[bytes, Any],
    events: list[Any],
    *,
    seen: anyio.Event | None = None,
) -> Told:
    failed = None
    event: Any
    try:
        while (event := await call.read()) is not grpc.aio.EOF:
            events.append(event)
            if seen is not None and event.WhichOneof("event") == "delta":
                seen.set()
    except grpc.aio.AioRpcError as error:
        failed = client.failed(error)
    told = Told(tuple(events), failed)
    if events:
        told.assert_in_order()
    return told


def says_then(text: str, seen: anyio.Event, then: Script) -> Script:
    """Writes ``text``, then waits until the client has seen something of it."""

    async def play(reply: Reply) -> None:
        reply.text(text)
        await waits_for(seen, then)(reply)

    return play


async def test_reflection_tells_of_the_method(plans: Plans) -> None:
    request = plans.race.client.request(
        {"request": prompt_fields("Hi"), "hold_back": {"tokens": 3}}, "RouteStreamRequest"
    )
    kinds = plans.race.client.type("RouteStreamResponse").DESCRIPTOR.oneofs_by_name["event"].fields

    assert SERVICE in await plans.race.client.services()
    assert request.WhichOneof("delivery") == "hold_back"
    assert [field.name for field in kinds] == ["decided", "delta", "superseded", "committed", "completed"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("plan", PLANS)
async def test_the_deltas_put_together_are_the_answer(
    plans: Plans, upstream: MockUpstream, nonce: str, plan: str, mode: str
) -> None:
    prompt = upstream.on(nonce, mini=says(*PIECES, between_s=0.002), large=hangs())

    told = await stream(getattr(plans, plan), prompt, MODES[mode])

    assert (told.reply.output.text, told.reply.tier) == (OSLO, "mini")
    assert told.text == OSLO
    assert told.committed[:2] == (0, "mini")
    assert kind(told.events[0].decided.decision) == kind(told.reply.decision) == plan.upper()
    assert not told.events[0].decided.decision.attempts
    assert told.reply.decision.commit.upheld


async def test_a_leg_with_nothing_stronger_behind_it_is_shown_as_it_comes(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    seen = anyio.Event()
    prompt = upstream.on(nonce, large=says_then("Os", seen, says("lo.")))

    told = await stream(plans.direct_large, prompt, COMMITTED, seen=seen)

    assert told.kinds == ["decided", "committed", "delta", "delta", "completed"]
    assert told.committed == (0, "large", "NOTHING_STRONGER")
    assert told.text == "Oslo."


async def test_committed_delivery_shows_nothing_of_a_leg_that_may_still_lose(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    prompt = upstream.on(nonce, mini=says(*REFUSAL, between_s=0.002), large=says(*PIECES, after_s=0.05))

    told = await stream(plans.race, prompt, COMMITTED)

    assert (told.text, told.reply.tier) == (OSLO, "large")
    assert "superseded" not in told.kinds
    assert ("mini", "REJECTED", "refusal") in ends(told.reply.decision)


async def test_held_back_delivery_shows_text_once_its_window_has_passed(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    seen = anyio.Event()
    mini = says_then(JSON_PIECES[0] + JSON_PIECES[1], seen, says(*JSON_PIECES[2:]))

    told = await stream(
        plans.race,
        upstream.on(nonce, mini=mini, large=hangs()),
        HOLD_8_TOKENS,
        seen=seen,
        output={"json_object": {}},
    )

    commit = told.reply.decision.commit
    assert told.kinds[:3] == ["decided", "committed", "delta"]
    assert told.committed == (0, "mini", "HELD_BACK")
    assert told.text == "".join(JSON_PIECES)
    assert commit.output_tokens >= 8
    assert commit.HasField("error_ratio")
    assert commit.upheld


async def test_what_no_check_can_settle_is_committed_when_it_is_whole(
    plans: Plans, upstream: MockUpstream, nonce: str
) -> None:
    prompt = upstream.on(nonce, mini=says(*JSON_PIECES, between_s=0.002), large=hangs())

    told = await stream(plans.race, prompt, COMMITTED, output={"json_object": {}})

    assert told.kinds == ["decided", "committed", "delta", "completed"]
    assert told.committed == (0, "mini", "VALIDATED")
    assert told.text == "".join(JSON_PIECES)


@pytest.mark.parametrize(
    ("death", "reason"), [(says("sorry, but I can't help with that."), "refusal"), (resets(), "reset")]
)
async def test_provisional_delivery_takes_back_what_loses(
    plans: Plans, upstream: MockUpstream, nonce: str, death: Script, reason: str
) -> None:
    seen = anyio.Event()
    mini, large = says_then("I'm ", seen, death), waits_for(seen, says(*PIECES, after_s=0.05))

    told = await stream(plans.race, upstream.on(nonce, mini=mini, large=large), PROVISIONAL, seen=seen)

    assert told.kinds[:2] == ["decided", "delta"]
    assert (told.events[1].delta.leg, told.events[1].delta.text) == (0, "I'm ")
    (taken_back,) = (event.superseded for event in told.events if event.WhichOneof("event") == "superseded")
    assert (taken_back.leg, taken_back.reason) == (0, reason)
    assert (told.text, told.committed[:2]) == (OSLO, (1, "large"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("plan", PLANS)
async def test_a_refusal_is_never_part_of_the_answer(
    plans: Plans, upstream: MockUpstream, nonce: str, plan: str, mode: str
) -> None:
    prompt = upstream.on(nonce, mini=says(*REFUSAL, between_s=0.005), large=says(*PIECES, after_s=0.1))

    told = await stream(getattr(plans, plan), prompt, MODES[mode])

    assert (told.text, told.reply.tier) == (OSLO, "large")
    assert ("mini", "REJECTED", "refusal") in ends(told.reply.decision)


DEATHS: dict[str, tuple[Script, str]] = {
    "reset": (resets(), "reset"),
    "cut off": (ends_early(), "stream_ended_early"),
    "provider's error": (ends_early(error=True), "provider_error"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("death", DEATHS)
async def test_a_winner_that_dies_says_how_much_was_delivered_and_is_not_replaced(
    plans: Plans, upstream: MockUpstream, nonce: str, death: str, mode: str
) -> None:
    script, reason = DEATHS[death]
    seen = anyio.Event()
    prompt = upstream.on(nonce, large=says_then("Some of the", seen, script))

    told = await stream(plans.direct_large, prompt, MODES[mode], seen=seen)

    assert told.failed is not None
    assert (told.failed.code.name, told.failed.reason) == ("UNAVAILABLE", "STREAM_INTERRUPTED")
    partial = told.failed.detail("specroute.v1.PartialDelivery")
    info = told.failed.detail("google.rpc.ErrorInfo")
    assert (partial.leg, partial.tier, partial.output_bytes) == (0, "large", len(told.text.encode()))
    assert told.text == "Some of the"
    assert partial.output_tokens == 3
    assert (info.metadata["partial"], info.metadata["delivered_tokens"]) == ("true", "3")
    assert ends(told.failed.decision)[0] == ("large", "FAILED", reason)
    assert told.failed.trailers["grpc-retry-pushback-ms"] == "-1"
    assert len(upstream.calls_of(nonce)) == 1


@pytest.mark.parametrize("mode", MODES)
async def test_a_stream_without_an_answer_ends_with_its_status(
    plans: Plans, upstream: MockUpstream, nonce: str, mode: str
) -> None:
    prompt = upstream.on(nonce, mini=answers_status(500), large=answers_status(500))

    told = await stream(plans.race, prompt, MODES[mode])

    assert told.failed is not None
    assert (told.failed.code.name, told.failed.reason) == ("UNAVAILABLE", "ALL_UPSTREAMS_FAILED")
    assert told.failed.detail("specroute.v1.PartialDelivery") is None
    assert told.kinds == ["decided"]


@pytest.mark.parametrize("mode", MODES)
async def test_tool_calls_are_shown_whole(plans: Plans, upstream: MockUpstream, nonce: str, mode: str) -> None:
    prompt = upstream.on(nonce, mini=calls_tool("weather", '{"city": "Lima"}'), large=hangs())

    told = await stream(plans.race, prompt, MODES[mode], generation={"tools": [{"name": "weather"}]})

    (call,) = (event.delta.tool_call for event in told.events if event.WhichOneof("event") == "delta")
    assert (call.name, call.arguments_json) == ("weather", '{"city": "Lima"}')
    assert told.reply.output.tool_calls[0] == call


async def test_a_reader_that_stalls_closes_the_call_and_is_told_when_it_reads_on(
    upstream: MockUpstream, nonce: str
) -> None:
    streaming = {"write_stall_timeout": "200ms"}
    async with serving(config(upstream.base_url, prior=0.1, streaming=streaming)) as service:
        prompt = upstream.on(nonce, large=drips("word " * 20_000, every_s=0.001))
        call = open_stream(service.client, prompt, COMMITTED)
        events = [await call.read()]
        await upstream.until_called(nonce, ["large"])
        await upstream.until_closed(nonce)
        told = await read_to_the_end(service.client, call, events)

    assert told.failed is not None
    assert (told.failed.code.name, told.failed.reason) == ("ABORTED", "READER_STALLED")
    partial = told.failed.detail("specroute.v1.PartialDelivery")
    assert partial.tier == "large"
    assert partial.output_bytes >= len(told.text)
    assert ends(told.failed.decision)[0][:2] == ("large", "CANCELLED")


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_leaves_closes_every_call(
    plans: Plans, upstream: MockUpstream, nonce: str, mode: str
) -> None:
    prompt = upstream.on(nonce, mini=drips(), large=drips())

    call = open_stream(plans.race.client, prompt, MODES[mode])
    await upstream.until_called(nonce, ["mini", "large"])
    call.cancel()
    await upstream.until_closed(nonce)

    assert len(upstream.calls_of(nonce)) == 2


async def test_a_bad_request_names_its_field_and_calls_nothing(plans: Plans, upstream: MockUpstream) -> None:
    called = len(upstream.calls)

    empty = await stream(plans.race, " ", COMMITTED)
    unbounded = await stream(plans.race, "Hi", {"hold_back": {}})

    assert empty.failed is not None
    assert unbounded.failed is not None
    assert (empty.failed.reason, empty.failed.fields) == ("INVALID_REQUEST", ["request.messages[0].content"])
    assert (unbounded.failed.reason, unbounded.failed.fields) == ("INVALID_REQUEST", ["hold_back.tokens"])
    assert len(upstream.calls) == called


async def test_many_streams_at_once_do_not_mix(plans: Plans, upstream: MockUpstream) -> None:
    async def one(number: int) -> None:
        nonce = new_nonce()
        pieces = [f"{nonce}-{index} " for index in range(20)]
        script = says(*pieces, between_s=0.001)
        mode = list(MODES.values())[number % 3]
        told = await stream(plans.race, upstream.on(nonce, mini=script, large=hangs()), mode)
        assert told.text == "".join(pieces)

    async with anyio.create_task_group() as group:
        for number in range(60):
            group.start_soon(one, number)
