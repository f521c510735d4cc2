"""Predictor and verifier of a replay: every row is scored once, whatever the number of policies.

What a model has learnt from is scored by the models that did not see it, as training recorded them: to replay the
training file is then honest, too.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from specroute.app import build_predictor
from specroute.core.outcome import Verdict, VerdictKind
from specroute.core.plan import Interval
from specroute.learn.training.out_of_fold import OutOfFold
from specroute.predictor.predictor import OnnxPredictor
from specroute.predictor.verifier.evidence import evidence_of
from specroute.predictor.verifier.leeway import STRAIGHT, Cut, Leeway
from specroute.predictor.verifier.loading import load_verifier
from specroute.predictor.verifier.validator import LIKELY, verdict_of
from specroute.validators.registry import VERIFIER

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from pathlib import Path

    from specroute.config import Settings
    from specroute.core.outcome import Completion
    from specroute.core.plan import Prediction
    from specroute.core.ports import Predictor, Validator
    from specroute.core.request import RouteRequest
    from specroute.learn.dataset import Outcome
    from specroute.learn.training.out_of_fold import OutOfFoldScore
    from specroute.predictor.verifier.validator import Verifier

    Verdicts = dict[Hashable, Verdict]
    Lookup = Callable[[str], OutOfFoldScore | None]

NO_EVIDENCE = "no_evidence"
"""The reason of an abstention that training recorded, without why."""


class Scores:
    """Loads models once, and keeps what they say of the rows of ``pair``; share one between policies."""

    def __init__(self, pair: str) -> None:
        self._pair = pair
        self._predictors: dict[Hashable, Predictor] = {}
        self._verifiers: dict[Path, tuple[Verifier, Verdicts]] = {}
        self._out_of_fold: dict[Path, OutOfFold] = {}

    def predictor(self, settings: Settings) -> Predictor:
        """Returns the configured predictor.

        Raises:
            ValueError: its model cannot be used; one line says why.
        """
        chosen = settings.predictor
        if chosen is None or chosen.model is None:
            return build_predictor(settings)
        key = (chosen.model, tuple(chosen.tiers), settings.tier_names)
        if key not in self._predictors:
            inner = build_predictor(settings)
            assert isinstance(inner, OnnxPredictor), "a configured model is an ONNX model"
            strongest = next(name for name in reversed(settings.tier_names) if name != inner.tier)
            self._predictors[key] = ScoredOnce(inner, self._lookup(chosen.model), (inner.tier, strongest))
        return self._predictors[key]

    def verifier(self, folder: Path, cut: Cut) -> Validator:
        """Returns the verifier of a folder with ``cut``.

        Raises:
            ValueError: it cannot be used; one line says why.
        """
        if folder not in self._verifiers:
            self._verifiers[folder] = (load_verifier(folder, Cut()), {})
        judge, verdicts = self._verifiers[folder]
        min_p = judge.min_p if cut.min_p is None else cut.min_p
        return VerifiedOnce(judge, self._lookup(folder), min_p, cut.leeway, verdicts=verdicts)

    def learnt_from(self, settings: Settings, rows: Sequence[Outcome]) -> int:
        """Returns how many of ``rows`` the configured model has learnt from."""
        if settings.predictor is None or settings.predictor.model is None:
            return 0
        known = self._folds(settings.predictor.model)
        return sum(known.lookup(row.pair, row.prompt) is not None for row in rows)

    def _lookup(self, folder: Path) -> Lookup:
        """Returns prompt -> what models that did not see it say of it; ``None``: it was not learnt from."""
        return partial(self._folds(folder).lookup, self._pair)

    def _folds(self, folder: Path) -> OutOfFold:
        if folder not in self._out_of_fold:
            self._out_of_fold[folder] = OutOfFold.read(folder)
        return self._out_of_fold[folder]


class ScoredOnce:
    """Implements ``core.ports.Predictor``: asks another one about each prompt once."""

    def __init__(self, inner: Predictor, lookup: Lookup, tiers: tuple[str, str]) -> None:
        """Takes ``lookup`` of what was learnt from, and the names of the scored tier and of the strongest."""
        self._inner = inner
        self._lookup = lookup
        self._tiers = tiers
        self._said: dict[str, Prediction] = {}

    @property
    def version(self) -> str:
        """That of the predictor that is asked."""
        return self._inner.version

    def predict(self, request: RouteRequest) -> Prediction:
        """Returns its prediction, with the scores of models that did not see the row where it has learnt from it."""
        prompt = request.last_user_text
        said = self._said.get(prompt)
        if said is None:
            said = self._inner.predict(request)
            known = self._lookup(prompt)
            said = self._said[prompt] = said if known is None else _out_of_fold(said, known, self._tiers)
        return said


class VerifiedOnce:
    """Implements ``core.ports.LearntValidator``: asks another one about each answer once, and judges by its own cut."""

    name = VERIFIER
    is_contract = False
    is_learnt = True

    def __init__(
        self, inner: Validator, lookup: Lookup, min_p: float, leeway: Leeway = STRAIGHT, *, verdicts: Verdicts
    ) -> None:
        """Takes the cut, as ``Verifier`` does; ``verdicts``: what was said before, by prompt and answer."""
        self._inner = inner
        self._lookup = lookup
        self._min_p, self._leeway = min_p, leeway
        self._verdicts = verdicts

    def judge(self, request: RouteRequest, completion: Completion) -> Verdict:
        """Returns the verdict on a recorded answer."""
        key = (request.last_user_text, completion.text, completion.tool_calls)
        said = self._verdicts.get(key)
        if said is None:
            said = self._verdicts[key] = self._ask(request, completion)
        if said.p_accept is None:
            return said
        return verdict_of(said.p_accept, self._leeway.of(evidence_of(request, completion)), self._min_p)

    def _ask(self, request: RouteRequest, completion: Completion) -> Verdict:
        known = self._lookup(request.last_user_text)
        if known is None:
            return self._inner.judge(request, completion)
        if math.isnan(known.verifier_p):
            return Verdict(self.name, VerdictKind.ABSTAIN, NO_EVIDENCE)
        return Verdict(self.name, VerdictKind.ACCEPT, LIKELY, p_accept=known.verifier_p)


def _out_of_fold(said: Prediction, known: OutOfFoldScore, tiers: tuple[str, str]) -> Prediction:
    mini, large = tiers
    low, high = min(known.p_low, known.p), max(known.p_high, known.p)
    strongest = [p * known.p_large_if_ok + (1.0 - p) * known.p_rescue for p in (known.p, low, high)]
    return replace(
        said,
        p_accept=MappingProxyType({mini: known.p, large: strongest[0]}),
        intervals=MappingProxyType({mini: Interval(low, high), large: Interval(min(strongest), max(strongest))}),
        p_rescue=known.p_rescue,
        fallback_reason="",
    )
