"""Tiers, service and clients in one process: HTTP and gRPC over loopback sockets, no keys, no network.

Every policy gets a service of its own, and every service the same requests, so that rows of the table differ by the
policy alone: a tier's answer and pace depend on seed and prompt only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import anyio

from specroute.app import running
from specroute.edge.client.aio import RouteFailed, RouterClient
from specroute.upstreams.simulated.http.server import Simulator, SimulatorSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from specroute.demo.policies import PolicyUnderTest
    from specroute.edge.client.aio import Answered, Receipt
    from specroute.load.cases import Case
    from specroute.upstreams.simulated.answers import AnswerBook
    from specroute.upstreams.simulated.profile import TierProfile


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How the demo runs.

    Attributes:
        concurrency: requests in flight, >= 1.
        deadline_s: deadline of every request, > 0.
        speed: divides the tiers' delays, > 0.
        seed: of the tiers' answers, pace and mistakes.
        model: folder of the predictor; ``None``: a fixed prior.
    """

    concurrency: int = 32
    deadline_s: float = 5.0
    speed: float = 1.0
    seed: int = 0
    model: Path | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How one case went under one policy.

    Attributes:
        answer: ``None`` where the call failed.
        failure: ``ErrorInfo.reason`` or the status code; "" where it was answered.
        receipt: ``None`` only where the call failed before anything was decided.
        latency_s: as the client saw it.
        is_right, is_from_its_tier: as the case says; false and true where the call failed.
    """

    case: Case
    latency_s: float
    answer: Answered | None
    receipt: Receipt | None
    failure: str = ""
    is_right: bool = False
    is_from_its_tier: bool = True


@dataclass(slots=True)
class PolicyRun:
    """The results of one policy by the case's index; it fills while the demo runs."""

    policy: str
    expected: int
    results: dict[int, Result] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether every case has its result."""
        return len(self.results) == self.expected


class Progress(Protocol):
    """Told how far the demo is."""

    def started(self, policy: str, total: int) -> None:
        """``total`` requests of ``policy`` are about to be sent."""
        ...

    def advanced(self, policy: str) -> None:
        """One more of them is over."""
        ...

    def finished(self, policy: str) -> None:
        """All of them are over."""
        ...


@dataclass(slots=True)
class Demo:
    """One comparison: ``runs`` gets one entry per policy as soon as it starts, so that a part of it can be shown."""

    cases: Sequence[Case]
    policies: Sequence[PolicyUnderTest]
    book: AnswerBook
    tiers: Sequence[TierProfile]
    options: DemoOptions
    runs: list[PolicyRun] = field(default_factory=list)
    is_stopped: bool = False
    _sending: anyio.CancelScope | None = None

    def stop(self) -> None:
        """Sends nothing more and gives up what is in flight: ``run`` returns soon. Services still start and stop."""
        self.is_stopped = True
        if self._sending is not None:
            self._sending.cancel()

    async def run(self, progress: Progress) -> None:
        """Sends every case under every policy, one policy after the other.

        Raises:
            ConfigError, ValueError: the predictor cannot be used.
            OSError: no loopback socket can be had.
        """
        options = self.options
        simulator = Simulator(SimulatorSettings(self.tiers, self.book, seed=options.seed, speed=options.speed))
        async with simulator:
            # All of them before the first request: what is wrong with one is said at once.
            settings = [
                policy.settings(simulator.base_url, model=options.model, max_in_flight=2 * options.concurrency)
                for policy in self.policies
            ]
            for policy, service in zip(self.policies, settings, strict=True):
                if self.is_stopped:
                    return
                run = PolicyRun(policy.name, len(self.cases))
                self.runs.append(run)
                progress.started(policy.name, run.expected)
                async with running(service) as app, RouterClient(app.addresses.serving) as client:
                    await self._send_all(client, run, progress)
                progress.finished(policy.name)

    async def _send_all(self, client: RouterClient, run: PolicyRun, progress: Progress) -> None:
        waiting = iter(enumerate(self.cases))
        async with anyio.create_task_group() as group:
            self._sending = group.cancel_scope
            if self.is_stopped:
                return
            for _ in range(self.options.concurrency):
                group.start_soon(self._send_some, client, run, waiting, progress)

    async def _send_some(
        self, client: RouterClient, run: PolicyRun, waiting: Iterator[tuple[int, Case]], progress: Progress
    ) -> None:
        for index, case in waiting:
            run.results[index] = await ask(client, case, deadline_s=self.options.deadline_s)
            progress.advanced(run.policy)


async def ask(client: RouterClient, case: Case, *, deadline_s: float) -> Result:
    """Sends one case and grades its answer."""
    start_s = time.perf_counter()
    try:
        answer = await client.route(case.request, timeout_s=deadline_s)
    except RouteFailed as error:
        spent_s = time.perf_counter() - start_s
        return Result(case, spent_s, None, error.receipt, failure=error.reason or error.code)
    spent_s = time.perf_counter() - start_s
    right, genuine = case.is_right(answer), case.is_from_its_tier(answer)
    return Result(case, spent_s, answer, answer.receipt, is_right=right, is_from_its_tier=genuine)
