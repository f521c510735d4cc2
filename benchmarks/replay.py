"""Prints how fast recorded outcomes are replayed, and with --live how well a replay agrees with the running service.

The live run has everything over loopback sockets in this process: simulated tiers with the same answers at the same
pace, the service, and gRPC clients, 16 requests in flight. Rows that the model has learnt from are left out of it: the
service would score them with the model that knows them.

Usage: ``python -m benchmarks.replay [--outcomes FILE] [--config FILE] [--pair P] [--latency NAME] [--limit N] [--live]
[--speed FACTOR]``; outcomes default to $SPECROUTE_OUTCOMES, the configuration to config.example.yaml.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import numpy as np

from specroute.app import running
from specroute.config import Address, load_settings
from specroute.core.request import Message, Role, RouteRequest
from specroute.edge.client.aio import RouteFailed, RouterClient
from specroute.learn.dataset import read_outcomes
from specroute.replay.answers import ROLES, usable_rows
from specroute.replay.run import replay
from specroute.replay.scores import Scores
from specroute.telemetry.logs import configure_logs
from specroute.upstreams.simulated.http.server import Simulator, SimulatorSettings
from specroute.upstreams.simulated.latency import latency_model
from specroute.upstreams.simulated.recorded import COLUMNS, RecordedOutcomes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from specroute.config import Settings
    from specroute.edge.client.receipts import Receipt
    from specroute.learn.dataset import Outcome
    from specroute.replay.run import ReplayRun
    from specroute.upstreams.simulated.latency import LatencyModel

CONCURRENCY = 16
DEADLINE_S = 120.0


@dataclass(frozen=True, slots=True)
class LiveRow:
    """What the client of one live request saw; ``delivered_tier`` "": it failed."""

    plan: str
    first_tier: str
    delivered_tier: str
    latency_s: float
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a replay compares with the same requests live; shares are of the requests, live latency is at speed 1."""

    n: int
    same_plan: float
    same_tier: float
    quality_replayed: float
    quality_live: float
    p50_replayed_s: float
    p50_live_s: float
    p50_ratio: float
    p99_ratio: float
    cost_ratio: float


