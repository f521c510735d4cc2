"""``specroute bench``: open-loop load on a running server, what came of it, and whether that is good enough."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from specroute.cli.calling import connecting
from specroute.cli.calling.call import DEFAULT_SERVER, INTERRUPTED, Server
from specroute.cli.calling.connecting import FAILURE, USAGE_ERROR
from specroute.cli.extras import needing_pyarrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.edge.client.channel import ClientTls
    from specroute.load.arrivals import Rate
    from specroute.load.generator import LoadOptions, LoadRun
    from specroute.load.mix import Mix
    from specroute.load.report.document import Bench
    from specroute.load.slo import Slo

DEFAULT_DURATION = "30s"

RateText = Annotated[
    str, typer.Option("--rate", metavar="R|R1..R2", help="Requests per second; 10..50 rises over the run.")
]
Duration = Annotated[
    str | None, typer.Option(metavar="30s", help="How long requests are sent; default: 30s.", show_default=False)
]
Requests = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Send so many instead of --duration.", show_default=False)
]
OutcomesFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Send its recorded prompts; default: the built-in tasks.")
]
Slos = Annotated[
    list[str] | None,
    typer.Option(
        "--slo",
        metavar="'p99<=2s'",
        help="What must hold; repeatable. Metrics: p50, p90, p95, p99, max, mean, ttft_p50, ttft_p95, ttft_p99 (s or "
        "ms), error_ratio, waste_ratio, escalation_ratio, degraded_ratio, deadline_ratio, quality, cost_usd, rps.",
    ),
]
OutFolder = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Write bench.json, requests.csv and report.html there.")
]


def bench(
    server: Server = DEFAULT_SERVER,
    rate: RateText = "20",
    duration: Duration = None,
    requests: Requests = None,
    constant: Annotated[bool, typer.Option("--constant", help="Even gaps instead of Poisson arrivals.")] = False,
    outcomes: OutcomesFile = None,
    pair: Annotated[str, typer.Option(metavar="MINI|LARGE", help="The pair of --outcomes.")] = "gpt-4o-mini|gpt-4o",
    stream: Annotated[bool, typer.Option("--stream", help="Call RouteStream; measures the first token, too.")] = False,
    deadline: Annotated[str, typer.Option(metavar="30s", help="Of every request.")] = "30s",
    seed: Annotated[int, typer.Option(help="The same seed sends the same at the same times.")] = 0,
    warmup: Annotated[str, typer.Option(metavar="2s", help="At the start; no figure is of it.")] = "2s",
    slo: Slos = None,
    channels: Annotated[int, typer.Option(metavar="N", min=1, max=256, help="Connections.")] = 4,
    max_in_flight: Annotated[int, typer.Option(metavar="N", min=1, help="Above it requests are not sent.")] = 2000,
    out: OutFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    tls: connecting.Tls = False,
    ca: connecting.CaFile = None,
    cert: connecting.CertFile = None,
    key: connecting.KeyFile = None,
) -> None:
    """Send requests to a running server in an open loop and print what came of them.

    Requests leave when they are due, whether or not earlier ones have been answered, and every latency counts from
    that moment. Exit 1 when an objective (--slo) is missed. Ctrl-C reports what is known so far.

    Example: specroute bench --rate 20 --duration 1m --slo 'p99<=2s' --slo 'error_ratio<=1%' --out bench/
    """
    secured = connecting.client_tls(_give_up, tls=tls, ca=ca, cert=cert, key=key)
    from specroute.load.slo import parse_slo

    try:
        wanted = [parse_slo(text) for text in slo or ()]
        load = _load(rate, duration, requests, warmup, seed=seed, constant=constant)
        options = _options(server, secured, deadline, stream=stream, channels=channels, max_in_flight=max_in_flight)
        if not stream and any(one.metric.startswith("ttft") for one in wanted):
            raise ValueError("--slo ttft_..: only a stream shows its first token; add --stream")
    except ValueError as error:
        _give_up(USAGE_ERROR, str(error))
    mix = _mix(outcomes, pair, seed)
    if out is not None:
        _make_folder(out)
    connecting.require_serving(_give_up, server, secured)
    run = _run(options, mix, load)
    _finish(run, _Asked(options, mix, load, wanted, seed), out, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Load:
    """When requests are sent: those of the warm-up first, then those that are measured."""

    rate: Rate
    is_constant: bool
    warmup_s: float
    warming: tuple[float, ...]
    measured: tuple[float, ...]

    @property
    def schedule(self) -> tuple[float, ...]:
        """All of them, in seconds from the start."""
        return (*self.warming, *(self.warmup_s + due_s for due_s in self.measured))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line asks for."""

    options: LoadOptions
    mix: Mix
    load: _Load
    slos: Sequence[Slo]
    seed: int


