"""``specroute train``: learns the predictor of one pair of models from recorded outcomes and writes its folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotation when it runs
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from specroute.learn.training.options import TrainOptions
    from specroute.learn.training.writing.folder import Run
    from specroute.predictor.artifact import Manifest

FAILURE = 1
_FILE_WIDTH = 160  # of tables that go to a file or a pipe, so that no figure is cut


def train(
    outcomes: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Recorded outcomes: .parquet, .jsonl or .csv.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the model is written.", show_default=False)],
    pair: Annotated[
        str, typer.Option(metavar="MINI|LARGE", help="The pair of models to learn.")
    ] = "gpt-4o-mini|gpt-4o",
    test: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Outcomes to measure on, unseen in training.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides splits and resampling.")] = 0,
    auxiliary: Annotated[
        bool, typer.Option(help="Also learn from rows of other pairs, where held-out groups show that it helps.")
    ] = True,
    intents: Annotated[bool, typer.Option(help="Also learn what kind of task a request is, and its risk.")] = True,
    verifier: Annotated[
        bool, typer.Option(help="Also train the verifier, where there are enough recorded answers.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as one JSON object.")] = False,
) -> None:
    """Train predictor and verifier on recorded outcomes; write graphs, calibration, manifest and model card.

    Needed columns: prompt, pair, and mini_correct (true or false) or mini_score (0 to 1). Worth having: large_correct,
    mini_response (for the verifier), group_id (near-duplicate prompts share one), source; docs/outcomes.md has them
    all. Takes minutes on one core; the same file and seed give the same bytes.

    Example: specroute train --outcomes outcomes.parquet --test test.parquet --out router_models/default
    """
    try:
        from specroute.learn.training.options import TrainOptions
    except ModuleNotFoundError as error:
        typer.echo(f"training needs {error.name}; install it with: pip install 'specroute[train]'", err=True)
        raise typer.Exit(FAILURE) from None

    options = TrainOptions(pair=pair, seed=seed, use_auxiliary=auxiliary, use_intents=intents, use_verifier=verifier)
    try:
        run, manifest = _run(outcomes, test, out, options)
    except (ValueError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILURE) from None
    if as_json:
        typer.echo(json.dumps(_facts(manifest), ensure_ascii=False))
        return
    _print(run, manifest, out)


def _run(outcomes: Path, test: Path | None, out: Path, options: TrainOptions) -> tuple[Run, Manifest]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from specroute.learn.dataset import read_outcomes
    from specroute.learn.training.measuring.compare import compare
    from specroute.learn.training.train import steps, train
    from specroute.learn.training.writing.folder import Run, write_folder

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading outcomes", total=steps(options) + (3 if test else 2))

        def report(step: str) -> None:
            progress.update(task, advance=1, description=step)

        learnt = read_outcomes(outcomes)
        unseen = read_outcomes(test) if test else None
        trained = train(learnt, options, report=report)
        comparison = None
        if unseen is not None:
            report("measuring on the test file")
            comparison = compare(trained, learnt, unseen, pair=options.pair, seed=options.seed)
        report(f"writing {out}")
        run = Run(learnt, options, trained, comparison)
        manifest = write_folder(run, out)
        report("done")
    return run, manifest


def _facts(manifest: Manifest) -> dict[str, Any]:
    import msgspec

    facts: dict[str, Any] = msgspec.to_builtins(manifest)
    return {name: value for name, value in facts.items() if name != "golden"}


def _print(run: Run, manifest: Manifest, out: Path) -> None:
    from rich.console import Console

    data, training, known = manifest.data, manifest.training, manifest.metrics["out_of_fold"]["pooled"]
    typer.echo(f"{manifest.version} for {manifest.pair!r} written to {out}")
    typer.echo(
        f"learnt from {data.rows:,} rows and {data.auxiliary_rows:,} of other pairs; "
        f"C={training['inverse_penalty']:g}, weight of other pairs {training['auxiliary_weight']:g}; "
        f"parity {manifest.parity_max_abs_error:.1e}"
    )
    typer.echo(f"out of fold: AUROC {known['auroc']:.3f}, log-loss {known['log_loss']:.4f}, ECE {known['ece']:.3f}")
    typer.echo("verifier: " + ("none, too few recorded answers" if manifest.verifier is None else "trained"))
    if run.comparison is None:
        typer.echo("no --test file: nothing was measured on unseen rows")
        return
    console = Console() if sys.stdout.isatty() else Console(width=_FILE_WIDTH)
    for table in _tables(manifest.metrics["test"]):
        console.print(table)


def _tables(test: dict[str, Any]) -> tuple[Table, Table]:
    from rich.table import Table

    metrics = ("auroc", "log_loss", "brier", "ece", "apgr_deciles")
    results = Table("source", "rows", "method", *metrics, title="test file, 95 % intervals by group")
    for source, count in test["rows"].items():
        for method, figures in test["figures"].items():
            results.add_row(source, str(count), method, *(_figure(figures[source][name]) for name in metrics))
    gains = Table("source", "baseline", "auroc", "log_loss", title="the model less a baseline")
    for baseline, parts in test["gain_over"].items():
        for source, figures in parts.items():
            gains.add_row(source, baseline, *(_figure(figures[name]) for name in ("auroc", "log_loss")))
    return results, gains


def _figure(figure: dict[str, float | None]) -> str:
    if figure["value"] is None:
        return "-"
    return f"{figure['value']:.3f} \\[{figure['lo']:.3f}, {figure['hi']:.3f}]"
