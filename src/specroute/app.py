"""The only wiring: from settings to a running service. Every object is made here, and this file is the map of them."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import prometheus_client

from specroute.config import policy_fingerprint
from specroute.core.deadline import DeadlinePolicy
from specroute.core.request import Quality, Risk
from specroute.core.tier import Price, Tier
from specroute.edge.requests import RequestLimits
from specroute.edge.rpc import Border
from specroute.edge.server import DrainTimes, RouterServer, TlsFiles
from specroute.edge.servicer import RouterServicer
from specroute.engine.executor import Executor
from specroute.engine.referee import Prefer, RaceRules
from specroute.engine.router import Router, Validation
from specroute.engine.tiers import BoundedUpstream, ServedTier, Timeouts
from specroute.guards.early_commit import EarlyCommits
from specroute.guards.limits import InFlightLimit
from specroute.policy.planner import Always, Planner, Thresholds
from specroute.policy.rules import AllowOnly, Condition, RaceBetween, RouteTo, Rule, StartAt
from specroute.predictor.predictor import OnnxPredictor
from specroute.predictor.prior import PriorPredictor
from specroute.telemetry.endpoint import serving_metrics
from specroute.telemetry.logs import LoggingTelemetry, log_bug
from specroute.telemetry.metrics import PrometheusTelemetry
from specroute.upstreams.openai_http import Endpoint, OpenAIHttpUpstream, Secret
from specroute.upstreams.transport import AiohttpTransport
from specroute.validators.judge import ConfiguredValidator, OnAbstain
from specroute.validators.quality.confidence import Confidence
from specroute.validators.registry import BUILT_IN, load_validator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx

    from specroute.config import Settings
    from specroute.config.schema.policy import RuleSettings, WhenSettings
    from specroute.config.schema.tiers import TierSettings, UpstreamSettings
    from specroute.config.schema.validation import RuleValidatorSettings
    from specroute.core.ports import Predictor, Telemetry, Validator

MIN_LATENCY_BUDGET_S = 0.01


class SettingRefused(ValueError):
    """What a setting names cannot be used; ``key`` is the setting's path, the text says what to mend."""

    def __init__(self, key: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.key = key


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
    telemetry = LoggingTelemetry(PrometheusTelemetry(registry))
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


def build_router(settings: Settings, transport: httpx.AsyncBaseTransport, telemetry: Telemetry) -> Router:
    """Returns the router that ``settings`` describe, calling its upstreams over ``transport``."""
    served = {}
    for index, tier in enumerate(settings.tiers):
        with _naming("tiers", index, "upstreams"):
            served[tier.name] = _served_tier(tier, transport)
    planner = Planner(
        tiers=tuple(tier.tier for tier in served.values()),
        policy=_policy(settings),
        rules=tuple(_rule(rule) for rule in settings.policy.rules),
        max_legs=settings.speculation.max_legs,
        version=policy_fingerprint(settings),
    )
    # The clock of asyncio's loop, taken straight: asking which loop runs costs more than reading the time.
    race = RaceRules(Prefer(settings.race.prefer), settings.race.cheapest_grace_s)
    executor = Executor(
        served,
        race,
        max_attempts=settings.limits.max_attempts_per_request,
        early_commits=EarlyCommits(settings.streaming.max_commit_error_ratio),
        telemetry=telemetry,
        clock=time.monotonic,
    )
    return Router(
        planner,
        build_predictor(settings),
        executor,
        validation=_validation(settings),
        telemetry=telemetry,
        clock=time.monotonic,
    )


def build_predictor(settings: Settings) -> Predictor:
    """Returns the configured predictor: a loaded and checked model, a fixed prior, or none (every tier uncertain)."""
    if settings.predictor is not None and settings.predictor.model is not None:
        with _naming("predictor", "model"):
            return OnnxPredictor.load(
                settings.predictor.model, tiers=settings.predictor.tiers, service_tiers=settings.tier_names
            )
    return PriorPredictor(settings.prior_by_tier)


def _served_tier(settings: TierSettings, transport: httpx.AsyncBaseTransport) -> ServedTier:
    price = Price(
        input_nano_usd_per_mtok=settings.price.input_nano_usd_per_mtok,
        output_nano_usd_per_mtok=settings.price.output_nano_usd_per_mtok,
        cached_input_nano_usd_per_mtok=settings.price.cached_input_nano_usd_per_mtok,
    )
    tier = Tier(settings.name, price, settings.expected.output_tokens)
    return ServedTier(tier, tuple(_upstream(upstream, transport) for upstream in settings.upstreams))


def _upstream(settings: UpstreamSettings, transport: httpx.AsyncBaseTransport) -> BoundedUpstream:
    endpoint = Endpoint(
        name=settings.name,
        base_url=settings.base_url,
        model=settings.model,
        api_key=None if settings.api_key is None else Secret(settings.api_key.get_secret_value()),
        connect_timeout_s=settings.timeouts.connect_s,
        logprobs=settings.logprobs,
    )
    timeouts = settings.timeouts
    return BoundedUpstream(
        OpenAIHttpUpstream(endpoint, transport),
        max_concurrency=settings.max_concurrency,
        timeouts=Timeouts(
            timeouts.first_token_s,
            timeouts.idle_s,
            timeouts.total_s,
            min_tokens_per_s=timeouts.min_tokens_per_s,
            rate_window_s=timeouts.rate_window_s,
        ),
        max_retries=settings.retry.max_retries,
        cancel_stops_billing=settings.cancel_stops_billing,
    )


def _policy(settings: Settings) -> Thresholds | Always:
    policy = settings.policy
    if policy.tier is not None:
        return Always(policy.tier)
    cuts = policy.thresholds
    return Thresholds(cuts.direct_mini, cuts.direct_large, cuts.hedge_delay_s)


def _rule(settings: RuleSettings) -> Rule:
    if settings.route is not None:
        action: RouteTo | StartAt | RaceBetween | AllowOnly = RouteTo(settings.route)
    elif settings.start is not None:
        action = StartAt(settings.start)
    elif settings.race is not None:
        action = RaceBetween((settings.race[0], settings.race[1]))
    else:
        action = AllowOnly(frozenset(settings.allow or ()))
    return Rule(
        settings.name,
        _condition(settings.when),
        action,
        settings.review,
        tuple(item.name for item in settings.validators),
    )


def _condition(settings: WhenSettings) -> Condition:
    return Condition(
        task_types=frozenset(settings.task_type),
        risks=frozenset(Risk(risk) for risk in settings.risk),
        risk_domains=frozenset(settings.risk_domain),
        user_tiers=frozenset(settings.user_tier),
        outputs=frozenset(settings.output),
        qualities=frozenset(Quality(quality) for quality in settings.quality),
        min_input_tokens=settings.min_input_tokens,
        max_input_tokens=settings.max_input_tokens,
        has_tools=settings.has_tools,
        min_turns=settings.min_turns,
        labels={key: frozenset(values) for key, values in settings.labels.items()},
    )


def _validation(settings: Settings) -> Validation:
    configured = {}
    for index, item in enumerate(settings.validation.validators):
        with _naming("validation", "validators", index):
            configured[item.name] = _validator(item, item.on_abstain)
    by_name = {name: ConfiguredValidator(make()) for name, make in BUILT_IN.items()} | configured
    for index, rule in enumerate(settings.policy.rules):
        for extra in rule.validators:
            if extra.model_fields_set - {"name"}:
                with _naming("policy", "rules", index, "validators"):
                    by_name[extra.name] = _validator(extra, extra.on_abstain or settings.validation.on_abstain)
    return Validation(tuple(configured.values()), by_name)


def _validator(settings: RuleValidatorSettings, on_abstain: str) -> ConfiguredValidator:
    validator: Validator
    if settings.use is not None:
        validator = load_validator(settings.use)
    elif settings.name == Confidence.name:
        validator = Confidence(settings.quantile, settings.min_logprob, settings.min_tokens)
    else:
        validator = BUILT_IN[settings.name]()
    return ConfiguredValidator(validator, OnAbstain(on_abstain))


@contextmanager
def _naming(*key: str | int) -> Iterator[None]:
    """Adds to what is refused in the block which setting asked for it."""
    try:
        yield
    except ValueError as error:
        raise SettingRefused(key, str(error)) from error


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
