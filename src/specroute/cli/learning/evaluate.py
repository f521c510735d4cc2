"""``specroute evaluate``: what a router is worth on recorded outcomes, against baselines, with intervals."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from specroute.learn.dataset import Outcomes
    from specroute.learn.evaluation.evaluate import Evaluation
    from specroute.learn.evaluation.left_out import LeftOut
    from specroute.learn.play import Cuts
    from specroute.learn.scoring import ScoredRows

FAILURE = 1
REPORT_FILE, DOCUMENT_FILE = "report.html", "evaluation.json"
_FILE_WIDTH = 200  # of tables that go to a file or a pipe, so that no figure is cut


@dataclass(frozen=True, slots=True)
class Run:
    """What the command was asked for; the fields are its options."""

    outcomes: Path
    pair: str
    model: Path
    tuning: Path | None
    certificate: Path | None
    answered_only: bool
    target: float
    leave_source_out: bool
    prices: str | None
    seed: int

    @property
    def command(self) -> str:
        """The command that gives the same figures."""
        words = ["specroute", "evaluate", "--outcomes", str(self.outcomes), "--pair", self.pair]
        words += ["--model", str(self.model)]
        for name, path in (("--tuning", self.tuning), ("--certificate", self.certificate)):
            words += [name, str(path)] if path is not None else []
        words += ["--answered-only"] if self.answered_only else []
        words += ["--leave-source-out"] if self.leave_source_out else []
        words += ["--prices", self.prices] if self.prices is not None else []
        return shlex.join([*words, "--target", f"{self.target:g}", "--seed", str(self.seed)])


def evaluate(
    outcomes: Annotated[
        Path, typer.Option(metavar="FILE", help="Recorded outcomes: .parquet, .jsonl or .csv.", show_default=False)
    ],
    pair: Annotated[
        str, typer.Option(metavar="MINI|LARGE", help="The pair of models to evaluate.")
    ] = "gpt-4o-mini|gpt-4o",
    model: Annotated[Path, typer.Option(metavar="FOLDER", help="What `specroute train` wrote.")] = Path(
        "router_models/default"
    ),
    tuning: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Outcomes to tune thresholds and fit baselines on; without, cross-tuned."),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also measure the policy that it certifies.")
    ] = None,
    answered_only: Annotated[
        bool, typer.Option("--answered-only", help="Only rows with the mini's recorded answer.")
    ] = False,
    target: Annotated[
        float, typer.Option(min=0.01, max=1.5, help="Share of the large model's quality to keep at least cost.")
    ] = 0.98,
    leave_source_out: Annotated[
        bool,
        typer.Option(
            "--leave-source-out", help="Also train without each source and measure on it; takes minutes a source."
        ),
    ] = False,
    prices: Annotated[
        str | None,
        typer.Option(
            metavar="IN/OUT,IN/OUT", help="USD per million tokens, mini then large; default: list prices known here."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides folds, halves and resampling.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where report.html, evaluation.json and PNGs are written.")
    ] = None,
    rows: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Parquet: one row per prompt and policy, to recompute from.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as one JSON object.")] = False,
) -> None:
    """Measure predictor, verifier and routing policies on recorded outcomes, against baselines, with 95 % intervals.

    Needed columns: prompt, pair, mini_correct, large_correct. With mini_response the verifier is measured, too. Every
    policy's thresholds are tuned on rows that it is not measured on. Says "turn routing off" when the saving is not
    shown to be above zero, or the quality is shown to be below the target.

    Example: specroute evaluate --outcomes test.parquet --tuning train.parquet --out evaluation/
    """
    try:
        from specroute.learn.evaluation.evaluate import evaluate  # noqa: F401 - is everything that it needs installed?

        if out is not None:
            import matplotlib  # noqa: F401 - before minutes of work
    except ModuleNotFoundError as error:
        typer.echo(f"evaluating needs {error.name}; install it with: pip install 'specroute[train]'", err=True)
        raise typer.Exit(FAILURE) from None

    run = Run(outcomes, pair, model, tuning, certificate, answered_only, target, leave_source_out, prices, seed)
    try:
        found = _measure(run)
        document = _document(run, found)
        if rows is not None:
            _write_rows(found.evaluation, rows)
        if out is not None:
            _write_report(found, document, run.command, out)
    except (ValueError, OSError) as error:
        typer.echo(str(error).splitlines()[0], err=True)
        raise typer.Exit(FAILURE) from None
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
        return
    _print(found, [path for path in (rows, out) if path is not None])


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured. ``untrainable``: source -> why no model could be trained without it."""

    evaluation: Evaluation
    left_out: dict[str, LeftOut]
    untrainable: dict[str, str]


