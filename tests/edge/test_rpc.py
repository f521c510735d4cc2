"""What stands around every RPC: whatever happens inside, there is a reply or one status."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NoReturn

import anyio
import grpc
import pytest

from specroute.core.errors import NoEligibleTier, Overloaded, RouteError
from specroute.edge.rpc import STATUS_WAIT_S, Border, end_stream, request_id
from specroute.edge.statuses import WireError, internal_error
from tests.edge.test_replies import a_decision
from tests.edge.virtual_time import VirtualLoop, loop
from tests.fakes import RecordingTelemetry

pytestmark = pytest.mark.anyio

ERROR = WireError(grpc.StatusCode.ABORTED, "stalled", (("k", "v"),))


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@dataclass
class Bench:
    """A border with everything it tells of."""

    telemetry: RecordingTelemetry = field(default_factory=RecordingTelemetry)
    bugs: list[tuple[str, BaseException]] = field(default_factory=list)

    @property
    def border(self) -> Border:
        return Border(self.telemetry, lambda identity, error: self.bugs.append((identity, error)))


async def gives(value: str) -> str:
    return value


async def fails(error: BaseException) -> str:
    raise error


async def test_a_reply_passes() -> None:
    assert await Bench().border.outcome(gives("reply")) == "reply"


@pytest.mark.parametrize("error", [Overloaded("full"), NoEligibleTier("none", a_decision())])
async def test_an_expected_failure_becomes_its_status(error: RouteError) -> None:
    bench = Bench()

    outcome = await bench.border.outcome(fails(error))

    assert isinstance(outcome, WireError)
    assert outcome.code.name == error.code
    assert bench.telemetry.refusals == ([] if error.decision else ["overloaded"])
    assert bench.bugs == []


@pytest.mark.parametrize("bug", [ValueError("secret prompt"), asyncio.CancelledError()])
async def test_a_bug_becomes_internal_and_is_reported(bug: BaseException) -> None:
    bench = Bench()
    request_id.set("r-7")

    outcome = await bench.border.outcome(fails(bug))

    assert outcome == internal_error("r-7")
    assert bench.bugs == [("r-7", bug)]


async def test_the_rpcs_own_cancellation_passes() -> None:
    bench = Bench()
    task = asyncio.create_task(bench.border.outcome(anyio.sleep_forever()))
    loop().call_later(1.0, task.cancel)

    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.bugs == []


@dataclass
class FakeCall:
    """An RPC whose status takes so long to leave, or cannot leave at all."""

    takes_s: float = 0.0
    raises: Exception | None = None
    told: list[tuple[object, ...]] = field(default_factory=list)

    async def abort(
        self, code: grpc.StatusCode, details: str, trailing_metadata: tuple[tuple[str, str | bytes], ...], /
    ) -> NoReturn:
        self.told.append((code, details, trailing_metadata))
        await anyio.sleep(self.takes_s)
        raise self.raises or grpc.aio.AbortError("Locally aborted.")


async def test_a_stream_is_ended_as_grpc_wants_it() -> None:
    call = FakeCall()

    with pytest.raises(grpc.aio.AbortError):
        await end_stream(call, ERROR)

    assert call.told == [(ERROR.code, ERROR.message, ERROR.trailing_metadata)]


async def test_a_reader_that_does_not_take_the_status_is_left_soon() -> None:
    await end_stream(FakeCall(takes_s=float("inf")), ERROR)

    assert loop().time() == pytest.approx(STATUS_WAIT_S)


async def test_a_client_that_has_gone_is_not_told() -> None:
    await end_stream(FakeCall(raises=grpc.aio.InternalError("Failed")), ERROR)


async def test_a_cancellation_while_the_status_leaves_passes() -> None:
    task = asyncio.create_task(end_stream(FakeCall(takes_s=float("inf")), ERROR))
    loop().call_later(STATUS_WAIT_S / 2, task.cancel)

    with pytest.raises(asyncio.CancelledError):
        await task
