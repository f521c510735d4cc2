"""Prints how much a certificate saves, and how often it and naive threshold tuning break their promise.

For the pair of each model, on rows with a recorded mini answer: the whole procedure on draws of n prompts from a
population whose truth is known, and on random splits of all clusters; alpha 2 %, delta 5 %, one row of a cluster.

Usage: ``python -m benchmarks.certificate [MODEL_FOLDER ...] [--draws 300] [--n 3000] [--json]``, the outcomes named
by SPECROUTE_OUTCOMES; a model for each pair, as ``specroute train --pair`` writes it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from specroute.learn.certificate.certify import certify
from specroute.learn.certificate.options import CalibrateOptions
from specroute.learn.certificate.redraws import Record, redraw, resplit
from specroute.learn.dataset import read_outcomes
from specroute.learn.scoring import score_rows
from specroute.predictor.artifact import read_manifest

if TYPE_CHECKING:
    from specroute.learn.dataset import Outcomes
    from specroute.predictor.certificate import Policy

REACHABLE = {
    "gpt-4o-mini|gpt-4o": (0.46, 0.59),
    "claude-3-haiku|claude-3.5-sonnet": (0.24, 0.30),
    "gemini-1.5-flash|gemini-1.5-pro": (0.26, 0.58),
}
"""Pairs, and the savings at n = 3,000 that are known to be reachable: by failures, and by the signed loss."""

POLICIES: tuple[Policy, ...] = ("full", "cascade")


def measure(outcomes: Outcomes, model: Path, arguments: argparse.Namespace) -> dict[Policy, list[Record]]:
    manifest = read_manifest(model)
    rows = score_rows(outcomes, pair=manifest.pair, model=model)
    records: dict[Policy, list[Record]] = {}
    for policy in POLICIES:
        options = CalibrateOptions(policy=policy, answered_only=True)
        done = certify(rows, options, files=manifest.files)
        records[policy] = redraw(done, draws=arguments.draws, n=arguments.n, seed=options.seed)
        if policy == POLICIES[0]:
            records[policy] += resplit(rows, options, draws=arguments.draws)
    return records


def show(pair: str, records: dict[Policy, list[Record]]) -> None:
    print(f"\n{pair}")
    if pair in REACHABLE:
        by_failures, signed = REACHABLE[pair]
        print(f"known to be reachable at n = 3,000: {by_failures:.0%} by failures, {signed:.0%} by signed loss")
    heads = ("n", "saved", "95 % of draws", "loss", "broken (95 %)", "other half")
    print(f"{'path':8} {'how':7} {'tuned':10} {'loss':9}" + "".join(f"{head:>20}" for head in heads))
    for policy, own in records.items():
        for record in own:
            tuned = "certified" if record.is_certified else "naively"
            loss = "failures" if record.method == "binomial" else "signed"
            cells = (
                f"{record.n:,}",
                f"{record.saved:.1%}",
                f"{record.saved_lo:.1%}-{record.saved_hi:.1%}",
                f"{record.loss:.2%}",
                f"{record.broken:.3f} ({record.broken_lo:.2f}-{record.broken_hi:.2f})",
                "" if record.held_out_broken is None else f"{record.held_out_broken:.3f}",
            )
            print(f"{policy:8} {record.how:7} {tuned:10} {loss:9}" + "".join(f"{cell:>20}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description="How much a certificate saves, and how often it breaks.")
    parser.add_argument("models", nargs="*", type=Path, default=[Path("router_models/default")])
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--n", type=int, default=3000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    file = os.environ.get("SPECROUTE_OUTCOMES")
    if file is None:
        sys.exit("set SPECROUTE_OUTCOMES to a file of recorded outcomes")
    outcomes = read_outcomes(Path(file))
    for model in arguments.models:
        pair = read_manifest(model).pair
        records = measure(outcomes, model, arguments)
        if arguments.json:
            facts = {policy: [asdict(record) for record in own] for policy, own in records.items()}
            print(json.dumps({"pair": pair, "records": facts}))
        else:
            show(pair, records)


if __name__ == "__main__":
    main()
