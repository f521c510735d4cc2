"""``specroute simulate``: serves simulated tiers as an OpenAI-compatible endpoint until it is told to stop."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path  # noqa: TC003 - typer reads the annotation when it runs
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from specroute.cli.extras import needing_pyarrow

if TYPE_CHECKING:
    from specroute.upstreams.simulated.answers import AnswerBook
    from specroute.upstreams.simulated.http.server import SimulatorSettings
    from specroute.upstreams.simulated.latency import LatencyModel
    from specroute.upstreams.simulated.profile import TierProfile

USAGE_ERROR = 2
FAILURE = 1


def simulate(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Port 0 is chosen by the system.")
    ] = "127.0.0.1:8081",
    outcomes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Answer its recorded prompts: .parquet, .jsonl or .csv.")
    ] = None,
    pair: Annotated[
        str, typer.Option(metavar="MINI|LARGE", help="The pair of models of --outcomes.")
    ] = "gpt-4o-mini|gpt-4o",
    latency: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How fast the tiers answer, but for what --tier says: mini-fast | mini-slow | recorded; default: "
            "recorded with --outcomes, else each tier's profile.",
        ),
    ] = None,
    tier: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:KEY=VALUE,...",
            help="A tier's profile; repeatable. Keys: ttft, ttft_p99, tokens_per_s, tail (0.02x6: 2 % are 6 times "
            "slower), tokens, tokens_p99, correct, refusal, empty, truncated, malformed.",
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[TIER:]FAULT:PROBABILITY",
            help="Fail at random; repeatable. Faults: 429, 500, any status from 400 to 599, hang, reset, garbage, "
            "mid_stream_error, cut, early_end, stall. The header x-specroute-fault asks for one.",
        ),
    ] = None,
    speed: Annotated[float, typer.Option(metavar="FACTOR", help="Divides all delays; 0 or inf: no delay.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same answers at the same pace.")] = 0,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append one JSON line per request when it is over.")
    ] = None,
) -> None:
    """Serve simulated tiers over HTTP, as an OpenAI-compatible endpoint.

    Tiers have a latency, a quality and faults by profile; with --outcomes they answer recorded prompts with recorded
    answers. The first line printed is the base URL. SIGTERM and Ctrl-C stop it.

    Example: specroute simulate --listen 127.0.0.1:8081 --tier 'mini:ttft=0.15s,tokens_per_s=120,tail=0.02x6'
    --fault mini:429:0.05 --log requests.jsonl
    """
    import asyncio

    book = None if outcomes is None else _recorded(outcomes, pair)
    settings = _settings(listen=listen, latency=latency, tier=tier or [], fault=fault or [], speed=speed, seed=seed,
                         log=log, book=book)  # fmt: skip
    try:
        asyncio.run(_serve_until_told(settings))
    except OSError as error:
        _give_up(FAILURE, f"{error.filename or listen}: {error.strerror or error}")


def _settings(
    *,
    listen: str,
    latency: str | None,
    tier: list[str],
    fault: list[str],
    speed: float,
    seed: int,
    log: Path | None,
    book: AnswerBook | None,
) -> SimulatorSettings:
    from specroute.upstreams.simulated.http.faults import FaultInjector, parse_fault_rate
    from specroute.upstreams.simulated.http.server import SimulatorSettings
    from specroute.upstreams.simulated.latency import RECORDED

    try:
        host, port = _address(listen)
        if not speed >= 0:
            raise ValueError("--speed must be 0 or more")
        tiers, model = read_tiers(tier, latency or (RECORDED if book is not None else None))
        rates = tuple(parse_fault_rate(text) for text in fault)
        FaultInjector(rates, seed=seed)
        return SimulatorSettings(
            tiers=tiers, book=book, host=host, port=port, seed=seed, speed=speed or math.inf, fault_rates=rates,
            log_path=log, latency=model,
        )  # fmt: skip
    except ValueError as error:
        _give_up(USAGE_ERROR, str(error))


def read_tiers(texts: list[str], latency: str | None) -> tuple[tuple[TierProfile, ...], LatencyModel | None]:
    """Returns the tiers and how fast they are; ``texts`` change single keys of what ``latency`` says, or add tiers.

    ``latency``: name of a model; ``None``: each tier's own profile, drawn for itself.

    Raises:
        ValueError: one of them cannot be read.
    """
    from specroute.upstreams.simulated.latency import latency_model, with_profiles
    from specroute.upstreams.simulated.profile import DEFAULT_TIERS, parse_tier

    model = None if latency is None else latency_model(latency)
    tiers = {
        tier.name: tier if model is None else replace(tier, latency=model.tiers[tier.name]) for tier in DEFAULT_TIERS
    }
    for text in texts:
        profile = parse_tier(text, tiers)
        tiers[profile.name] = profile
    if model is not None:
        model = with_profiles(model, {name: tier.latency for name, tier in tiers.items()})
    return tuple(tiers.values()), model


def _recorded(path: Path, pair: str) -> AnswerBook:
    from specroute.learn.readers import OutcomesError
    from specroute.load.recorded_cases import recorded_book

    try:
        with needing_pyarrow(_give_up):
            book = recorded_book(path, pair)
    except OutcomesError as error:
        _give_up(FAILURE, str(error))
    typer.echo(str(book.report), err=True)
    return book


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"--listen {text!r} is not HOST:PORT, as in 127.0.0.1:8081")
    return host.removeprefix("[").removesuffix("]"), int(port)


async def _serve_until_told(settings: SimulatorSettings) -> None:
    import asyncio
    import signal

    from specroute.upstreams.simulated.http.server import Simulator

    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with Simulator(settings) as simulator:
        typer.echo(f"listening on {simulator.base_url}")
        await told.wait()


def _give_up(code: int, message: str) -> NoReturn:
    typer.echo(f"specroute simulate: {message}", err=True)
    raise typer.Exit(code)
