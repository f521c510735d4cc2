"""The HTTP server: OpenAI's chat completions over real sockets, HTTP/1.1, streamed or whole.

The story of one request: parse -> tier -> fault? -> answer -> wait for the first token -> write at the tier's pace. The
handler runs in a task that is cancelled as soon as the connection is lost, so a client that leaves is noticed while the
server sleeps before the first byte just as in the middle of a stream.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from specroute.upstreams.simulated.answers import NoAnswer, Synthetic
from specroute.upstreams.simulated.http.faults import FAULT_HEADER, MID_ANSWER, FaultInjector, parse_fault
from specroute.upstreams.simulated.http.frames import AnswerFrames
from specroute.upstreams.simulated.http.replies import Reply, send_answer, send_error, send_fault
from specroute.upstreams.simulated.http.request_log import RequestLog
from specroute.upstreams.simulated.http.wire import ApiError, BadRequestError, parse_chat_request
from specroute.upstreams.simulated.latency import LatencyModel
from specroute.upstreams.simulated.profile import DEFAULT_TIERS, Pace, TierProfile, seeded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from specroute.upstreams.simulated.answers import AnswerBook, SimulatedAnswer
    from specroute.upstreams.simulated.http.faults import Fault, FaultRate
    from specroute.upstreams.simulated.http.request_log import Exchange
    from specroute.upstreams.simulated.http.wire import ChatRequest

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Six times a prompt of 10 MB, as JSON may escape every character."""

STOP_GRACE_S = 0.5
"""How long a stop waits for handlers that were cancelled to end."""


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """What a simulator is made of.

    Attributes:
        tiers: one profile for every tier that the book names.
        book: where answers come from; ``None``: made up by ``Synthetic`` from ``tiers``.
        port: 0 lets the system choose.
        seed: of every random draw.
        latency: how fast the tiers answer; ``None``: as their profiles say.
        speed: divides all delays, > 0; ``math.inf`` means no delay.
        fault_rates: how often tiers fail unasked.
        log_path: file that one JSON line per request is appended to.
        tokens_per_delta: tokens of a content event, >= 1.
    """

    tiers: Sequence[TierProfile] = DEFAULT_TIERS
    book: AnswerBook | None = None
    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 0
    speed: float = 1.0
    fault_rates: Sequence[FaultRate] = ()
    log_path: Path | None = None
    tokens_per_delta: int = 3
    latency: LatencyModel | None = None

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise ValueError("speed must be more than 0")
        if self.tokens_per_delta < 1:
            raise ValueError("tokens_per_delta must be at least 1")
        named = {tier.name for tier in self.tiers}
        if self.latency is not None:
            named &= set(self.latency.tiers)
        for what, tiers in (
            ("the answers follow", set(self.book.tiers.values()) if self.book else set()),
            ("the faults name", {rate.tier for rate in self.fault_rates if rate.tier}),
        ):
            if not tiers <= named:
                raise ValueError(f"{what} {sorted(tiers - named)}, which is not a tier: one of {sorted(named)}")


