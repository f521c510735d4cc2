"""Callers that stop reading: each is given up at the stall timeout, costs little memory and holds no upstream call."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from tests.integration.conftest import config, new_nonce, scrape, serving, two_tiers
from tests.integration.mock_upstream import MockUpstream, Script, drips, pours, says
from tests.integration.reflection_client import ReflectionClient, prompt_fields
from tests.integration.service_process import service_process
from tests.integration.stalled_reader import WINDOW_BYTES, StalledCall, StalledReader
from tests.integration.stream_calls import COMMITTED, PROVISIONAL, StreamRecord, open_stream

if TYPE_CHECKING:
    from google.protobuf.message import Message

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

STALL_S = 0.3
ENDED_WITHIN_S = 3.0
"""How much later than the stall timeout a stream may end on a machine that is busy with other things."""
PIECE = "and so it goes on, " * 400
MOST_GROWTH_BYTES = 50e6
"""Of a process with 200 stalled readers."""


def patient(base_url: str, stall_s: float, **sections: Any) -> dict[str, Any]:
    """Returns a configuration that has room for many stalled streams."""
    return config(
        base_url,
        tiers=two_tiers(base_url, max_concurrency=512),
        limits={"max_in_flight": 512},
        streaming={"write_stall_timeout": f"{stall_s * 1000:.0f}ms"},
        **sections,
    )


def rss_bytes(pid: int) -> int:
    """Returns the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


class Stalled:
    """Readers that stalled, each on a connection of its own or all on one."""

    def __init__(self, client: ReflectionClient, address: str, upstream: MockUpstream) -> None:
        self._client = client
        self._address = address
        self._upstream = upstream
        self.readers: list[StalledReader] = []
        self.calls: list[StalledCall] = []
        self.nonces: list[str] = []

    async def stall(
        self, count: int, *, connections: int, script: Script, delivery: dict[str, Any], **fields: Any
    ) -> None:
        self.readers = [await StalledReader.connect(self._address) for _ in range(connections)]
        for index in range(count):
            nonce = new_nonce()
            prompt = self._upstream.on(nonce, mini=script, large=script)
            request = self._client.request(
                {"request": prompt_fields(prompt) | fields} | delivery, "RouteStreamRequest"
            ).SerializeToString()
            self.calls.append(self.readers[index % connections].call(request))
            self.nonces.append(nonce)

    async def until_given_up(self, metrics_address: str) -> list[float]:
        """Waits until the service has given up every stream; returns how long each upstream call had lasted.

        A reader that shares a connection with stalled ones may be given up before any upstream was called for it.
        """
        await until_idle(metrics_address, len(self.calls))
        await self._upstream.until(lambda: not self._upstream.open_calls())
        calls = [call for nonce in self.nonces for call in self._upstream.calls_of(nonce)]
        assert all(call.closed_s is not None for call in calls)
        return sorted((call.closed_s or 0.0) - call.received_s for call in calls)

    async def come_back(self) -> None:
        """Reads every call to its end."""
        for reader in self.readers:
            reader.read_on()
        for reader in self.readers:
            await reader.until_ended()

    def close(self) -> None:
        for reader in self.readers:
            reader.close()

    def events(self, call: StalledCall) -> list[Any]:
        kind: type[Message] = self._client.type("RouteStreamResponse")
        return [kind.FromString(message) for message in call.messages]

    def check_told(self) -> None:
        """Asserts that every caller is told why its stream ended, and how much of the answer it had been sent."""
        for call in self.calls:
            status = Status.FromString(call.status_details)
            details = {detail.type_url.rpartition("/")[2]: detail.value for detail in status.details}
            reason = ErrorInfo.FromString(details["google.rpc.ErrorInfo"]).reason
            assert (call.status, reason) == (grpc.StatusCode.ABORTED.value[0], "READER_STALLED")
            events = self.events(call)
            names = [event.WhichOneof("event") for event in events]
            assert names[0] == "decided"
            assert ("specroute.v1.PartialDelivery" in details) == ("committed" in names)
            if "committed" in names:
                partial: Any = self._client.type("PartialDelivery").FromString(details["specroute.v1.PartialDelivery"])
                assert partial.output_bytes == sum(len(event.delta.text.encode()) for event in events)


def is_stalled(sample: str) -> bool:
    return sample.startswith("specroute_requests_total{") and 'outcome="reader_stalled"' in sample


async def until_idle(metrics_address: str, stalled: int) -> None:
    """Waits until the service has counted ``stalled`` streams as such, and runs no upstream call."""
    with anyio.fail_after(30):
        while True:
            samples = await scrape(metrics_address)
            given_up = sum(value for name, value in samples.items() if is_stalled(name))
            running = sum(value for name, value in samples.items() if name.startswith("specroute_inflight{"))
            if (given_up, running) == (stalled, 0.0):
                return
            assert given_up <= stalled
            await anyio.sleep(0.05)


