"""``specroute calibrate``: certifies thresholds that provably cost little quality, from recorded outcomes."""

from __future__ import annotations

import dataclasses
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console
    from rich.table import Table

    from specroute.learn.certificate.certify import Certified
    from specroute.learn.certificate.options import CalibrateOptions
    from specroute.learn.certificate.redraws import Record
    from specroute.learn.scoring import ScoredRows
    from specroute.predictor.certificate import Certificate

FAILURE = 1
_FILE_WIDTH = 160  # of tables that go to a file or a pipe, so that no figure is cut


class Method(StrEnum):
    """Which loss is tested."""

    BINOMIAL = "binomial"
    BETTING = "betting"


class Policy(StrEnum):
    """Which cuts there are."""

    FULL = "full"
    CASCADE = "cascade"
    DIRECT = "direct"


@dataclasses.dataclass(frozen=True)
class Job:
    """What the command line asks for."""

    outcomes: Path
    tuning: Path | None
    pair: str
    model: Path
    prices: str | None
    options: CalibrateOptions
    redraws: int
    n: int


@dataclasses.dataclass(frozen=True)
class Done:
    """What was found; ``records`` is empty without --redraws."""

    certified: Certified
    records: list[Record]


def calibrate(
    outcomes: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Recorded outcomes: .parquet, .jsonl or .csv.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where it is written.")] = Path("certificate.json"),
    pair: Annotated[
        str, typer.Option(metavar="MINI|LARGE", help="The pair of models to certify.")
    ] = "gpt-4o-mini|gpt-4o",
    model: Annotated[Path, typer.Option(metavar="FOLDER", help="The model that scores.")] = Path(
        "router_models/default"
    ),
    max_quality_loss: Annotated[float, typer.Option(metavar="SHARE", help="Alpha: the most that may be lost.")] = 0.02,
    confidence: Annotated[float, typer.Option(metavar="SHARE", help="1 - delta: how sure to be of it.")] = 0.95,
    method: Annotated[
        Method,
        typer.Option(
            help="binomial: prompts that only the large model would have got right, exact, for every delay and race. "
            "betting: of that, less the prompts that only the mini got right; needs race.prefer: cheapest."
        ),
    ] = Method.BINOMIAL,
    policy: Annotated[
        Policy, typer.Option(help="cascade: nothing goes to the mini unverified; direct: nothing is verified.")
    ] = Policy.FULL,
    tuning: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Outcomes to fix the path on; else a share of --outcomes.")
    ] = None,
    tuning_share: Annotated[float, typer.Option(metavar="SHARE", help="That share, of the prompt clusters.")] = 0.3,
    answered_only: Annotated[bool, typer.Option(help="Leave out rows without a recorded mini answer.")] = False,
    prices: Annotated[
        str | None,
        typer.Option(metavar="MINI,LARGE", help="Each INPUT/OUTPUT, USD per million tokens; else list prices."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides splits, rows of clusters, and their order.")] = 0,
    redraws: Annotated[
        int, typer.Option(min=0, metavar="COUNT", help="Also repeat it all, to see how often the promise breaks.")
    ] = 0,
    n: Annotated[int, typer.Option("--n", min=1, help="Prompts per redraw.")] = 3000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the certificate as one JSON object.")] = False,
) -> None:
    """Certify thresholds: the cheapest policy that provably loses at most so much quality against the large model.

    A path of policies, from nearly always-large to cheap, is fixed on a part of the prompts and tested step by step on
    the others, one row of every cluster of near-duplicates (Learn then Test, fixed sequence). What passed last is
    written with its evidence. Where nothing passes, everything goes to the large model, and the certificate says so.

    Needed columns: prompt, pair, mini_correct and large_correct (or *_score); with mini_response answers are verified.

    Example: specroute calibrate --outcomes outcomes.parquet --max-quality-loss 0.02 --confidence 0.95
    """
    _share("--max-quality-loss", max_quality_loss)
    _share("--confidence", confidence)
    _share("--tuning-share", tuning_share)
    try:
        from specroute.learn.certificate.options import CalibrateOptions
        from specroute.predictor.certificate import write_certificate

        options = CalibrateOptions(
            alpha=max_quality_loss,
            delta=round(1.0 - confidence, 12),
            method=method.value,
            policy=policy.value,
            seed=seed,
            tuning_share=tuning_share,
            answered_only=answered_only,
        )
        done = _run(Job(outcomes, tuning, pair, model, prices, options, redraws, n))
        certificate = write_certificate(out, done.certified.certificate)
    except ModuleNotFoundError as error:
        typer.echo(f"calibrating needs {error.name}; install it with: pip install 'specroute[train]'", err=True)
        raise typer.Exit(FAILURE) from None
    except (ValueError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILURE) from None
    if as_json:
        typer.echo(json.dumps(_facts(certificate, done.records), ensure_ascii=False))
        return
    for line in _lines(certificate, out, options):
        typer.echo(line)
    console = _console()
    for table in _tables(certificate, done.records):
        console.print(table)


def _share(option: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise typer.BadParameter(f"{value:g} is not between 0 and 1, such as 0.02", param_hint=option)


def _run(job: Job) -> Done:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from specroute.learn.certificate.certify import certify
    from specroute.learn.certificate.redraws import METHODS, redraw, resplit
    from specroute.predictor.artifact import read_manifest

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        manifest = read_manifest(job.model)
        rows = _scored(job, job.outcomes, progress)
        tuning = None if job.tuning is None else _scored(job, job.tuning, progress)
        task = progress.add_task("certifying", total=None)
        certified = certify(
            rows,
            job.options,
            files=manifest.files,
            tuning=tuning,
            report=lambda step: progress.update(task, description=step),
        )
        records: list[Record] = []
        if job.redraws:
            progress.update(task, description="redrawing", total=job.redraws * (1 + len(METHODS)), completed=0)
            options = certified.options
            records += redraw(
                certified, draws=job.redraws, n=job.n, seed=options.seed, advance=lambda: progress.advance(task)
            )
            records += resplit(rows, options, draws=job.redraws, advance=lambda: progress.advance(task))
    return Done(certified, records)


def _scored(job: Job, file: Path, progress: Any) -> ScoredRows:
    from specroute.learn.dataset import read_outcomes
    from specroute.learn.prices import PairPrices
    from specroute.learn.scoring import score_rows

    task = progress.add_task(f"reading {file.name}", total=None)
    outcomes = read_outcomes(file)
    progress.update(task, description=f"scoring {file.name}")
    return score_rows(
        outcomes,
        pair=job.pair,
        model=job.model,
        prices=None if job.prices is None else PairPrices.parse(job.prices),
        report=lambda done, total: progress.update(task, completed=done, total=total),
    )


def _facts(certificate: Certificate, records: Sequence[Record]) -> dict[str, Any]:
    import msgspec

    facts: dict[str, Any] = msgspec.to_builtins(certificate)
    if records:
        facts["redraws"] = [dataclasses.asdict(record) for record in records]
    return facts


def _lines(certificate: Certificate, out: Path, options: CalibrateOptions) -> Iterator[str]:
    yield certificate.statement
    cuts, calibration = certificate.thresholds, certificate.calibration
    if not certificate.always_large:
        yield f"direct_mini {_cut(cuts.direct_mini)}, direct_large {_cut(cuts.direct_large)}, min_p {_cut(cuts.min_p)}"
        if bent := cuts.leeway.in_words:
            yield f"min_p bends: the risk that it allows an answer is multiplied by {bent}"
        saved, loss = certificate.saved, certificate.loss
        yield (
            f"saved {saved.value:.1%} ({saved.lo:.1%} to {saved.hi:.1%}), loss {loss.value:.2%}, at most "
            f"{loss.upper:.2%}; step {certificate.step} of {certificate.path_length}, {certificate.method}"
        )
    if certificate.requires.prefer == "cheapest":
        yield "holds only with race.prefer: cheapest, or with hedge_delay: on_rejection"
    if certificate.policy != options.policy or not certificate.verifier:
        yield "no answer was verified: the path has direct cuts only"
    yield (
        f"tested on {certificate.n:,} prompts, one of every cluster: {calibration.rows - calibration.used:,} "
        f"near-duplicates were left out; path fixed on {certificate.tuning.used:,} rows of other clusters"
    )
    if calibration.learnt:
        yield (
            f"{calibration.learnt:,} of them the model has learnt from: models that did not see them scored them, so "
            "the certificate is about those, and of the model itself only as far as it is no worse"
        )
    for source in certificate.mix:
        if not certificate.always_large and len(certificate.mix) > 1 and source.upper > certificate.alpha:
            yield f"holds for this mix only: {source.source} alone {_alone(source.lower, source.upper, certificate)}"
    yield f"certificate for {certificate.pair!r} and model {certificate.model_version} written to {out}"


def _alone(lower: float, upper: float, certificate: Certificate) -> str:
    if lower > certificate.alpha:
        return f"loses at least {lower:.1%}"
    return f"may lose up to {upper:.1%}"


def _cut(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _console() -> Console:
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=_FILE_WIDTH)


def _tables(certificate: Certificate, records: Sequence[Record]) -> Iterator[Table]:
    from rich.table import Table

    level = f"{1.0 - certificate.delta:.4g}"
    mix = Table("source", "prompts", "share", "saved", "loss", "bounds", title=f"the mix; bounds one-sided at {level}")
    for source in certificate.mix:
        bounds = f"{source.lower:.2%} to {source.upper:.2%}"
        cells = (f"{source.share:.1%}", f"{source.saved:.1%}", f"{source.loss:.2%}", bounds)
        mix.add_row(source.source, f"{source.n:,}", *cells)
    yield mix
    if not records:
        return
    broken = f"loss > {certificate.alpha:.4g} (95 %)"
    table = Table("how", "method", "n", "saved", "95 % of draws", "loss", broken, "on the other half")
    table.title = f"{records[0].draws} times again: where the truth is known"
    for record in records:
        method = f"{'certified' if record.is_certified else 'naive'}, {_loss_of(record.method)}"
        saved = f"{record.saved_lo:.1%} to {record.saved_hi:.1%}"
        interval = f"{record.broken:.3f} ({record.broken_lo:.3f} to {record.broken_hi:.3f})"
        other = "" if record.held_out_broken is None else f"{record.held_out_broken:.3f}"
        table.add_row(
            record.how, method, f"{record.n:,}", f"{record.saved:.1%}", saved, f"{record.loss:.2%}", interval, other
        )
    yield table


def _loss_of(method: str) -> str:
    return "failures (binomial)" if method == "binomial" else "signed loss (betting)"