def _measure(run: Run) -> Found:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from specroute.learn.dataset import read_outcomes
    from specroute.learn.evaluation.evaluate import STEPS, EvaluateOptions, evaluate
    from specroute.learn.evaluation.left_out import sources_to_leave_out

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading outcomes", total=STEPS + 4)

        def report(step: str) -> None:
            progress.update(task, advance=1, description=step)

        certified = _certified(run)
        measured = read_outcomes(run.outcomes)
        other = None if run.tuning is None else read_outcomes(run.tuning)
        report("scoring the rows")
        rows = _scored(run, measured, run.model, answered_only=run.answered_only)
        report("scoring the tuning rows")
        tuning = None if other is None else _scored(run, other, run.model, answered_only=run.answered_only)
        options = EvaluateOptions(target=run.target, seed=run.seed)
        evaluation = evaluate(rows, options, tuning=tuning, certified=certified, report=report)
        names = sources_to_leave_out(rows) if run.leave_source_out else []
        progress.update(task, total=STEPS + 4 + len(names))
        found = Found(evaluation, {}, {})
        for name in names:
            report(f"without {name}")

            def step(words: str, source: str = name) -> None:
                progress.update(task, description=f"without {source}: {words}")

            _leave_out(run, name, found, measured if other is None else other, step)
    return found


def _scored(run: Run, outcomes: Outcomes, folder: Path, *, answered_only: bool) -> ScoredRows:
    import numpy as np

    from specroute.learn.evaluation.evaluate import EvaluationError
    from specroute.learn.prices import PairPrices
    from specroute.learn.scoring import score_rows

    prices = None if run.prices is None else PairPrices.parse(run.prices)
    rows = score_rows(outcomes, pair=run.pair, model=folder, prices=prices)
    if not answered_only:
        return rows
    if not rows.answered.any():
        raise EvaluationError(f"no row of pair {run.pair!r} has the mini's answer; leave out --answered-only")
    return rows.take(np.flatnonzero(rows.answered))


def _leave_out(run: Run, source: str, found: Found, learnt: Outcomes, report: Callable[[str], None]) -> None:
    """Adds what is found of ``source`` to ``found``."""
    from specroute.learn.evaluation.left_out import leave_out, train_folder
    from specroute.learn.training.train import TrainingError

    try:
        found.left_out[source] = leave_out(
            source,
            found.evaluation,
            learnt,
            train=lambda outcomes, folder: train_folder(outcomes, folder, pair=run.pair, seed=run.seed, report=report),
            score=lambda outcomes, folder: _scored(run, outcomes, folder, answered_only=False),
        )
    except TrainingError as error:  # what was measured before is kept
        found.untrainable[source] = str(error)


def _certified(run: Run) -> Cuts | None:
    from specroute.learn.evaluation.evaluate import EvaluationError
    from specroute.learn.play import ALWAYS_LARGE, Cuts
    from specroute.predictor.artifact import read_manifest
    from specroute.predictor.certificate import read_certificate

    if run.certificate is None:
        return None
    certificate = read_certificate(run.certificate)
    if certificate.pair != run.pair:
        raise EvaluationError(f"{run.certificate}: is about pair {certificate.pair!r}, not {run.pair!r}")
    certificate.check(read_manifest(run.model).version)
    if certificate.always_large:
        return ALWAYS_LARGE
    return Cuts.of(certificate.thresholds)


def _document(run: Run, found: Found) -> dict[str, Any]:
    from specroute.learn.evaluation.report.document import to_document

    about = {"untrainable": found.untrainable, "answered_only": run.answered_only, "command": run.command}
    return to_document(found.evaluation, found.left_out, about)


def _write_rows(evaluation: Evaluation, path: Path) -> None:
    from specroute.learn.evaluation.report.rows_file import write_rows

    write_rows(evaluation, path)


def _write_report(found: Found, document: dict[str, Any], command: str, out: Path) -> None:
    from specroute.learn.evaluation.report.charts import charts
    from specroute.learn.evaluation.report.page import page

    out.mkdir(parents=True, exist_ok=True)
    drawn = charts(found.evaluation)
    for chart in drawn:
        (out / f"{chart.name}.png").write_bytes(chart.light)
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
    (out / DOCUMENT_FILE).write_text(text + "\n", encoding="utf-8")
    html = page(found.evaluation, found.left_out, drawn, command=command)
    (out / REPORT_FILE).write_text(html, encoding="utf-8")


def _print(found: Found, written: list[Path]) -> None:
    from rich.console import Console

    from specroute.learn.evaluation.report.terminal import tables

    console = Console() if sys.stdout.isatty() else Console(width=_FILE_WIDTH)
    for table in tables(found.evaluation, found.left_out):
        console.print(table)
    for source, reason in found.untrainable.items():
        typer.echo(f"no model without {source}: {reason}")
    typer.echo(found.evaluation.advice.text)
    for path in written:
        typer.echo(f"written to {path}")
