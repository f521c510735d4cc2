"""Prints what tuned thresholds and hedge delays do on other rows, beside every baseline, for each model's pair.

Usage: ``python -m benchmarks.tuning [MODEL_FOLDER ...] [--outcomes FILE] [--holdout FILE] [--latency mini-fast]
[--markdown]``; a model for each pair, as ``specroute train --pair`` writes it; the files default to
$SPECROUTE_OUTCOMES and, where it is set, $SPECROUTE_OUTCOMES_TEST. ``specroute tune`` finds the same, and confirms it
live.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from specroute.learn.dataset import read_outcomes
from specroute.learn.prices import PairPrices
from specroute.learn.scoring import score_rows
from specroute.predictor.artifact import read_manifest
from specroute.tuning.splits import split, usable
from specroute.tuning.targets import Mode, Targets
from specroute.tuning.tune import tune
from specroute.upstreams.simulated.latency import latency_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specroute.learn.metrics import Figure
    from specroute.learn.scoring import ScoredRows
    from specroute.tuning.findings import Effect, Found

HEADS = ("policy", "saved %", "quality kept %", "p50", "p99", "calls")


def found_in_both_modes(tuning: ScoredRows, holdout: ScoredRows, latency: str, seed: int) -> dict[Mode, Found]:
    """Returns what economy and interactive find for the rows' pair."""
    return {
        mode: tune(
            tuning,
            holdout,
            Targets(mode=mode),
            latency=latency_model(latency),
            prices=PairPrices.of_pair(holdout.pair),
            seed=seed,
            report=lambda step: None,
        )
        for mode in Mode
    }


def lines(found: dict[Mode, Found]) -> Iterator[tuple[str, ...]]:
    """Yields the rows of the table: both modes with their shuffled controls, then what depends on no mode."""
    for mode, own in found.items():
        answer = "" if own.advice.answer.value == "route" else f" (answer: {own.advice.answer.value})"
        yield _line(f"**{mode.value}**{answer}", own.policy("recommended").effect)
        yield _line(f"its decisions, shuffled at its cost ({mode.value})", own.policy("cost_matched_shuffle").effect)
    economy = found[Mode.ECONOMY]
    if economy.certified is not None and not economy.certified.certificate.always_large:
        yield _line("economy, certified at 2 points", economy.certified.effect)
    for policy in economy.policies:
        if policy.name not in ("recommended", "cost_matched_shuffle"):
            yield _line(policy.name.replace("_", " "), policy.effect)


def _line(name: str, effect: Effect) -> tuple[str, ...]:
    return (
        name,
        _shown(effect.saved_ratio, 100.0, ".0f"),
        _shown(effect.retention, 100.0, ".1f"),
        _shown(effect.p50_ratio, 1.0, ".2f"),
        _shown(effect.p99_ratio, 1.0, ".2f"),
        _shown(effect.amplification, 1.0, ".2f"),
    )


def _shown(figure: Figure, scale: float, form: str) -> str:
    value, lo, hi = (None if each is None else scale * each for each in (figure.value, figure.lo, figure.hi))
    return "-" if value is None else f"{value:{form}} [{lo:{form}}, {hi:{form}}]"


def printed(found: dict[Mode, Found], *, markdown: bool) -> str:
    """Returns the table of one pair."""
    own = found[Mode.ECONOMY]
    title = f"{own.pair}, {own.latency}; tuned on {own.n_tuning:,} rows, measured on {own.n_holdout:,}"
    rows = [HEADS, *lines(found)]
    if not markdown:
        return "\n".join([title, *("  ".join(f"{cell:26}" for cell in row) for row in rows), *_reasons(found)])
    table = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([title, "", table[0], f"|{' --- |' * len(HEADS)}", *table[1:], "", *_reasons(found)])


def _reasons(found: dict[Mode, Found]) -> list[str]:
    return [f"{mode.value}: {own.advice.answer.value}: {' '.join(own.advice.reasons)}" for mode, own in found.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, default=[Path("router_models/default")])
    parser.add_argument("--outcomes", type=Path, default=os.environ.get("SPECROUTE_OUTCOMES"), help="tuned on")
    parser.add_argument(
        "--holdout",
        type=Path,
        default=os.environ.get("SPECROUTE_OUTCOMES_TEST"),
        help="measured on; without, 40 %% of the clusters",
    )
    parser.add_argument("--latency", default="mini-fast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    if arguments.outcomes is None:
        sys.exit("give --outcomes, a file of recorded outcomes, or set SPECROUTE_OUTCOMES")
    files = [read_outcomes(Path(path)) for path in (arguments.outcomes, arguments.holdout) if path is not None]
    for model in arguments.models:
        pair = read_manifest(model).pair
        rows = [usable(score_rows(each, pair=pair, model=model)) for each in files]
        tuning, holdout = rows if len(rows) > 1 else split(rows[0], seed=arguments.seed)
        found = found_in_both_modes(tuning, holdout, arguments.latency, arguments.seed)
        print(printed(found, markdown=arguments.markdown), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
