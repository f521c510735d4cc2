"""The finalists live: services of this process under open-loop load over sockets, against simulated tiers.

Every finalist has a service of its own and gets the same requests at the same times. They take turns, a block of
requests each, so that whatever else the machine does meets all of them.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.app import running
from specroute.core.outcome import AttemptEnd
from specroute.load.arrivals import poisson
from specroute.load.generator import LoadOptions, run_open_loop
from specroute.tuning.confirm.compared import Call
from specroute.upstreams.simulated.http.server import Simulator, SimulatorSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from specroute.edge.client.aio import Receipt
    from specroute.load.generator import CallRecord
    from specroute.load.recorded_cases import RecordedCase
    from specroute.tuning.confirm.finalists import Finalist
    from specroute.tuning.recommended.template import Shape
    from specroute.upstreams.simulated.answers import AnswerBook
    from specroute.upstreams.simulated.latency import LatencyModel

BLOCKS, WARM_UP = 4, 4
TOKENS_PER_DELTA = 10
"""Of the simulated streams: in fast motion finer ones would measure what it takes to write and read them."""
DEADLINE_S = 120.0
_NANO = 1e-9


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How the load is made.

    Attributes:
        requests: to each finalist, >= 1.
        rate_per_s: at which they are sent, on the wall clock, > 0.
        speed: divides the tiers' delays; what is reported is multiplied back; > 0.
    """

    requests: int = 200
    rate_per_s: float = 20.0
    speed: float = 5.0

    def __post_init__(self) -> None:
        if self.requests < 1:
            raise ValueError("--live-requests must be at least 1")
        if not 0.0 < self.rate_per_s < float("inf"):
            raise ValueError("--live-rate must be more than 0 requests per second")
        if not 0.0 < self.speed < float("inf"):
            raise ValueError("--live-speed must be more than 0")


@dataclass(frozen=True, slots=True)
class Stage:
    """What the finalists play on.

    Attributes:
        cases: one request each, in the order of sending.
        book: what the tiers answer.
        seed: of the latencies, as in the replay, and of the arrivals.
        certificate: the file that a certified finalist is served by.
    """

    shape: Shape
    cases: Sequence[RecordedCase]
    book: AnswerBook
    latency: LatencyModel
    seed: int
    certificate: Path | None


async def run_live(
    finalists: Sequence[Finalist],
    stage: Stage,
    options: LiveOptions,
    calls: Mapping[str, list[Call]],
    advance: Callable[[int], None],
) -> None:
    """Sends every case to every finalist.

    Args:
        finalists: who.
        stage: what on.
        options: how.
        calls: finalist's name -> a list that gets what came of each request, block by block.
        advance: told how many requests have come to their end.

    Raises:
        ConfigError, SettingRefused: a service cannot be made.
        OSError: no loopback socket can be had.
    """
    simulated = SimulatorSettings(
        book=stage.book,
        latency=stage.latency,
        seed=stage.seed,
        speed=options.speed,
        tokens_per_delta=TOKENS_PER_DELTA,
    )
    async with Simulator(simulated) as simulator, AsyncExitStack() as stack:
        addresses = {}
        for finalist in finalists:
            settings = finalist.settings(
                stage.shape, stage.certificate, base_url=simulator.base_url, speed=options.speed
            )
            app = await stack.enter_async_context(running(settings))
            addresses[finalist.name] = app.addresses.serving
            # The first calls of a service pay for connections that later ones find open.
            await run_open_loop(LoadOptions(addresses[finalist.name]), stage.cases[:WARM_UP], [0.0] * WARM_UP)
        for number, block in enumerate(_blocks(stage.cases)):
            times = poisson(options.rate_per_s, count=len(block), seed=stage.seed + number)
            for name in _turned(list(addresses), number):
                load = LoadOptions(addresses[name], deadline_s=DEADLINE_S / options.speed)
                run = await run_open_loop(load, block, times)
                calls[name].extend(_call(record, options.speed) for record in run.records)
                advance(len(block))


def _blocks(cases: Sequence[RecordedCase]) -> list[Sequence[RecordedCase]]:
    parts = np.array_split(np.arange(len(cases)), BLOCKS)
    return [[cases[at] for at in part] for part in parts if part.size]


def _turned(names: list[str], number: int) -> list[str]:
    """Returns the names in another order for every block: nobody is always first."""
    first = number % len(names)
    return names[first:] + names[:first]


def _call(record: CallRecord, speed: float) -> Call:
    answer, receipt = record.answer, record.receipt
    cost_nano_usd = 0 if receipt is None else receipt.money.delivered_nano_usd + receipt.money.waste_nano_usd
    return Call(
        prompt=record.case.request.messages[-1].content,
        plan=_plan(receipt),
        tier="" if answer is None else answer.tier,
        is_right=record.is_right,
        cost_usd=_NANO * cost_nano_usd,
        latency_s=speed * (record.done_s - record.intended_s),
        late_s=speed * (record.sent_s - record.intended_s),
    )


def _plan(receipt: Receipt | None) -> str:
    if receipt is None or receipt.plan is None:
        return ""
    called = [attempt for attempt in receipt.attempts if attempt.end is not AttemptEnd.NOT_LAUNCHED]
    first = min(called, key=lambda attempt: attempt.launched_after_s, default=None)
    return f"{receipt.plan.value} {'' if first is None else first.tier}".rstrip()
