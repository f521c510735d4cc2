"""The stages of ``specroute tune``: read, score, search, recommend, confirm; it can be told after any of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from specroute.config import ConfigError, load_settings, parse_settings
from specroute.learn.dataset import read_outcomes
from specroute.learn.prices import ModelPrice, PairPrices
from specroute.learn.scoring import score_rows
from specroute.predictor.artifact import read_manifest
from specroute.tuning.confirm.confirm import Confirming
from specroute.tuning.findings import Answer
from specroute.tuning.recommended.recommend import RECOMMENDED_FILE, Base, Origin, recommendation
from specroute.tuning.recommended.template import Shape, base_config
from specroute.tuning.report.run import Run
from specroute.tuning.splits import TuningError, split, usable
from specroute.tuning.tune import tune
from specroute.upstreams.simulated.latency import latency_model

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from specroute.config import Settings
    from specroute.config.schema.tiers import TierSettings
    from specroute.learn.scoring import ScoredRows
    from specroute.tuning.confirm.live import LiveOptions
    from specroute.tuning.findings import Found
    from specroute.tuning.recommended.recommend import Recommendation
    from specroute.tuning.targets import Targets

DEFAULT_MODEL = Path("router_models/default")
_TIERS = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for; ``None``: the option is not given."""

    outcomes: Path
    holdout: Path | None
    pair: str
    model: Path | None
    config: Path | None
    prices: str | None
    targets: Targets
    latency: str
    draws: int
    seed: int
    out: Path
    live: LiveOptions | None
    command: str


@dataclass(slots=True)
class Stages:
    """One run.

    Attributes:
        stage: what is being done.
        left_out: rows of the pair that lack an answer or a grade.
    """

    asked: Asked
    progress: Progress
    stage: str = "reading"
    left_out: int = 0
    found: Found | None = None
    recommendation: Recommendation | None = None
    confirming: Confirming | None = None
    _task: TaskID | None = field(default=None)

    def run(self) -> None:
        """Goes through all stages.

        Raises:
            ValueError, ConfigError, OSError: one of them cannot be done; one line says why. What came before stays.
        """
        asked = self.asked
        latency = latency_model(asked.latency)
        base, shape = self._base()
        manifest = read_manifest(shape.model)
        rows = self._scored(asked.outcomes, shape)
        if asked.holdout is None:
            tuning, holdout = split(rows, seed=asked.seed)
        else:
            tuning, holdout = rows, self._scored(asked.holdout, shape)
        self._next("searching", None)
        self.found = tune(
            tuning,
            holdout,
            asked.targets,
            latency=latency,
            prices=shape.prices,
            draws=asked.draws,
            seed=asked.seed,
            report=lambda step: self._next(step, None),
            files=manifest.files,
        )
        if self.found.advice.answer is Answer.ROUTE:
            self._next("writing the recommendation", None)
            self.recommendation = recommendation(self.found, base, Origin(asked.latency, asked.seed))
        self.confirming = Confirming(self.found, holdout, shape, latency, asked.seed, asked.live)
        self._next("confirming", self.confirming.steps)
        self.confirming.run(self._describe, self._advance)
        self.stage = "done"

    def told(self) -> Run:
        """Returns what there is by now."""
        return Run(
            command=self.asked.command,
            pair=self.asked.pair,
            targets=self.asked.targets,
            stage=self.stage,
            is_partial=self.stage != "done",
            left_out=self.left_out,
            found=self.found,
            recommendation=self.recommendation,
            confirmation=None if self.confirming is None else self.confirming.confirmation(),
        )

    def _base(self) -> tuple[Base, Shape]:
        """Returns the configuration to change, and what its two tiers are made of."""
        asked = self.asked
        prices = None if asked.prices is None else PairPrices.parse(asked.prices)
        if asked.config is None:
            shape = Shape(asked.pair, prices or PairPrices.of_pair(asked.pair), asked.model or DEFAULT_MODEL)
            return Base("base.yaml", base_config(shape), Path.cwd()), shape
        settings = load_settings(asked.config, None)
        if len(settings.tiers) != _TIERS:
            count = len(settings.tiers)
            raise TuningError(f"{asked.config}: tiers: {count} of them; give a configuration with the pair's two")
        own = None if settings.predictor is None else settings.predictor.model
        model = asked.model or own or DEFAULT_MODEL
        text = asked.config.read_text("utf-8-sig")
        is_own = own is not None and own.absolute() == model.absolute()
        base = Base(str(asked.config), text, asked.config.absolute().parent, "" if is_own else str(model))
        return base, Shape(asked.pair, prices or _prices(settings), model)

    def _scored(self, file: Path, shape: Shape) -> ScoredRows:
        self._next(f"reading {file.name}", None)
        outcomes = read_outcomes(file)
        self._next(f"scoring {file.name}", None)
        rows = score_rows(
            outcomes, pair=shape.pair, model=shape.model, prices=shape.prices, report=self._scored_so_far
        )  # fmt: skip
        whole = usable(rows)
        self.left_out += sum(row.pair == shape.pair for row in outcomes.rows) - len(whole.rows)
        return whole

    def _scored_so_far(self, done: int, total: int) -> None:
        if self._task is not None:
            self.progress.update(self._task, completed=done, total=total)

    def _next(self, stage: str, total: int | None) -> None:
        self.stage = stage
        if self._task is not None:
            self.progress.remove_task(self._task)
        self._task = self.progress.add_task(stage, total=total)

    def _describe(self, stage: str) -> None:
        self.stage = stage
        if self._task is not None:
            self.progress.update(self._task, description=stage)

    def _advance(self, count: int) -> None:
        if self._task is not None:
            self.progress.advance(self._task, count)


def place_note(run: Run, out: Path) -> str:
    """Returns what to do where the recommended file's paths do not lead anywhere from ``out``; "": they do."""
    own = run.recommendation
    if own is None:
        return ""
    try:
        parse_settings(own.text, RECOMMENDED_FILE, folder=out.absolute(), environ=None)
    except ConfigError:
        return f"{RECOMMENDED_FILE} has paths that start at the folder of {own.base.name}: put it there"
    return ""


def _prices(settings: Settings) -> PairPrices:
    mini, large = settings.tiers
    return PairPrices(_price(mini), _price(large))


def _price(tier: TierSettings) -> ModelPrice:
    return ModelPrice(tier.price.input_nano_usd_per_mtok / 1e9, tier.price.output_nano_usd_per_mtok / 1e9)
