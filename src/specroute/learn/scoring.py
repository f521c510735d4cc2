"""Scores recorded outcomes as the service would have: predictor, deterministic validators and verifier on every row.

A row that the model has learnt from is scored by the models that did not see its group, as training recorded them: to
tune, certify or evaluate on the training file is then honest, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from specroute.core.outcome import Completion, FinishReason
from specroute.core.request import Message, Role, RouteRequest
from specroute.learn.prices import PairPrices, answer_cost_usd
from specroute.learn.training.out_of_fold import OutOfFold
from specroute.predictor.artifact import read_manifest
from specroute.predictor.predictor import OnnxPredictor
from specroute.predictor.verifier.evidence import Evidence
from specroute.predictor.verifier.leeway import merits, tokens_at_stake
from specroute.predictor.verifier.loading import load_verifier_model
from specroute.validators.completeness import Complete
from specroute.validators.judge import ConfiguredValidator, judge
from specroute.validators.refusal import NotRefusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcome, Outcomes
    from specroute.predictor.artifact import Manifest
    from specroute.predictor.verifier.leeway import Leeway
    from specroute.predictor.verifier.model import VerifierModel

    Floats = NDArray[np.float64]

_DETERMINISTIC = (ConfiguredValidator(Complete()), ConfiguredValidator(NotRefusal()))
REPORT_EVERY = 200


class ScoringError(ValueError):
    """The rows cannot be scored; the message is one line with the mend."""


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """Rows of one pair whose two answers are graded, with their scores; n rows in canonical order.

    Attributes:
        p, p_low, p_high: float64[n], the predictor's chance of the mini and its interval.
        p_rescue: float64[n], the predicted chance of the large model where the mini's answer is not acceptable.
        verifier_p: float64[n], the verifier's chance of the recorded answer; NaN: it abstains, or none is recorded.
        tokens_at_stake: float64[n], of prompt and the mini's recorded answer, > 0; NaN without one.
        passes: bool[n], whether the deterministic validators accept the mini's recorded answer; true without one.
        answered: bool[n], whether the mini's answer is recorded.
        mini_ok, large_ok: float64[n], 0 or 1.
        mini_cost_usd, large_cost_usd: float64[n].
        groups: int64[n], equal for near-duplicate prompts.
        out_of_fold: bool[n], whether the model has learnt from the row, so that others scored it.
        model_version: of the folder that scored.
        data_sha256: of the whole file.
    """

    rows: tuple[Outcome, ...]
    p: Floats
    p_low: Floats
    p_high: Floats
    p_rescue: Floats
    verifier_p: Floats
    tokens_at_stake: Floats
    passes: NDArray[np.bool_]
    answered: NDArray[np.bool_]
    mini_ok: Floats
    large_ok: Floats
    mini_cost_usd: Floats
    large_cost_usd: Floats
    groups: NDArray[np.int64]
    out_of_fold: NDArray[np.bool_]
    pair: str
    model_version: str
    data_sha256: str

    def merit(self, leeway: Leeway) -> Floats:
        """Returns float64[n]: what is held against the verifier's cut; NaN where it says nothing."""
        if leeway.exponent == 0.0:  # a search asks for this thousands of times
            return self.verifier_p
        return merits(self.verifier_p, leeway.factors(self.tokens_at_stake))

    def take(self, index: NDArray[np.int64]) -> ScoredRows:
        """Returns the rows at ``index``, which may repeat."""
        columns = {
            name: getattr(self, name)[index]
            for name in self.__dataclass_fields__
            if isinstance(getattr(self, name), np.ndarray)
        }
        return replace(self, rows=tuple(self.rows[at] for at in index), **columns)


@dataclass(frozen=True, slots=True)
class RowScore:
    """The scores of one row, as ``ScoredRows`` has them."""

    p: float
    p_low: float
    p_high: float
    p_rescue: float
    verifier_p: float
    out_of_fold: bool


class RowScorer:
    """A model folder, loaded to score recorded rows."""

    def __init__(self, folder: Path) -> None:
        """Loads and checks the folder as the service does.

        Raises:
            ModelArtifactError: it does not load.
        """
        self._predictor = OnnxPredictor.load(folder)
        self._verifier: VerifierModel | None = load_verifier_model(folder)
        self._out_of_fold = OutOfFold.read(folder)
        self.version = self._predictor.version
        self.has_verifier = self._verifier is not None

    def score(self, row: Outcome) -> RowScore:
        """Returns the scores of ``row``."""
        if (known := self._out_of_fold.lookup(row.pair, row.prompt)) is not None:
            return RowScore(*known[:4], known.verifier_p, out_of_fold=True)
        prediction = self._predictor.predict(_request(row.prompt))
        interval = prediction.interval(self._predictor.tier)
        if interval is None:  # not scored: uncertain, as the planner has it
            return RowScore(0.5, 0.0, 1.0, 0.5, float("nan"), out_of_fold=False)
        p = prediction.p_accept[self._predictor.tier]
        rescue = 0.5 if prediction.p_rescue is None else prediction.p_rescue
        return RowScore(p, interval.low, interval.high, rescue, self._verified(row), out_of_fold=False)

    def _verified(self, row: Outcome) -> float:
        if self._verifier is None:
            return float("nan")
        mean_logprob = float(np.log(row.mini_logprob_conf)) if row.mini_logprob_conf else None
        tokens = None if row.mini_output_tokens is None else round(row.mini_output_tokens)
        evidence = Evidence(row.prompt, row.mini_response, mean_logprob, row.mini_verbal_conf, tokens)
        p = self._verifier.assess(evidence, self._predictor.logit(row.prompt)).p
        return float("nan") if p is None else p