class Simulator:
    """A simulated endpoint. ``async with Simulator(settings) as simulator:`` serves at ``simulator.base_url``.

    Attributes:
        base_url: ``http://HOST:PORT/v1`` with the real port; "" before it started.
        log: every request, also in memory.
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self.base_url = ""
        self.log = RequestLog(settings.log_path)
        self._settings = settings
        self._book: AnswerBook = settings.book or Synthetic(settings.tiers, seed=settings.seed)
        self._latency = settings.latency or LatencyModel.of_profiles(settings.tiers)
        self._faults = FaultInjector(settings.fault_rates, seed=settings.seed)
        self._ids = itertools.count(1)
        self._handlers: set[asyncio.Task[object]] = set()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Simulator:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Opens the log and listens.

        Raises:
            OSError: the log cannot be opened or the address cannot be bound.
        """
        self.log.open()
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_openai_errors])
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/models/{model}", self._model)
        app.router.add_get("/healthz", _healthz)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=STOP_GRACE_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._settings.host, self._settings.port, backlog=1024).start()
        except OSError:
            await self.stop()
            raise
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"

    async def stop(self) -> None:
        """Stops at once: requests in flight are cut off, and logged as closed by the server and not finished."""
        runner, self._runner = self._runner, None
        if runner is not None:
            for task in self._handlers:
                task.cancel()
            await runner.cleanup()
        self.log.close()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        ids = (request.headers.get(name) for name in ("x-request-id", "x-client-request-id"))
        exchange = self.log.begin(next(filter(None, ids), ""))
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            return await self._respond(request, exchange)
        except BadRequestError as error:
            return await send_error(request, exchange, error.error)
        except web.HTTPRequestEntityTooLarge:
            message = f"The request body is larger than {MAX_BODY_BYTES} bytes."
            return await send_error(request, exchange, ApiError(413, message))
        except asyncio.CancelledError:
            exchange.end("client" if self._runner is not None else "server")
            raise
        except ConnectionError:
            # The client left, or a fault closed the connection and has noted that: nobody reads what is returned.
            exchange.end("client")
            return web.Response()
        finally:
            self._handlers.discard(task)
            exchange.end("server")

    async def _respond(self, request: web.Request, exchange: Exchange) -> web.StreamResponse:
        asked = parse_chat_request(await request.read())
        exchange.model, exchange.stream = asked.model, asked.stream
        tier = self._book.tiers.get(asked.model)
        if tier is None:
            return await send_error(request, exchange, self._no_such_model(asked.model))
        exchange.tier = tier
        fault = self._fault_of(request, tier, asked)
        if fault is not None:
            exchange.fault = fault.word
            if fault.kind not in MID_ANSWER:
                return await send_fault(request, exchange, fault, stream=asked.stream)
        answer = self._book.answer(asked)
        if isinstance(answer, NoAnswer):
            return await send_error(request, exchange, ApiError(404, answer.message, code="answer_not_found"))
        if asked.max_tokens is not None:
            answer = answer.cut_to(asked.max_tokens)
        return await send_answer(request, exchange, self._reply_of(asked, answer, fault))

    def _fault_of(self, request: web.Request, tier: str, asked: ChatRequest) -> Fault | None:
        word = request.headers.get(FAULT_HEADER)
        if word is None:
            return self._faults.draw(tier, asked.fingerprint)
        try:
            return parse_fault(word.strip())
        except ValueError as error:
            raise BadRequestError(f"{FAULT_HEADER}: {error}", FAULT_HEADER) from error

    def _reply_of(self, asked: ChatRequest, answer: SimulatedAnswer, fault: Fault | None) -> Reply:
        seed, speed = self._settings.seed, self._settings.speed
        pace = self._latency.pace(
            answer.tier, asked.prompt, output_tokens=answer.output_tokens, recorded_s=answer.latency_s, seed=seed
        )
        frames = AnswerFrames(
            answer=answer,
            completion_id=f"chatcmpl-simulated-{next(self._ids)}",
            created_s=time.time_ns() // 1_000_000_000,
            tokens_per_delta=self._settings.tokens_per_delta,
            include_usage=asked.include_usage,
            logprobs=seeded(seed, "logprobs", answer.tier, asked.fingerprint) if asked.logprobs else None,
        )
        return Reply(frames, Pace(pace.ttft_s / speed, pace.per_token_s / speed), stream=asked.stream, fault=fault)

    def _no_such_model(self, name: str) -> ApiError:
        known = ", ".join(sorted(self._book.tiers))
        message = f"The model {name!r} does not exist here; the models are: {known}."
        return ApiError(404, message, param="model", code="model_not_found")

    async def _models(self, _request: web.Request) -> web.Response:
        cards = [_card(name) for name in sorted(self._book.tiers)]
        return _json({"object": "list", "data": cards})

    async def _model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        if name not in self._book.tiers:
            return web.Response(body=self._no_such_model(name).body(), status=404, content_type="application/json")
        return _json(_card(name))


async def _healthz(_request: web.Request) -> web.Response:
    return _json({"status": "ok"})


@web.middleware
async def _openai_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Gives unknown paths and methods the error body that OpenAI clients read."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        message = f"{error.reason}: {request.method} {request.path}"
        return web.Response(
            body=ApiError(error.status, message).body(), status=error.status, content_type="application/json"
        )


def _card(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "specroute"}


def _json(value: dict[str, object]) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
