"""The verifier's part of a model folder's ``manifest.json``: what its graph reads, and how good it is."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

VERIFIER_FILE = "verifier.onnx"
VERIFIER_KEY = "verifier"

_Ratio = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class OperatingPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the default cut divides answers of one kind, on rows that the model had not seen.

    Attributes:
        rows: how many answers it was measured on.
        sensitivity: the share of acceptable answers that are accepted.
        specificity: the share of unacceptable answers that are rejected.
        abstained: the share of all answers on which it said nothing.
    """

    rows: _Count
    sensitivity: _Ratio | None
    specificity: _Ratio | None
    abstained: _Ratio


class VerifierGolden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A prompt and an answer, and what the model made of them; ``p``: ``None`` where it abstained."""

    prompt: str
    answer: str
    prior_logit: float
    p: _Ratio | None
    reason: str


class VerifierManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``manifest.json`` says under ``verifier``.

    Attributes:
        features_version: of the feature extractor that the graph was trained on.
        features: the names of what the graph reads, in order.
        kinds: names of the kinds of answers that it judges; on any other it abstains.
        novelty_limit: the largest distance from what was learnt from at which it still judges, > 0.
        min_p: the default cut: an answer with less is rejected.
        operating_points: kind -> what that cut does.
        parity_max_abs_error: the largest difference between exported and trained probabilities.
        rows: recorded answers of the own pair that were learnt from.
        auxiliary_rows: answers of other models that were learnt from beside them.
        metrics: what was measured out of fold; read by people and reports, never by the service.
        golden: checked at load.
    """

    features_version: int
    features: tuple[str, ...]
    kinds: tuple[str, ...]
    novelty_limit: Annotated[float, msgspec.Meta(gt=0.0)]
    min_p: _Ratio
    operating_points: dict[str, OperatingPoint]
    parity_max_abs_error: float
    rows: _Count
    auxiliary_rows: _Count
    metrics: dict[str, Any]  # the border of JSON
    golden: Annotated[tuple[VerifierGolden, ...], msgspec.Meta(min_length=1)]
