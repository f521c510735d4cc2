"""How far an answer lies from everything that was learnt from: the distance to the nearest of many centres.

Measured is mostly the prompt, and of the answer how it is written: that an answer is bad is no reason to say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.cluster import KMeans

from specroute.predictor.verifier.features import FEATURE_NAMES, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

CENTRES = 32
CUT = 6.0
"""Standardised measures are cut to +-6: one wild measure makes a stranger, but not alone the strangest."""
FAMILIAR_SHARE = 0.98
"""The share of own answers of each kind, out of fold, that lie within the limit."""
_LEAST_STD = 0.05

_OF_THE_ANSWER = ("prompt_covered", "prompt_numbers_used")
_REQUEST = ("request_words", "request_ands", "request_commas", "request_numbers", "request_quotes")
_PROMPT = (
    *(name for name in FEATURE_NAMES if name.startswith("prompt_") and name not in _OF_THE_ANSWER),
    *(*_REQUEST, "request_sequence", "request_question", "request_imperative"),
    *("tools", "required_offered", "parameters_offered"),
    *("options", "options_numeric", "options_chars", "question_words"),
)  # fmt: skip
_WRITING = (
    *("share_backslashes", "backslashes", "share_maths", "share_brackets", "share_other_scripts", "log_words"),
    *("result_type", "result_chars", "fraction_numbers", "negative_numbers", "largest_number"),
)
_CONFIDENCE = ("token_probability", "stated_confidence", "log_output_tokens")


def _used(kind: Kind) -> NDArray[np.bool_]:
    names = _CONFIDENCE if kind is Kind.CONFIDENCE else _PROMPT if kind is Kind.CALLS else (*_PROMPT, *_WRITING)
    return np.isin(FEATURE_NAMES, names)


@dataclass(frozen=True, slots=True)
class Region:
    """Where the own answers of one kind lie.

    Attributes:
        mean: float64[measures].
        scale: float64[measures], by which a centred measure is multiplied; 0: it is not looked at.
        centres: float64[CENTRES, measures], standardised; the last is repeated where there are fewer.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    centres: NDArray[np.float64]

    def distance(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Returns the distance to the nearest centre: float64[rows], a root mean square over what is looked at."""
        standard = np.clip((values - self.mean) * self.scale, -CUT, CUT)
        squares = np.stack([((standard - centre) ** 2).mean(axis=1) for centre in self.centres])
        return np.asarray(np.sqrt(squares.min(axis=0)), dtype=np.float64)


def fit_region(values: NDArray[np.float32], kind: Kind, seed: int) -> Region:
    """Learns the centres of own answers of one kind; deterministic."""
    used = _used(kind)
    mean, std = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    scale = np.where(used, 1.0 / np.maximum(std, _LEAST_STD), 0.0)
    standard = np.clip((values - mean) * scale, -CUT, CUT)
    count = min(CENTRES, max(1, values.shape[0] // 20))
    found = KMeans(count, n_init=1, random_state=seed, max_iter=50).fit(standard).cluster_centers_
    centres = np.vstack([found, np.repeat(found[-1:], CENTRES - count, axis=0)])
    return Region(mean, scale, centres)