def score_rows(
    outcomes: Outcomes,
    *,
    pair: str,
    model: Path,
    prices: PairPrices | None = None,
    report: Callable[[int, int], None] = lambda done, rows: None,
) -> ScoredRows:
    """Scores the rows of ``pair`` that have both grades.

    Args:
        outcomes: rows of any pairs.
        pair: ``mini|large``.
        model: the folder that ``specroute train`` wrote.
        prices: what the two models cost; ``None``: their list prices.
        report: told now and then how many of how many rows are done.

    Raises:
        ScoringError: there is no row of the pair with both grades, or the model has learnt from them as from another
            pair's.
        UnknownPrice: no price is known of a model.
        ModelArtifactError: the folder does not load.
    """
    rows = _graded(outcomes, pair)
    _require_unseen(outcomes, pair, read_manifest(model))
    prices = PairPrices.of_pair(pair) if prices is None else prices
    scorer = RowScorer(model)
    scores = []
    for number, row in enumerate(rows):
        if number % REPORT_EVERY == 0:
            report(number, len(rows))
        scores.append(scorer.score(row))
    _, groups = np.unique([row.group_id for row in rows], return_inverse=True)
    return ScoredRows(
        rows=rows,
        **{
            name: np.array([getattr(score, name) for score in scores])
            for name in ("p", "p_low", "p_high", "p_rescue", "verifier_p", "out_of_fold")
        },
        tokens_at_stake=np.array([_tokens_at_stake(row) for row in rows]),
        passes=np.array([_passes(row) for row in rows], dtype=np.bool_),
        answered=np.array([row.mini_response is not None for row in rows], dtype=np.bool_),
        mini_ok=np.array([row.mini_correct for row in rows], dtype=np.float64),
        large_ok=np.array([row.large_correct for row in rows], dtype=np.float64),
        mini_cost_usd=np.array(
            [
                answer_cost_usd(
                    prices.mini, row.prompt, row.mini_response, row.mini_input_tokens, row.mini_output_tokens
                )
                for row in rows
            ]
        ),
        large_cost_usd=np.array(
            [
                answer_cost_usd(
                    prices.large, row.prompt, row.large_response, row.large_input_tokens, row.large_output_tokens
                )
                for row in rows
            ]
        ),
        groups=groups.astype(np.int64),
        pair=pair,
        model_version=scorer.version,
        data_sha256=outcomes.sha256(),
    )


def _require_unseen(outcomes: Outcomes, pair: str, manifest: Manifest) -> None:
    """Refuses rows that helped to train the model of another pair: no scores of models without them are kept."""
    learnt = manifest.data
    if pair != manifest.pair and learnt.auxiliary_rows and outcomes.sha256() == learnt.sha256:
        raise ScoringError(
            f"the model is of pair {manifest.pair!r} and has learnt from these rows of {pair!r} as auxiliary data: its "
            f"scores of them flatter it; train one with --pair {pair!r}, or give other rows"
        )


def _graded(outcomes: Outcomes, pair: str) -> tuple[Outcome, ...]:
    own = [row for row in outcomes.rows if row.pair == pair]
    if not own:
        known = ", ".join(repr(name) for name in outcomes.pairs)
        raise ScoringError(f"no rows of pair {pair!r}; choose one of {known} with --pair")
    graded = tuple(row for row in own if row.large_correct is not None)
    if not graded:
        raise ScoringError(f"no row of pair {pair!r} says whether the large model was right; add 'large_correct'")
    return graded


def _tokens_at_stake(row: Outcome) -> float:
    return float("nan") if row.mini_response is None else tokens_at_stake(row.prompt, row.mini_response)


def _passes(row: Outcome) -> bool:
    """Returns whether the recorded answer keeps what the service asks of every answer."""
    if row.mini_response is None:
        return True
    completion = Completion(row.mini_response, (), FinishReason.STOP, "")
    return judge(_DETERMINISTIC, _request(row.prompt), completion).accepted


def _request(prompt: str) -> RouteRequest:
    return RouteRequest("", (Message(Role.USER, prompt),))
