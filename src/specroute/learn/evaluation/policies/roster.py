"""All policies of a comparison, tuned and played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.evaluation.policies import lots
from specroute.learn.evaluation.policies.delivered import Delivered, joined
from specroute.learn.evaluation.policies.thresholds import (
    expected_gain_score,
    tuned_cascade,
    tuned_prompt,
    with_score,
)
from specroute.learn.evaluation.policies.tuned import HALVES, Split, Tuned, tuned
from specroute.learn.evaluation.policies.zones import tuned_zones
from specroute.learn.play import play

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from specroute.learn.play import Cuts
    from specroute.learn.scoring import ScoredRows

    Floats = NDArray[np.float64]

THRESHOLD, EXPECTED_GAIN, CASCADE, ZONES = "threshold", "expected_gain", "cascade", "zones"
CERTIFIED = "certified"
PRODUCT_WITHOUT_CERTIFICATE = ZONES


@dataclass(frozen=True, slots=True)
class Scores:
    """A baseline's float64[n, 2], P(mini right) and P(mini wrong and large right), of the measured and tuning rows."""

    measured: Floats
    tuning: Floats | None


@dataclass(frozen=True, slots=True)
class Roster:
    """The policies.

    Attributes:
        policies: name -> what became of the rows, in the order of telling.
        cuts: name -> its thresholds, one or one per half; only of policies that have some.
        scores: name -> float64[n, 2] that the policy read instead of the predictor's, as in ``Scores``.
        frontier: name -> the same policy tuned to each of ``policies.tuned.TARGETS``.
        product: which of ``policies`` the service would run.
        split: where the thresholds come from.
    """

    policies: dict[str, Delivered]
    cuts: dict[str, tuple[Cuts, ...]]
    scores: dict[str, Floats]
    frontier: dict[str, tuple[Delivered, ...]]
    product: str
    split: Split

    @property
    def product_frontier(self) -> tuple[Delivered, ...]:
        """Prompt and verifier together, along all targets."""
        return self.frontier[ZONES]


def make_roster(
    rows: ScoredRows,
    scores: Mapping[str, Scores],
    tuning: ScoredRows | None,
    target: float,
    seed: int,
    certified: Cuts | None,
) -> Roster:
    """Tunes and plays everything: ``scores`` are the baselines' by name, ``certified`` a certificate's thresholds."""
    split = Split.of(rows, tuning, seed=seed)
    made = _by_scores(rows, scores, split, target) | _by_model(rows, split, target)
    policies = {"always_mini": lots.always_mini(rows), "always_large": lots.always_large(rows)}
    policies |= {name: own.at_target for name, own in made.items()}
    cuts = {name: own.cuts for name, own in made.items()}
    product = PRODUCT_WITHOUT_CERTIFICATE
    if certified is not None:
        product = CERTIFIED
        policies[CERTIFIED] = Delivered.of(rows, play(rows, certified))
        cuts[CERTIFIED] = (certified,)
    large = float(policies[product].large.mean())
    policies |= {
        "random": lots.random_with_share(rows, large),
        "random_at_target": _random_at_target(rows, split, target),
        "cost_matched_shuffle": lots.shuffled(rows, policies[product]),
        "oracle": lots.oracle(rows),
    }
    return Roster(
        policies=policies,
        cuts=cuts,
        scores={name: own.measured for name, own in scores.items()},
        frontier={name: own.frontier for name, own in made.items() if name not in scores},
        product=product,
        split=split,
    )


def played_product(roster: Roster, rows: ScoredRows, index: NDArray[np.int64]) -> Delivered:
    """Returns what the product's unchanged thresholds do with ``rows``, the measured rows at ``index`` scored anew."""
    cuts = roster.cuts[roster.product]
    if len(cuts) == 1:
        return Delivered.of(rows, play(rows, cuts[0]))
    half_of = roster.split.half_of[index]
    at = [np.flatnonzero(half_of == half) for half in range(HALVES)]
    return joined([Delivered.of(part, play(part, own)) for own, part in zip(cuts, map(rows.take, at), strict=True)], at)


def _by_scores(rows: ScoredRows, scores: Mapping[str, Scores], split: Split, target: float) -> dict[str, Tuned]:
    return {
        name: _by_gain(rows, split, target, own.measured[:, 1], None if own.tuning is None else own.tuning[:, 1])
        for name, own in scores.items()
    }


def _by_model(rows: ScoredRows, split: Split, target: float) -> dict[str, Tuned]:
    def pointed(of: ScoredRows) -> ScoredRows:
        return with_score(of, of.p)

    own, other = pointed(rows), None if split.tuning is None else pointed(split.tuning)
    gain = None if split.tuning is None else 1.0 - expected_gain_score(split.tuning)
    made = {
        THRESHOLD: tuned(own, split, target, tuned_prompt, tuning=other),
        EXPECTED_GAIN: _by_gain(rows, split, target, 1.0 - expected_gain_score(rows), gain),
    }
    if np.any(~np.isnan(rows.verifier_p)):
        made[CASCADE] = tuned(rows, split, target, tuned_cascade)
    made[ZONES] = tuned(rows, split, target, tuned_zones)
    return made


def _by_gain(rows: ScoredRows, split: Split, target: float, gain: Floats, tuning_gain: Floats | None) -> Tuned:
    other = None if split.tuning is None or tuning_gain is None else with_score(split.tuning, 1.0 - tuning_gain)
    return tuned(with_score(rows, 1.0 - gain), split, target, tuned_prompt, tuning=other)


def _random_at_target(rows: ScoredRows, split: Split, target: float) -> Delivered:
    if split.tuning is not None:
        shares: Sequence[float] = [lots.random_share_for(split.tuning, target)]
    else:
        shares = [
            lots.random_share_for(rows.take(np.flatnonzero(split.half_of == half)), target) for half in range(HALVES)
        ]
    return lots.random_with_share(rows, float(np.mean(shares)))
