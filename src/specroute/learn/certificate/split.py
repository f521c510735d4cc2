"""Who is looked at: splits that no near-duplicate prompt crosses, and one row of every cluster.

Near-duplicates fail together: a test that counts each of them believes in more evidence than there is. Of every
cluster one row is drawn, by a hash of the seed and of what the row is, so that the draw does not depend on the file's
order, and leaves the other clusters' draws as they are when rows come or go.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from specroute.learn.certificate.options import CalibrationError
from specroute.learn.dataset import Outcomes
from specroute.predictor.certificate import Rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from specroute.learn.certificate.options import CalibrateOptions
    from specroute.learn.dataset import Outcome
    from specroute.learn.scoring import ScoredRows

    Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """Two sets of rows that share no cluster.

    Attributes:
        tuning: all rows of the tuning clusters.
        calibration: one row of every other cluster, in the order in which they are tested.
    """

    tuning: ScoredRows
    calibration: ScoredRows
    tuning_facts: Rows
    calibration_facts: Rows


def split_rows(rows: ScoredRows, options: CalibrateOptions, tuning: ScoredRows | None = None) -> Split:
    """Splits ``rows`` by cluster, or takes ``tuning`` without the clusters that ``rows`` has.

    Raises:
        CalibrationError: one side is empty.
    """
    if options.answered_only:
        rows, tuning = answered_rows(rows), None if tuning is None else answered_rows(tuning)
    if tuning is None:
        first, second = split_by_group(rows.rows, options.seed, options.tuning_share)
        if not first.size or not second.size:
            problem = f"{len(rows.rows)} rows are too few to split into tuning and calibration"
            raise CalibrationError(f"{problem}; give more rows, or rows to tune on with --tuning")
        tuning, tested = rows.take(first), rows.take(second)
    else:
        known = {row.group_id for row in rows.rows}
        own = np.array([row.group_id not in known for row in tuning.rows], dtype=np.bool_)
        if not own.any():
            raise CalibrationError("every prompt of --tuning is in --outcomes too; give rows of other prompts")
        tuning, tested = tuning.take(np.flatnonzero(own)), rows
    chosen = one_per_group(tested.rows, options.seed)
    everything = np.arange(len(tuning.rows))
    return Split(tuning, tested.take(chosen), _facts(tuning, everything), _facts(tested, chosen))


def answered_rows(rows: ScoredRows) -> ScoredRows:
    """Returns the rows with a recorded mini answer.

    Raises:
        CalibrationError: there is none.
    """
    if not rows.answered.any():
        raise CalibrationError("no row has the mini's answer; leave out --answered-only, or add 'mini_response'")
    return rows.take(np.flatnonzero(rows.answered))


def split_by_group(rows: Iterable[Outcome], seed: int, share: float) -> tuple[Index, Index]:
    """Returns the indices of about ``share`` of the groups' rows, and of the others'."""
    is_first = np.array([_draw(seed, "split", row.group_id) < share for row in rows], dtype=np.bool_)
    return np.flatnonzero(is_first), np.flatnonzero(~is_first)


def one_per_group(rows: Iterable[Outcome], seed: int) -> Index:
    """Returns the index of one row of every group, in an order that is drawn as well."""
    chosen: dict[str, tuple[float, int]] = {}
    for index, row in enumerate(rows):
        drawn = (_draw(seed, "row", f"{row.prompt_id} {row.source} {row.prompt}"), index)
        chosen[row.group_id] = min(drawn, chosen.get(row.group_id, drawn))
    order = sorted(chosen, key=lambda group: _draw(seed, "order", group))
    return np.array([chosen[group][1] for group in order], dtype=np.int64)


def cluster_weights(groups: Index) -> NDArray[np.float64]:
    """Returns float64[rows] with which every cluster weighs the same: 1 / rows of its cluster."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = 1.0 / counts[inverse]
    return weights


def _facts(rows: ScoredRows, used: Index) -> Rows:
    chosen = np.sort(used)
    return Rows(
        rows=len(rows.rows),
        clusters=len({row.group_id for row in rows.rows}),
        used=int(chosen.size),
        learnt=int(rows.out_of_fold[chosen].sum()),
        sha256=Outcomes(tuple(rows.rows[at] for at in chosen), (), 0).sha256(),
    )


def _draw(seed: int, use: str, text: str) -> float:
    digest = hashlib.sha256(f"{seed} {use} {text}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64
