"""What needs no trained model: means per source and subject, the prompt's length, the nearest known prompts.

Each is fitted to both P(mini right) and P(mini wrong and large right), so that its ranking by expected gain is as
strong as it can be made. Fitted on tuning rows where there are some. Without, cross-fitted over folds of whole groups;
but the means on the measured rows themselves, in their favour: a mean of the other folds is lowest where the own one is
highest, which ranks the rows of one source backwards and would flatter whatever is compared with it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from specroute.learn.dataset import Outcome
    from specroute.learn.scoring import ScoredRows

    Floats = NDArray[np.float64]
    Fit = Callable[[Sequence[Outcome], Floats, Sequence[Outcome]], Floats]

SOURCE_MEAN, SUBJECT_MEAN, LENGTH, NEAREST = "source_mean", "subject_mean", "length", "knn"
MEANS = frozenset({SOURCE_MEAN, SUBJECT_MEAN})
FOLDS = 5
NEIGHBOURS = 40
PRIOR_ROWS = 5.0
"""A mean counts the mean of all rows as so many rows of its own."""

_COMMON = 0.2  # of the prompts: an n-gram in more of them says little and costs most of the time
_BATCH = 500


def predicted(name: str, rows: ScoredRows, tuning: ScoredRows | None, *, seed: int) -> Floats:
    """Returns a baseline's float64[n, 2]: P(mini right) and P(mini wrong and large right) of each of ``rows``.

    Args:
        name: of ``FITS``.
        rows: to predict.
        tuning: to fit on; ``None``: fitted on the other folds of ``rows``, or for means on ``rows``.
        seed: decides the folds.
    """
    fit = FITS[name]
    known = rows if tuning is None and name in MEANS else tuning
    if known is not None:
        return fit(known.rows, _targets(known), rows.rows)
    targets, made = _targets(rows), np.empty((rows.p.size, 2))
    fold_of = group_parts(rows.groups, FOLDS, seed)
    for fold in range(FOLDS):
        held, rest = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
        if held.size and rest.size:
            made[held] = fit([rows.rows[at] for at in rest], targets[rest], [rows.rows[at] for at in held])
        else:  # one group only: there is nothing to learn from
            made[held] = 0.5
    return made


def group_parts(groups: NDArray[np.int64], parts: int, seed: int) -> NDArray[np.int64]:
    """Returns int64[n] in [0, parts): a part of about equal size for each row, one part for a whole group."""
    names, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(names.size)
    part = np.empty(names.size, dtype=np.int64)
    part[order] = (np.cumsum(sizes[order]) - sizes[order]) * parts // groups.size
    result: NDArray[np.int64] = part[index]
    return result


def _targets(rows: ScoredRows) -> Floats:
    return np.stack([rows.mini_ok, (1.0 - rows.mini_ok) * rows.large_ok], axis=1)


def _source_mean(known: Sequence[Outcome], targets: Floats, rows: Sequence[Outcome]) -> Floats:
    overall = targets.mean(axis=0)
    means = _means([row.source for row in known], targets, [overall] * len(known))
    return np.array([means.get(row.source, overall) for row in rows])


def _subject_mean(known: Sequence[Outcome], targets: Floats, rows: Sequence[Outcome]) -> Floats:
    of_known, of_rows = _source_mean(known, targets, known), _source_mean(known, targets, rows)
    means = _means([(row.source, row.subject) for row in known], targets, list(of_known))
    found = [means.get((row.source, row.subject)) for row in rows]
    return np.array([of_rows[at] if value is None else value for at, value in enumerate(found)])


def _means(keys: Sequence[object], targets: Floats, priors: Sequence[Floats]) -> dict[object, Floats]:
    at: dict[object, list[int]] = defaultdict(list)
    for number, key in enumerate(keys):
        at[key].append(number)
    return {
        key: (targets[own].sum(axis=0) + PRIOR_ROWS * priors[own[0]]) / (len(own) + PRIOR_ROWS)
        for key, own in at.items()
    }


def _length(known: Sequence[Outcome], targets: Floats, rows: Sequence[Outcome]) -> Floats:
    def lengths(of: Sequence[Outcome]) -> Floats:
        logs = np.array([math.log1p(len(row.prompt)) for row in of])
        return np.stack([logs, logs**2], axis=1)

    return np.stack([_regression(lengths(known), target, lengths(rows)) for target in targets.T], axis=1)


def _regression(features: Floats, target: Floats, wanted: Floats) -> Floats:
    if target.min() == target.max():
        return np.full(wanted.shape[0], target[0])
    centre, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    estimator = LogisticRegression(max_iter=1000).fit((features - centre) / spread, target)
    p: Floats = estimator.predict_proba((wanted - centre) / spread)[:, 1]
    return p


def _nearest(known: Sequence[Outcome], targets: Floats, rows: Sequence[Outcome]) -> Floats:
    vectorizer = HashingVectorizer(ngram_range=(1, 2), n_features=2**20, alternate_sign=False, norm=None)
    counts: csr_matrix = vectorizer.transform([row.prompt for row in known])
    rare = np.bincount(counts.indices, minlength=counts.shape[1]) <= max(1.0, _COMMON * len(known))
    weights = TfidfTransformer(sublinear_tf=True).fit(_only(counts, rare))
    matrix = weights.transform(_only(counts, rare))
    wanted = weights.transform(_only(vectorizer.transform([row.prompt for row in rows]), rare))
    near = min(NEIGHBOURS, len(known))
    overall, made = targets.mean(axis=0), np.empty((len(rows), 2))
    transposed = matrix.T.tocsr()
    for start in range(0, len(rows), _BATCH):
        likeness = (wanted[start : start + _BATCH] @ transposed).toarray()
        best = np.argpartition(-likeness, near - 1, axis=1)[:, :near]
        made[start : start + _BATCH] = (targets[best].sum(axis=1) + PRIOR_ROWS * overall) / (near + PRIOR_ROWS)
    return made


def _only(counts: csr_matrix, kept: NDArray[np.bool_]) -> csr_matrix:
    counts = counts.copy()
    counts.data = counts.data * kept[counts.indices]
    counts.eliminate_zeros()
    return counts


FITS: dict[str, Fit] = {
    LENGTH: _length,
    SOURCE_MEAN: _source_mean,
    SUBJECT_MEAN: _subject_mean,
    NEAREST: _nearest,
}
