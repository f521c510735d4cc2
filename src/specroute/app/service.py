"""From settings to a running service: what listens, what is served, and how it ends."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import prometheus_client

from specroute.app.routing import build_router
from specroute.core.deadline import DeadlinePolicy
from specroute.edge.requests import RequestLimits
from specroute.edge.rpc import Border
from specroute.edge.server import DrainTimes, RouterServer, TlsFiles
from specroute.edge.servicer import RouterServicer
from specroute.guards.limits import InFlightLimit
from specroute.predictor.certificate import read_certificate
from specroute.telemetry.endpoint import serving_metrics
from specroute.telemetry.logs import LoggingTelemetry, log_bug, log_certificate
from specroute.telemetry.metrics import PrometheusTelemetry
from specroute.upstreams.transport import AiohttpTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from specroute.config import Settings

MIN_LATENCY_BUDGET_S = 0.01


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a running service listens."""

    serving: str
    metrics: str


@dataclass(frozen=True, slots=True)
class RunningApp:
    """A service that serves; ``drain`` stops it without losing a request."""

    addresses: Addresses
    server: RouterServer
    drain_times: DrainTimes

    async def drain(self) -> None:
        """Refuses new work and finishes what runs."""
        await self.server.drain(self.drain_times)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[RunningApp]:
    """Runs the service for the length of the block; on leaving it, whatever still runs is cancelled.

    Raises:
        OSError: an address cannot be bound.
        SettingRefused: a validator, the model or a key cannot be used.
    """
    registry = prometheus_client.CollectorRegistry()
    metrics = PrometheusTelemetry(registry)
    telemetry = LoggingTelemetry(metrics)
    async with AiohttpTransport() as transport:
        admission = InFlightLimit(settings.limits.max_in_flight)
        deadlines = _deadlines(settings)
        servicer = RouterServicer(
            build_router(settings, transport, telemetry),
            admission,
            Border(telemetry, log_bug),
            limits=RequestLimits(
                tiers=settings.tier_names,
                max_prompt_bytes=settings.limits.max_prompt_bytes,
                min_latency_budget_s=max(MIN_LATENCY_BUDGET_S, deadlines.reserve_s),
            ),
            deadlines=deadlines,
            write_stall_timeout_s=settings.streaming.write_stall_timeout_s,
        )
        servicer.warm_up()
        if settings.policy.certificate is not None:
            certificate = read_certificate(settings.policy.certificate)  # which the router has checked
            metrics.certified(certificate.name, certificate.method, certificate.alpha)
            log_certificate(certificate.name, certificate.statement)
        server = RouterServer(servicer, lambda: admission.in_flight, max_prompt_bytes=settings.limits.max_prompt_bytes)
        metrics_listen = settings.metrics_listen
        with serving_metrics(registry, metrics_listen.host, metrics_listen.port) as metrics_port:
            try:
                # A grpc.aio server whose start is cut short cannot be stopped any more.
                with anyio.CancelScope(shield=True):
                    port = await server.start(settings.listen.host, settings.listen.port, _tls(settings))
                addresses = Addresses(_address(settings.listen.host, port), _address(metrics_listen.host, metrics_port))
                drain = DrainTimes(settings.drain.delay_s, settings.drain.grace_s)
                yield RunningApp(addresses, server, drain)
            finally:
                with anyio.CancelScope(shield=True):
                    await server.stop()


def _deadlines(settings: Settings) -> DeadlinePolicy:
    return DeadlinePolicy(settings.deadline.default_s, settings.deadline.max_s, settings.deadline.reserve_s)


def _tls(settings: Settings) -> TlsFiles | None:
    tls = settings.tls
    if tls.cert_file is None or tls.key_file is None:
        return None
    client_ca = None if tls.client_ca_file is None else str(tls.client_ca_file)
    return TlsFiles(str(tls.cert_file), str(tls.key_file), client_ca)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
