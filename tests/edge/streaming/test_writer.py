"""Writing to a reader: one that is slow, one that stalls, one that goes."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

import anyio
import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specroute.core.stream import Delta
from specroute.edge.streaming.writer import CANCEL_WAIT_S, StreamWriter
from specroute.v1 import router_pb2 as pb
from tests.edge.virtual_time import VirtualLoop, loop, on_virtual_loop

pytestmark = pytest.mark.anyio

STALL_S = 1.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@dataclass
class FakeReader:
    """Takes each message after so many seconds, or raises; ``begun`` counts the writes, ``taken`` are the messages."""

    takes_s: list[float] = field(default_factory=list)
    raises: BaseException | None = None
    begun: int = 0
    taken: list[bytes] = field(default_factory=list)

    async def write(self, message: bytes, /) -> None:
        takes_s = self.takes_s[self.begun] if self.begun < len(self.takes_s) else 0.0
        self.begun += 1
        await anyio.lowlevel.checkpoint()
        if self.raises is not None:
            raise self.raises
        await anyio.sleep(takes_s)
        self.taken.append(message)


async def test_an_event_is_written_as_its_message() -> None:
    reader = FakeReader()
    with StreamWriter(reader, STALL_S) as writer:
        assert await writer.send(Delta(1, "Hi", provisional=True))

    (data,) = reader.taken
    message = pb.RouteStreamResponse.FromString(data)
    assert (message.delta.leg, message.delta.text, message.delta.provisional) == (1, "Hi", True)


async def test_a_reader_that_takes_nothing_has_stalled_after_the_timeout() -> None:
    reader = FakeReader([0.0, float("inf")])
    with StreamWriter(reader, STALL_S) as writer:
        assert await writer.send(Delta(0, "taken"))
        began_s = loop().time()
        assert not await writer.send(Delta(0, "stuck"))
        assert loop().time() - began_s == pytest.approx(STALL_S)


async def test_after_a_stall_nothing_is_written_any_more() -> None:
    reader = FakeReader([float("inf")])
    with StreamWriter(reader, STALL_S) as writer:
        assert not await writer.send(Delta(0, "stuck"))
        assert not await writer.send(Delta(0, "after"))
        assert not await writer.write(b"after")

    assert (reader.begun, reader.taken) == (1, [])


@given(takes_s=st.lists(st.floats(0.0, 0.99 * STALL_S) | st.floats(1.01 * STALL_S, 2 * STALL_S), max_size=20))
def test_only_a_single_write_counts_however_slow_the_reader_is_in_all(takes_s: list[float]) -> None:
    async def story() -> tuple[list[bool], float]:
        with StreamWriter(FakeReader(takes_s), STALL_S) as writer:
            told = [await writer.send(Delta(0, "x")) for _ in takes_s]
            return told, loop().time()

    told, ended_s = on_virtual_loop(story)

    in_time = list(itertools.takewhile(lambda took_s: took_s < STALL_S, takes_s))
    assert told == [True] * len(in_time) + [False] * (len(takes_s) - len(in_time))
    assert ended_s == pytest.approx(sum(in_time) + (STALL_S if len(in_time) < len(takes_s) else 0.0), abs=1e-6)


async def test_one_timer_serves_all_the_writes_of_a_stall_timeout() -> None:
    with StreamWriter(FakeReader(), STALL_S) as writer:
        before = len(loop().timers)
        for _ in range(1_000):
            assert await writer.send(Delta(0, "x"))
        assert len(loop().timers) == before + 1


async def test_no_timer_outlives_the_stream() -> None:
    with StreamWriter(FakeReader(), STALL_S) as writer:
        assert await writer.send(Delta(0, "x"))
    assert all(timer.cancelled() for timer in loop().timers)


async def test_the_time_between_two_writes_is_no_stall() -> None:
    reader = FakeReader([0.0, STALL_S / 2])
    with StreamWriter(reader, STALL_S) as writer:
        assert await writer.send(Delta(0, "x"))
        await anyio.sleep(STALL_S * 0.9)
        assert await writer.send(Delta(0, "y"))
        await anyio.sleep(STALL_S * 10)
        assert await writer.send(Delta(0, "z"))


async def test_after_a_write_that_a_scope_cut_in_half_nothing_is_written() -> None:
    reader = FakeReader([STALL_S / 2])
    with StreamWriter(reader, STALL_S) as writer:
        with anyio.move_on_after(STALL_S / 4) as scope:
            assert await writer.send(Delta(0, "x"))
        assert scope.cancelled_caught
        assert loop().time() == pytest.approx(STALL_S / 4)
        assert not await writer.send(Delta(0, "y"))
        assert len(reader.taken) == 0


async def test_a_stall_leaves_no_cancellation_behind() -> None:
    with StreamWriter(FakeReader([float("inf")]), STALL_S) as writer:
        assert not await writer.send(Delta(0, "x"))
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await anyio.sleep(STALL_S)


async def test_the_rpcs_own_cancellation_passes_through_a_write() -> None:
    with StreamWriter(FakeReader([float("inf")]), STALL_S) as writer:
        task = asyncio.create_task(writer.send(Delta(0, "x")))
        loop().call_later(STALL_S / 2, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert loop().time() == pytest.approx(STALL_S / 2)
        assert not await writer.send(Delta(0, "after"))


@pytest.mark.parametrize(
    "error", [grpc.aio.InternalError("Failed"), grpc.aio.UsageError("RPC already finished."), asyncio.CancelledError()]
)
async def test_a_write_that_grpc_refuses_means_that_the_reader_has_gone(error: BaseException) -> None:
    reader = FakeReader(raises=error)
    with StreamWriter(reader, STALL_S) as writer:
        assert not await writer.send(Delta(0, "x"))
        assert not await writer.send(Delta(0, "y"))
    assert reader.begun == 1
    assert loop().time() == pytest.approx(CANCEL_WAIT_S)


async def test_a_client_that_cancels_while_it_is_written_to_is_told_by_the_cancellation() -> None:
    with StreamWriter(FakeReader(raises=grpc.aio.InternalError("Failed")), STALL_S) as writer:
        task = asyncio.create_task(writer.send(Delta(0, "x")))
        loop().call_later(CANCEL_WAIT_S / 2, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_error_that_is_not_grpcs_is_not_hidden() -> None:
    with (
        StreamWriter(FakeReader(raises=ValueError("a bug")), STALL_S) as writer,
        pytest.raises(ValueError, match="a bug"),
    ):
        await writer.send(Delta(0, "x"))
