"""Runs made up for tests of what is said about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from specroute.learn.prices import ModelPrice, PairPrices
from specroute.tuning.confirm.compared import Confirmation, Confirmed, Measured
from specroute.tuning.findings import Answer
from specroute.tuning.recommended.recommend import Base, Origin, recommendation
from specroute.tuning.recommended.template import Shape, base_config
from specroute.tuning.report.run import Run
from tests.tuning.found import PAIR, found

if TYPE_CHECKING:
    from specroute.tuning.findings import Found

SHAPE = Shape(PAIR, PairPrices(ModelPrice(0.15, 0.6), ModelPrice(2.5, 10.0)), Path("model"))


def confirmation(p50_s: float = 1.1) -> Confirmation:
    """Returns one whose live service answers half of its requests within ``p50_s``."""
    engine, again = Measured(600, 0.84, 8e-4, 1.1, 5.6), Measured(200, 0.85, 8e-4, 1.1, 5.5)
    live = Measured(200, 0.85, 8e-4, p50_s, 5.6)
    return Confirmation((Confirmed("recommended", engine, engine, again, live, 1.0),), "600 rows; 200 sent live")


def run(found: Found, folder: Path, *, confirmed: Confirmation | None = None, stage: str = "done") -> Run:
    (folder / "model").mkdir(exist_ok=True)
    (folder / "certificate.json").touch()
    base = Base("base.yaml", base_config(SHAPE), folder)
    routes = found.advice.answer is Answer.ROUTE
    return Run(
        command="specroute tune --outcomes '<b>.parquet'",
        pair=found.pair,
        targets=found.targets,
        stage=stage,
        is_partial=stage != "done",
        left_out=30,
        found=found,
        recommendation=recommendation(found, base, Origin("mini-fast", 0)) if routes else None,
        confirmation=confirmed,
    )


def whole_run(folder: Path) -> Run:
    return run(found(), folder, confirmed=confirmation())
