"""Chooses how far the verifier's cut bends with an answer's price: by what it saves out of fold.

A cut that bends spends the risk that it may take where it buys most. Whether that pays depends on how well the chances
of long answers are known, so it is measured, and a straight cut is kept unless a bent one is clearly better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.predictor.verifier.leeway import MOST, Leeway, merits, tokens_at_stake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specroute.learn.dataset import Outcome

    Floats = NDArray[np.float64]

EXPONENTS = (0.25, 0.5, 0.75, 1.0)
CAP = 0.04
"""The share of failures beyond which saving is worth nothing: twice the usual promise."""
CLEARLY = 3.0
"""Standard errors that a bent cut must be better by: several are tried, and a straight one is easier to explain."""
DRAWS = 200


@dataclass(frozen=True, slots=True)
class Answers:
    """Own answers with text whose large model's grade is known; n of them.

    Attributes:
        p: float64[n], out of fold; NaN where the verifier abstains.
        failure: float64[n], 1 where the large model was right and the mini was not.
        mini_tokens, large_tokens: float64[n], at stake with either model's recorded answer.
        groups: int64[n], equal for near-duplicates.
    """

    p: Floats
    failure: Floats
    mini_tokens: Floats
    large_tokens: Floats
    groups: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[Outcome], p: Floats) -> Answers:
        """Collects those of ``rows`` that have text and grades; ``p``: float64[rows]."""
        known = [at for at, row in enumerate(rows) if row.mini_response and row.large_correct is not None]
        chosen = [rows[at] for at in known]
        _, groups = np.unique([row.group_id for row in chosen], return_inverse=True)
        return cls(
            p=p[known],
            failure=np.array([float(bool(row.large_correct) and not row.mini_correct) for row in chosen]),
            mini_tokens=np.array([tokens_at_stake(row.prompt, row.mini_response or "") for row in chosen]),
            large_tokens=np.array(
                [tokens_at_stake(row.prompt, row.large_response or row.mini_response or "") for row in chosen]
            ),
            groups=groups.astype(np.int64),
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and the area of each exponent: (exponent, area, standard error of its gain over a straight cut).

    The area, in [0, 1], is the share of the large model's money that is saved, each part weighed by how far the share
    of failures is below ``CAP``.
    """

    leeway: Leeway
    areas: tuple[tuple[float, float, float], ...]


def choose_leeway(answers: Answers, seed: int, min_rows: int) -> Choice:
    """Returns how far the cut is to bend; deterministic.

    Where the largest area is clearly better than a straight cut's, the smallest exponent within one standard error of
    it (Breiman et al., Classification and regression trees, 1984), else none.

    Args:
        answers: out of fold.
        seed: of the bootstrap over groups.
        min_rows: with fewer answers the cut stays straight.
    """
    if answers.p.size < min_rows:
        return Choice(Leeway(), ())
    typical = float(np.exp(np.log(answers.mini_tokens).mean()))
    size = np.clip(answers.mini_tokens / typical, 1.0 / MOST, MOST)
    curves = [_Curve.of(answers, merits(answers.p, size**exponent)) for exponent in (0.0, *EXPONENTS)]
    counts = _draws(answers.groups, seed)
    drawn = np.array([[curve.area(count) for count in counts] for curve in curves])
    areas = [curve.area(np.ones(answers.p.size)) for curve in curves]
    errors = (drawn - drawn[0]).std(axis=1)
    table = list(zip((0.0, *EXPONENTS), areas, errors.tolist(), strict=True))
    _, best, error = max(table, key=lambda item: item[1])
    is_clear = best - areas[0] > CLEARLY * error
    exponent = next(exponent for exponent, area, _ in table if area >= best - error) if is_clear else 0.0
    return Choice(
        Leeway(exponent, round(typical, 3)) if exponent else Leeway(),
        tuple((exponent, round(area, 6), round(error, 6)) for exponent, area, error in table),
    )


@dataclass(frozen=True, slots=True)
class _Curve:
    """Answers in the order in which a falling cut accepts them; those never accepted are left out."""

    order: NDArray[np.int64]
    failure: Floats
    money: Floats
    all_money: Floats

    @classmethod
    def of(cls, answers: Answers, merit: Floats) -> _Curve:
        order = np.argsort(-np.where(np.isnan(merit), -1.0, merit), kind="stable")
        order = order[~np.isnan(merit[order])]
        return cls(order, answers.failure[order], answers.large_tokens[order], answers.large_tokens)

    def area(self, count: Floats) -> float:
        """Returns the area where each answer stands ``count`` times."""
        weight = count[self.order]
        failures = np.cumsum(weight * self.failure) / count.sum()
        saved = weight * self.money / (count @ self.all_money)
        return float(saved @ np.maximum(0.0, 1.0 - failures / CAP))


def _draws(groups: NDArray[np.int64], seed: int) -> list[Floats]:
    """Returns how often each answer stands in each resample of the groups."""
    generator = np.random.default_rng(seed)
    size = int(groups.max()) + 1
    return [
        np.bincount(generator.integers(size, size=size), minlength=size)[groups].astype(np.float64)
        for _ in range(DRAWS)
    ]