def _load(
    rate_text: str, duration: str | None, requests: int | None, warmup: str, *, seed: int, constant: bool
) -> _Load:
    from specroute.load.arrivals import Rate, parse_rate, schedule

    if duration is not None and requests is not None:
        raise ValueError("give --duration or --requests, not both")
    rate = parse_rate(rate_text)
    duration_s = None if requests is not None else _seconds("--duration", duration or DEFAULT_DURATION)
    warmup_s = _seconds("--warmup", warmup)
    measured = schedule(rate, duration_s=duration_s, count=requests, seed=seed, is_constant=constant)
    if not measured:
        raise ValueError("no request is due in so short a time; raise --rate or --duration")
    first = Rate(rate.start_per_s, rate.start_per_s)
    warming = schedule(first, duration_s=warmup_s, seed=seed + 1, is_constant=constant) if warmup_s > 0.0 else ()
    return _Load(rate, constant, warmup_s, warming, measured)


def _options(
    server: str, tls: ClientTls | None, deadline: str, *, stream: bool, channels: int, max_in_flight: int
) -> LoadOptions:
    from specroute.load.generator import LoadOptions

    return LoadOptions(server, stream, _seconds("--deadline", deadline), channels, max_in_flight, tls)


def _seconds(option: str, text: str) -> float:
    from specroute.config.durations import parse_duration_s

    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def _mix(outcomes: Path | None, pair: str, seed: int) -> Mix:
    from specroute.learn.readers import OutcomesError
    from specroute.load.mix import builtin_mix, recorded_mix

    if outcomes is None:
        return builtin_mix(seed=seed)
    try:
        with needing_pyarrow(_give_up):
            return recorded_mix(outcomes, pair, seed=seed)
    except OutcomesError as error:
        _give_up(FAILURE, str(error))


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _give_up(FAILURE, f"--out {out}: {error.strerror or error}; give a folder that can be written")


def _run(options: LoadOptions, mix: Mix, load: _Load) -> LoadRun:
    """Sends everything; SIGINT and SIGTERM end it early."""
    import asyncio
    import gc
    import signal

    import anyio
    from rich.console import Console

    from specroute.cli.calling.bench_progress import BenchProgress
    from specroute.load.generator import run_open_loop

    cases = mix.sent(len(load.measured), before=len(load.warming))

    async def until_told() -> LoadRun:
        stop = anyio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        with BenchProgress(Console(stderr=True), len(load.schedule)) as progress:
            return await run_open_loop(options, cases, load.schedule, progress=progress, stop=stop)

    # What is loaded stays; a full collection over all the prompts would make requests late.
    gc.collect()
    gc.freeze()
    return anyio.run(until_told).after(load.warmup_s, len(load.warming))


def _finish(run: LoadRun, asked: _Asked, out: Path | None, *, as_json: bool) -> None:
    """Tells what came of it and exits as it deserves."""
    from specroute.load.figures import summarise
    from specroute.load.report.document import Bench, judged

    summary = summarise(run, seed=asked.seed, is_recorded=asked.mix.is_recorded)
    result = Bench(
        options=asked.options,
        mix=asked.mix.name,
        rate=str(asked.load.rate),
        arrivals="constant" if asked.load.is_constant else "poisson",
        warmup_s=asked.load.warmup_s,
        seed=asked.seed,
        summary=summary,
        missed=judged(summary, asked.slos),
    )
    _show(result, as_json=as_json)
    if out is not None:
        _write(out, result, run)
    for warning in summary.warnings:
        typer.echo(f"specroute bench: warning: {warning}", err=True)
    missed = [line for line in result.missed.values() if line]
    for line in missed:
        typer.echo(f"specroute bench: missed: {line}", err=True)
    if summary.is_partial:
        raise typer.Exit(INTERRUPTED)
    if missed:
        raise typer.Exit(FAILURE)
    if not summary.answered_by:
        end = next(iter(summary.ends), "none was sent")
        _give_up(FAILURE, f"no call was answered: {end}; look at the server's log")


def _show(result: Bench, *, as_json: bool) -> None:
    import json

    from rich.console import Console
    from rich.table import Table

    from specroute.load.report.document import document
    from specroute.load.report.lines import facts, setting, times

    if as_json:
        typer.echo(json.dumps(document(result), ensure_ascii=False))
        return
    console = Console()
    if not console.is_terminal:
        console.width = 160
    console.print(setting(result), highlight=False, markup=False)
    table = Table("seconds", "p50", "p90", "p95", "p99", "max")
    for line in times(result.summary):
        table.add_row(*line)
    console.print(table)
    table = Table("what", "found")
    for line in facts(result.summary):
        table.add_row(*line)
    console.print(table)


def _write(out: Path, result: Bench, run: LoadRun) -> None:
    import json
    import shlex
    import sys

    from specroute.load.report.charts import charts
    from specroute.load.report.document import document
    from specroute.load.report.page import page
    from specroute.load.report.rows_file import write_rows

    command = shlex.join(["specroute", *sys.argv[1:]])
    try:
        (out / "bench.json").write_text(json.dumps(document(result), ensure_ascii=False, indent=2) + "\n", "utf-8")
        with (out / "requests.csv").open("w", encoding="utf-8", newline="") as file:
            write_rows(run.records, file)
        (out / "report.html").write_text(page(result, charts(run.records), command=command), "utf-8")
    except OSError as error:
        _give_up(FAILURE, f"{error.filename or out}: {error.strerror or error}; give --out a folder to write to")


def _give_up(code: int, message: str) -> NoReturn:
    typer.echo(f"specroute bench: {message}", err=True)
    raise typer.Exit(code)
