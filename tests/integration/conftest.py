"""A running service with mock upstreams, over sockets; module-scoped, because starting one costs more than a test."""

from __future__ import annotations

import gc
import itertools
import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from specroute.app import RunningApp, running
from specroute.config.load import parse_settings
from tests.integration.mock_upstream import MockUpstream
from tests.integration.reflection_client import ReflectionClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

MINI_PRICE = {"input_usd_per_mtok": 0.15, "cached_input_usd_per_mtok": 0.075, "output_usd_per_mtok": 0.60}
LARGE_PRICE = {"input_usd_per_mtok": 2.50, "output_usd_per_mtok": 10.00}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _quiet_collector() -> Iterator[None]:
    """Keeps the collector away from what the suite has loaded, as ``serve`` does: a full pass takes 100 ms here."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
async def upstream() -> AsyncIterator[MockUpstream]:
    async with MockUpstream() as endpoint:
        yield endpoint


@pytest.fixture
def nonce() -> str:
    return new_nonce()


_numbers: Iterator[int] = itertools.count()


def new_nonce() -> str:
    """Returns a name that no other request of this process has."""
    return f"n{next(_numbers)}"


def tier(name: str, base_url: str, price: dict[str, float], **upstream: object) -> dict[str, object]:
    """Returns one tier of a configuration; its model has the tier's name."""
    endpoint = {"kind": "openai", "base_url": base_url, "model": name} | upstream
    return {"name": name, "price": price, "upstreams": [endpoint]}


def two_tiers(base_url: str, **upstream: object) -> list[dict[str, object]]:
    return [tier("mini", base_url, MINI_PRICE, **upstream), tier("large", base_url, LARGE_PRICE, **upstream)]


def config(base_url: str, *, prior: float = 0.6, hedge_delay: str = "0s", **sections: Any) -> dict[str, Any]:
    """Returns a configuration of two tiers: a race where nothing else is said."""
    policy = {"kind": "thresholds", "thresholds": {"hedge_delay": hedge_delay}} | sections.pop("policy", {})
    return {
        "listen": "127.0.0.1:0",
        "metrics_listen": "127.0.0.1:0",
        "tiers": two_tiers(base_url),
        "predictor": {"prior": prior},
        "policy": policy,
        "drain": {"delay": "0s", "grace": "2s"},
    } | sections


def as_yaml(document: dict[str, Any]) -> str:
    return json.dumps(document)  # JSON is YAML


@dataclass(frozen=True)
class Service:
    """A running service, and a client that learnt its types by reflection."""

    app: RunningApp
    client: ReflectionClient

    async def metrics(self) -> dict[str, float]:
        """Scrapes the service: sample with labels, as written, to its value."""
        return await scrape(self.app.addresses.metrics)


async def scrape(address: str) -> dict[str, float]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as response:
        assert response.status == 200
        text = await response.text()
    samples = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


@asynccontextmanager
async def serving(document: dict[str, Any], environ: dict[str, str] | None = None) -> AsyncIterator[Service]:
    """Runs the service in this process."""
    settings = parse_settings(as_yaml(document), folder=Path.cwd(), environ=environ or {})
    with capture_logs():
        async with running(settings) as app:
            client = await ReflectionClient.connect(app.addresses.serving)
            try:
                yield Service(app, client)
            finally:
                await client.close()


@dataclass(frozen=True)
class Plans:
    """One service per shape of a plan, over the same upstream."""

    direct: Service
    direct_large: Service
    cascade: Service
    hedge: Service
    race: Service


HEDGE_DELAY_S = 0.08


@pytest.fixture(scope="module")
async def plans(upstream: MockUpstream) -> AsyncIterator[Plans]:
    url = upstream.base_url
    documents = {
        "direct": config(url, prior=0.95),
        "direct_large": config(url, prior=0.1),
        "cascade": config(url, hedge_delay="on_rejection"),
        "hedge": config(url, hedge_delay=f"{HEDGE_DELAY_S * 1000:.0f}ms"),
        "race": config(url),
    }
    async with AsyncExitStack() as stack:
        services = {name: await stack.enter_async_context(serving(doc)) for name, doc in documents.items()}
        yield Plans(**services)


@pytest.fixture(scope="module")
async def race(upstream: MockUpstream) -> AsyncIterator[Service]:
    """A service that races every request."""
    async with serving(config(upstream.base_url)) as service:
        yield service