async def warm_up(client: ReflectionClient, upstream: MockUpstream, count: int) -> None:
    """Runs a few streams of ordinary readers, so that what the first ones cost is not taken for growth."""
    for _ in range(count):
        prompt = upstream.on(new_nonce(), mini=says(PIECE, PIECE, PIECE, between_s=0.001))
        record = StreamRecord()
        await record.read_all(client, open_stream(client, prompt, COMMITTED))
        assert record.completed is not None


@pytest.mark.parametrize("connections", [20, 1])
async def test_each_of_20_stalled_readers_is_given_up_and_told_so_when_it_comes_back(
    upstream: MockUpstream, connections: int
) -> None:
    async with service_process(patient(upstream.base_url, STALL_S, prior=0.95)) as process:
        client = await ReflectionClient.connect(process.address)
        await warm_up(client, upstream, 20)
        before = rss_bytes(process.process.pid)
        stalled = Stalled(client, process.address, upstream)

        await stalled.stall(20, connections=connections, script=pours(PIECE), delivery=COMMITTED)
        lasted_s = await stalled.until_given_up(process.metrics_address)
        grown = rss_bytes(process.process.pid) - before
        await stalled.come_back()

        print(f"lasted {lasted_s[0]:.3f} to {lasted_s[-1]:.3f} s, memory grew by {grown / 1e6:.1f} MB")  # noqa: T201
        assert lasted_s[0] >= STALL_S
        assert lasted_s[-1] < STALL_S + ENDED_WITHIN_S
        assert grown < MOST_GROWTH_BYTES / 5
        stalled.check_told()
        stalled.close()
        await client.close()
        assert await process.stop() == 0


async def test_a_reader_that_stalls_before_the_commit_closes_both_calls(upstream: MockUpstream) -> None:
    async with serving(patient(upstream.base_url, STALL_S)) as service:
        stalled = Stalled(service.client, service.app.addresses.serving, upstream)
        undecided = {"output": {"regex": {"pattern": "(?s).*the end"}}}

        await stalled.stall(3, connections=3, script=drips("x" * 20_000), delivery=PROVISIONAL, **undecided)
        await stalled.until_given_up(service.app.addresses.metrics)
        await stalled.come_back()

        assert [len(upstream.calls_of(nonce)) for nonce in stalled.nonces] == [2, 2, 2]
        stalled.check_told()
        assert not any(event.HasField("committed") for call in stalled.calls for event in stalled.events(call))
        stalled.close()


async def test_a_reader_that_is_only_slow_is_served_to_the_end(upstream: MockUpstream) -> None:
    async with serving(patient(upstream.base_url, 5.0, prior=0.95)) as service:
        stalled = Stalled(service.client, service.app.addresses.serving, upstream)

        await stalled.stall(1, connections=1, script=says(*[PIECE] * 40), delivery=COMMITTED)
        await stalled.readers[0].until(lambda: len(stalled.calls[0].body) > WINDOW_BYTES - len(PIECE))
        await stalled.come_back()

        (call,) = stalled.calls
        assert call.status == grpc.StatusCode.OK.value[0]
        events = stalled.events(call)
        assert events[-1].completed.output.text == PIECE * 40
        assert "".join(event.delta.text for event in events) == PIECE * 40
        stalled.close()


@pytest.mark.soak
async def test_200_stalled_readers_cost_less_than_50_mb(upstream: MockUpstream) -> None:
    stall_s = 5.0
    async with service_process(patient(upstream.base_url, stall_s, prior=0.95)) as process:
        client = await ReflectionClient.connect(process.address)
        await warm_up(client, upstream, 100)
        before, most = rss_bytes(process.process.pid), 0
        stalled = Stalled(client, process.address, upstream)

        await stalled.stall(200, connections=200, script=pours(PIECE), delivery=COMMITTED)
        began_s = time.monotonic()
        while time.monotonic() < began_s + stall_s:
            most = max(most, rss_bytes(process.process.pid))
            await anyio.sleep(0.1)
        lasted_s = await stalled.until_given_up(process.metrics_address)
        after = rss_bytes(process.process.pid)
        await stalled.come_back()

        print(  # noqa: T201
            f"200 stalled readers lasted {lasted_s[0]:.2f} to {lasted_s[-1]:.2f} s; "
            f"memory {before / 1e6:.0f} MB before, {most / 1e6:.0f} at most, {after / 1e6:.0f} after"
        )
        assert most - before < MOST_GROWTH_BYTES
        assert lasted_s[0] >= stall_s
        assert lasted_s[-1] < stall_s + ENDED_WITHIN_S
        stalled.check_told()
        stalled.close()
        await client.close()
