"""Loads the verifier of a model folder, together with the scorer whose prior it stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from specroute.predictor.artifact import MANIFEST_FILE, ModelArtifactError, read_manifest, read_verified
from specroute.predictor.scorer import load_scorer
from specroute.predictor.verifier.manifest import VERIFIER_FILE, VERIFIER_KEY, VerifierManifest
from specroute.predictor.verifier.model import VerifierModel, VerifierModelError
from specroute.predictor.verifier.validator import Verifier

if TYPE_CHECKING:
    from pathlib import Path

    from specroute.predictor.verifier.leeway import Cut


def load_verifier(folder: Path, cut: Cut) -> Verifier:
    """Returns the validator that a service asks.

    Args:
        folder: what ``specroute train`` wrote.
        cut: where its ``min_p`` is ``None``, that which the model was written with.

    Raises:
        ModelArtifactError: the folder does not load, or has no verifier.
    """
    model = load_verifier_model(folder)
    if model is None:
        raise ModelArtifactError(
            folder / MANIFEST_FILE,
            "the model has no verifier",
            "train one from outcomes with answers (*_response), or remove the validator 'verifier'",
        )
    min_p = model.manifest.min_p if cut.min_p is None else cut.min_p
    return Verifier(load_scorer(folder, read_manifest(folder)).logit, model, min_p, cut.leeway)


def load_verifier_model(folder: Path) -> VerifierModel | None:
    """Returns the model in ``folder``; ``None``: it was trained without one.

    Raises:
        ModelArtifactError: the folder does not load.
    """
    manifest = read_manifest(folder)
    if manifest.verifier is None:
        return None
    path = folder / MANIFEST_FILE
    try:
        section = msgspec.convert(manifest.verifier, VerifierManifest)
    except msgspec.ValidationError as error:
        raise ModelArtifactError(path, f"{VERIFIER_KEY}: {error}") from error
    try:
        return VerifierModel(read_verified(folder, manifest)[VERIFIER_FILE], section)
    except VerifierModelError as error:
        raise ModelArtifactError(folder / VERIFIER_FILE, str(error)) from error
