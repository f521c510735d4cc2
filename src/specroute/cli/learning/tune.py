"""``specroute tune``: finds, proves and confirms the thresholds and the hedge delay that keep the given targets."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from specroute.cli.learning.tuning_stages import Asked, Stages
    from specroute.tuning.report.run import Run

FAILURE, INTERRUPTED = 1, 130
_FILE_WIDTH = 250  # of tables that go to a file or a pipe, so that no figure is cut


class Mode(StrEnum):
    """What is wanted most."""

    ECONOMY = "economy"
    INTERACTIVE = "interactive"


def tune(
    outcomes: Annotated[
        Path, typer.Option(metavar="FILE", help="Recorded outcomes: .parquet, .jsonl or .csv.", show_default=False)
    ],
    holdout: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Outcomes to measure on; else 40 % of the prompt clusters.")
    ] = None,
    pair: Annotated[str, typer.Option(metavar="MINI|LARGE", help="The pair of models to tune.")] = "gpt-4o-mini|gpt-4o",
    model: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The model that scores; else the configured one, router_models/default."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration to change; else one made for the pair.")
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="economy: least money; interactive: also a shorter tail than always-large's.")
    ] = Mode.ECONOMY,
    max_quality_loss: Annotated[
        float, typer.Option(metavar="SHARE", help="Of the large model's quality, the most that may be lost.")
    ] = 0.02,
    latency_value: Annotated[float, typer.Option(metavar="USD_PER_S", help="What a second of waiting is worth.")] = 0.0,
    deadline: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Count who answers within it, such as 5s.")
    ] = None,
    max_p99_ratio: Annotated[
        float | None, typer.Option(metavar="RATIO", help="Most of always-large's p99; interactive: 0.95.")
    ] = None,
    tuning_confidence: Annotated[
        float, typer.Option(metavar="SHARE", help="How sure to be of the targets on the tuning rows.")
    ] = 0.9,
    confidence: Annotated[float, typer.Option(metavar="SHARE", help="Of the certificate.")] = 0.95,
    latency: Annotated[
        str, typer.Option(metavar="NAME", help="How fast tiers are: recorded, mini-fast or mini-slow.")
    ] = "recorded",
    prices: Annotated[
        str | None,
        typer.Option(metavar="IN/OUT,IN/OUT", help="USD per million tokens, mini then large; else configured or list."),
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="Latencies drawn for every row.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Decides splits, draws and resampling.")] = 0,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where everything is written.")] = Path("tuned"),
    live: Annotated[bool, typer.Option(help="Confirm the finalists live, against simulated tiers.")] = True,
    live_requests: Annotated[int, typer.Option(min=1, help="To each finalist.")] = 200,
    live_rate: Annotated[float, typer.Option(metavar="PER_S", help="Requests per second, Poisson.")] = 20.0,
    live_speed: Annotated[float, typer.Option(help="Divides the simulated tiers' delays; times are given back.")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as one JSON object.")] = False,
) -> None:
    """Find thresholds, verifier's cut and hedge delay for your targets; say "do not route" where that is the answer.

    Searches by replay on some prompts, measures against baselines and certifies on others, and confirms the finalists
    with the service's own engine and live under load. Writes a recommended configuration as a diff with its expected
    effect, tables, a picture and a page. Needed columns: prompt, pair, both responses, both grades.

    Example: specroute tune --outcomes train.parquet --holdout test.parquet --mode interactive --latency mini-fast
    """
    try:
        from specroute.cli.learning.tuning_stages import Asked, Stages
        from specroute.config import parse_duration_s
        from specroute.tuning.confirm.live import LiveOptions
        from specroute.tuning.targets import Mode as Wanted
        from specroute.tuning.targets import Targets
    except ModuleNotFoundError as error:
        typer.echo(f"tuning needs {error.name}; install it with: pip install 'specroute[train]'", err=True)
        raise typer.Exit(FAILURE) from None
    except KeyboardInterrupt:
        typer.echo("stopped before anything was read", err=True)
        raise typer.Exit(INTERRUPTED) from None

    try:
        targets = Targets(
            mode=Wanted(mode.value),
            max_quality_loss=max_quality_loss,
            confidence=tuning_confidence,
            latency_value_usd_per_s=latency_value,
            deadline_s=None if deadline is None else parse_duration_s(deadline),
            max_p99_ratio=max_p99_ratio,
            certificate_confidence=confidence,
        )
        options = LiveOptions(live_requests, live_rate, live_speed) if live else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    asked = Asked(
        outcomes, holdout, pair, model, config, prices, targets, latency, draws, seed, out, options, _command()
    )  # fmt: skip
    _finish(*_run(asked, Stages), out=out, as_json=as_json)


def _command() -> str:
    """Returns what was typed, as it can be typed again."""
    return shlex.join(["specroute", *sys.argv[1:]])


def _run(asked: Asked, stages_of: type[Stages]) -> tuple[Stages, int, str]:
    """Returns the run as far as it came, the exit code, and what stopped it."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from specroute.app import SettingRefused
    from specroute.config import ConfigError
    from specroute.telemetry.logs import configure_logs

    configure_logs("error")  # of the services that are started to confirm
    # A script's background job ignores SIGINT unless told otherwise, and a supervisor sends SIGTERM.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    console = _console(is_error=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        stages = stages_of(asked, progress)
        try:
            stages.run()
        except KeyboardInterrupt:
            return stages, INTERRUPTED, f"stopped while {stages.stage}"
        except (ValueError, OSError, ConfigError, SettingRefused) as error:
            return stages, FAILURE, str(error).splitlines()[0]
    return stages, 0, ""


def _finish(stages: Stages, code: int, stopped: str, *, out: Path, as_json: bool) -> None:
    from specroute.tuning.report.document import to_document
    from specroute.tuning.report.folder import write_folder

    if stopped:
        typer.echo(stopped, err=True)
    if code == FAILURE and stages.found is None:
        raise typer.Exit(FAILURE)
    run = stages.told()
    try:
        files = write_folder(run, out, base_is_made=stages.asked.config is None)
    except OSError as error:
        typer.echo(f"--out {out}: {error.strerror}; give a folder that can be written", err=True)
        raise typer.Exit(FAILURE) from None
    if as_json:
        typer.echo(json.dumps(to_document(run), ensure_ascii=False, allow_nan=False))
    else:
        _print(run, files, out)
    if code:
        raise typer.Exit(code)


def _print(run: Run, files: tuple[Path, ...], out: Path) -> None:
    from specroute.cli.learning.tuning_stages import place_note
    from specroute.tuning.report.terminal import tables

    typer.echo(run.headline)
    for reason in run.reasons:
        typer.echo(f"- {reason}")
    console = _console(is_error=False)
    for table in tables(run):
        console.print(table)
    if run.certificate:
        typer.echo(run.certificate)
    if run.left_out:
        typer.echo(f"{run.left_out:,} rows of the pair without both answers and grades were left out")
    if run.recommendation is not None:
        typer.echo(run.recommendation.diff, nl=False)
    if note := place_note(run, out):
        typer.echo(note)
    typer.echo(f"written to {out}: {', '.join(path.name for path in files)}")


def _console(*, is_error: bool) -> Console:
    from rich.console import Console

    if is_error:
        return Console(stderr=True)
    return Console() if sys.stdout.isatty() else Console(width=_FILE_WIDTH)
