"""``specroute replay``: recorded outcomes through the service's own planner and executor, policy by policy."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - typer reads the annotation when it runs
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from specroute.config import Settings
    from specroute.replay.comparison import Comparison
    from specroute.replay.report.page import Summaries

FAILURE, USAGE_ERROR, INTERRUPTED = 1, 2, 130
DOCUMENT_FILE, PAGE_FILE = "replay.json", "replay.html"
_FILE_WIDTH = 220  # of a table that goes to a file or a pipe, so that no figure is cut
_TERMINAL_COLUMNS = (
    *("quality", "retention", "saved_ratio", "cost_usd_per_1000", "waste_ratio", "p50_s", "p90_s", "p99_s"),
    *("p50_ratio", "p99_ratio", "deadline_ratio", "amplification", "escalation_ratio"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was asked for; the fields are its options."""

    outcomes: Path
    config: list[Path]
    pair: str
    policy: list[str]
    latency: str
    deadline: str | None
    seed: int
    limit: int | None

    @property
    def command(self) -> str:
        """The command that gives the same figures."""
        words = ["specroute", "replay", "--outcomes", str(self.outcomes)]
        words += [word for path in self.config for word in ("--config", str(path))]
        words += ["--pair", self.pair]
        words += [word for name in self.policy for word in ("--policy", name)]
        words += ["--latency", self.latency]
        words += ["--deadline", self.deadline] if self.deadline is not None else []
        words += ["--limit", str(self.limit)] if self.limit is not None else []
        return shlex.join([*words, "--seed", str(self.seed)])


def replay(
    outcomes: Annotated[
        Path, typer.Option(metavar="FILE", help="Recorded outcomes: .parquet, .jsonl or .csv.", show_default=False)
    ],
    config: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE", help="The service's configuration; repeatable: a row for each.", show_default=False
        ),
    ],
    pair: Annotated[
        str, typer.Option(metavar="MINI|LARGE", help="The pair of models that answers for the first and last tier.")
    ] = "gpt-4o-mini|gpt-4o",
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Baselines to compare with; repeatable; default: all. always_mini, always_large, cascade, "
            "zones_cascade, race, race_all, fixed_hedge.",
        ),
    ] = None,
    latency: Annotated[
        str, typer.Option(metavar="NAME", help="How fast the tiers answer: recorded, mini-fast or mini-slow.")
    ] = "recorded",
    deadline: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Of every request, such as 30s; default: the config's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides latencies, the order of rows and resampling.")] = 0,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only N rows, drawn by --seed.")] = None,
    rows: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Parquet: one row per prompt and policy, to recompute from.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help=f"Where {DOCUMENT_FILE} and {PAGE_FILE} are written.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as one JSON object.")] = False,
) -> None:
    """Replay recorded outcomes through the planner, validators and executor of the service, on a virtual clock.

    Calls nothing: both tiers answer from the record, at the pace of a stated latency model, the same that `specroute
    simulate` has live. Prints quality, money with waste, latency and calls of the configured policy beside plainer
    ones, with 95 % intervals. Rows without both recorded answers are left out and counted. What the model has learnt
    from is scored out of fold. Ctrl-C reports what was played so far.

    Example: specroute replay --outcomes test.parquet --config config.example.yaml --latency mini-fast
    """
    _need_packages()
    asked = Asked(outcomes, config, pair, policy or [], latency, deadline, seed, limit)
    comparison = _comparison(asked)
    interrupted = _play(comparison)
    if not comparison.runs:
        _give_up(INTERRUPTED, "interrupted before the first row was played")
    summaries = comparison.summaries()
    document = _document(asked, comparison, summaries)
    try:
        if rows is not None:
            _write_rows(comparison, rows)
        if out is not None:
            _write_report(asked, comparison, summaries, document, out)
    except OSError as error:
        _give_up(FAILURE, f"{error.filename or rows or out}: {error.strerror or error}")
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
    else:
        _print(comparison, summaries, [path for path in (rows, out) if path is not None])
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _need_packages() -> None:
    try:
        import pyarrow  # noqa: F401 - is everything that a replay needs installed?
        import trio  # noqa: F401
    except ModuleNotFoundError as error:
        _give_up(FAILURE, f"needs {error.name}; install it with: pip install 'specroute[train]'")


