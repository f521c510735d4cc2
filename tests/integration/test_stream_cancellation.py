"""A caller that leaves a stream takes every upstream call with it at any moment, seen from the upstream's side."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import grpc
import pytest

from tests.integration.conftest import Plans, Service, config, new_nonce, serving
from tests.integration.mock_upstream import MockUpstream, Reply, Script, drips, hangs
from tests.integration.reflection_client import ReflectionClient, prompt_fields
from tests.integration.stream_calls import COMMITTED, HELD_FOR_EVER, PROVISIONAL, StreamRecord, open_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

CLOSED_WITHIN_S = 0.1
STARTED_WITHIN_S = 30.0
PIECES = 5
JSON: dict[str, Any] = {"output": {"json_object": {}}}


@dataclass(frozen=True)
class Moment:
    """When the caller leaves.

    ``answer``: what each upstream sends: nothing, text, or an object that only its end decides, so that nothing commits
    to it before. ``reads``: the event that is read before, so many times.
    """

    answer: str
    delivery: dict[str, Any]
    reads: tuple[str, int]

    @property
    def fields(self) -> dict[str, Any]:
        return JSON if self.answer == "object" else {}

    @property
    def commits(self) -> bool:
        return self.answer == "text"


MOMENTS = {
    "before_the_first_token": Moment("nothing", COMMITTED, ("decided", 1)),
    "before_the_first_token_of_provisional": Moment("nothing", PROVISIONAL, ("decided", 1)),
    "midway_provisional": Moment("object", PROVISIONAL, ("delta", PIECES)),
    "midway_held_back": Moment("object", HELD_FOR_EVER, ("decided", 1)),
    "midway_held_until_committed": Moment("object", COMMITTED, ("decided", 1)),
    "after_the_commit": Moment("text", COMMITTED, ("delta", PIECES)),
    "after_the_commit_of_provisional": Moment("text", PROVISIONAL, ("committed", 1)),
}

ENDED_BY_TIME = ["before_the_first_token", "midway_provisional", "midway_held_back", "after_the_commit"]


class Answers:
    """What the upstreams send to one request, and whether ``PIECES`` of it have gone out of all that were called."""

    def __init__(self, upstream: MockUpstream, nonce: str, moment: Moment) -> None:
        self._upstream = upstream
        self._nonce = nonce
        self._moment = moment
        self._flowing = {"mini": False, "large": False}
        self.prompt = upstream.on(nonce, mini=self._script("mini"), large=self._script("large"))

    async def until_flowing(self, *models: str) -> None:
        await self._upstream.until_called(self._nonce, models)
        if self._moment.answer != "nothing":
            await self._upstream.until(lambda: all(self._flowing[model] for model in models))

    def _script(self, model: str) -> Script:
        if self._moment.answer == "nothing":
            return hangs()

        async def play(reply: Reply) -> None:
            reply.text('{"text": "' if self._moment.answer == "object" else "Once upon a time ")
            for _ in range(PIECES):
                reply.text("on and on ")
                await anyio.sleep(0.002)
            self._flowing[model] = True
            self._upstream.tell()
            await drips("on and on ")(reply)

        return play


async def reach(moment: Moment, record: StreamRecord, call: grpc.aio.UnaryStreamCall[bytes, Any]) -> None:
    event, times = moment.reads
    for _ in range(times):
        await record.read_until(call, event)


async def closed_after_s(upstream: MockUpstream, nonce: str, left_s: float) -> float:
    """Returns how long after ``left_s`` the last call of ``nonce`` was closed."""
    await upstream.until_closed(nonce)
    last_s = max(call.closed_s or 0.0 for call in upstream.calls_of(nonce)) - left_s
    print(f"closed after {last_s * 1e3:.1f} ms")  # noqa: T201
    return last_s


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("plan", ["direct", "cascade", "hedge", "race"])
async def test_a_caller_that_cancels_a_stream_closes_every_call(
    plans: Plans, upstream: MockUpstream, nonce: str, plan: str, moment: str
) -> None:
    client, when = getattr(plans, plan).client, MOMENTS[moment]
    # A hedge's second leg starts while the first one is silent or undecided; a commit before keeps it from starting.
    both = plan == "race" or (plan == "hedge" and not when.commits)
    models = ["mini", "large"] if both else ["mini"]
    answers = Answers(upstream, nonce, when)
    call, record = open_stream(client, answers.prompt, when.delivery, **when.fields), StreamRecord()
    await answers.until_flowing(*(models[:1] if when.commits else models))
    await reach(when, record, call)

    left_s = time.monotonic()
    call.cancel()

    assert await closed_after_s(upstream, nonce, left_s) < CLOSED_WITHIN_S
    assert (record.committed is not None) == when.commits
    assert sorted(each.model for each in upstream.calls_of(nonce)) == sorted(models)


async def test_the_loser_of_a_stream_is_closed_at_the_commit(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    prompt = upstream.on(nonce, mini=drips("on and on "), large=hangs())
    call, record = open_stream(plans.race.client, prompt, COMMITTED), StreamRecord()

    await record.read_until(call, "committed")
    committed_s = time.monotonic()
    await upstream.until(lambda: not any(each.is_open for each in upstream.calls_of(nonce, "large")))

    closed_s = upstream.the_call(nonce, "large").closed_s
    assert closed_s is not None
    assert closed_s - committed_s < CLOSED_WITHIN_S
    assert upstream.the_call(nonce, "mini").is_open
    call.cancel()
    await upstream.until_closed(nonce)


async def test_a_channel_that_closes_takes_its_streams_with_it(plans: Plans, upstream: MockUpstream) -> None:
    client, when = await ReflectionClient.connect(plans.race.app.addresses.serving), MOMENTS["midway_provisional"]
    nonces = [new_nonce() for _ in range(5)]
    for nonce in nonces:
        answers = Answers(upstream, nonce, when)
        call = open_stream(client, answers.prompt, when.delivery, **when.fields)
        await answers.until_flowing("mini", "large")
        await reach(when, StreamRecord(), call)

    left_s = time.monotonic()
    await client.close()

    assert max([await closed_after_s(upstream, nonce, left_s) for nonce in nonces]) < CLOSED_WITHIN_S


@pytest.mark.parametrize("moment", ["midway_provisional", "after_the_commit"])
async def test_a_client_process_that_is_killed_takes_its_stream_with_it(
    plans: Plans, upstream: MockUpstream, nonce: str, tmp_path: Path, moment: str
) -> None:
    when, request = MOMENTS[moment], tmp_path / "request.json"
    answers = Answers(upstream, nonce, when)
    request.write_text(json.dumps(prompt_fields(answers.prompt) | when.fields))
    delivery = next(iter(when.delivery)).replace("_", "-")
    options = ["--stream", "--json", "--delivery", delivery, "--request", str(request)]
    command = [sys.executable, "-m", "specroute", "route", "--server", plans.race.app.addresses.serving, *options]

    async with await anyio.open_process(command) as process:
        assert process.stdout is not None
        event, times = when.reads
        seen = b""
        with anyio.fail_after(STARTED_WITHIN_S):
            while seen.count(b'"%s"' % event.encode()) < times:
                seen += await process.stdout.receive()
        await answers.until_flowing(*(["mini"] if when.commits else ["mini", "large"]))
        left_s = time.monotonic()
        process.kill()

        assert await closed_after_s(upstream, nonce, left_s) < CLOSED_WITHIN_S


@dataclass(frozen=True)
class Hurried:
    """Services that give a request less time than any answer takes here."""

    direct: Service
    race: Service


@pytest.fixture(scope="module")
async def hurried(upstream: MockUpstream) -> AsyncIterator[Hurried]:
    hurry = {"default": "500ms", "max": "500ms"}
    async with (
        serving(config(upstream.base_url, prior=0.95, deadline=hurry)) as direct,
        serving(config(upstream.base_url, deadline=hurry)) as race,
    ):
        yield Hurried(direct, race)


@pytest.mark.parametrize("plan", ["direct", "race"])
@pytest.mark.parametrize("moment", ENDED_BY_TIME)
async def test_the_deadline_ends_a_stream_with_a_status_that_says_what_was_told(
    hurried: Hurried, upstream: MockUpstream, nonce: str, plan: str, moment: str
) -> None:
    client, when = getattr(hurried, plan).client, MOMENTS[moment]
    call = open_stream(client, Answers(upstream, nonce, when).prompt, when.delivery, **when.fields)
    record = StreamRecord()

    await record.read_all(client, call)
    ended_s = time.monotonic()

    assert record.failed is not None
    assert (record.failed.code.name, record.failed.reason) == ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")
    assert (record.committed is not None) == when.commits
    assert bool(record.texts) == (when.commits or moment == "midway_provisional")
    assert await closed_after_s(upstream, nonce, ended_s) < CLOSED_WITHIN_S


@pytest.mark.parametrize("moment", ENDED_BY_TIME)
async def test_a_client_deadline_ends_a_stream_and_closes_its_calls(
    plans: Plans, upstream: MockUpstream, nonce: str, moment: str
) -> None:
    client, when = plans.race.client, MOMENTS[moment]
    call = open_stream(client, Answers(upstream, nonce, when).prompt, when.delivery, timeout_s=0.5, **when.fields)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await StreamRecord().read_until(call, "completed")
    ended_s = time.monotonic()

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await closed_after_s(upstream, nonce, ended_s) < CLOSED_WITHIN_S