async def ask_live(
    settings: Settings, rows: Sequence[Outcome], *, pair: str, latency: LatencyModel, seed: int, speed: float
) -> list[LiveRow]:
    """Sends ``rows`` to a service with the policy of ``settings`` and simulated tiers."""
    recorded = [{column: getattr(row, column) for column in COLUMNS} for row in rows]
    book = RecordedOutcomes(recorded, path="", pair=pair)
    simulator = Simulator(SimulatorSettings(book=book, seed=seed, speed=speed, latency=latency))
    found: dict[int, LiveRow] = {}
    waiting = iter(enumerate(rows))
    async with (
        simulator,
        running(called_at(settings, simulator.base_url)) as app,
        RouterClient(app.addresses.serving) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(CONCURRENCY):
            group.start_soon(_ask_some, client, waiting, settings.tier_names, speed, found)
    return [found[index] for index in range(len(rows))]


def called_at(settings: Settings, base_url: str) -> Settings:
    """Returns ``settings`` with every upstream at ``base_url``, on ports of the system's choice."""
    tiers = tuple(
        tier.model_copy(
            update={
                "upstreams": tuple(
                    each.model_copy(update={"base_url": base_url, "model": role}) for each in tier.upstreams
                )
            }
        )
        for tier, role in zip(settings.tiers, ROLES, strict=True)
    )
    anywhere = Address("127.0.0.1", 0)
    return settings.model_copy(update={"tiers": tiers, "listen": anywhere, "metrics_listen": anywhere})


def agreement(run: ReplayRun, live: Sequence[LiveRow]) -> Agreement:
    """Compares the rows of a replay with the same rows live."""
    pairs = list(zip(run.played, live, strict=True))
    right = [_is_right(played.row, one.delivered_tier) for played, one in pairs]
    replayed_s = np.array([played.latency_s for played, _ in pairs])
    live_s = np.array([one.latency_s for _, one in pairs])
    ratios = np.quantile(live_s, [0.5, 0.99]) / np.quantile(replayed_s, [0.5, 0.99])
    return Agreement(
        n=len(pairs),
        same_plan=_share((played.plan, played.first_tier) == (one.plan, one.first_tier) for played, one in pairs),
        same_tier=_share(played.delivered_tier == one.delivered_tier for played, one in pairs),
        quality_replayed=_share(played.correct for played, _ in pairs),
        quality_live=_share(right),
        p50_replayed_s=float(np.median(replayed_s)),
        p50_live_s=float(np.median(live_s)),
        p50_ratio=float(ratios[0]),
        p99_ratio=float(ratios[1]),
        cost_ratio=sum(one.cost_usd for _, one in pairs) / sum(played.cost_usd for played, _ in pairs),
    )


async def _ask_some(
    client: RouterClient,
    waiting: Iterator[tuple[int, Outcome]],
    tier_names: tuple[str, ...],
    speed: float,
    found: dict[int, LiveRow],
) -> None:
    roles = dict(zip(tier_names, ROLES, strict=True))
    for index, row in waiting:
        request = RouteRequest("", (Message(Role.USER, row.prompt),))
        began_s = time.perf_counter()
        tier = ""
        receipt: Receipt | None
        try:
            answer = await client.route(request, timeout_s=DEADLINE_S)
            receipt, tier = answer.receipt, roles[answer.tier]
        except RouteFailed as error:
            receipt = error.receipt
        spent_s = speed * (time.perf_counter() - began_s)
        if receipt is None or receipt.plan is None:
            raise SystemExit(f"request {index} failed before it was planned")
        cost_usd = 1e-9 * (receipt.money.delivered_nano_usd + receipt.money.waste_nano_usd)
        found[index] = LiveRow(receipt.plan.value, roles[receipt.attempts[0].tier], tier, spent_s, cost_usd)


def _is_right(row: Outcome, tier: str) -> bool:
    return bool(tier and (row.mini_correct if tier == ROLES[0] else row.large_correct))


def _share(flags: Iterator[bool] | Sequence[bool]) -> float:
    return float(np.mean(list(flags)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--outcomes", type=Path, default=os.environ.get("SPECROUTE_OUTCOMES"))
    parser.add_argument("--config", type=Path, default=Path("config.example.yaml"))
    parser.add_argument("--pair", default="gpt-4o-mini|gpt-4o")
    parser.add_argument("--latency", default="mini-fast")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--speed", type=float, default=1.0)
    given = parser.parse_args()
    if given.outcomes is None:
        parser.error("give recorded outcomes: --outcomes FILE, or set SPECROUTE_OUTCOMES")
    configure_logs("error")
    settings, latency = load_settings(given.config, None), latency_model(given.latency)
    usable = usable_rows(read_outcomes(given.outcomes), pair=given.pair, limit=given.limit, seed=given.seed)
    scores = Scores(given.pair)
    rows = usable.rows
    if given.live:
        rows = tuple(row for row in rows if not scores.learnt_from(settings, [row]))
    for what in ("scoring each row", "scores known"):
        began_s = time.perf_counter()
        run = replay(
            settings, rows, pair=given.pair, latency=latency, seed=given.seed, deadline_s=DEADLINE_S,
            advance=lambda: None, scores=scores,
        )  # fmt: skip
        spent_s = time.perf_counter() - began_s
        print(f"{what}: {len(rows)} rows in {spent_s:.2f} s, {len(rows) / spent_s:,.0f} rows/s")
    if given.live:
        live = asyncio.run(
            ask_live(settings, rows, pair=given.pair, latency=latency, seed=given.seed, speed=given.speed)
        )
        print(json.dumps(asdict(agreement(run, live)), indent=1))


if __name__ == "__main__":
    main()