def _comparison(asked: Asked) -> Comparison:
    from specroute.config import ConfigError
    from specroute.learn.dataset import read_outcomes
    from specroute.replay.answers import usable_rows
    from specroute.replay.comparison import Comparison, World
    from specroute.upstreams.simulated.latency import latency_model

    try:
        latency = latency_model(asked.latency)
        deadline_s = _deadline_s(asked.deadline)
    except ValueError as error:
        _give_up(USAGE_ERROR, str(error))
    try:
        configs = _configs(asked.config)
        usable = usable_rows(read_outcomes(asked.outcomes), pair=asked.pair, limit=asked.limit, seed=asked.seed)
        world = World(usable.rows, usable.left_out, asked.pair, latency, deadline_s, asked.seed)
        return Comparison.of(configs, asked.policy, world)
    except (ConfigError, ValueError, OSError) as error:
        _give_up(FAILURE, str(error))


def _deadline_s(text: str | None) -> float | None:
    from specroute.config import parse_duration_s

    if text is None:
        return None
    try:
        deadline_s = parse_duration_s(text)
    except ValueError as error:
        raise ValueError(f"--deadline: {error}") from None
    if deadline_s <= 0.0:
        raise ValueError("--deadline 0s leaves no time to answer; write for example 30s")
    return deadline_s


def _configs(paths: list[Path]) -> dict[str, Settings]:
    """Returns name -> settings; secrets are not looked up, as nothing is called.

    Raises:
        ConfigError: a file cannot be used.
        ValueError: two files have the same stem.
    """
    from specroute.config import load_settings
    from specroute.replay.policies import CONFIGURED

    if len(paths) == 1:
        return {CONFIGURED: load_settings(paths[0], None)}
    configs: dict[str, Settings] = {}
    for path in paths:
        if path.stem in configs:
            raise ValueError(f"--config {path}: another one is called {path.stem!r}, too; rename one of the files")
        configs[path.stem] = load_settings(path, None)
    return configs


def _play(comparison: Comparison) -> bool:
    """Plays all policies; returns whether Ctrl-C cut it short."""
    from specroute.telemetry.logs import configure_logs

    configure_logs("error")
    try:
        with _Bars() as bars:
            comparison.run(bars)
    except (ValueError, OSError) as error:
        _give_up(FAILURE, str(error))
    return bars.is_stopped


class _Bars:
    """A bar per policy on a terminal; Ctrl-C ends the row that is being played, not the program."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._before: Any = None
        self.is_stopped = False

    def __enter__(self) -> _Bars:
        self._before = signal.signal(signal.SIGINT, self._stop)
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        signal.signal(signal.SIGINT, self._before)

    def started(self, policy: str, total: int) -> None:
        """Adds a bar."""
        self._tasks[policy] = self._progress.add_task(policy, total=total)

    def advanced(self, policy: str) -> None:
        """Moves it on."""
        from specroute.replay.run import Stopped

        self._progress.advance(self._tasks[policy])
        if self.is_stopped:
            raise Stopped

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.is_stopped = True
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the second one ends it at once


def _document(asked: Asked, comparison: Comparison, summaries: Summaries) -> dict[str, Any]:
    from specroute.replay.report.page import to_document

    configs = [str(path) for path in asked.config]
    about = {"command": asked.command, "outcomes": str(asked.outcomes), "configs": configs}
    return to_document(comparison, summaries, about)


def _write_rows(comparison: Comparison, path: Path) -> None:
    from specroute.replay.report.rows_file import write_rows

    write_rows(comparison.runs, path)


def _write_report(
    asked: Asked, comparison: Comparison, summaries: Summaries, document: dict[str, Any], out: Path
) -> None:
    from specroute.replay.report.page import page

    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
    (out / DOCUMENT_FILE).write_text(text + "\n", encoding="utf-8")
    (out / PAGE_FILE).write_text(page(comparison, summaries, command=asked.command), encoding="utf-8")


def _print(comparison: Comparison, summaries: Summaries, written: list[Path]) -> None:
    from rich.console import Console
    from rich.table import Table

    from specroute.replay.report.page import COLUMNS, cells, facts, shares

    shown = [at for at, (_, name, _, _) in enumerate(COLUMNS) if name in _TERMINAL_COLUMNS]
    table = Table("policy", "n")
    for at in shown:
        table.add_column(COLUMNS[at][0], justify="right")
    for name, summary in summaries.items():
        all_cells = cells(summary, with_intervals=False)
        table.add_row(name, f"{summary.n}", *(all_cells[at] for at in shown))
    console = Console() if sys.stdout.isatty() else Console(width=_FILE_WIDTH)
    console.print(table)
    for name, summary in summaries.items():
        typer.echo(f"{name}: {shares(summary.plans)}; delivered {shares(summary.delivered)}")
    typer.echo(facts(comparison))
    if not comparison.is_whole:
        typer.echo("interrupted: this is what was played before")
    for path in written:
        typer.echo(f"written to {path}")


def _give_up(code: int, message: str) -> NoReturn:
    typer.echo(f"specroute replay: {message.splitlines()[0]}", err=True)
    raise typer.Exit(code)
