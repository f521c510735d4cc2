"""How densely the training texts lie around a text: where they are thin, a score is a guess.

A mixture of Gaussians with diagonal covariances over the strongest directions of the n-grams and the surface measures.
It tells a kind of task that was never seen from those that were; a score's own sureness does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.mixture import GaussianMixture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DIRECTIONS = 16

_COMPONENTS = 24
_TEXTS_PER_COMPONENT = 12
_LEAST_VARIANCE = 0.02
_LEAST_STD = 1e-3
"""Of a feature in which all texts are alike: a text that differs there is a stranger, and the graph's single precision
does not make one of the texts themselves."""
_STEEPNESS = 2.0


@dataclass(frozen=True, slots=True)
class Density:
    """The mixture, as the graph computes it: log-sum-exp over k of ``heights - sum(((x - centres) * roots)**2)``.

    Attributes:
        centres: float64[features, k].
        roots: float64[features, k], 1 / (std * sqrt(2)) of each feature in each component.
        heights: float64[k], log-density at a component's centre, and log of its weight.
        median, edge: of the negative log-density of texts that the mixture was not fitted to, the 50th and the 95th
            percentile; ``edge > median``.
    """

    centres: Floats
    roots: Floats
    heights: Floats
    median: float
    edge: float

    @classmethod
    def fit(cls, features: Floats, held_out: Floats, seed: int) -> Density:
        """Fits to ``features``, float64[texts, features], and measures on ``held_out``; deterministic."""
        if features.shape[0] < 2:  # a mixture of one text is a point
            features = np.repeat(features, 2, axis=0)
        mean, std = features.mean(axis=0), features.std(axis=0)
        std = np.maximum(std, _LEAST_STD)
        count = max(1, min(_COMPONENTS, features.shape[0] // _TEXTS_PER_COMPONENT))
        mixture = GaussianMixture(
            count, covariance_type="diag", reg_covar=_LEAST_VARIANCE, random_state=seed, max_iter=60, tol=1e-2
        )
        mixture.fit((features - mean) / std)
        roots = np.sqrt(0.5 / mixture.covariances_.T)
        heights = np.log(mixture.weights_) + (np.log(roots) - 0.5 * np.log(np.pi)).sum(axis=0)
        centres = mixture.means_.T * std[:, np.newaxis] + mean[:, np.newaxis]
        fitted = cls(centres, roots / std[:, np.newaxis], heights, 0.0, 1.0)
        return fitted.measured_on(fitted.strangeness(held_out if held_out.size else features))

    def measured_on(self, strangeness: Floats) -> Density:
        """Returns the same density with ``median`` and ``edge`` of ``strangeness``, float64[texts]."""
        median, edge = np.quantile(strangeness, [0.5, 0.95])
        return replace(self, median=float(median), edge=float(max(edge, median + 1.0)))

    def strangeness(self, features: Floats) -> Floats:
        """Returns the negative log-density, float64[texts]; up to a constant, in units of standardised features."""
        logs = np.empty((features.shape[0], self.heights.size))
        for component, height in enumerate(self.heights):
            away = (features - self.centres[:, component]) * self.roots[:, component]
            logs[:, component] = height - (away * away).sum(axis=1)
        top = logs.max(axis=1)
        strangeness: Floats = -(top + np.log(np.exp(logs - top[:, np.newaxis]).sum(axis=1)))
        return strangeness

    @property
    def slope(self) -> float:
        """How fast novelty rises with strangeness, > 0."""
        return _STEEPNESS / (self.edge - self.median)

    def novelty(self, features: Floats) -> Floats:
        """Returns float64[texts] in [0, 1]: .12 for the median of unseen texts of known kinds, .5 for their 95 %."""
        novelty: Floats = 1.0 / (1.0 + np.exp(-np.clip(self.slope * (self.strangeness(features) - self.edge), -60, 60)))
        return novelty
