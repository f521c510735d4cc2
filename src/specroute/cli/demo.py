"""``specroute demo``: the whole service with simulated or recorded tiers in one process, and what four policies did."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from specroute.cli.extras import needing_pyarrow

if TYPE_CHECKING:
    from specroute.demo.report import Report
    from specroute.demo.run import Demo, DemoOptions, Progress

FAILURE, USAGE_ERROR, INTERRUPTED = 1, 2, 130

DEFAULT_MODEL = Path("router_models/default")

# Simulated tiers keep their own pace, so that latencies mean something. Recorded answers are many and long, and no
# latency is reported of them: there a tenth of the delays is enough to order the legs of a race.
SIMULATED_SPEED, RECORDED_SPEED = 1.0, 10.0
SIMULATED_DEADLINE_S, RECORDED_DEADLINE_S = 5.0, 30.0
MAX_CONCURRENCY = 128


def demo(
    requests: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Requests per policy, drawn by --seed; default: all.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option(metavar="K", min=1, max=MAX_CONCURRENCY, help="In flight at a time.")
    ] = 32,
    seed: Annotated[int, typer.Option(help="The same seed gives the same answers at the same pace.")] = 0,
    deadline: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.05, help="Of every request; default: 5, with --outcomes 30."),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(metavar="FACTOR", min=0.01, help="Divides the tiers' delays; default: 1, with --outcomes 10."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help=f"The predictor; default: {DEFAULT_MODEL} where it exists, else a prior."),
    ] = None,
    outcomes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Use recorded answers: .parquet, .jsonl or .csv.")
    ] = None,
    pair: Annotated[
        str, typer.Option(metavar="MINI|LARGE", help="The pair of models of --outcomes.")
    ] = "gpt-4o-mini|gpt-4o",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """Compare always-mini, always-large, cascade and race on simulated tiers: no keys, no network, about a minute.

    Starts a mini and a large tier and the service on loopback ports and sends the same few hundred prompts with
    checkable answers under each policy. With --outcomes the tiers answer recorded prompts with recorded answers, and
    quality is the recorded grade of what was delivered. Ctrl-C prints what is known so far.

    Example: specroute demo --requests 100
    """
    from specroute.demo.run import DemoOptions
    from specroute.telemetry.logs import configure_logs

    if as_json and markdown:
        raise typer.BadParameter("give --json or --markdown, not both")
    configure_logs("error")
    recorded = outcomes is not None
    options = DemoOptions(
        concurrency=concurrency,
        deadline_s=deadline or (RECORDED_DEADLINE_S if recorded else SIMULATED_DEADLINE_S),
        speed=speed or (RECORDED_SPEED if recorded else SIMULATED_SPEED),
        seed=seed,
        model=_model(model),
    )
    comparison = _simulated(requests, options) if outcomes is None else _recorded(outcomes, pair, requests, options)
    interrupted = _run(comparison)
    report = _report(comparison, recorded=recorded)
    _show(report, as_json=as_json, markdown=markdown)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if report.not_from_tier:
        _give_up(FAILURE, f"{report.not_from_tier} answers are not those of the tier that the decision names")


def _model(given: Path | None) -> Path | None:
    return given or (DEFAULT_MODEL if DEFAULT_MODEL.is_dir() else None)


def _simulated(requests: int | None, options: DemoOptions) -> Demo:
    from specroute.demo.policies import SIMULATED_POLICIES
    from specroute.demo.run import Demo
    from specroute.load.cases import SIMULATED_TIERS, known_answers, workload_cases

    try:
        cases = workload_cases(requests, seed=options.seed)
    except ValueError as error:
        _give_up(USAGE_ERROR, str(error))
    return Demo(cases, SIMULATED_POLICIES, known_answers(cases, seed=options.seed), SIMULATED_TIERS, options)


def _recorded(path: Path, pair: str, requests: int | None, options: DemoOptions) -> Demo:
    from specroute.demo.policies import RECORDED_POLICIES
    from specroute.demo.run import Demo
    from specroute.learn.readers import OutcomesError
    from specroute.load.cases import chosen
    from specroute.load.recorded_cases import recorded_workload
    from specroute.upstreams.simulated.profile import DEFAULT_TIERS

    try:
        with needing_pyarrow(_give_up):
            found = recorded_workload(path, pair)
    except OutcomesError as error:
        _give_up(FAILURE, str(error))
    left_out = f"{found.left_out} rows left out: no text or grade of an answer, or a prompt that came before"
    typer.echo(f"{path}: pair {pair}: {len(found.cases)} prompts; {left_out}", err=True)
    try:
        cases = chosen(found.cases, requests, seed=options.seed, what="recorded prompts")
    except ValueError as error:
        _give_up(USAGE_ERROR, str(error))
    return Demo(cases, RECORDED_POLICIES, found.book, DEFAULT_TIERS, options)


def _run(comparison: Demo) -> bool:
    """Runs it and returns whether Ctrl-C stopped it."""
    import anyio
    from rich.console import Console

    from specroute.config import ConfigError
    from specroute.demo.progress import ConsoleProgress

    try:
        with ConsoleProgress(Console(stderr=True)) as progress:
            anyio.run(_until_told, comparison, progress)
    except (ConfigError, OSError, ValueError) as error:
        _give_up(FAILURE, str(error))
    return comparison.is_stopped


async def _until_told(comparison: Demo, progress: Progress) -> None:
    import asyncio

    # Not KeyboardInterrupt, which strikes anywhere: stopping gives up the requests and lets the service stop properly.
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, comparison.stop)
    await comparison.run(progress)


def _report(comparison: Demo, *, recorded: bool) -> Report:
    from specroute.demo.report import RECORDED, SIMULATED, build_report

    return build_report(comparison, RECORDED if recorded else SIMULATED)


def _show(report: Report, *, as_json: bool, markdown: bool) -> None:
    from rich.console import Console

    from specroute.demo.tables import for_markdown, for_terminal

    if as_json:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
        return
    if markdown:
        typer.echo(for_markdown(report))
        return
    console = Console()
    if not console.is_terminal:
        console.width = 200
    for part in for_terminal(report):
        console.print(part, highlight=False)


def _give_up(code: int, message: str) -> NoReturn:
    typer.echo(f"specroute demo: {message}", err=True)
    raise typer.Exit(code)
