"""Warns where a service is no longer what its thresholds were tuned for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specroute.config import Settings


def tuning_warnings(settings: Settings) -> tuple[str, ...]:
    """Returns a line for each thing that has changed since the settings were tuned; empty: nothing, or never tuned."""
    from specroute.config import stale
    from specroute.predictor.artifact import ModelArtifactError, read_manifest

    if settings.policy.tuned is None:
        return ()
    folder = None if settings.predictor is None else settings.predictor.model
    try:
        version = None if folder is None else read_manifest(folder).version
    except ModelArtifactError:  # which is told where the model is loaded
        version = settings.policy.tuned.model_version
    return stale(settings, version)
