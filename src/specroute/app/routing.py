"""From settings to the router: tiers and their upstreams, the predictor, the policy, the judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.app.deciding import Deciding
from specroute.app.judges import Judges, validation
from specroute.app.refused import naming
from specroute.app.seams import Seams
from specroute.core.tier import Price, Tier
from specroute.engine.executor import Executor
from specroute.engine.referee import Prefer, RaceRules
from specroute.engine.router import Router
from specroute.engine.tiers import BoundedUpstream, ServedTier, Timeouts
from specroute.guards.early_commit import EarlyCommits
from specroute.upstreams.openai_http import Endpoint, OpenAIHttpUpstream, Secret

if TYPE_CHECKING:
    import httpx

    from specroute.config import Settings
    from specroute.config.schema.tiers import TierSettings, UpstreamSettings
    from specroute.core.ports import Telemetry, Upstream


def build_router(
    settings: Settings, transport: httpx.AsyncBaseTransport, telemetry: Telemetry, seams: Seams | None = None
) -> Router:
    """Returns the router that ``settings`` describe, calling its upstreams over ``transport``.

    Args:
        settings: the configuration.
        transport: what upstreams and webhooks are called over.
        telemetry: told of what happens.
        seams: what takes the place of clock, models and upstreams; ``None``: nothing does.

    Raises:
        SettingRefused: a key, the model, the certificate or a validator cannot be used.
    """
    seams = Seams() if seams is None else seams
    served = {}
    for index, tier in enumerate(settings.tiers):
        with naming("tiers", index, "upstreams"):
            served[tier.name] = _served_tier(tier, transport, seams)
    predictor = seams.predictor(settings)
    deciding = Deciding.of(settings, predictor)
    model = None if settings.predictor is None else settings.predictor.model
    race = RaceRules(Prefer(settings.race.prefer), settings.race.cheapest_grace_s)
    executor = Executor(
        served,
        race,
        max_attempts=settings.limits.max_attempts_per_request,
        early_commits=EarlyCommits(settings.streaming.max_commit_error_ratio),
        telemetry=telemetry,
        clock=seams.clock,
    )
    return Router(
        deciding.planner([tier.tier for tier in served.values()]),
        predictor,
        executor,
        validation=validation(settings, Judges(transport, model, deciding.cut, seams.verifier)),
        telemetry=telemetry,
        clock=seams.clock,
    )


def _served_tier(settings: TierSettings, transport: httpx.AsyncBaseTransport, seams: Seams) -> ServedTier:
    price = Price(
        input_nano_usd_per_mtok=settings.price.input_nano_usd_per_mtok,
        output_nano_usd_per_mtok=settings.price.output_nano_usd_per_mtok,
        cached_input_nano_usd_per_mtok=settings.price.cached_input_nano_usd_per_mtok,
    )
    tier = Tier(settings.name, price, settings.expected.output_tokens)
    bounded = []
    for each in settings.upstreams:
        upstream = _over_http(each, transport) if seams.upstream is None else seams.upstream(settings.name, each)
        bounded.append(_bounded(each, upstream))
    return ServedTier(tier, tuple(bounded))


def _over_http(settings: UpstreamSettings, transport: httpx.AsyncBaseTransport) -> Upstream:
    endpoint = Endpoint(
        name=settings.name,
        base_url=settings.base_url,
        model=settings.model,
        api_key=None if settings.api_key is None else Secret(settings.api_key.get_secret_value()),
        connect_timeout_s=settings.timeouts.connect_s,
        logprobs=settings.logprobs,
    )
    return OpenAIHttpUpstream(endpoint, transport)


def _bounded(settings: UpstreamSettings, upstream: Upstream) -> BoundedUpstream:
    timeouts = settings.timeouts
    return BoundedUpstream(
        upstream,
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
